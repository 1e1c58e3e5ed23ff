#!/usr/bin/env python3
"""The protocol model (sluice.pml): spin looks at every order of its steps and finds no promise broken; and for each rule that
is left out it finds one. docs/protocol.md. Prints TAP; skipped, by name, where there is no spin.

SLUICE_LIVE_ALL=1: the larger worlds too. Each is searched whole (partial order reduction, no bit-state hashing); one that
does not fit into 3 GiB or half an hour fails.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

MODEL = Path(__file__).resolve().parent / "sluice.pml"
MOST_MIB = 3072
LIMIT = 1800

# What may happen: -D of the model. `broken`: the rules of which this world is the one that shows that they are needed.
World = namedtuple("World", "words defines broken by_hand")

NEVER = {"TAKEUPS": 0, "LOSSES": 0, "LOST_ANSWERS": 0, "APP_WRITES": 0}
ONE = {**NEVER, "PARTITIONS": 1}

WORLDS = [
    World("two workers and three partitions; a process dies, or sleeps and wakes; a rollback", {**NEVER, "TAKEUPS": 1},
          (1, 4, 7, 8, 10, 11, 12, 18), False),
    World("a request arrives late or twice, the application writes, a rollback", {**ONE, "LOST_ANSWERS": 1, "APP_WRITES": 1},
          (2, 3, 13, 15), False),
    World("power is lost, a rollback", {**ONE, "LOSSES": 1}, (5, 6, 14, 16), False),
    World("a promotion of three partitions; a process dies; the application writes",
          {**NEVER, "TAKEUPS": 1, "SLEEPS": 0, "APP_WRITES": 1, "PROMOTION": 1, "ROLLBACK": 0}, (17,), False),
    World("power is lost, a request arrives late or twice, the application writes",
          {**ONE, "LOSSES": 1, "LOST_ANSWERS": 1, "APP_WRITES": 1, "ROLLBACK": 0}, (), True),
    World("two processes die or sleep, the application writes", {**ONE, "TAKEUPS": 2, "APP_WRITES": 1, "ROLLBACK": 0}, (9,), True),
    World("two workers and three partitions; a process dies, or sleeps and wakes; the application writes; a rollback",
          {**NEVER, "TAKEUPS": 1, "APP_WRITES": 1}, (), True),
    World("two workers and three partitions; two processes die; a rollback", {**NEVER, "TAKEUPS": 2, "SLEEPS": 0}, (), True),
    World("two workers and three partitions; power is lost; a rollback", {**NEVER, "LOSSES": 1}, (), True),
    World("two workers and three partitions; a request arrives late or twice; the application writes; a rollback",
          {**NEVER, "LOST_ANSWERS": 1, "APP_WRITES": 1}, (), True),
    World("two workers and three partitions; power is lost; the application writes",
          {**NEVER, "LOSSES": 1, "APP_WRITES": 1, "ROLLBACK": 0}, (), True),
    World("a promotion of three partitions; a process dies, or sleeps and wakes; the application writes; a rollback",
          {**NEVER, "TAKEUPS": 1, "APP_WRITES": 1, "PROMOTION": 1}, (), True),
]


def rules():
    """{number: (name, words)} as the model has them."""
    found = re.findall(r"^#define (\w+)\s+\(broken == (\d+)\)\s+/\* (.*?) \*/", MODEL.read_text(), re.M)
    return {int(number): (name, words.strip("…, ")) for name, number, words in found}


class Failed(Exception):
    pass


class Search:
    """A world, translated and compiled once."""

    def __init__(self, folder, world):
        self.folder = Path(folder)
        words = [f"-D{name}={value}" for name, value in world.defines.items()]
        self.call(["spin", *words, "-a", str(MODEL)])
        self.call(["gcc", "-O2" if world.by_hand else "-O0" if "PARTITIONS" in world.defines else "-O1", "-w", "-DSAFETY", "-DCOLLAPSE",
                   f"-DMEMLIM={MOST_MIB}", "-o", "pan", "pan.c"])

    def call(self, command, **more):
        run = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                             timeout=LIMIT, **more)
        if run.returncode:
            raise Failed(f"{' '.join(command)}: {run.stdout[-2000:]}{run.stderr[-2000:]}")
        return run.stdout

    def run(self, broken=0):
        """(the first promise that is broken, or None; states). Who is asked for nothing more waits: that is no deadlock, and
        the model itself says how a run must have ended once nobody can make a step."""
        out = self.call(["./pan", "-E", "-m200000", "-w21"], env=dict(os.environ, SLUICE_BROKEN=str(broken)))
        error = re.search(r"^pan:\d+: (.*) \(at depth", out, re.M)
        states = int(re.search(r"^\s*([0-9.e+]+) states, stored", out, re.M)[1])
        if not error and ("Search not completed" in out or "search depth too small" in out or "errors: 0" not in out):
            raise Failed(f"not all of it was seen:\n{out[:3000]}")
        return error[1] if error else None, states

    def trail(self):
        """Who made which step, in the model's own lines."""
        lines = MODEL.read_text().splitlines()
        steps = re.findall(r"proc +\d+ \(([\w:]+)\) .*sluice\.pml:(\d+) ", self.call(["./pan", "-r", "sluice.pml.trail", "-E"]))
        return "\n".join(f"#   {who:8} {lines[int(line) - 1].strip()}" for who, line in steps if lines[int(line) - 1].strip(" {}"))


class Tap:
    def __init__(self):
        self.number, self.bad = 0, 0

    def say(self, good, words, why=""):
        self.number += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {words}")
        if why:
            print("\n".join("# " + line for line in why.splitlines()))
        sys.stdout.flush()


def look(tap, world, known):
    with tempfile.TemporaryDirectory(prefix="sluice-protocol-") as folder:
        began = time.monotonic()
        search = Search(folder, world)
        fault, states = search.run()
        tap.say(not fault, world.words, f"{states} states, {time.monotonic() - began:.1f} s" + (f"\n{fault}\n{search.trail()}" if fault else ""))
        for number in world.broken:
            name, words = known[number]
            fault, states = search.run(number)
            tap.say(bool(fault), f"{name} is found out: {words}", f"{fault or 'no promise is broken'}; {states} states")


def main():
    missing = [name for name in ("spin", "gcc") if not shutil.which(name)]
    if missing:
        print(f"1..0 # SKIP {missing[0]} is not installed")
        return 0
    known, tap = rules(), Tap()
    shown = [number for world in WORLDS for number in world.broken]
    chosen = [world for world in WORLDS if not world.by_hand or os.environ.get("SLUICE_LIVE_ALL")]
    print(f"1..{1 + len(chosen) + sum(len(world.broken) for world in chosen)}")
    tap.say(sorted(shown) == sorted(known), "each rule that can be left out has a world that shows it", f"{sorted(shown)}\n{sorted(known)}")
    for world in chosen:
        try:
            look(tap, world, known)
        except (Failed, subprocess.TimeoutExpired) as error:
            tap.say(False, world.words, str(error))
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
