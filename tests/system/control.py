#!/usr/bin/env python3
"""Control from outside: signals, pauses, aborts, who may drive a run, and that each of them loses nothing."""

import os
import signal

from repair import FIX, FIX_LUA, ROWS, ended, once, ready, seed, started, writing
from stand import among, must, run_all, same, test


def half_done(stand):
    records = stand.status("fix.1")["records"]
    must(0 < records["written"] < ROWS, f"it was not stopped in the middle: {records}")


def stop(stand, *signals):
    ready(stand)
    process = started(stand, "run", "fix.yaml", "--yes")
    for number in signals:
        process.send_signal(number)
    return process


def stop_when_running(stand, tell):
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing")
    tell(process)
    return process


def going_back(stand):
    """The records before the run, and a rollback of it under way."""
    ready(stand)
    before = stand.dump("items")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    process = stand.start("rollback", "fix", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "rolling-back")
    return before, process


def goes_on(stand):
    end = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(0).lines()[-1]
    same((end["run"], end["state"]), ("fix.1", "done"), "the same command")
    once(stand)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    once(stand)
    stand.sluice("audit", "verify").ended(0)


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    @test(f"{number.name} once: the batches in flight are finished, 3, interrupted; the same command goes on")
    def _(stand, number=number):
        end = ended(stand, stop(stand, number), "interrupted", 3)
        among("the same command goes on", end["message"])
        half_done(stand)
        same(stand.status()["state"], "interrupted", "state")
        goes_on(stand)


@test("Ctrl-C twice: it stops at once with 3; the same command goes on, and nothing is done twice")
def _(stand):
    done = stand.finish(stop(stand, signal.SIGINT, signal.SIGTERM)).ended(3)
    must("Assertion" not in done.err, done.err)
    goes_on(stand)


@test("a run that sleeps until its rate lets it write stops at once: for a signal, and for a pause")
def _(stand):
    ready(stand)
    stand.write("fix.yaml", stand.read("fix.yaml").replace("2000/s", "1/d"))
    ended(stand, stop_when_running(stand, lambda process: process.send_signal(signal.SIGINT)), "interrupted", 3)
    ended(stand, stop_when_running(stand, lambda process: stand.sluice("pause", "fix").ended(0)), "paused", 3)
    same(stand.status("fix.1")["records"]["written"], 0, "written")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.sluice("resume", "fix").ended(0)
    once(stand)


@test("Ctrl-C in a rollback: 3; the same command goes on; run refuses meanwhile with 7")
def _(stand):
    before, process = going_back(stand)
    process.send_signal(signal.SIGINT)
    done = stand.finish(process).ended(0, 3)
    if done.code == 3:
        among("sluice rollback fix.1", stand.sluice("run", "fix.yaml", "--yes").ended(7).err)
        among("sluice rollback fix.1", stand.sluice("resume", "fix").ended(7).err)
    for _ in range(2):
        stand.sluice("rollback", "fix", "--yes").ended(0)
        same(stand.dump("items"), before, "records")


@test("pause, from another terminal: taken, 3; it holds against run, which says who and why; only resume lifts it")
def _(stand):
    ready(stand)
    process = started(stand, "run", "fix.yaml", "--yes")
    wish = stand.sluice("pause", "fix", "--reason", "the night shift asked", "--json").ended(0).json()
    same((wish["type"], wish["run"], wish["wish"], wish["taken"]), ("wish", "fix.1", "pause", True), "wish")
    end = ended(stand, process, "paused", 3)
    among(["the night shift asked", "sluice resume fix.1"], end["message"])
    half_done(stand)
    status = stand.status()
    same((status["state"], status["reason"], status["eta_s"]), ("paused", "the night shift asked", None), "status")
    for _ in range(2):
        done = stand.sluice("run", "fix.yaml", "--yes").ended(3)
        among(["the night shift asked", status["actor"], "sluice resume fix.1"], done.err)
        half_done(stand)
    among("paused already", stand.sluice("pause", "fix").ended(7).err)
    stand.sluice("resume", "fix", "--reason", "morning").ended(0)
    once(stand)
    actions = [(entry["action"], entry["reason"]) for entry in stand.sluice("audit", "log", "--json").lines()]
    must(("paused", "the night shift asked") in actions, actions)
    same([action for action, reason in actions if reason == "morning"], ["running"], "what the reason of the resume is given for")


def heard_and_died(stand, *wish):
    """The process that holds the run hears the wish, and is killed before it has moved the run."""
    ready(stand)
    before = stand.dump("items")
    process = stand.start("run", "fix.yaml", "--yes", "--json", program=stand.programs.dies,
                          env=stand.environment(SLUICE_DIES_AT="run.move:2")) # the first one: to running
    stand.until(process, writing)
    same(stand.sluice(*wish, "--json").ended(0).json()["taken"], True, "taken")
    same(stand.finish(process).code, -9, "how it ended")
    same(stand.status("fix")["state"], "running", "state")
    return before


@test("pause that was taken by a process that dies before it pauses: it holds against run; only resume lifts it")
def _(stand):
    heard_and_died(stand, "pause", "fix", "--reason", "the night shift asked")
    for _ in range(2):
        among("the night shift asked", stand.sluice("run", "fix.yaml", "--yes").ended(3).err)
    half_done(stand)
    same(stand.status("fix")["reason"], "the night shift asked", "reason")
    stand.sluice("resume", "fix").ended(0)
    once(stand)


@test("rollback that was taken by a process that dies before it begins: whoever takes the run up takes it back")
def _(stand):
    before = heard_and_died(stand, "rollback", "fix", "--yes", "--reason", "wrong day")
    end = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(3).lines()[-1]
    same((end["run"], end["state"]), ("fix.1", "rolled-back"), "end")
    same(stand.dump("items"), before, "records")
    same(stand.sluice("run", "fix.yaml", "--yes", "--json").ended(0).lines()[-1]["run"], "fix.2", "a new run")
    once(stand)


@test("pause in a rollback: the ledger says who asked and why; rollback goes on")
def _(stand):
    before, process = going_back(stand)
    same(stand.sluice("pause", "fix", "--reason", "lunch", "--json").ended(0).json()["taken"], True, "taken")
    ended(stand, process, "paused", 3)
    [paused] = [entry for entry in stand.sluice("audit", "log", "--json").lines() if entry["action"] == "paused"]
    same(paused["reason"], "lunch", "reason")
    stand.sluice("run", "fix.yaml", "--yes").ended(7)
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), before, "records")


@test("pause without a process that holds the run: recorded, says how to go on; run does not")
def _(stand):
    ended(stand, stop(stand, signal.SIGINT), "interrupted", 3)
    done = stand.sluice("pause", "fix", "--reason", "wait for me").ended(0)
    among(["recorded", "sluice resume fix.1"], done.out)
    among("wait for me", stand.sluice("run", "fix.yaml", "--yes").ended(3).err)
    half_done(stand)
    stand.sluice("resume", "fix").ended(0)
    once(stand)


@test("a planned run that was paused waits too")
def _(stand):
    ready(stand)
    stand.sluice("run", "fix.yaml").ended(2)
    stand.sluice("pause", "fix").ended(0)
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    stand.sluice("resume", "fix").ended(0)
    once(stand)


@test("what limits a run is named while it does, by status, list and watch; a limit that is lifted no longer is")
def _(stand):
    ready(stand, rate=150)
    process = started(stand, "run", "fix.yaml", "--yes")
    limit = {"limit_records_per_s": 150, "limited_by": "protect.rate.max"}
    while (status := stand.status())["rate"].items() < limit.items():
        same((status["state"], status["held"]), ("running", True), "status")
    [first, other] = stand.sluice("list", "--json").ended(0).json()["runs"]
    must(limit.items() <= first["rate"].items() and first["held"], first["rate"])
    same((other["rate"]["limit_records_per_s"], other["rate"]["limited_by"], other["held"]), (None, None, False), "a run that is done")
    among("slowed by   protect.rate.max, 150/s", stand.sluice("status").ended(0).out)
    watch = stand.start("watch", "--json")
    must(limit.items() <= stand.until(watch, lambda line: True)[0]["rate"].items(), "watch")
    watch.send_signal(signal.SIGINT)
    among("slowed by protect.rate.max, 150/s", stand.run(["bash", "-c", f"{stand.programs.sluice} watch | head -n 5"]).out)
    stand.sluice("set", "fix", "protect.rate.max=none", "--reason", "the shop is closed").ended(0)
    told = stand.finish(process).ended(0).lines()
    [note] = [line["text"] for line in told if line["type"] == "note" and " has set " in line["text"]]
    among(" has set protect.rate.max=none: the shop is closed", note)
    same((told[-1]["state"], stand.status()["rate"]["limited_by"]), ("done", None), "state, limited by")
    once(stand)


@test("a rate that is far too low by mistake is heeded no longer than until it is mended, also by who waits for it; its figure is not 0")
def _(stand):
    ready(stand, rate=400)
    process = started(stand, "run", "fix.yaml", "--yes")
    stand.sluice("set", "fix", "rate.max=1/m").ended(0) # a batch of 40 is 40 minutes
    done = [0]
    def stands(line):
        done.append(line["done"] if line["type"] == "progress" else done[-1])
        return len(done) > 4 and len(set(done[-4:])) == 1
    stand.until(process, stands)
    among("slowed by   protect.rate.max, 0.017/s", stand.sluice("status").ended(0).out)
    stand.sluice("set", "fix", "rate.max=none").ended(0)
    stand.finish(process, timeout=20).ended(0)
    once(stand)


@test("a run whose first lane takes long shows that lanes are opened, and then that it writes")
def _(stand):
    ready(stand)
    stand.write("fix.yaml", stand.read("fix.yaml").replace("count: 2", "count: 1"))
    for name in ("asleep", "awake"):
        os.mkfifo(stand.path(name))
    process = stand.start("run", "fix.yaml", "--yes", "--json", program=stand.programs.dies,
                          env=stand.environment(SLUICE_SLEEPS_AT="lane-open.before:1", SLUICE_ASLEEP="asleep", SLUICE_AWAKE="awake"))
    shown = lambda text: stand.until(process, lambda line: line["type"] == "progress" and line["text"] == text)
    shown("opening lanes")
    for name, mode in (("asleep", "rb"), ("awake", "wb")):
        open(stand.path(name), mode).close()
    shown("writing")
    ended(stand, process, "done", 0)
    once(stand)


@test("abort, from another terminal: what was written stands, the dataset is free, and it can still be taken back")
def _(stand):
    ready(stand)
    before = stand.dump("items")
    process = started(stand, "run", "fix.yaml", "--yes")
    wish = stand.sluice("abort", "fix", "--reason", "wrong day", "--json").ended(0).json()
    same((wish["wish"], wish["taken"]), ("abort", True), "wish")
    among("what was written stands", ended(stand, process, "aborted", 3)["message"])
    half_done(stand)
    among("aborted", stand.sluice("resume", "fix.1").ended(7).err)
    stand.sluice("abort", "fix.1").ended(7)
    stand.sluice("rollback", "fix.1", "--yes").ended(0)
    same(stand.dump("items"), before, "records")
    end = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(0).lines()[-1]
    same(end["run"], "fix.2", "a new run")
    once(stand)


@test("abort without a process that holds the run: done at once, 0")
def _(stand):
    ended(stand, stop(stand, signal.SIGINT), "interrupted", 3)
    end = stand.sluice("abort", "fix", "--reason", "never mind", "--json").ended(0).lines()[-1]
    same((end["state"], end["exit"]), ("aborted", 0), "end")
    stand.write("fast.yaml", stand.read("fast.yaml").replace("protect: { ", "protect: { kept_live: 100%, "))
    stand.sluice("run", "fast.yaml", "--yes").ended(8) # what the aborted run wrote is kept


@test("one process drives a run: a second one is refused with 7 and names the first")
def _(stand):
    ready(stand)
    process = started(stand, "run", "fix.yaml", "--yes")
    for command in (["run", "fix.yaml", "--yes"], ["resume", "fix"]):
        among(["fix.1", str(process.pid)], stand.sluice(*command).ended(7).err)
    ended(stand, process, "done", 0)
    once(stand)


@test("rollback, from another terminal: the process that holds the run takes it back, byte for byte, and ends with 3")
def _(stand):
    ready(stand)
    before = stand.dump("items")
    process = started(stand, "run", "fix.yaml", "--yes")
    wish = stand.sluice("rollback", "fix", "--yes", "--reason", "wrong day", "--json").ended(0).json()
    same((wish["type"], wish["wish"], wish["taken"]), ("wish", "rollback", True), "wish")
    ended(stand, process, "rolled-back", 3)
    same(stand.dump("items"), before, "records")
    actions = [(entry["action"], entry["reason"]) for entry in stand.sluice("audit", "log", "--json").lines()]
    must(("rolling-back", "wrong day") in actions, actions)
    same(stand.sluice("run", "fix.yaml", "--yes", "--json").ended(0).lines()[-1]["run"], "fix.2", "a new run")
    once(stand)


@test("while the writes of an unfinished run stand, another plan on its dataset is refused with 7 and told the ways out")
def _(stand):
    ended(stand, stop(stand, signal.SIGINT), "interrupted", 3)
    stand.write("other.yaml", FIX.format(rate=10**6).replace("name: fix", "name: other"))
    stand.write("fix2.lua", FIX_LUA + "-- another text\n")
    stand.write("changed.yaml", FIX.format(rate=10**6).replace("fix.lua", "fix2.lua"))
    for spec in ("other.yaml", "changed.yaml", "fast.yaml"):
        for _ in range(2):
            among(["fix.1", "sluice rollback fix.1", "sluice abort fix.1"], stand.sluice("run", spec, "--yes").ended(7).err)
    half_done(stand)
    goes_on(stand)
    stand.sluice("run", "other.yaml", "--yes").ended(0)


@test("a spec, transform or contract that changed under an unfinished run: resume refuses with 7 and names it")
def _(stand):
    ended(stand, stop(stand, signal.SIGINT), "interrupted", 3)
    original = stand.read("fix.lua")
    stand.write("fix.lua", original + "-- later\n")
    among(["the transform has changed", "sluice rollback fix.1"], stand.sluice("resume", "fix").ended(7).err)
    stand.write("fix.lua", original)
    stand.write("fix.yaml", FIX.format(rate=3000))
    among("the spec has changed", stand.sluice("resume", "fix").ended(7).err)
    half_done(stand)
    stand.write("fix.yaml", FIX.format(rate=2000))
    stand.sluice("resume", "fix").ended(0)
    once(stand)


@test("NAME alone is refused with 7 where several runs of it are open, and they are named")
def _(stand):
    ready(stand)
    stand.sluice("run", "fix.yaml").ended(2)
    stand.write("fix.lua", FIX_LUA + "-- another\n")
    stand.sluice("run", "fix.yaml").ended(2)
    for command in ("pause", "resume", "abort"):
        among(["fix.1", "fix.2"], stand.sluice(command, "fix").ended(7).err)
    stand.sluice("abort", "fix.1").ended(0)
    stand.sluice("resume", "fix").ended(0)
    once(stand)


@test("a pause or Ctrl-C while the run verifies is heard; the verification begins again, nothing is written twice")
def _(stand):
    seed(stand, rows=60000, rate=10**6)
    stand.sluice("run", "fast.yaml", "--yes").ended(0)
    stand.write("fix.yaml", FIX.format(rate=10**6))

    def verifying(line):
        return line["type"] == "state" and line["state"] == "verifying"

    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, verifying)
    process.send_signal(signal.SIGINT)
    ended(stand, process, "interrupted", 3)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, verifying)
    same(stand.sluice("pause", "fix", "--json").ended(0).json()["taken"], True, "taken")
    ended(stand, process, "paused", 3)
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    stand.sluice("resume", "fix").ended(0)
    once(stand, 60000)


@test("Ctrl-C while a run is being planned: 3, nothing planned, nothing left; the same command begins anew")
def _(stand):
    seed(stand, rate=10**6)
    stand.write("slow.lua", "function transform(doc) for i = 1, 300000 do doc.n = i end return doc end\n")
    stand.write("slow.yaml", stand.read("fast.yaml") + "transform: { lua: slow.lua }\ncontract: c.yaml\n")
    stand.write("c.yaml", "contract: 1\nname: c\nfields: { id: { type: string } }\nunique: [id]\n")
    process = stand.start("run", "slow.yaml", "--yes", "--json")
    first = stand.until(process, lambda line: True)[0]
    same((first["type"], first["run"]), ("progress", None), "first")
    among(["finding duplicates", "deciding what is unique"][first["text"] != "finding duplicates"], first["text"])
    process.send_signal(signal.SIGINT)
    last = stand.finish(process).ended(3).lines()[-1]
    same((last["type"], last["exit"]), ("error", 3), "last")
    among("planned", last["message"])
    same(stand.sluice("list", "--json").ended(0).json()["runs"], [], "runs")
    left = [path for path in stand.path("home").rglob("*") if path.is_file() and not path.name.startswith("catalog")]
    same(left, [], "files left")


if __name__ == "__main__":
    run_all()
