#!/usr/bin/env python3
"""verify.command: a judge of the user's own beside the verifier."""

import json

from stand import among, must, run_all, same, test

ROWS = 60
SPEC = """
sluice: 1
name: load
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
target: {{ store: "rocksdb:live", dataset: items }}
transform: {{ lua: load.lua }}
partitions: {{ count: 2 }}
stages: [{{ name: full, scope: 100% }}]
verify: {{ command: {command}, timeout: {timeout} }}
"""
LUA = "function transform(doc) doc.price = doc.price * 2 return doc end\n"
JUDGE = """#!/usr/bin/env python3
import json, sys
pairs = [json.loads(line) for line in sys.stdin]
with open("asked.ndjson", "a") as seen:
    for pair in pairs:
        seen.write(json.dumps(pair) + "\\n")
for pair in pairs:
    wrong = {wrong}
    print(json.dumps({{"verdict": "odd", "why": "<b>" + pair["key"], "key": pair["key"]}} if wrong else {{"verdict": "equal"}}))
"""


def script(stand, name, text):
    stand.write(name, text).chmod(0o755)


def ready(stand, *, command="./check", wrong="False", text=None, timeout="1m"):
    stand.records("in/a.ndjson", [{"id": f"k{n:03d}", "price": n} for n in range(ROWS)])
    stand.write("load.lua", LUA)
    script(stand, "check", text if text is not None else JUDGE.format(wrong=wrong))
    stand.write("load.yaml", SPEC.format(command=command, timeout=timeout))


def judge_of(done):
    return {name: done["judge"][name] for name in ("command", "pairs", "words")}


@test("it is asked of every pair, with what stood in the source, what is wanted and what is found; where it calls all equal the gate passes")
def _(stand):
    ready(stand)
    plan = stand.sluice("plan", "load.yaml", "--json").ended(0).json()
    same(plan["judge"]["command"], "./check", "plan")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    asked = [json.loads(line) for line in stand.read("asked.ndjson").splitlines()]
    same(sorted(pair["key"] for pair in asked), [f"k{n:03d}" for n in range(ROWS)], "pairs")
    one = next(pair for pair in asked if pair["key"] == "k007")
    same(one, {"key": "k007", "class": "equal", "before": {"id": "k007", "price": 7}, "wanted": {"id": "k007", "price": 14},
               "found": {"id": "k007", "price": 14}}, "a pair")
    done = stand.sluice("verify", "load.1", "--json").ended(0).json()
    same(judge_of(done), {"command": "./check", "pairs": 0, "words": {}}, "by sums nothing is asked again")
    done = stand.sluice("verify", "load.1", "--full", "--json").ended(0).json()
    same(judge_of(done), {"command": "./check", "pairs": ROWS, "words": {}}, "in full")
    same(done["judge"]["digest"], plan["judge"]["digest"], "digest")
    among("./check judged 60 pairs: all equal", done["sentence"])
    among("./check judged 60 pairs", stand.sluice("verify", "load.yaml").ended(0).out)


@test("what it calls by another word is differing, fails the gate, and stands in report and page with its word and reason, as text")
def _(stand):
    ready(stand, wrong='pair["before"]["price"] % 20 == 3')
    done = stand.sluice("run", "load.yaml", "--yes").ended(4)
    among(["3 of 60 differ", "./check judged 60 pairs: 3 odd"], done.out + done.err)
    done = stand.sluice("verify", "load.1", "--full", "--json").ended(4).json()
    same(judge_of(done), {"command": "./check", "pairs": ROWS, "words": {"odd": 3}}, "counts")
    same((done["differing"], done["equal"]), (3, 57), "classes")
    lines = [json.loads(line) for line in stand.path(done["report"]).read_text().splitlines()]
    same(sorted((line["key"], line["kind"], line["judged"], line["judged_why"]) for line in lines),
         [(key, "differing", "odd", "<b>" + key) for key in ("k003", "k023", "k043")], "report")
    page = stand.path(done["page"]).read_text()
    parts = [page.find(words) for words in ("What was proven", "How the values lie", " lines of the report")]
    must(0 < parts[0] and parts == sorted(parts), f"what is longest comes last: {parts}")
    among(["another judge", "3 odd", "judged odd: &lt;b&gt;k003"], page)
    must("<b>k003" not in page, "what a judge says is markup on the page")


@test("it can find more and hides nothing: what the verifier calls differing stays so")
def _(stand):
    ready(stand)
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    stand.put("items", ['k005\t{"id": "k005", "price": 11}\t0'])
    done = stand.sluice("verify", "load.yaml", "--json").ended(4).json()
    same((done["differing"], done["judge"]["pairs"], done["judge"]["words"]), (1, ROWS, {}), "found")
    asked = [json.loads(line) for line in stand.read("asked.ndjson").splitlines()]
    same(asked[-60 + 5]["class"] if asked[-60 + 5]["key"] == "k005" else [pair["class"] for pair in asked if pair["key"] == "k005"][-1],
         "differing", "what it was told")


FAULTS = {
    "dies": ("cat > /dev/null; kill -9 $$", "it ended with 137"),
    "ends badly": ("sed 's/.*/{\"verdict\": \"equal\"}/'; exit 3", "it ended with 3"),
    "hangs": ("cat > /dev/null; sleep 600", "it took too long, and was killed"),
    "prints no verdicts": ("sed 's/.*/fine/'", "line 1 of its answer to"),
    "prints words that are none": ("sed 's/.*/{\"verdict\": \"All Good\"}/'", "is no verdict"),
    "gives too few": ("sed 's/.*/{\"verdict\": \"equal\"}/;1d'", "verdicts on"),
    "gives too many": ("sed 's/.*/{\"verdict\": \"equal\"}/'; echo '{\"verdict\": \"equal\"}'", "verdicts on"),
    "says nothing": ("cat > /dev/null", "it gave 0 verdicts on"),
    "reads nothing": ("exec < /dev/null; true", "it gave 0 verdicts on"),
    "speaks of another key": ("sed 's/.*/{\"verdict\": \"equal\", \"key\": \"other\"}/'", "about another key"),
    "prints without end": ("cat > /dev/null; yes '{\"verdict\": \"equal\"}' | head -c 300000", "more than 1024 bytes a pair"),
}


@test("one that dies, hangs, answers garbage, too little or too much ends the verification with an error by name, and no gate passes")
def _(stand):
    text, wanted = FAULTS["dies"]
    ready(stand, text=f"#!/bin/sh\n{text}\n")
    done = stand.sluice("run", "load.yaml", "--yes").ended(6)
    among(["verify.command './check'", wanted], done.out + done.err)
    status = stand.status("load.1")
    must(status["state"] != "done" and status["stages"][0]["state"] != "passed", status["state"], status["stages"])
    for words, (text, wanted) in FAULTS.items():
        script(stand, "check", f"#!/bin/sh\n{text}\n")
        stand.write("load.yaml", SPEC.format(command="./check", timeout="300ms" if words == "hangs" else "1m"))
        done = stand.sluice("verify", "load.yaml").ended(6)
        among(["verify.command './check'", wanted], done.out + done.err, words)


@test("a judge that failed and is asked again lets the run go on; a changed one is a changed plan, by name")
def _(stand):
    text = "#!/bin/sh\ntest -e broken && exit 9\nsed 's/.*/{\"verdict\": \"equal\"}/'\n"
    ready(stand, text=text)
    stand.write("broken", "")
    stand.sluice("run", "load.yaml", "--yes").ended(6)
    script(stand, "check", text + "# another\n")
    among("the judge that it names", stand.sluice("resume", "load.1").ended(7).err)
    script(stand, "check", text)
    stand.path("broken").unlink()
    stand.sluice("resume", "load.1").ended(0)
    same(stand.status("load.1")["state"], "done", "state")


@test("lists of words, files behind an interpreter; what names no file, or one that is not there, is refused with its place")
def _(stand):
    ready(stand, command="[python3, check]")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    same(len(stand.read("asked.ndjson").splitlines()), ROWS, "asked")
    for command, words in (("./nothing", "there is no ./nothing beside the spec"), ("cat", "names no file"), ("\"'\"", "parted into words"), ("[]", "a list of its words")):
        stand.write("bad.yaml", SPEC.format(command=command, timeout="1m").replace("name: load", "name: bad"))
        among(["bad.yaml:", words], stand.sluice("plan", "bad.yaml").ended(2).err)
    stand.write("bad.yaml", SPEC.format(command="./check", timeout="0s").replace("name: load", "name: bad"))
    among("a duration above zero", stand.sluice("plan", "bad.yaml").ended(2).err)
    stand.write("bad.yaml", SPEC.format(command="./check", timeout="1m").replace("rocksdb:live", "file:out").replace("dataset: items", 'dataset: "*.ndjson"'))
    among(["bad.yaml:", "append-only"], stand.sluice("plan", "bad.yaml").ended(2).err)


run_all()
