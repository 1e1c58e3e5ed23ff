#!/usr/bin/env python3
"""cause: while fresh records still break the contract, old ones are not repaired; and a run that meets its own writes."""

import datetime
import json

from inplace import FIX
from stand import among, must, run_all, same, test

ROWS = 40
SPEC = FIX + """contract: items.contract.yaml
partitions: {{ count: 4 }}
cause: {{ id: INC-1432, probe: {probe} }}
stages: {stages}
"""
LUA = "function transform(doc) if doc.tier == 'gld' then doc.tier = 'gold' end return doc end\n"
CONTRACT = "contract: 1\nname: items\nversion: 1\nfields: { tier: { type: string, one_of: [gold, silver] } }\n"
ONE = "[{ name: full, scope: 100% }]"


def line(key, tier, at, **more):
    return f"{key}\t{json.dumps(dict(more, tier=tier, at=at))}\t0"


def ready(stand, *, probe="{ field: at }", stages=ONE):
    stand.put("items", [line(f"k{n:03d}", "gld", "2020-01-01T00:00:00Z") for n in range(ROWS)] + ["none\t{\"tier\": \"gld\"}\t0", "odd\t{\"tier\": \"gld\", \"at\": 7}\t0"])
    stand.write("fix.lua", LUA)
    stand.write("items.contract.yaml", CONTRACT)
    stand.write("fix.yaml", SPEC.format(probe=probe, stages=stages))


def wrong(stand):
    return sum(document["tier"] == "gld" for document in stand.documents("items").values())


@test("fresh records that break the contract halt a run before its first write, by name; mended, a person lets it go on")
def _(stand):
    ready(stand)
    stand.put("items", [line("new", "gld", "2999-01-01T00:00:00Z"), line("fine", "gold", "2999-01-01T00:00:00Z")])
    done = stand.sluice("run", "fix.yaml", "--yes").ended(5)
    among(["cause INC-1432: 1 of 2 records newer than ", "breaks the contract: 'new': tier:", "sluice resume fix.1"], done.out + done.err)
    same((stand.status()["state"], wrong(stand)), ("halted", ROWS + 3), "nothing is written")
    stand.sluice("run", "fix.yaml", "--yes").ended(5)
    done = stand.sluice("resume", "fix.1", "--reason", "mended, I thought").ended(5)
    among("1 of 2 records", done.out + done.err)
    stand.put("items", [line("new", "gold", "2999-01-01T00:00:00Z")])
    done = stand.sluice("resume", "fix.1", "--reason", "mended").ended(0)
    among(["none of 2 records newer than", "(2 more bear no time in at)"], done.out + done.err)
    same((stand.status()["state"], wrong(stand)), ("done", 0), "repaired")
    done = stand.sluice("verify", "fix.1", "--json").ended(0).json()
    same((done["cause"]["id"], done["cause"]["fresh"], done["cause"]["broken"], done["cause"]["undated"]), ("INC-1432", 2, 0, 2), "cause")
    among("root cause", stand.path(done["page"]).read_text())
    stand.put("items", [line("new", "gld", "2999-01-01T00:00:00Z")])
    done = stand.sluice("verify", "fix.1").ended(4)
    among("1 of 2 records newer than", done.out + done.err)


@test("what broke it before the resume does not hold up the run once more: whoever resumed has said that it is mended")
def _(stand):
    ready(stand, probe="{ field: at, after: 2021-01-01 }")
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    stand.put("items", [line("new", "gld", now)])
    among("newer than 2021-01-01", stand.sluice("run", "fix.yaml", "--yes").ended(5).err)
    stand.dies("log.after:1", "resume", "fix.1", "--reason", "mended")
    done = stand.sluice("run", "fix.yaml", "--yes").ended(0)
    among("none of 0 records newer than", done.out + done.err)
    same((stand.status()["state"], wrong(stand)), ("done", 0), "repaired")
    among("none of 0 records newer than", stand.sluice("verify", "fix.1", "--full").ended(0).out)


@test("which are meant is said by an expression; without fresh records nothing is proven, and it says of how many")
def _(stand):
    ready(stand, probe="{ field: at, where: \"doc.by == '4.2'\" }")
    stand.put("items", [line("new", "gld", "2999-01-01T00:00:00Z", by="4.1")])
    done = stand.sluice("run", "fix.yaml", "--yes").ended(0)
    among("none of 0 records newer than", done.out + done.err)
    stand.put("items", [line("new", "gld", "2999-01-01T00:00:00Z", by="4.2")])
    stand.sluice("run", "fix.yaml", "--yes", "--again").ended(5)


@test("what begins to break the contract between two stages keeps the next one from being written")
def _(stand):
    ready(stand, stages="[{ name: canary, scope: 1 partition }, { name: full, scope: 100% }]")
    stand.write("fix.yaml", stand.read("fix.yaml") + "hooks: [{ on: stage.passed, run: 'test -e go', must: true, tries: 1 }]\n")
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    stand.put("items", [line("new", "gld", "2999-01-01T00:00:00Z")])
    stand.write("go", "")
    done = stand.sluice("resume", "fix.1").ended(5)
    among("cause INC-1432: 1 of 1 records newer than", done.out + done.err)
    status = stand.status()
    same((status["state"], [stage["state"] for stage in status["stages"]]), ("halted", ["passed", "pending"]), "stages")
    must(0 < wrong(stand) <= ROWS + 3 - 10, "the canary alone is written", wrong(stand))
    stand.sluice("rollback", "fix.1", "--yes", "--reason", "x").ended(0)
    same(wrong(stand), ROWS + 3, "taken back")


@test("a run that meets its own writes in its source says so")
def _(stand):
    rows = [f'k{n:03d}\t{{"n": {n + 1}}}\t0' for n in range(ROWS)]
    stand.put("items", rows, store="rocksdb:src")
    stand.write("fix.lua", "function transform(doc) doc.n = doc.n * 2 return doc end\n")
    stand.write("load.yaml", "sluice: 1\nname: load\nsource: { store: 'rocksdb:src', dataset: items }\n"
                "target: { store: 'rocksdb:live', dataset: items }\ntransform: { lua: fix.lua }\n")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    written = stand.dump("items")
    stand.put("items", [f"{key}\t{written[key][0]}\t0" for key in ("k003", "k004", "k005")] + ['k006\t{"n": 1000}\t0'], store="rocksdb:src")
    done = stand.sluice("verify", "load.1", "--full", "--json").ended(4).json()
    same((done["own_writes_met"], done["differing"]), (3, 4), "met")
    among("the run meets its own writes in its source: 3 records", done["sentence"])
    lines = [json.loads(text) for text in stand.path(done["report"]).read_text().splitlines()]
    same({one["key"] for one in lines if "the source holds what this run wrote" in one.get("why", "")}, {"k003", "k004", "k005"}, "lines")


@test("a cause without a contract, a probe without a field, an expression that does not compile, an append-only target: refused with their place")
def _(stand):
    ready(stand)
    good = SPEC.format(probe="{ field: at }", stages=ONE)
    for text, words in ((good.replace("contract: items.contract.yaml\n", ""), "'cause' needs a contract"), (good.replace("{ field: at }", "{}"), "'cause.probe.field' is missing"),
                        (good.replace("{ field: at }", "{ field: at, where: 'doc.x =' }"), "cause.probe.where"),
                        (good.replace("{ field: at }", "{ field: at, after: soon }"), "expected a time such as"), (good.replace("id: INC-1432, ", ""), "'cause.id' is missing"),
                        (good.replace('target: { store: "rocksdb:live", dataset: items }', 'target: { store: "file:out", dataset: "*.ndjson" }'), "append-only")):
        stand.write("bad.yaml", text)
        among(["bad.yaml", words], stand.sluice("plan", "bad.yaml").ended(2).err)


run_all()
