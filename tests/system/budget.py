#!/usr/bin/env python3
"""A run with a budget: it is shared by all workers, never passed, kept across deaths, warned of, and raised with `set`."""

import json
import os
import signal

from staged import after, before, ready, run, states
from stand import among, must, run_all, same, test
from wallclock import faked

RUN = ("run", "fix.yaml", "--yes", "--json")
FULL = "stages: [{ name: full, scope: 100% }]\n"
WARNING = "budget-warning"


def prepare(stand, budget, more="", rows=400, workers=3):
    was = ready(stand, FULL, more=f"budget: {budget}\n{more}", rows=rows)
    spec = stand.read("fix.yaml").replace("partitions: { count: 4 }\nworkers: 1", f"partitions: {{ count: 8 }}\nworkers: {workers}")
    stand.write("fix.yaml", spec)
    return was


def changed(stand, rows=400):
    live, wanted, old = stand.documents("items"), after(rows), before(rows)
    for key, row in live.items():
        must(row in (wanted[key], old[key]), f"{key} is {row}")
    return sum(live[key] != old[key] for key in live)


def warnings(stand):
    entries = stand.sluice("audit", "log", "--json").ended(0).lines()
    return [(entry["details"]["key"], entry["details"]["per_cent"]) for entry in entries if entry.get("action") == WARNING]


@test("records: several workers write exactly so many, it pauses with 3 and says which key; set and resume go on to the end")
def _(stand):
    prepare(stand, "{ records: 130 }")
    done = stand.sluice(*RUN).ended(3)
    end = done.lines()[-1]
    among(["the budget is spent", "130 of 130 records are written", "budget.records", "sluice set fix.1 budget.records="], end["message"])
    same(changed(stand), 130, "records changed")
    notes = [line["text"] for line in done.lines() if line["type"] == "note"]
    among(["50 % of its budget is spent", "80 % of its budget is spent"], "\n".join(notes))
    status = stand.status("fix")
    same((status["state"], status["rate"]["limited_by"], status["budget"]["records"]),
         ("paused", "budget.records", {"limit": 130, "used": 130}), "status")
    among("130 of 130 records are written: spent", stand.sluice("status", "fix").ended(0).out)
    same(status["watchdog"]["by"], "its budget", "who has paused it")
    again = run(stand, 3)["message"]
    among("paused by its budget: the budget is spent: 130 of 130", again)
    must(not again.endswith("; `sluice resume fix.1` goes on"), "resume alone does not", again)
    among("is paused already, by its budget", stand.sluice("pause", "fix").ended(7).err)
    among("the budget is spent", run(stand, 3, command=("resume", "fix"))["message"])
    same(changed(stand), 130, "records changed by a resume alone")
    stand.sluice("set", "fix", "budget.records=300").ended(0)
    among("; budget.records=300", stand.sluice("audit", "log").ended(0).out)
    same(stand.status("fix")["rate"]["limited_by"], None, "limited by")
    run(stand, 3, command=("resume", "fix"))
    same(changed(stand), 300, "records changed")
    stand.sluice("set", "fix", "budget.records=none").ended(0)
    run(stand, 0, command=("resume", "fix"))
    same(stand.documents("items"), after(), "records")
    same(stand.status("fix")["records"]["written"], 400, "written")
    same(warnings(stand), [("budget.records", 50), ("budget.records", 80)] * 2, "warnings")
    stand.sluice("audit", "verify").ended(0)


@test("a budget that is just enough stops nothing; one that is spent does not keep a run from being taken back")
def _(stand):
    was = prepare(stand, "{ records: 400, bytes: 1GiB, time: 1h }")
    run(stand, 0)
    same(stand.documents("items"), after(), "records")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), was, "records")
    stand.write("fix.yaml", stand.read("fix.yaml").replace("records: 400", "records: 10"))
    run(stand, 3)
    same(changed(stand), 10, "records changed")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), was, "records")


@test("bytes: never passed; what the transform leaves alone costs nothing")
def _(stand):
    prepare(stand, "{ bytes: 1000 }", more="protect: { rate: { max: 1000/s } }")
    run(stand, 3)
    status = stand.status("fix")
    same(status["rate"]["limited_by"], "budget.bytes", "limited by")
    must(900 < status["budget"]["bytes"]["used"] <= 1000, f"bytes used: {status['budget']}")
    among("and the next record takes ", status["reason"])
    stand.sluice("set", "fix", "budget.bytes=none").ended(0)
    stand.sluice("set", "fix", "budget.records=400").ended(0)
    run(stand, 0, command=("resume", "fix"))
    same(stand.documents("items"), after(), "records")


@test("bytes and money of large records: never passed, by however many workers; the rest follows")
def _(stand):
    each, rows = 20_000, 120
    prepare(stand, "{ bytes: 150000 }", more="prices: { written: 1073.741824 }", rows=rows) # a megabyte costs 1
    large = {key: dict(row, x="y" * each) for key, row in before(rows).items()}
    stand.put("items", [f"{key}\t{json.dumps(row)}\t0" for key, row in large.items()])
    was, spec = stand.dump("items"), stand.read("fix.yaml")
    for key, limit, record in (("bytes", 150_000, each + 100), ("bytes", 1000, each + 100), ("cost", 0.15, 0.0201)):
        for workers in (1, 4):
            text = spec.replace("{ bytes: 150000 }", f"{{ {key}: {limit} }}").replace("workers: 3", f"workers: {workers}")
            stand.write("fix.yaml", text)
            run(stand, 3)
            used = stand.status("fix")["budget"][key]["used"]
            must(limit - record < used <= limit, f"{key}: {limit}, {workers} workers: {used}")
            same(stand.status("fix")["rate"]["limited_by"], f"budget.{key}", "limited by")
            stand.sluice("set", "fix", f"budget.{key}=none").ended(0)
            run(stand, 0, command=("resume", "fix"))
            same({name: row["n"] for name, row in stand.documents("items").items()}, {name: row["n"] for name, row in after(rows).items()}, "records")
            stand.sluice("rollback", "fix", "--yes").ended(0)
            same(stand.dump("items"), was, "records")


@test("time: what workers have worked is kept with the checkpoints; waiting for a person costs nothing; no clock that is set moves it")
def _(stand):
    prepare(stand, "{ time: 1s }", more="protect: { rate: { max: 100/s } }")
    done = stand.sluice(*RUN, env=faked(stand)).ended(3)
    among(["the budget is spent", "are worked (budget.time)"], done.lines()[-1]["message"])
    used = stand.status("fix")["budget"]["time_s"]["used"]
    must(1 <= used < 3, f"time used: {used}")
    changes = changed(stand)
    must(50 <= changes < 400, f"records changed: {changes}")
    same(stand.status("fix")["budget"]["time_s"]["used"], used, "time used while it waits")
    stand.sluice("set", "fix", "budget.time=1h").ended(0)
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    run(stand, 0, command=("resume", "fix"))
    same(stand.documents("items"), after(), "records")


@test("killed at every step of a batch, and from outside, several workers together never write more than the budget")
def _(stand):
    was = prepare(stand, "{ records: 200 }", more="protect: { rate: { max: 400/s } }")
    for point in ("scan.after:2", "log.after:2", "cas.after:2", "outcome.before:1", "settle.after:1", "checkpoint.before:1", "checkpoint.after:1"):
        stand.dies(point, "run", "fix.yaml", "--yes")
        must(changed(stand) <= 200, f"{changed(stand)} records changed after a death at {point}")
    for _ in range(3):
        process = stand.start(*RUN)
        stand.until(process, lambda line: line["type"] == "progress")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        must(changed(stand) <= 200, f"{changed(stand)} records changed after a kill")
    run(stand, 3)
    same(changed(stand), 200, "records changed")
    same(stand.status("fix")["records"]["written"], 200, "written")
    same(warnings(stand), [("budget.records", 50), ("budget.records", 80)], "warnings, once each over all deaths")
    stand.sluice("set", "fix", "budget.records=none").ended(0)
    run(stand, 0, command=("resume", "fix"))
    same(stand.documents("items"), after(), "records")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), was, "records")


@test("plan says whether the forecast fits; explain knows the keys; what is no budget is refused where it stands")
def _(stand):
    prepare(stand, "{ records: 100, bytes: 1GiB }")
    out = stand.sluice("plan", "fix.yaml").ended(0).out
    among(["budget.records: 400 of 100; the forecast does not fit", "budget.bytes:", "the forecast fits"], out)
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).lines()[-1]["budget"]
    same((plan["fits"], plan["records"], plan["time_s"]), (False, {"limit": 100, "forecast": 400}, None), "budget")
    among("records written and deleted", stand.sluice("explain", "budget.records").ended(0).out)
    spec = stand.read("fix.yaml")
    for wrong, words in (("{ records: 0 }", "from 1"), ("{ records: -5 }", "from 1"), ("{ bytes: 0 }", "20GiB"),
                         ("{ bytes: 5 parsecs }", "20GiB"), ("{ time: 0s }", "above zero"), ("{ time: soon }", "duration"),
                         ("{ recods: 5 }", "did you mean 'records'"), ("5", "map")):
        stand.write("fix.yaml", spec.replace("budget: { records: 100, bytes: 1GiB }", f"budget: {wrong}"))
        among(["fix.yaml:", words], stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("fix.yaml", spec)
    run(stand, 3)
    for wrong in ("budget.records=0", "budget.records=-1", "budget.bytes=x", "budget.time=0s"):
        among("or none", stand.sluice("set", "fix", wrong).ended(2).err)
    same(stand.sluice("set", "fix", "budget.records=?").ended(0).out.strip().split()[-1].split("=")[-1], "100", "set")


PRICES = "prices: { currency: EUR, reads: 5000, writes: 10000, written: 100, egress: 1 }"


@test("money: estimated, counted with its verification, warned of, and not passed; what was checkpointed stays, and the rest follows")
def _(stand):
    was = prepare(stand, "{ cost: 4 }", more=PRICES) # a record: 0.01 for two reads, 0.01 for a write, next to nothing for its bytes
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).lines()[-1]
    must(8 <= plan["cost"]["forecast"] < 8.1, plan["cost"])
    same((plan["budget"]["fits"], plan["cost"]["currency"]), (False, "EUR"), "plan")
    among(["cost        about 8.0", "EUR, its verification included", "budget.cost: 8.0", "the forecast does not fit"],
          stand.sluice("plan", "fix.yaml").ended(0).out)
    among(["the budget is spent", "EUR of 4.00 EUR are spent, and the next record takes 0.0", " EUR (budget.cost)"], run(stand, 3)["message"])
    status = stand.status("fix")
    used = status["budget"]["cost"]["used"]
    must(3.9 <= used <= 4 and 190 <= changed(stand) <= 200, f"{status['budget']}, {changed(stand)} records changed")
    same(status["rate"]["limited_by"], "budget.cost", "limited by")
    must(7.9 < status["cost"]["forecast"] < 8.1, f"learned from what is done: {status['cost']}")
    among("EUR so far, about 8.0", stand.sluice("status", "fix").ended(0).out)
    same(warnings(stand), [("budget.cost", 50), ("budget.cost", 80)], "warnings")
    run(stand, 3, command=("resume", "fix"))
    stand.sluice("set", "fix", "budget.cost=8.5", "--reason", "it is worth it").ended(0)
    run(stand, 0, command=("resume", "fix"))
    same(stand.documents("items"), after(), "records")
    ended = stand.status("fix")
    must(8 <= ended["cost"]["used"] < 8.1, "what it cost in the end")
    same((ended["state"], ended["budget"]["cost"]["limit"], ended["budget"]["cost"]["used"]), ("done", 8.5, ended["cost"]["used"]), "and its limit, of a run that is over")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), was, "records")
    back = stand.status("fix") # each was looked at once, and written once
    must(6 <= back["cost"]["used"] - ended["cost"]["used"] < 6.1, f"what taking it back cost: {back['cost']}")
    same(back["budget"]["cost"]["used"], ended["budget"]["cost"]["used"], "used of the budget, which stops no rollback")


@test("money: a shadow's promotion is paid for before it begins, so that a cap leaves room for it; reads may cost nothing")
def _(stand):
    prepare(stand, "{ cost: 16.2 }", more=PRICES) # a record: 0.01 for two reads, 0.02 for two writes, 0.01 for the promotion's reads
    spec = stand.read("fix.yaml").replace('target: { store: "rocksdb:live", dataset: items }', 'target: { store: "rocksdb:live", dataset: items, write: shadow }')
    stand.write("fix.yaml", spec)
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).lines()[-1]
    must(16 <= plan["cost"]["forecast"] < 16.1 and plan["budget"]["fits"], plan["cost"])
    stand.sluice(*RUN).ended(3)
    used = stand.status("fix")["cost"]["used"]
    must(16 <= used < 16.1, f"before its promotion: {used}")
    stand.sluice("promote", "fix", "--yes").ended(0)
    same(stand.documents("items"), after(), "records")
    same(stand.status("fix")["cost"]["used"], used, "and behind it")
    stand.write("fix.yaml", stand.read("fix.yaml").replace("reads: 5000", "reads: 0"))
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).lines()[-1]
    must(8 <= plan["cost"]["forecast"] < 8.1, f"two writes a record: {plan['cost']}")


@test("one that a person has paused, and lets go on into a spent budget, is paused by that, with its reason")
def _(stand):
    prepare(stand, "{ records: 400 }", more="protect: { rate: { max: 100/s } }")
    process = stand.start(*RUN)
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing" and line["done"] > 0)
    stand.sluice("pause", "fix", "--reason", "lunch").ended(0)
    stand.finish(process).ended(3)
    status = stand.status("fix")
    must(status["reason"] == "lunch" and "@" in status["watchdog"]["by"], status["reason"])
    stand.sluice("set", "fix", "budget.records=1").ended(0)
    run(stand, 3, command=("resume", "fix"))
    status = stand.status("fix")
    among("the budget is spent: ", status["reason"])
    same(status["watchdog"]["by"], "its budget", "who has paused it")
    among("paused by its budget", run(stand, 3)["message"])


@test("burn: used too fast it is slowed, then paused by name, until enough of the time has passed; a budget that leaves none is refused")
def _(stand):
    prepare(stand, '{ records: 1000, burn: "20% in 3s" }', more="protect: { rate: { max: 150/s } }")
    among("budget.burn: 40 % of 20 % in 3s; the forecast does not fit", stand.sluice("plan", "fix.yaml").ended(0).out)
    process = stand.start(*RUN)
    lines = stand.until(process, lambda line: line["type"] == "progress" and line["text"].startswith("paused by a guard: budget.burn"))
    must(any("slowed by budget.burn" in line["text"] for line in lines if line["type"] == "note"), "it was not slowed first")
    must(200 <= changed(stand) <= 300, f"{changed(stand)} records in so short a time")
    status = stand.status("fix")
    among("budget.burn: 2", status["reason"])
    same([(one["limit"], round(one["slow"], 9), one["limit_text"]) for one in status["signals"] if one["name"] == "budget.burn"], [(0.2, 0.16, "20 %, slow from 16 %")], "signal")
    stand.finish(process).ended(0)
    same(stand.documents("items"), after(), "records")
    spec = stand.read("fix.yaml")
    for wrong, words in (('{ burn: "20% in 3s" }', "needs 'records', 'bytes' or 'cost'"), ('{ records: 5, burn: 20% }', "50% in 1h"),
                         ('{ records: 5, burn: "0% in 3s" }', "50% in 1h"), ("{ cost: 4 }", "needs 'prices'"), ("{ cost: -4 }", "12.50")):
        stand.write("fix.yaml", spec.replace('{ records: 1000, burn: "20% in 3s" }', wrong))
        among(["fix.yaml:", words], stand.sluice("plan", "fix.yaml").ended(2).err)
    for wrong, words in (("{ currency: Euro }", "three capital letters"), ("{ reads: free }", "a price"), ("{ reads: -1 }", "a price"), ("{ wirtes: 4 }", "did you mean 'writes'")):
        stand.write("fix.yaml", spec + f"\nprices: {wrong}\n")
        among(["fix.yaml:", words], stand.sluice("plan", "fix.yaml").ended(2).err)


@test("burn: what a process that died has used counts for the next one; without the limit it goes on")
def _(stand):
    prepare(stand, '{ records: 1000, burn: "20% in 1h" }', more="protect: { rate: { max: 150/s } }")
    process = stand.start(*RUN)
    stand.until(process, lambda line: line["type"] == "progress" and line["text"].startswith("paused by a guard: budget.burn"))
    was = changed(stand)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    among("budget.burn", stand.sluice(*RUN, "--exit-on-pause").ended(3).lines()[-1]["message"])
    same(changed(stand), was, "records changed by the next process")
    among("did you mean 'budget.burn'?", stand.sluice("set", "fix", "burn=none").ended(2).err)
    stand.sluice("set", "fix", "budget.burn=none").ended(0)
    run(stand, 0)
    same(stand.documents("items"), after(), "records")


@test("a deadline is forecast against the pace so far; the run says once that it will be late")
def _(stand):
    prepare(stand, "{ records: 1000 }", more='slo: { complete: 95% within 2s }\nprotect: { rate: { max: 100/s } }')
    among("slo         95 % within 2s: takes about 3s, which is too late", stand.sluice("plan", "fix.yaml").ended(0).out)
    process = stand.start(*RUN)
    among("which is too late (slo.complete)", stand.until(process, lambda line: line["type"] == "note" and "deadline" in line["text"])[-1]["text"])
    slo = stand.status("fix")["slo"]
    must(slo["late"] and not slo["there"] and slo["there_at"] > slo["due_at"], slo)
    among("at the pace so far it is there", stand.sluice("status", "fix").ended(0).out)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    run(stand, 0)
    among("it was there by", stand.sluice("status", "fix").ended(0).out)
    said = [entry["action"] for entry in stand.sluice("audit", "log", "--json").ended(0).lines()]
    same(said.count("slo-warning"), 1, "warnings")
    stand.write("fix.yaml", stand.read("fix.yaml").replace("95% within 2s", "95% by tomorrow"))
    among(["fix.yaml:", "50% within 1h"], stand.sluice("plan", "fix.yaml").ended(2).err)


@test("a cap where nothing costs anything, and a burn of nothing, are refused by `set` as in a spec")
def _(stand):
    prepare(stand, '{ records: 10, burn: "50% in 1h" }')
    run(stand, 3, command=("run", "fix.yaml", "--yes", "--exit-on-pause"))
    among("the run costs nothing", stand.sluice("set", "fix", "budget.cost=5").ended(2).err)
    among("none of them would be left", stand.sluice("set", "fix", "budget.records=none").ended(2).err)
    stand.sluice("set", "fix", "budget.records=none", "budget.burn=none").ended(0)
    among("none of them would be left", stand.sluice("set", "fix", "budget.burn=50% in 1h").ended(2).err)
    run(stand, 0, command=("resume", "fix"))
    spec = stand.read("fix.yaml")
    stand.write("fix.yaml", spec.replace('{ records: 10, burn: "50% in 1h" }', "{ cost: 5 }\nprices: { currency: EUR }"))
    among(["fix.yaml:", "needs a price beside it"], stand.sluice("plan", "fix.yaml").ended(2).err)


@test("what is read and not written is estimated, too: a run that changes nothing, and one that makes its records small")
def _(stand):
    prepare(stand, "{ records: 400 }", more="prices: { egress: 1073741.824 }") # a byte costs 0.001, and is read twice
    for lua in ("return doc", "return { id = doc.id }"):
        stand.write("fix.lua", f"function transform(doc) {lua} end\n")
        forecast = stand.sluice("plan", "fix.yaml", "--json").ended(0).lines()[-1]["cost"]["forecast"]
        run(stand, 0)
        used = stand.status("fix")["cost"]["used"]
        must(used > 10 and used / 2 < forecast < used * 2, f"{lua}: estimated {forecast}, used {used}")


run_all()
