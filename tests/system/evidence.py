#!/usr/bin/env python3
"""Evidence in a verdict: how the values of each field lie before and after."""

import json

from stand import among, must, run_all, same, test

ROWS = 600
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
    among(["<svg", "shifted", "&lt;b&gt;&amp;", "gol"], page)
    must("<script" not in page and "<b>" not in page, "what records hold stands in the page as it is")
    entry = [one for one in stand.sluice("audit", "log", "--json").lines() if one["action"] == "stage.passed"][-1]
    among("values have shifted of", json.dumps(entry["details"]))


@test("a transform that adds a field shifts that one alone")
def _(stand):
    summary = ready(stand, "function transform(doc) doc.added = true return doc end\n")
    same([one["field"] for one in summary["profile"]["fields"] if one["flagged"]], ["added"], "flagged")


run_all()
