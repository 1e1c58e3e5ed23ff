#!/usr/bin/env python3
"""Mending a run: both ways out of a bad one, and the mended transform applied once."""

import signal

from repair import FIX_LUA, ROWS, ended, ready, started
from stand import among, must, run_all, same, test

MENDED_LUA = FIX_LUA.replace("* 2 + 1", "* 3")


def half_done(stand):
    """fix.1, interrupted in the middle; then its transform is mended."""
    ready(stand)
    process = started(stand, "run", "fix.yaml", "--yes")
    process.send_signal(signal.SIGINT)
    ended(stand, process, "interrupted", 3)
    stand.write("fix.lua", MENDED_LUA)


def mended(stand, but=()):
    found = {key: value for key, value in stand.documents("items").items() if key not in but}
    wanted = {f"k{n:05d}": {"id": f"k{n:05d}", "n": n * 3} for n in range(ROWS)}
    same(found, {key: value for key, value in wanted.items() if key not in but}, "records")


def state(stand, run):
    status = stand.status(run)
    return status["state"], status["reason"]


SUPERSEDE = ("run", "fix.yaml", "--yes", "--supersede", "fix.1")


@test("run refuses with 7 and offers both ways out; each of them, as it is printed, leads there")
def _(stand):
    half_done(stand)
    words = stand.sluice("run", "fix.yaml", "--yes").ended(7).err
    among(["sluice rollback fix.1", "--supersede fix.1", "sluice abort fix.1", "sluice resume fix.1"], words)
    command = next(part for part in words.split("`") if "--supersede" in part).split()
    same(command[0], "sluice", "what is offered")
    stand.copy("home", "home-kept")
    stand.copy("live", "live-kept")
    end = stand.sluice(*command[1:], "--yes", "--json").ended(0).lines()[-1]
    same((end["run"], end["state"]), ("fix.2", "done"), "how it ended")
    mended(stand)
    stand.copy("home-kept", "home")
    stand.copy("live-kept", "live")
    stand.sluice("rollback", "fix.1", "--yes").ended(0)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    mended(stand)


@test("a superseding run says so: in the summary, in JSON, in the state of the other; the same command changes nothing")
def _(stand):
    half_done(stand)
    lines = stand.sluice(*SUPERSEDE, "--json", "--reason", "the mended one").ended(0).lines()
    planned = next(line for line in lines if line["type"] == "planned")
    same((planned["run"], planned["supersedes"]), ("fix.2", "fix.1"), "planned")
    must(any(line["type"] == "note" and "fix.1" in line["text"] for line in lines), "no note")
    same(state(stand, "fix.1"), ("rolled-back", "superseded by fix.2"), "fix.1")
    reasons = [entry["reason"] for entry in stand.sluice("audit", "log", "--json").lines()]
    must("superseded by fix.2; the mended one" in reasons, reasons)
    done = stand.sluice(*SUPERSEDE).ended(0)
    among("fix.2", done.out + done.err)
    mended(stand)
    stand.sluice("verify", "fix.2").ended(0)
    stand.sluice("audit", "verify").ended(0)


@test("a done run is superseded; one rollback of the new one brings back what stood before both, expiries included")
def _(stand):
    ready(stand)
    stand.put("items", ['k00007\t{"id": "k00007", "n": 7}\t4102444800000'])
    before = stand.dump("items")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    stand.write("fix.lua", MENDED_LUA)
    among(["fix.1 is done, and this run transforms what it wrote once more; `sluice run ", "fix.yaml --supersede fix.1` would"], stand.sluice("run", "fix.yaml").ended(2).err)
    among("drop it first (`sluice abort fix.2`)", stand.sluice(*SUPERSEDE).ended(7).err)
    among("nothing of it was written", stand.sluice("abort", "fix.2").ended(0).err)
    said = stand.sluice(*SUPERSEDE).ended(0).err
    among("risk and forecast describe what stands now", said)
    must("once more" not in said, said)
    mended(stand)
    stand.sluice("rollback", "fix.3", "--yes").ended(0)
    same(stand.dump("items"), before, "records")


@test("what the application wrote since is kept live and counted: 8")
def _(stand):
    half_done(stand)
    written = next(key for key, value in sorted(stand.documents("items").items()) if value["n"] != int(key[1:]))
    mine = {"id": written, "n": 5, "mine": True}
    stand.put("items", [f'{written}\t{{"id": "{written}", "n": 5, "mine": true}}\t0'])
    end = stand.sluice(*SUPERSEDE, "--json").ended(8).lines()[-1]
    same(stand.status("fix.2")["records"]["kept_live"], 1, "kept live")
    same(end["state"], "done", "state")
    same(stand.documents("items")[written], mine, "the application's record")
    mended(stand, but=[written])


@test("Ctrl-C while the other run is taken back: 3; plain run goes on with both")
def _(stand):
    ready(stand)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    stand.write("fix.lua", MENDED_LUA)
    process = stand.start(*SUPERSEDE, "--json")
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "rolling-back")
    process.send_signal(signal.SIGINT)
    done = stand.finish(process).ended(0, 3)
    if done.code == 3:
        among("fix.1", stand.sluice("resume", "fix.1").ended(7).err)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    mended(stand)


def taking_back(stand, *command, **more):
    """fix.2, while it takes back fix.1."""
    process = stand.start(*command, "--json", **more)
    stand.until(process, lambda line: line["type"] == "progress" and line["run"] == "fix.1")
    return process


def to_be_superseded(stand):
    """fix.1 is done, and takes two seconds to be taken back; its transform is mended."""
    ready(stand)
    before = stand.dump("items")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    stand.write("fix.lua", MENDED_LUA)
    return before


@test("a pause of the new run is heard while the other one is taken back, and once more after a resume; then it goes on with both")
def _(stand):
    to_be_superseded(stand)
    for command, why in ((SUPERSEDE, "lunch"), (("resume", "fix.2"), "tea")):
        process = taking_back(stand, *command)
        stand.sluice("set", "fix.2", "workers=1").ended(0)
        among("taken", stand.sluice("pause", "fix.2", "--reason", why).ended(0).out)
        among("sluice resume fix.2", stand.finish(process).ended(3).lines()[-1]["message"])
        same((state(stand, "fix.1")[0], state(stand, "fix.2")), ("interrupted", ("paused", "lunch")), "states")
        among("lunch", stand.sluice("run", "fix.yaml", "--yes").ended(3).err)
        among("fix.1", stand.sluice("resume", "fix.1").ended(7).err)
    stand.sluice("resume", "fix.2").ended(0)
    same((state(stand, "fix.1"), state(stand, "fix.2")[0]), (("rolled-back", "superseded by fix.2"), "done"), "states")
    mended(stand)
    stand.sluice("audit", "verify").ended(0)


@test("a pause that was heard holds also where the process dies before it has recorded it")
def _(stand):
    to_be_superseded(stand)
    dying = stand.environment(SLUICE_DIES_AT="run.move:3") # after rolling-back and interrupted of the other one
    process = taking_back(stand, *SUPERSEDE, program=stand.programs.dies, env=dying)
    stand.sluice("pause", "fix.2", "--reason", "lunch").ended(0)
    same(stand.finish(process).code, -signal.SIGKILL, "how it ended")
    same((state(stand, "fix.1")[0], state(stand, "fix.2")[0]), ("interrupted", "planned"), "states")
    among("lunch", stand.sluice("run", "fix.yaml", "--yes").ended(3).err)
    same((state(stand, "fix.1")[0], state(stand, "fix.2")), ("interrupted", ("paused", "lunch")), "states")
    stand.sluice("resume", "fix.2").ended(0)
    mended(stand)


@test("an abort of the new run is heard while the other one is taken back, and says what stands; rollback takes back the rest")
def _(stand):
    before = to_be_superseded(stand)
    process = taking_back(stand, *SUPERSEDE)
    stand.sluice("abort", "fix.2").ended(0)
    among(["stands in part", "sluice rollback fix.1"], stand.finish(process).ended(3).lines()[-1]["message"])
    same((state(stand, "fix.1")[0], state(stand, "fix.2")[0]), ("interrupted", "aborted"), "states")
    stand.sluice("rollback", "fix.1", "--yes").ended(0)
    same(stand.dump("items"), before, "records")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    mended(stand)


@test("a gate fails and pauses the run with 4; the mended transform supersedes it and is applied once")
def _(stand):
    ready(stand, rate=10**6)
    stand.write("fix.lua", "local sum = 0\nfunction transform(doc) sum = sum + doc.n doc.n = sum return doc end\n")
    end = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(4).lines()[-1]
    same((end["run"], end["state"]), ("fix.1", "paused"), "how it ended")
    must(stand.status("fix.1")["records"]["written"] > 0, "nothing was written")
    stand.write("fix.lua", MENDED_LUA)
    stand.sluice(*SUPERSEDE).ended(0)
    mended(stand)


@test("bad names: the nearest is named (9); a rolled back run, a held one and the run itself are refused by name (7)")
def _(stand):
    half_done(stand)
    among("fix.1", stand.sluice("run", "fix.yaml", "--yes", "--supersede", "fxi.1").ended(9).err)
    stand.sluice("run", "fix.yaml", "--yes", "--supersede").ended(2)
    among("--supersede", stand.sluice("run", "--plan", "fix.plan", "--supersede", "fix.1").ended(2).err)
    stand.write("fix.lua", FIX_LUA)
    among("this very plan", stand.sluice(*SUPERSEDE).ended(7).err)
    process = started(stand, "run", "fix.yaml", "--yes")
    stand.write("fix.lua", MENDED_LUA)
    among(["fix.1", str(process.pid)], stand.sluice(*SUPERSEDE).ended(7).err)
    process.send_signal(signal.SIGINT)
    stand.finish(process).ended(3)
    stand.sluice("rollback", "fix.1", "--yes").ended(0)
    among("rolled back", stand.sluice(*SUPERSEDE).ended(7).err)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    mended(stand)


# --- an append-only target

OUT = """
sluice: 1
name: out
source: { store: "file:in", dataset: "*.ndjson", key: id }
transform: { lua: fix.lua }
target: { store: "file:out", dataset: "part-*.ndjson" }
partitions: { count: 4 }
workers: 1
"""


def lines_of(stand):
    return sorted(line for path in stand.path("out").glob("part-*") for line in path.read_text().splitlines())


@test("an append-only target: the files of the other run are gone before the first of the new one stands, whenever it dies; one rollback removes all")
def _(stand):
    stand.records("in/a.ndjson", ({"id": f"k{n:05d}", "n": n} for n in range(400)))
    stand.write("out.yaml", OUT)
    stand.write("fix.lua", FIX_LUA)
    stand.dies("checkpoint.after:3", "run", "out.yaml", "--yes")
    must(0 < len(lines_of(stand)) < 400, "it did not die in the middle")
    stand.write("fix.lua", MENDED_LUA)
    among("--supersede out.1", stand.sluice("run", "out.yaml", "--yes").ended(7).err)
    for name in ("home", "out"):
        stand.copy(name, "kept-" + name)
    wanted = sorted(f'{{"id":"k{n:05d}","n":{n * 3}}}' for n in range(400))
    for point in ("run.moved:1", "parts.moved:1", "stage.moved:1", "run.moved:2", "run.moved:3", "checkpoint.after:2", "run.moved:4"):
        for name in ("home", "out"):
            stand.copy("kept-" + name, name)
        stand.dies(point, "run", "out.yaml", "--yes", "--supersede", "out.1")
        stand.sluice("run", "out.yaml", "--yes").ended(0)
        same(lines_of(stand), wanted, f"lines after a death at {point}")
        same((state(stand, "out.1")[0], state(stand, "out.2")[0]), ("rolled-back", "done"), "states")
    stand.sluice("verify", "out.2").ended(0)
    stand.sluice("rollback", "out.2", "--yes").ended(0)
    same(lines_of(stand), [], "lines after the rollback")
    stand.sluice("audit", "verify").ended(0)


run_all()
