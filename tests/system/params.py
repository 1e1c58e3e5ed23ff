#!/usr/bin/env python3
"""Params: one spec with other values, each a plan and a run of its own; and the range of time that they are mostly for."""

from stand import among, must, run_all, same, test

SPEC = """sluice: 1
name: replay
params:
  day: { type: date, default: 2026-07-10 }
  until: { type: date, default: "${day} + 1d" }
  size: { type: integer, default: 4 }
  tier: { default: gold }
source:
  store: "file:in"
  dataset: "*.ndjson"
  key: id
  range: { field: at, from: "${day}", to: "${until}" }
  where: "doc.tier == '${tier}'"
target: { store: "rocksdb:live", dataset: items }
partitions: { size: "${size}" }
protect: { rejects: 100% }
stages: [{ name: full, scope: 100%, gate: { soak: 1ms } }]
"""


def row(number, at, tier="gold"):
    return {"id": f"k{number:02}", "at": at, "tier": tier}


ROWS = [row(0, "2026-07-09T23:59:59.999Z"), row(1, "2026-07-10T00:00:00Z"), row(2, "2026-07-10T23:59:59Z"), row(3, "2026-07-11T00:00:00Z"),
        row(4, "2026-07-11T01:30:00+02:00"), row(5, "2026-07-10T12:00:00Z", "silver"), row(6, None), {"id": "k07", "tier": "gold"},
        row(8, "yesterday"), row(9, 1783684800)]


def ready(stand):
    stand.records("in/a.ndjson", ROWS)
    stand.write("replay.yaml", SPEC)


def run(stand, *more, codes=(0, 8)):
    return stand.sluice("run", "replay.yaml", "--yes", "--json", *more).ended(*codes).lines()[-1]


@test("a range takes its first moment and not its last; what is outside is filtered, what is no time refused; days come from params")
def _(stand):
    ready(stand)
    end = run(stand, codes=(8,))
    same(sorted(stand.documents("items")), ["k01", "k02", "k04"], "records of the day")
    records = end["status"]["records"]
    same([records[word] for word in ("listed", "written", "filtered", "rejected")], [10, 3, 5, 2], "outcomes")
    among("source.range: 'at' is no point in time", stand.sluice("quarantine", "show", "replay", "1").ended(0).out)
    run(stand, "--param", "day=2026-07-11")
    same(sorted(stand.documents("items")), ["k01", "k02", "k03", "k04"], "records of both days")
    run(stand, "--param=day=2026-07-01", "--param", "until=2026-07-31", "--param", "tier=silver")
    same(sorted(stand.documents("items")), ["k01", "k02", "k03", "k04", "k05"], "records of another tier")
    stand.sluice("verify", "replay.2", "--full").ended(0)
    stand.sluice("verify", "replay.yaml", "--param", "day=2026-07-11").ended(0)
    must("k03" in stand.sluice("try", "replay.yaml", "--key", "k03", "--param", "day=2026-07-11").ended(0).out, "try")


@test("other values are another plan: none resumes another's run; the values are frozen, and shown by plan, status, ledger, diff")
def _(stand):
    ready(stand)
    stand.dies("checkpoint.after:1", "run", "replay.yaml", "--yes", "--param", "day=2026-07-11")
    status = stand.status("replay.1")
    same(status["params"], {"day": "2026-07-11", "until": "2026-07-12", "size": "4", "tier": "gold"}, "params")
    among(["day=2026-07-11", "tier=gold"], stand.sluice("status", "replay.1").ended(0).out)
    among("replay.1", stand.sluice("run", "replay.yaml", "--yes").ended(7).err)
    stand.sluice("run", "replay.1", "--param", "day=2026-07-10").ended(2)
    same(run(stand, "--param", "day=2026-07-11")["run"], "replay.1", "the run that goes on")
    same(run(stand)["run"], "replay.2", "the other one")
    entries = [line for line in stand.sluice("audit", "log", "--json").ended(0).lines() if line.get("action") == "planned"]
    same([entry["details"]["params"]["day"] for entry in entries], ["2026-07-11", "2026-07-10"], "days in the ledger")
    among("2026-07-11", stand.sluice("diff", "replay.1", "replay.2").ended(0).out)
    same(run(stand, "--param", "day=2026-07-11", "--again")["run"], "replay.3", "and once more")
    stand.sluice("audit", "verify").ended(0)


@test("plan shows each value and where it comes from: line, option, variable; a plan file keeps them and takes no others")
def _(stand):
    ready(stand)
    shown = stand.sluice("plan", "replay.yaml", "--show-spec", "--param", "day=2026-07-11", "--json", "-o", "p.json").ended(0).json()
    values = {value["key"]: value for value in shown["values"]}
    same([values["params.day"][name] for name in ("value", "origin", "where")], ["2026-07-11", "option", "--param"], "day")
    same([values["params.until"][name] for name in ("value", "origin", "where")], ["2026-07-12", "spec", "replay.yaml:5"], "until")
    same(values["source.range.to"]["value"], "2026-07-12", "a value with its params")
    same(values["source.range.to"]["where"], "replay.yaml:12", "its line")
    same(shown["params"]["day"], "2026-07-11", "params of the plan")
    other = stand.sluice("plan", "replay.yaml", "--json").ended(0).json()
    must(other["digest"] != shown["digest"], "digests")
    env = stand.environment(SLUICE_PARAM="day=2026-07-09\ntier=silver")
    values = {value["key"]: value for value in stand.sluice("plan", "replay.yaml", "--show-spec", "--json", env=env).ended(0).json()["values"]}
    same([values["params.tier"][name] for name in ("value", "origin", "where")], ["silver", "variable", "SLUICE_PARAM"], "tier")
    among("--param: a plan file has the values", stand.sluice("run", "--plan", "p.json", "--param", "day=2026-07-10").ended(2).err)
    stand.sluice("run", "--plan", "p.json").ended(0, 8)
    same(sorted(stand.documents("items")), ["k03"], "records of the plan's day")
    among("day=2026-07-11", stand.sluice("plan", "replay.yaml", "--param", "day=2026-07-11").ended(0).out)


@test("what is unknown, of another type, or in a circle is refused where it stands, by every command that takes a spec")
def _(stand):
    ready(stand)
    for command in (["plan"], ["run", "--yes"], ["doctor"], ["verify"], ["try", "--sample", "1"]):
        done = stand.sluice(command[0], "replay.yaml", *command[1:], "--param", "dya=2026-07-11").ended(2)
        among("replay.yaml:4:3: --param: there is no param 'dya'; did you mean 'day'?", done.err + done.out)
    among("replay.yaml:4:3: --param day=soon: expected a date", stand.sluice("plan", "replay.yaml", "--param", "day=soon").ended(2).err)
    among("'to: 2026-07-10' is not after 'from: 2026-07-12'",
          stand.sluice("plan", "replay.yaml", "--param", "day=2026-07-12", "--param", "until=2026-07-10").ended(2).err)
    stand.write("replay.yaml", SPEC.replace("default: gold", 'default: "${size}"').replace("default: 4", 'default: "${tier}"'))
    among("are made of each other", stand.sluice("plan", "replay.yaml").ended(2).err)
    stand.write("replay.yaml", SPEC.replace("${tier}'", "${teir}'"))
    among("there is no param 'teir'; did you mean 'tier'?", stand.sluice("plan", "replay.yaml").ended(2).err)


run_all()
