#!/usr/bin/env python3
"""Evidence in a verdict: how the values of each field lie before and after."""

import json

from stand import among, must, run_all, same, test

ROWS = 900
SPEC = """
sluice: 1
name: mend
source: { store: "rocksdb:live", dataset: items }
transform: { lua: mend.lua }
target: { store: "rocksdb:live", dataset: items }
partitions: { count: 3 }
"""
FIELD = "</code><script>x"


def ready(stand, lua):
    stand.put("items", [f"k{n:04d}\t" + json.dumps({"tier": ("bronze", "silver", "gold")[n % 3], "n": n * 7 % ROWS,
                                                    FIELD: "<b>&"}) + "\t0" for n in range(ROWS)])
    stand.write("mend.yaml", SPEC)
    stand.write("mend.lua", lua)
    stand.sluice("run", "mend.yaml", "--yes").ended(0)
    return stand.sluice("verify", "mend.1", "--full", "--json").ended(0).json()


@test("a transform that cuts a word and moves numbers is flagged by field, in the verdict and on the page, and fails nothing")
def _(stand):
    summary = ready(stand, "function transform(doc) if doc.tier == 'gold' then doc.tier = 'gol' end doc.n = doc.n * 2 return doc end\n")
    fields = {one["field"]: one for one in summary["profile"]["fields"]}
    same((summary["verdict"], summary["profile"]["records"]), ("pass", ROWS), "verdict, and the records compared")
    same({name for name, one in fields.items() if one["flagged"]}, {"tier", "n"}, "flagged")
    same((fields["tier"]["test"], fields["n"]["test"]), ("chi-square", "kolmogorov-smirnov"), "tests")
    among("values have shifted of tier, n", summary["sentence"])
    page = stand.read(summary["page"])
    among(["<svg", "shifted", "&lt;b&gt;&amp;", "gol", "chance below 1e-99"], page)
    must("chance 0<" not in page, "a chance that is none")
    must("<script" not in page and "<b>" not in page, "what records hold stands in the page as it is")
    entry = [one for one in stand.sluice("audit", "log", "--json").lines() if one["action"] == "stage.passed"][-1]
    among("values have shifted of", json.dumps(entry["details"]))


@test("a transform that adds a field shifts that one alone")
def _(stand):
    summary = ready(stand, "function transform(doc) doc.added = true return doc end\n")
    same([one["field"] for one in summary["profile"]["fields"] if one["flagged"]], ["added"], "flagged")


@test("what the run deleted and somebody brought back is named as that, whether with what stood there or with something else")
def _(stand):
    stand.put("items", [f'k{n}\t{{"n": {n}}}\t0' for n in range(6)])
    stand.write("fix.lua", "function transform(doc, ctx) if doc.n < 4 then return ctx.delete() end doc.n = doc.n + 10 return doc end\n")
    stand.write("fix.yaml", "sluice: 1\nname: fix\nsource: { store: 'rocksdb:live', dataset: items }\n"
                "target: { store: 'rocksdb:live', dataset: items }\ntransform: { lua: fix.lua }\n")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(stand.sluice("verify", "fix.1", "--json").ended(0).json()["revived"], 0, "none")
    stand.put("items", ['k1\t{"n": 1}\t0', 'k2\t{"n": 7}\t0', 'k5\t{"n": 9}\t0'])
    for more in ([], ["--full"]):
        done = stand.sluice("verify", "fix.1", "--json", *more).ended(4).json()
        same((done["revived"], done["missing"], done["changed_since"]), (2, 1, 2), "counts")
        among("2 that the run deleted stand there again", done["sentence"])
        lines = [json.loads(text) for text in stand.path(done["report"]).read_text().splitlines()]
        same({one["key"] for one in lines if "stands there again" in one.get("why", "")}, {"k1", "k2"}, "lines")


run_all()
