#!/usr/bin/env python3
"""Runs that go on by themselves, and commands on several runs: run and resume --detach, watch, pause --all."""

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import termios
import time

from stand import alive, among, must, run_all, same, test

# It writes its canary, and then soaks for longer than any test takes.
SOAK = """
sluice: 1
name: NAME
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live-NAME", dataset: items }
partitions: { count: 2 }
stages:
  - { name: canary, scope: 50%, gate: { soak: SOAK } }
  - { name: full, scope: 100% }
"""


def seed(stand, *names, soak="1h"):
    stand.records("in/a.ndjson", ({"id": f"k{n}"} for n in range(100)))
    for name in names:
        stand.write(f"{name}.yaml", SOAK.replace("NAME", name).replace("SOAK", soak))


class Detached:
    """The process that a command has left; ended with the test, whatever becomes of it."""

    def __init__(self, done):
        line = done.ended(0).lines()[-1]
        same(line["type"], "detached", "the last line")
        self.pid, self.log, self.run = line["pid"], line["log"], line["run"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            pass


def detached(stand, name):
    return Detached(stand.sluice("run", f"{name}.yaml", "--yes", "--detach", "--json"))


def soaking(stand, name):
    stand.sluice("wait", f"{name}.1", "--for=waiting", "--timeout=60s").ended(0)


@test("run --detach: the command ends, its terminal closes, and the run goes on in a session of its own; watch shows it, its log tells")
def _(stand):
    seed(stand, "one")
    ours, theirs = pty.openpty()
    process = subprocess.Popen([stand.programs.sluice, "run", "one.yaml", "--yes", "--detach", "--json"], cwd=stand.dir, stdin=theirs,
                               stdout=subprocess.PIPE, stderr=theirs, env=stand.environment(), text=True, start_new_session=True)
    stand.started.append(process)
    lines = [json.loads(line) for line in process.stdout]
    said = [line["type"] for line in lines if line["type"] != "progress"] # planning may take long enough to show it
    same((process.wait(timeout=60), said[0], said[-1], lines[-1]["run"]), (0, "planned", "detached", "one.1"), "its end")
    pid = lines[-1]["pid"]
    try:
        os.close(theirs)
        os.close(ours) # whoever is left in that session is told to hang up
        same(os.getsid(pid), pid, "a session of its own")
        soaking(stand, "one")
        status = stand.status("one.1")
        same((status["held"], status["state"]), (True, "waiting"), "status")
        watching = stand.start("watch", "one.1", "--json")
        stand.until(watching, lambda line: line["state"] == "waiting")
        among("one.1", stand.sluice("pause", "one.1", "--reason", "seen").ended(0).out)
        same([json.loads(line)["state"] for line in watching.stdout][-1:], ["paused"], "what watch saw last")
        stand.finish(watching).ended(0)
        lines = [json.loads(line) for line in stand.read(lines[-1]["log"]).splitlines() if line[0] == "{"]
        same((lines[-1]["type"], lines[-1]["state"], lines[-1]["exit"]), ("end", "paused", 3), "the end of the log")
    finally:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass
    stand.sluice("audit", "verify").ended(0)


@test("run --detach: a run that comes to its end, every record written; and what cannot begin ends the command as it would without")
def _(stand):
    seed(stand, "one", soak="1ms")
    out = stand.sluice("run", "one.yaml", "--yes", "--detach").ended(0).out
    stand.sluice("wait", "one.1", "--for=done", "--timeout=60s").ended(0)
    same(len(stand.dump("items", "rocksdb:live-one")), 100, "records")
    log = stand.read("home/runs/one.1.log")
    among("one.1", log)
    must("goes on by itself" in out or "one.1" in log, out)
    seed(stand, "two")
    stand.sluice("run", "two.yaml", "--detach").ended(2) # nobody is there to be asked
    stand.sluice("pause", "two.1", "--reason", "not now").ended(0)
    among(["two.1", "not now"], stand.sluice("run", "two.yaml", "--yes", "--detach").ended(3).err)
    environment = dict(stand.environment(), SLUICE_DETACH="1", SLUICE_YES="1", SLUICE_JSON="1")
    with Detached(stand.sluice("resume", "two", env=environment)):
        soaking(stand, "two")


@test("run --detach: the values of params are the plan's, and are not said twice; one that waits for an approval ends, and is gone on with")
def _(stand):
    seed(stand, "day")
    stand.write("day.yaml", stand.read("day.yaml").replace("name: day", 'name: day\nparams: { who: { type: string, default: "k1" } }')
                .replace("key: id", "key: id, where: \"doc.id ~= '${who}'\"").replace("gate: { soak: 1h }", "gate: { approve: nobody }"))
    with Detached(stand.sluice("run", "day.yaml", "--param", "who=k7", "--yes", "--detach", "--json")) as run:
        stand.sluice("wait", "day.1", "--for=waiting", "--timeout=60s").ended(0)
        among("stage canary waits for the approval of nobody", stand.sluice("watch", "day.1").ended(0).out)
        same(run.run, "day.1", "the run")
    same(stand.status("day.1")["stage"], "canary", "the stage that waits")


@test("run --detach: one whose home is removed ends by itself, and lets its store go")
def _(stand):
    seed(stand, "gone")
    with detached(stand, "gone") as run:
        soaking(stand, "gone")
        shutil.rmtree(stand.path("home"))
        until = time.monotonic() + 60
        while alive(run.pid) and time.monotonic() < until:
            stand.sluice("version")
        must(not alive(run.pid), "it goes on without a home")
    stand.sluice("watch", "gone.1").ended(9)
    same(len(stand.documents("items", "rocksdb:live-gone")), 51, "what it has written stands")


@test("run NAME.N: goes on with exactly that run, and plans nothing; a planned one is asked about")
def _(stand):
    seed(stand, "one", soak="1ms")
    stand.sluice("run", "one.yaml").ended(2)
    os.remove(stand.path("one.yaml"))
    among("--yes", stand.sluice("run", "one.1").ended(2).err)
    stand.sluice("run", "one.1", "--yes").ended(2) # its spec has moved away
    seed(stand, "one", soak="1ms")
    stand.sluice("run", "one.1", "--yes").ended(0)
    same(stand.status("one")["state"], "done", "state")
    among("one.1", stand.sluice("run", "one.7", "--yes").ended(9).err)


@test("several runs in one command: each is done, whatever becomes of the others; the first failure is the status")
def _(stand):
    seed(stand, "one", "two")
    with detached(stand, "one"), detached(stand, "two"):
        soaking(stand, "one")
        soaking(stand, "two")
        same([line["run"] for line in stand.sluice("status", "two.1", "one", "--json").ended(0).lines()], ["two.1", "one.1"], "status")
        done = stand.sluice("pause", "one.1", "none.1", "two.1", "--json").ended(9)
        same([line["type"] for line in done.lines()], ["wish", "error", "wish"], "lines")
        among("none.1", done.err)
        for name in ("one", "two"):
            stand.sluice("wait", name, "--for=paused", "--timeout=60s").ended(0)
    seen = {line["run"]: line["state"] for line in stand.sluice("watch", "one", "two", "--json").ended(0).lines()}
    same(seen, {"one.1": "paused", "two.1": "paused"}, "watched")
    among("none", stand.sluice("resume", "one", "none", "--detach").ended(9).err)
    same(stand.status("one")["state"], "paused", "nothing resumed where one of several is not there")
    lines = stand.sluice("resume", "one", "two", "--detach", "--json").ended(0).lines()
    same([line["run"] for line in lines], ["one.1", "two.1"], "resumed")
    for line in lines:
        same(stand.status(line["run"])["held"], True, "held")
    try:
        for name in ("one", "two"):
            soaking(stand, name)
        done = stand.sluice("pause", "--all", "--json", "--reason", "incident").ended(0)
        same(sorted(line["run"] for line in done.lines()), ["one.1", "two.1"], "paused")
        for name in ("one", "two"):
            stand.sluice("wait", name, "--for=paused", "--timeout=60s").ended(0)
            same(stand.status(name)["reason"], "incident", "reason")
    finally:
        for line in lines:
            try:
                os.kill(line["pid"], 9)
            except ProcessLookupError:
                pass
    stand.sluice("abort", "one", "two").ended(0)
    same([stand.status(name)["state"] for name in ("one", "two")], ["aborted", "aborted"], "states")
    among("no run is to be paused", stand.sluice("pause", "--all").ended(0).out)
    same(stand.sluice("pause", "--all", "--json").ended(0).out, "", "nothing to pause")
    for words in ([], ["one", "--all"]):
        stand.sluice("pause", *words).ended(2)


@test("watch of more runs than the terminal has rows: a line each, and how many more there are")
def _(stand):
    names = ("one", "two", "three", "four", "five")
    seed(stand, *names)
    for name in names:
        stand.sluice("run", f"{name}.yaml").ended(2) # planned, and nobody drives it
    for rows, wanted in ((60, ["one.1  planned", "[", "five.1  planned"]), (6, ["one.1  planned", "five.1  planned"]),
                         (4, ["one.1  planned", "two.1  planned", "… and 3 more"])):
        ours, theirs = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 70, 0, 0))
        process = subprocess.Popen([stand.programs.sluice, "watch", *names], cwd=stand.dir, stdin=subprocess.DEVNULL, stdout=theirs,
                                   stderr=theirs, env=stand.environment(TERM="xterm"), start_new_session=True)
        stand.started.append(process)
        os.close(theirs)
        same(process.wait(timeout=60), 0, "exit")
        text = os.read(ours, 65536).decode()
        os.close(ours)
        among(wanted, text)
        must(text.count("\n") < rows, text)
        must(rows == 60 or "[" not in text.replace("\x1b[", ""), text)


run_all()
