#!/usr/bin/env python3
"""What the values of a run are held against beside its source's: the profile that an earlier run's gates kept."""

import hashlib
import json
import shutil

from stand import among, must, run_all, same, test

ROWS = 400
SPEC = """
sluice: 1
name: nightly
params: { day: { type: string } }
source: { store: "file:.", dataset: "${day}.ndjson", key: id }
target: { store: "rocksdb:live", dataset: orders }
transform: { lua: same.lua }
partitions: { count: 4 }
stages:
  - { name: canary, scope: 50% }
  - { name: full, scope: 100% }
"""


def night(stand, day, change=lambda n, row: row, more=(), **how):
    """A day's orders: every night they are others, and of the same kind."""
    rows = []
    for n in range(ROWS):
        row = {"id": f"{day}-{n:05d}", "tier": ("bronze", "silver", "gold")[n * 7 % 3], "amount": n * 37 % 997, "seq": n + 1000 * ord(day[-1])}
        rows.append(json.dumps(change(n, row)))
    stand.write(f"{day}.ndjson", "\n".join(rows) + "\n")
    return stand.sluice("run", "nightly.yaml", "--param", f"day={day}", "--yes", "--json", *more, **how)


def ready(stand, more=""):
    stand.write("same.lua", "function transform(doc) return doc end\n")
    stand.write("nightly.yaml", SPEC + more)


def verdicts(stand, run):
    """Of its gates, as the ledger has them."""
    return [one["details"] for one in stand.sluice("audit", "log", "--json").lines()
            if one["action"] == "stage.passed" and one["run"] == run]


def moved(verdict):
    return {one["field"]: one["moved_before"] for one in verdict["profile"]["baseline"]["fields"] if one["flagged"]}


def tripled(n, row):
    return {**row, "amount": row["amount"] * 3}


@test("a field that moves while old and new agree is told by the canary's gate, in the words, in JSON and on the page, and fails nothing")
def _(stand):
    ready(stand)
    night(stand, "d1").ended(0)
    night(stand, "d2", tripled).ended(0)
    first, second = verdicts(stand, "nightly.1")[0], verdicts(stand, "nightly.2")[0]
    among("no earlier run of nightly", first["profile"]["baseline"]["why"])
    must("baseline" not in first["sentence"], "a baseline that nobody asked for is missed in the words")
    same((second["verdict"], second["stage"]), ("pass", "canary"), "verdict")
    must(not any(one["flagged"] for one in second["profile"]["fields"]), "old and new differ")
    same(moved(second), {"amount": False, "seq": False}, "moved")
    same((second["profile"]["baseline"]["of"], second["profile"]["baseline"]["stage"]), ("nightly.1", "canary"), "baseline")
    among("values have moved against nightly.1 (stage canary) of amount, seq", second["sentence"])
    among(["the baseline, nightly.1 (stage canary)", ">moved<"], stand.read(second["page"]))
    must(stand.read(second["page"]).count('class="baseline"') > 20, "the page has no third curve")
    must("class=\"baseline\"" not in stand.read(first["page"]), "the page of the first night has a third curve")
    file = second["profile"]["baseline"]["files"][0]
    same(file["digest"], hashlib.blake2b(stand.path(file["path"]).read_bytes(), digest_size=32).hexdigest(), "digest")
    same(file["digest"], first["profile"]["kept"]["digest"], "what its gate kept")


@test("what moves every night is told apart from what has not moved before")
def _(stand):
    ready(stand)
    for day, change in (("d1", lambda n, row: row), ("d2", lambda n, row: row), ("d3", tripled)):
        night(stand, day, change).ended(0)
    same(moved(verdicts(stand, "nightly.2")[1]), {"seq": False}, "second night")
    third = verdicts(stand, "nightly.3")[1]
    same(moved(third), {"amount": False, "seq": True}, "third night")
    among(["moved against nightly.2 (stage full) of amount;", "moved again, as they had in nightly.2 (stage full), of seq;"], third["sentence"])
    among("moved, as then", stand.read(third["page"]))


@test("a verification of all of a run is held against all of the earlier one, each stage by its share of the keys")
def _(stand):
    ready(stand)
    night(stand, "d1").ended(0)
    night(stand, "d2", tripled).ended(0)
    whole = stand.sluice("verify", "nightly.2", "--full", "--json").ended(0).json()
    baseline = whole["profile"]["baseline"]
    same((baseline["stage"], len(baseline["files"]), baseline["records"]), (None, 2, ROWS), "baseline")
    same(set(moved(whole)), {"amount", "seq"}, "moved")
    must("kept" not in whole["profile"], "what is no gate keeps a profile")
    by_sums = stand.sluice("verify", "nightly.2", "--json").ended(0).json()
    must("profile" not in by_sums, "a verification by sums says something of values")


@test("verify --baseline: against another one than the spec says, in the spec's words; of a run only where its keys are compared")
def _(stand):
    ready(stand, "baseline: none\n")
    night(stand, "d1").ended(0)
    night(stand, "d2", tripled).ended(0)
    shutil.copy(stand.path("home/reports/nightly.2/profile.1"), stand.path("usual.profile"))

    def against(*named, code=0):
        return stand.sluice("verify", "nightly.2", *named, "--json").ended(code)

    same(against("--full").json()["profile"]["baseline"], None, "what the spec says")
    for named, of in (("latest", "nightly.1"), ("nightly.1", "nightly.1"), ("nightly", "nightly.1"), ("file:usual.profile", "nightly.2")):
        found = against("--full", "--baseline", named).json()
        same(({one["run"] for one in found["profile"]["baseline"]["files"]}, "amount" in moved(found)), ({of}, of == "nightly.1"), named)
    among("say --full", against("--baseline", "nightly.1", code=2).err)
    among("expected latest, none, the name of a run", against("--full", "--baseline", "Nightly!", code=2).err)
    among(["nightly.9 cannot be had", "no earlier run"], against("--full", "--baseline", "nightly.9", code=7).err)
    found = stand.sluice("verify", "nightly.yaml", "--param", "day=d2", "--baseline", "nightly.2", "--json").ended(0, 4).json()
    same(found["profile"]["baseline"]["of"], "nightly.2", "of a spec")


@test("`baseline` names a run or a file; what is not there is refused before anything is planned; `none` holds against nothing")
def _(stand):
    ready(stand)
    night(stand, "d1").ended(0)
    night(stand, "d2", tripled).ended(0)
    shutil.copy(stand.path("home/reports/nightly.1/profile.1"), stand.path("usual.profile"))
    for named, of in (("nightly.1", "nightly.1"), ("nightly", "nightly.3"), ("file:usual.profile", None)):
        ready(stand, f"baseline: {named}\n")
        night(stand, "d3", tripled, ["--again"]).ended(0)
        verdict = verdicts(stand, stand.status()["run"])[1]
        found = verdict["profile"]["baseline"]
        same(found["of"], of or str(stand.path("usual.profile")), "baseline")
        same("amount" in moved(verdict), of != "nightly.3", f"amount has moved against {named}")
    for named, words in (("nightly.9", "no earlier run of nightly.9"), ("file:no.profile", "no.profile"), ("file:nightly.yaml", "nightly.yaml")):
        ready(stand, f"baseline: {named}\n")
        among(["its baseline", "cannot be had", words], night(stand, "d4").ended(7).err)
    among("cannot be had", stand.sluice("plan", "nightly.yaml", "--param", "day=d4").ended(7).err)
    ready(stand, "baseline: none\n")
    night(stand, "d4", tripled).ended(0)
    must(verdicts(stand, stand.status()["run"])[0]["profile"]["baseline"] is None, "none holds against something")
    ready(stand, "baseline: Nightly!\n")
    among("expected latest, none, the name of a run", night(stand, "d5").ended(2).err)


@test("a profile that is damaged, or not what its gate kept, is no baseline, and fails nothing; a run that was taken back is none")
def _(stand):
    ready(stand)
    night(stand, "d1").ended(0)
    night(stand, "d2", tripled).ended(0)
    ready(stand, "baseline: nightly.2\n")
    night(stand, "d3").ended(0)
    one, other = (stand.path(f"home/reports/nightly.2/profile.{stage}") for stage in (0, 1))
    shutil.copy(one, other)
    verdict = stand.sluice("verify", "nightly.3", "--full", "--json").ended(0).json()
    among("is not what its gate kept", verdict["profile"]["baseline"]["why"])
    among("values are held against no baseline", verdict["sentence"])
    among("There is no baseline", stand.read(verdict["page"]))
    ready(stand)
    night(stand, "d4").ended(0)
    stand.sluice("rollback", "nightly.4", "--yes").ended(0)
    night(stand, "d5").ended(0)
    same(verdicts(stand, "nightly.5")[0]["profile"]["baseline"]["of"], "nightly.3", "baseline")


@test("a repair keeps no profile and is held against none: what is wrong is like nothing else")
def _(stand):
    ready(stand)
    night(stand, "d1").ended(0)
    stand.put("orders", [f"d1-{n:05d}\t-\t0" for n in range(200)])
    stand.sluice("verify", "nightly.1", "--full").ended(4)
    stand.sluice("repair", "nightly.1", "--yes").ended(0)
    repair = stand.status()["run"]
    same(len(stand.documents("orders")), ROWS, "orders")
    must(not list(stand.path(f"home/reports/{repair}").glob("profile.*")), "the repair keeps a profile")
    same(verdicts(stand, repair)[-1]["profile"]["baseline"], None, "baseline")


@test("a profile goes with the run's reports; one of a run with a key shows no value, and is opened with the key")
def _(stand):
    env = stand.environment(BACKFILL_KEY="ab" * 32)
    word = "platinum-of-nobody-else"
    stand.write("same.lua", "function transform(doc) return doc end\n")
    stand.write("nightly.yaml", SPEC + 'retain: { undo: 1ms, quarantine: 1ms, reports: 1ms, key: "${env:BACKFILL_KEY}" }\n')
    named = lambda n, row: {**row, "tier": word} if n % 2 else row
    night(stand, "d1", named, env=env).ended(0)
    file = stand.path("home/reports/nightly.1/profile.0")
    must(word.encode() not in file.read_bytes(), "the profile shows a value")
    among(word, stand.sluice("dump", str(file), env=env).ended(0).out)
    night(stand, "d2", env=env).ended(0)
    verdict = verdicts(stand, "nightly.2")[0]
    among("moved against nightly.1 (stage canary) of tier, seq", verdict["sentence"])
    must("<svg" not in stand.read(verdict["page"]), "the page shows what the fields hold")
    stand.sluice("prune", env=env).ended(0)
    must(not file.exists(), "prune leaves the profile")
    night(stand, "d3", env=env).ended(0)
    among("no earlier run of nightly", verdicts(stand, "nightly.3")[0]["profile"]["baseline"]["why"])


run_all()
