#!/usr/bin/env python3
"""Every move that a run, a stage or a partition may take is taken here by the program, and no other: held against the
table (src/catalog/state_rows.h) by what the ledgers say."""

import re
import signal
import sqlite3

from staged import ROWS, before, fails_at, ready, run, states, three, write
from stand import SOURCE, TESTS, Skip, among, must, run_all, same
from stand import test as plain_test
from wallclock import faked, jump_to

TAKEN = {"run": set(), "stage": set(), "part": set()}
WALKED = []
BACK = "rolled-back"


def table(macro):
    """The rows MACRO(FROM, TO) of the table, as words."""
    text = (SOURCE / "src/catalog/state_rows.h").read_text()
    rows = re.findall(rf"^{macro}\((\w+), *(\w+)\)", text, re.M)
    must(rows, macro, "has no rows")
    return {tuple(word.lower().replace("_", "-") for word in row) for row in rows}


def taken(stand):
    """Adds what the ledger of the stand's home tells."""
    for entry in stand.sluice("audit", "log", "--json").ended(0).lines():
        details = entry["details"] or {}
        kind, _, stage_word = entry["action"].partition(".")
        if kind == "stage":
            TAKEN["stage"].add((details["from"], stage_word))
        elif "from" in details:
            TAKEN["run"].add((details["from"], entry["action"]))
    stand.sluice("audit", "verify").ended(0)


def test(words):
    """A walk: its moves are counted, also of the homes that it has put aside."""
    def keep(function):
        @plain_test(words)
        def _(stand):
            function(stand)
            taken(stand)
            WALKED.append(words)
        return function
    return keep


def each(stand, *commands):
    """Each of the commands from where the run stands now: (command, codes, the state it leads to)."""
    names = ("home", "live", "in")
    for name in names:
        stand.copy(name, "kept-" + name)
    for number, (command, codes, state) in enumerate(commands):
        for name in names:
            stand.copy("kept-" + name, name)
        was = parts(stand)
        run(stand, *codes, command=command)
        same(states(stand)[0], state, f"after {command}")
        if state == BACK:
            TAKEN["part"] |= {(word, BACK) for word, n in was.items() if n > 0}
        if number + 1 < len(commands):
            taken(stand)


def parts(stand, name="fix"):
    found = stand.status(name)["partitions"]
    found["written"] -= found["verified"] # what is verified is written too, to a reader
    return {word: n for word, n in found.items() if word != "total"}


def moved_part(stand, *command):
    """What the first move of partitions by the command changes."""
    was = parts(stand)
    stand.dies("parts.moved:1", *command)
    now = parts(stand)
    less, more = [[word for word in now if (now[word] - was[word]) * sign > 0] for sign in (-1, 1)]
    same((len(less), len(more)), (1, 1), f"partitions before and after: {was}, {now}")
    TAKEN["part"].add((less[0], more[0]))


RUN = ("run", "fix.yaml", "--yes")
PAUSE, ABORT, ROLLBACK = ("pause", "fix", "--reason", "wait"), ("abort", "fix"), ("rollback", "fix", "--yes")
RESUME = ("resume", "fix", "--reason", "on")
AWAY = ((PAUSE, (0,), "paused"), (ABORT, (0,), "aborted"), (ROLLBACK, (0,), BACK))
ONE = "stages: [{ name: full, scope: 100% }]"


@test("planned: paused, aborted, begun; paused and aborted runs are taken back")
def _(stand):
    ready(stand)
    stand.sluice("run", "fix.yaml").ended(2)
    each(stand, (ABORT, (0,), "aborted"), (RUN, (0,), "done"), (PAUSE, (0,), "paused"))
    each(stand, (ABORT, (0,), "aborted"), (RESUME, (0,), "done"), (ROLLBACK, (0,), BACK))


for moves, state in ((1, "running"), (2, "verifying")):
    @test(f"{state}, when its process died: paused, aborted, taken back, or taken up again, and all of that once more")
    def _(stand, moves=moves, state=state):
        ready(stand)
        stand.dies(f"run.moved:{moves}", *RUN)
        same(states(stand)[0], state, "state")
        each(stand, *AWAY, (RUN, (0,), "done"))
        stand.copy("kept-home", "home")
        stand.copy("kept-live", "live")
        stand.dies("run.moved:1", *RUN)
        same(states(stand)[0], "interrupted", "state")
        each(stand, (ABORT, (0,), "aborted"), (ROLLBACK, (0,), BACK), (RUN, (0,), "done"), (PAUSE, (0,), "paused"))
        each(stand, (RESUME, (0,), "done"), (ROLLBACK, (0,), BACK), (ABORT, (0,), "aborted"))
        run(stand, 0, command=ROLLBACK)


@test("written in part, and taken back: partitions that are pending, running and written")
def _(stand):
    ready(stand, ONE)
    stand.dies("grant.after:3", *RUN)
    now = parts(stand)
    must(all(now[word] > 0 for word in ("pending", "running", "written")), now)
    each(stand, (ROLLBACK, (0,), BACK))


@test("all stages are passed when its process dies, or a person pauses it then: one verifying more, and done")
def _(stand):
    ready(stand, ONE)
    stand.dies("stage.moved:3", *RUN)
    same(states(stand), ("verifying", ["passed"]), "states")
    each(stand, (RUN, (0,), "done"), (PAUSE, (0,), "paused"))
    run(stand, 0, command=RESUME)


@test("waiting: paused, aborted, taken back, stopped by a signal, on to the next stage, and done from there")
def _(stand):
    ready(stand, three(canary="soak: 1h"))
    run(stand, 3, command=(*RUN, "--exit-on-pause"))
    each(stand, *AWAY[1:], AWAY[0])
    run(stand, 3, command=(*RESUME, "--exit-on-pause"))
    process = stand.start(*RUN, "--json")
    stand.until(process, lambda line: line["type"] == "progress" and "soaks" in line["text"])
    process.send_signal(signal.SIGTERM)
    stand.finish(process).ended(3)
    same(states(stand)[0], "interrupted", "state")
    run(stand, 3, command=(*RUN, "--exit-on-pause"))
    run(stand, 0, command=ROLLBACK)
    write(stand, three(canary="soak: 1ms", full="soak: 1ms"))
    run(stand, 0)


@test("keys that are not accounted for: failed at the end, and on when they are")
def _(stand):
    def listed(more):
        with sqlite3.connect(stand.path("home/catalog.db")) as catalog:
            catalog.execute("UPDATE run_total SET n_listed = n_listed + ? WHERE run = 2", (more,))
        catalog.close()

    ready(stand, "stages: [{ name: full, scope: 100%, gate: { soak: 2s } }]")
    run(stand, 3, command=(*RUN, "--exit-on-pause"))
    listed(1)
    among("data is missing", run(stand, 1)["message"])
    same(states(stand), ("failed", ["passed"]), "states")
    listed(-1)
    run(stand, 0, command=RESUME)


@test("a gate that fails, or is denied: judged again, or taken back")
def _(stand):
    ready(stand, three(canary="approve: daemon"))
    stand.dies("parts.move:1", *RUN)
    moved_part(stand, *RUN)
    run(stand, 3)
    each(stand, (("rollback", "fix", "--yes"), (0,), BACK), (("deny", "fix"), (0,), "paused"))
    stand.copy("home", "denied-home")
    stand.copy("live", "denied-live")
    moved_part(stand, *RESUME)
    run(stand, 3)
    taken(stand)
    for name in ("home", "live"):
        stand.copy("denied-" + name, name)
    run(stand, 0, command=ROLLBACK)
    write(stand)
    fails_at(stand, 0)
    run(stand, 4)
    run(stand, 8, command=ROLLBACK)


@test("the transform fails the run: it goes on, or is paused, aborted, taken back")
def _(stand):
    ready(stand)
    stand.write("fix.lua", "function transform(doc) while doc.n == 50 do end return doc end\n") # not among the probed
    run(stand, 2)
    same(states(stand)[0], "failed", "state")
    each(stand, *AWAY, (RUN, (2,), "failed"))


def changed(stand):
    text = stand.read("in/a.ndjson")
    stand.write("in/a.ndjson", text.replace('"n": 7}', '"n": 8}'))


def load(command):
    return tuple(word.replace("fix", "load") for word in command)


for point, state in (("grant.after:1", "running"), ("run.moved:2", "verifying")):
    @test(f"the source changes while the run is {state}: halted; put back it goes on, or it is aborted or taken back")
    def _(stand, point=point, state=state):
        stand.records("in/a.ndjson", before().values())
        stand.write("load.yaml", __import__("staged").LOAD)
        stand.dies(point, *load(RUN))
        same(states(stand, "load")[0], state, "state")
        kept = stand.read("in/a.ndjson")
        changed(stand)
        same(run(stand, 5, command=load(RUN))["state"], "halted", "state")
        stand.write("in/a.ndjson", kept)
        for command, end in ((ABORT, "aborted"), (ROLLBACK, BACK), (RESUME, "done")):
            stand.copy("home", "halted-home")
            stand.copy("live", "halted-live")
            run(stand, 0, command=load(command))
            same(states(stand, "load")[0], end, "state")
            taken(stand)
            for name in ("home", "live"):
                stand.copy("halted-" + name, name)


@test("a verification that cannot be made fails the run; it goes on when it can")
def _(stand):
    stand.records("in/a.ndjson", before().values())
    stand.write("load.yaml", __import__("staged").LOAD)
    stand.dies("run.moved:2", *load(RUN))
    stand.write("home/reports/load.1", "in the way")
    run(stand, 7, command=load(RUN))
    same(states(stand, "load")[0], "failed", "state")
    stand.path("home/reports/load.1").unlink()
    run(stand, 0, command=load(RUN))


HOURS, SLOWLY = 'hours: ["Mon-Fri 22:00-06:00 Europe/Berlin"]', "protect: { rate: { max: 200/s } }"
DAY, NIGHT = "2026-11-20 11:00:00", "2026-11-20 21:30:00"


def waits_by_day(stand, command, clock):
    """From where the run stands."""
    jump_to(stand, DAY)
    stand.sluice(*command, "--exit-on-pause", "--json", env=clock).ended(3)
    same(states(stand, command[1].partition(".")[0])[0], "waiting", "state")


@test("outside its hours a run waits: one that is planned, and one that runs")
def _(stand):
    ready(stand, ONE, more=f"{HOURS}\n{SLOWLY}")
    clock = faked(stand, DAY)
    waits_by_day(stand, RUN, clock)
    jump_to(stand, NIGHT)
    process = stand.start(*RUN, "--json", env=clock)
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing" and 0 < line["done"] < 300)
    jump_to(stand, DAY)
    stand.until(process, lambda line: line["type"] == "progress" and "waits for the hours" in line["text"])
    process.kill()
    process.wait()


@test("outside its hours a run waits that was halted, or has failed")
def _(stand):
    stand.records("in/a.ndjson", before(1000).values())
    stand.write("load.yaml", __import__("staged").LOAD + f"{HOURS}\n{SLOWLY}\n")
    clock = faked(stand, NIGHT)
    process = stand.start(*load(RUN), "--json", env=clock)
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing")
    process.kill()
    process.wait()
    kept = stand.read("in/a.ndjson")
    changed(stand)
    stand.sluice(*load(RUN), env=clock).ended(5)
    stand.write("in/a.ndjson", kept)
    waits_by_day(stand, load(RESUME), clock)
    jump_to(stand, NIGHT)
    stand.sluice("set", "load", "protect.rate.max=none").ended(0)
    stand.write("home/reports/load.1", "in the way")
    stand.sluice(*load(RUN), env=clock).ended(7)
    stand.path("home/reports/load.1").unlink()
    same(states(stand, "load")[0], "failed", "state")
    waits_by_day(stand, load(RUN), clock)


# --- on the way back


def reason(stand):
    return stand.status("fix")["reason"]


@test("a rollback that fails says why and what to do, in its state too; nothing but rollback goes on, and it ends as if it had not")
def _(stand):
    was = ready(stand)
    run(stand, 0)
    stand.path("home/undo/fix.1/chains.tmp/in the way").mkdir(parents=True)
    for _ in range(2):
        end = run(stand, 7, command=ROLLBACK)
        among(["chains.tmp", "`sluice rollback fix.1` goes on"], end["message"])
        same((states(stand)[0], reason(stand)), ("failed", end["message"]), "state and reason")
    among("sluice rollback fix.1", run(stand, 7)["message"])
    among("sluice rollback fix.1", run(stand, 7, command=RESUME)["message"])
    each(stand, (PAUSE, (0,), "paused"), (ABORT, (0,), "aborted"))
    for name in ("home", "live"):
        stand.copy("kept-" + name, name)
    stand.path("home/undo/fix.1/chains.tmp/in the way").rmdir()
    stand.path("home/undo/fix.1/chains.tmp").rmdir()
    same(run(stand, 0, command=ROLLBACK)["state"], BACK, "state")
    same(stand.dump("items"), was, "records")


@test("a rollback that on_failure began and that fails: run goes on with it, and ends with 4 when it is through")
def _(stand):
    was = ready(stand, more="on_failure: rollback")
    fails_at(stand, 1)
    stand.path("home/undo/fix.1/chains.tmp/in the way").mkdir(parents=True)
    for _ in range(2):
        same(run(stand, 7)["state"], "failed", "state")
        among("`sluice rollback fix.1` goes on", reason(stand))
    stand.path("home/undo/fix.1/chains.tmp/in the way").rmdir()
    stand.path("home/undo/fix.1/chains.tmp").rmdir()
    same(run(stand, 4)["state"], BACK, "state")
    same(stand.dump("items"), was, "records")


@test("a rollback for which a disk has no room is halted; with room the same command goes on")
def _(stand):
    was = ready(stand, rows=20000)
    run(stand, 0)
    limited = f"ulimit -f 300; trap '' XFSZ; exec {stand.programs.sluice} rollback fix --yes" # 300 KiB a file
    among("`sluice rollback fix.1` goes on", stand.run(["bash", "-c", limited]).ended(5).err)
    same(states(stand)[0], "halted", "state")
    among(["File too large", "`sluice rollback fix.1` goes on"], reason(stand))
    same(run(stand, 0, command=ROLLBACK)["state"], BACK, "state")
    same(stand.dump("items"), was, "records")


@test("a rollback is stopped by a signal; of stages it pauses; paused behind its stages' last move it still comes to its end")
def _(stand):
    was = ready(stand, more="protect: { rate: { max: 200/s } }")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(9)
    stand.dies("run.moved:1", *RUN)
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    run(stand, 0)
    each(stand, ((*ROLLBACK, "--stage", "full"), (0,), "paused"))
    for name in ("home", "live"):
        stand.copy("kept-" + name, name)
    process = stand.start(*ROLLBACK, "--json")
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "rolling-back")
    process.send_signal(signal.SIGINT)
    stand.finish(process).ended(3)
    same(states(stand)[0], "interrupted", "state")
    stand.dies("run.move:2", *ROLLBACK)
    same(states(stand), ("rolling-back", [BACK] * 3), "states")
    run(stand, 0, command=PAUSE)
    same(run(stand, 0, command=ROLLBACK)["state"], BACK, "state")
    same(stand.dump("items"), was, "records")


PROMOTE = ("promote", "fix", "--yes")


def shadowed(stand, *died, rows=ROWS):
    """A shadow that waits, or that died on the way to it."""
    was = ready(stand, ONE, rows=rows)
    spec = stand.read("fix.yaml")
    target = 'target: { store: "rocksdb:live", dataset: items'
    among([target], spec)
    stand.write("fix.yaml", spec.replace(target, f"{target}, write: shadow"))
    if died:
        stand.dies(*died, *RUN)
    else:
        run(stand, 3)
    return was


@test("a shadow that waits, or whose last gate is just passed: made live, given up or dropped")
def _(stand):
    shadowed(stand)
    each(stand, (ABORT, (0,), "aborted"), (ROLLBACK, (0,), BACK), (PROMOTE, (0,), "done"))
    stand.path("fix.yaml").unlink()
    run(stand, 0, command=ROLLBACK)


@test("a shadow whose last gate is passed when its process dies is made live from there")
def _(stand):
    shadowed(stand, "stage.moved:3")
    same(states(stand), ("verifying", ["passed"]), "states")
    each(stand, (PROMOTE, (0,), "done"))


@test("a promotion whose process died is paused, given up, taken back, or taken up again; a paused one and one that a signal ended too")
def _(stand):
    was = shadowed(stand)
    stand.dies("run.moved:1", *PROMOTE)
    same(states(stand)[0], "promoting", "state")
    each(stand, *AWAY, (PROMOTE, (0,), "done"))
    for name in ("home", "live"):
        stand.copy("kept-" + name, name)
    stand.dies("cas.after:1", *PROMOTE)
    run(stand, 0, command=PAUSE)
    run(stand, 0, command=("resume", "fix", "--reason", "on"))
    same(run(stand, 0, command=ROLLBACK)["state"], BACK, "state")
    same(stand.dump("items"), was, "records")


@test("a promotion whose keys are not accounted for fails, and goes on when they are")
def _(stand):
    shadowed(stand)
    stand.dies("run.moved:1", *PROMOTE)

    def counted(more):
        with sqlite3.connect(stand.path("home/catalog.db")) as catalog:
            catalog.execute("UPDATE run_total SET n_promoted = n_promoted + ? WHERE run = 2", (more,))
        catalog.close()
    counted(1)
    among("are accounted for", run(stand, 1, command=PROMOTE)["message"])
    same(states(stand)[0], "failed", "state")
    counted(-1)
    run(stand, 0, command=PROMOTE)


@test("a promotion for which a disk has no room is halted, and goes on, with a reason, when it has")
def _(stand):
    was = shadowed(stand, rows=20000)
    limited = f"ulimit -f 300; trap '' XFSZ; exec {stand.programs.sluice} promote fix --yes" # 300 KiB a file
    stand.run(["bash", "-c", limited]).ended(5)
    same(states(stand)[0], "halted", "state")
    among("File too large", reason(stand))
    among("--reason", stand.sluice(*PROMOTE).ended(2).err)
    run(stand, 0, command=(*PROMOTE, "--reason", "there is room"))
    same(run(stand, 0, command=ROLLBACK)["state"], BACK, "state")
    same(stand.dump("items"), was, "records")


def guarded(stand, *names, rate="200/s"):
    """A repair that is at work, with signals of these names that stand in files and pause it above 10; `hard` halts it."""
    rows = ", ".join(f"{{ name: {name}, run: cat {name}, above: 10, every: 20ms, timeout: 5s, hold: 100ms, hard: {str(name == 'hard').lower()} }}"
                     for name in names)
    ready(stand, ONE, more=f"protect: {{ rate: {{ max: {rate} }}, signals: [{rows}] }}")
    for name in names:
        reads(stand, name, 1)
    process = stand.start(*RUN, "--json")
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing" and line["done"] > 0)
    return process


def reads(stand, name, value):
    stand.write(name + ".new", f"{value}\n").rename(stand.path(name))


def held_by(stand, process, guard):
    stand.until(process, lambda line: line["type"] == "progress" and line["text"].startswith(f"paused by a guard: {guard}"))


@test("a run that a guard has paused: by another one, halted by a hard one, let go on into the next, interrupted, paused by a person")
def _(stand):
    process = guarded(stand, "one", "other", "hard")
    reads(stand, "one", 11)
    held_by(stand, process, "one")
    reads(stand, "other", 11)
    reads(stand, "one", 1)
    held_by(stand, process, "other")
    reads(stand, "hard", 11)
    stand.finish(process).ended(5)
    same(states(stand)[0], "halted", "state")
    reads(stand, "hard", 1)
    process = stand.start("resume", "fix", "--reason", "mended", "--json")
    held_by(stand, process, "other")
    process.send_signal(signal.SIGTERM)
    stand.finish(process).ended(3)
    same(states(stand)[0], "interrupted", "state")
    process = stand.start(*RUN, "--json")
    held_by(stand, process, "other")
    run(stand, 0, command=PAUSE)
    stand.finish(process).ended(3)
    same(states(stand)[0], "paused", "state")
    run(stand, 3)


WAITS = "stages: [{ name: canary, scope: 50%, gate: { soak: 3s } }, { name: full, scope: 100% }]"


def planned(stand):
    stand.sluice("run", "fix.yaml").ended(2)


def interrupted(stand):
    stand.dies("run.moved:1", *RUN)


def failed(stand):
    stand.write("home/reports/fix.1", "in the way")
    run(stand, 7)
    stand.path("home/reports/fix.1").unlink()


def waiting(stand):
    process = stand.start(*RUN, "--json")
    stand.until(process, lambda line: (line.get("text") or "").startswith("stage canary soaks"))
    process.kill()
    process.wait()


for stops in (planned, interrupted, failed, waiting):
    @test(f"a hard guard that has tripped before a run begins, or goes on, halts it: {stops.__name__}")
    def _(stand, stops=stops):
        rows = "{ name: hard, run: cat hard, above: 10, every: 20ms, timeout: 5s, hold: 100ms, hard: true }"
        ready(stand, WAITS if stops is waiting else ONE, more=f"protect: {{ signals: [{rows}] }}")
        reads(stand, "hard", 1)
        stops(stand)
        was = states(stand)[0]
        reads(stand, "hard", 11)
        run(stand, 5)
        same(states(stand)[0], "halted", f"state, which was {was}")
        reads(stand, "hard", 1)
        same(run(stand, 0, command=ROLLBACK)["state"], BACK, "state")


@plain_test("every move of the table was taken by the program, and no other")
def _(_):
    if len(WALKED) != len(TESTS) - 1:
        raise Skip("not all walks were asked for, or one of them failed")
    for kind, macro in (("run", "MOVE"), ("stage", "STAGE_MOVE"), ("part", "PART_MOVE")):
        rows = table(macro)
        same((sorted(rows - TAKEN[kind]), sorted(TAKEN[kind] - rows)), ([], []), f"{kind}: never taken, and no row")


run_all()
