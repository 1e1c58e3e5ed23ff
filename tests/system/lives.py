#!/usr/bin/env python3
"""Random lives in which runs are superseded: by the mended transform, before and after failed gates, pauses, deaths and what
the application writes meanwhile; against what has to stand then. The seed is in each test's name; SLUICE_LIVES=N asks for
so many, SLUICE_SEED=S for those from S on."""

import json
import os
import random

from staged import LOAD, STAGED, three
from stand import among, must, run_all, same, test

ROWS = 80
LIVES, FIRST = int(os.environ.get("SLUICE_LIVES", "14")), int(os.environ.get("SLUICE_SEED", "1"))
FACTORS = (3, 5, 7, 11)
MET = {"deaths": 0, "gates that failed": 0, "keys kept": 0, "keys of the application transformed": 0, "runs done": 0, "superseded": 0}
POINTS = ("run.move", "run.moved", "stage.move", "stage.moved", "parts.move", "parts.moved", "grant.after", "lane-open.after",
          "log.after", "cas.before", "cas.after", "outcome.after", "settle.after", "checkpoint.before", "checkpoint.after",
          "undo.chains.made")


class Life:
    def __init__(self, stand, seed):
        self.stand, self.dice, self.story = stand, random.Random(seed), []
        self.wrote = {} # by the application: its last value of each key
        self.rests = set() # its keys that rest on what a run wrote: no transform may see them any more
        stand.records("in/a.ndjson", ({"id": self.key(n), "n": n + 1} for n in range(ROWS)))
        stand.write("load.yaml", LOAD)
        stand.write("fix.yaml", STAGED.format(stages=three(), more=""))
        stand.sluice("run", "load.yaml", "--yes").ended(0)

    @staticmethod
    def key(n):
        return f"k{n:05d}"

    def base(self, key):
        return self.wrote.get(key, int(key[1:]) + 1)

    # --- what happens

    def application(self):
        """A number that no transform makes of another one, a multiple of a prime; or what stood there before any run, which
        makes a gate fail."""
        reverts = self.dice.random() < 0.4
        rows, live = [], self.stand.documents("items")
        for _ in range(self.dice.choice((0, 0, 1, 3)) * (8 if reverts else 1)):
            key, number = self.key(self.dice.randrange(ROWS)), self.dice.randrange(1, 1000000)
            if live[key]["n"] != self.base(key):
                self.rests.add(key)
            self.wrote[key] = self.base(key) if reverts else 1000003 * number
            live[key]["n"] = self.wrote[key]
            rows.append(f'{key}\t{json.dumps({"id": key, "n": self.wrote[key]})}\t0')
        if rows:
            self.stand.put("items", rows)
            self.story.append(f"the application writes {rows}")

    def command(self, *command, dies=None):
        program = self.stand.programs.dies if dies else self.stand.programs.sluice
        done = self.stand.run([program, *command], env=self.stand.environment(**({"SLUICE_DIES_AT": dies} if dies else {})))
        self.story.append(f"{' '.join(command)}{f' to die at {dies}' if dies else ''}: {done.code}")
        must(done.code in (0, 3, 4, 7, 8, -9), "\n".join(self.story), done.err)
        MET["deaths"] += done.code == -9
        MET["gates that failed"] += done.code == 4
        return done.code

    def disturbed(self, *command):
        """The command, with deaths and pauses, and the application between them; how often it takes is random."""
        for _ in range(self.dice.randrange(3)):
            self.command(*command, dies=f"{self.dice.choice(POINTS)}:{self.dice.randrange(1, 5)}")
            self.application()
            if self.dice.random() < 0.2:
                self.command("pause", self.newest(), "--reason", "dice")
                self.command("resume", self.newest(), dies=f"{self.dice.choice(POINTS)}:{self.dice.randrange(1, 4)}")
            command = self.again(command)

    def again(self, command):
        """Once it is planned, `run` alone goes on with a run that supersedes."""
        return command if self.dice.random() < 0.5 or self.newest() == self.before else ("run", "fix.yaml", "--yes")

    def newest(self):
        runs = [run["run"] for run in self.stand.sluice("list", "--json").ended(0).json()["runs"] if run["run"].startswith("fix")]
        return runs[0] if runs else "none"

    # --- what has to stand

    def check(self, allowed):
        for key, row in self.stand.documents("items").items():
            must(row["n"] in allowed(key), f"{key}: {row['n']}, not one of {sorted(allowed(key))}", "\n" + "\n".join(self.story))

    def done(self, factor):
        """Whatever the application has not written is transformed once; its last value stands, at most transformed once, and
        not at all where it was written over what a run had written."""
        self.check(lambda key: ({self.base(key) * factor} if key not in self.rests else set()) |
                   ({self.base(key)} if key in self.wrote else set()))
        MET["runs done"] += 1
        for key, row in self.stand.documents("items").items():
            if key in self.wrote:
                MET["keys kept" if row["n"] == self.base(key) else "keys of the application transformed"] += 1

    def live(self):
        self.before = "none"
        self.application()
        factors = self.dice.sample(FACTORS, self.dice.randrange(2, 4))
        for factor in factors:
            self.stand.write("fix.lua", f"function transform(doc) doc.n = doc.n * {factor} return doc end\n")
            supersede = ("--supersede", self.before) if self.before != "none" else ()
            command = ("run", "fix.yaml", "--yes", *supersede)
            self.disturbed(*command)
            last = factor == factors[-1]
            if last or self.dice.random() < 0.5 or self.newest() == self.before:
                code = self.command(*self.again(command))
                if code == 3:
                    code = self.command("resume", self.newest(), "--reason", "dice")
                if code in (0, 8):
                    self.done(factor)
            must(self.newest() != self.before, "\n".join(self.story))
            self.before = self.newest()
            self.application()
            if self.stand.status(self.before)["state"] == "planned": # nothing of it stands: it cannot be superseded
                self.command("resume", self.before)
        self.end()

    def end(self):
        runs = [self.stand.status(run["run"]) for run in self.stand.sluice("list", "--json").json()["runs"]]
        MET["superseded"] += sum((run["reason"] or "").startswith("superseded by") for run in runs)
        among(("rolled-back",), self.rolled_back())
        self.check(lambda key: {self.base(key)})
        self.stand.sluice("audit", "verify").ended(0)

    def rolled_back(self):
        for _ in range(self.dice.randrange(2)):
            self.command("rollback", self.before, "--yes", dies=f"{self.dice.choice(POINTS)}:{self.dice.randrange(1, 4)}")
            self.application()
        self.command("rollback", self.before, "--yes")
        return self.stand.status(self.before)["state"]


for number in range(FIRST, FIRST + LIVES):
    @test(f"life {number}: what stands is transformed once, by the last of the runs, and one rollback takes back all of them")
    def _(stand, seed=number):
        Life(stand, seed).live()


@test("the lives have met what they are for")
def _(_):
    print("# " + ", ".join(f"{n} {what}" for what, n in MET.items()))
    must(LIVES < 14 or min(MET.values()) > 0, MET)


run_all()
