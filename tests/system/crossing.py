#!/usr/bin/env python3
"""Two terminals that pause, resume and take back against each other, while a third holds the run.

A round is one command by one of the two. What each of them was answered must come true: a pause that was taken pauses, a
refusal changes nothing, a rollback takes back. From time to time all stand still, and what is in the store is counted
against what the ledger tells: without the catalog, without the undo log. SLUICE_ROUNDS says how many rounds (150; the
proof is a thousand), SLUICE_SEED repeats the commands that each of them gave.
"""

import json
import os
import random
import re
import threading
from collections import Counter

from stand import SOURCE, Failed, among, must, run_all, same, test

ROWS, PARTS = 1200, 6
ROUNDS = int(os.environ.get("SLUICE_ROUNDS", "150"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
STILL_EVERY = 50 # rounds

LOAD = """
sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: items }
"""
FIX = f"""
sluice: 1
name: fix
source: {{ store: "rocksdb:live", dataset: items }}
transform: {{ lua: fix.lua }}
target: {{ store: "rocksdb:live", dataset: items }}
partitions: {{ count: {PARTS} }}
workers: 2
stages:
  - {{ name: canary, scope: 1 partition }}
  - {{ name: ramp, scope: 3 partitions }}
  - {{ name: full, scope: 100% }}
protect: {{ rate: {{ max: 2000/s }} }}
"""
STAGES = {"canary": 1, "ramp": 2, "full": 3} # partitions
FIX_LUA = "function transform(doc) doc.n = doc.n * 2 + 1 return doc end\n"

# What each of the two does: how often in a hundred, the command, the exit statuses that it may end with.
MOVES = (
    (22, ["pause", "fix"], (0, 7)),
    (36, ["resume", "fix"], (0, 3, 7)),
    (4, ["rollback", "fix", "--yes", "--stage", "full"], (0, 3, 7)),
    (4, ["rollback", "fix", "--yes", "--stage", "ramp"], (0, 3, 7)),
    (16, ["rollback", "fix", "--yes"], (0, 3, 7)),
    (8, ["run", "fix.yaml", "--yes"], (0, 3, 7)),
    (10, ["status", "fix"], (0,)),
)

ROW = re.compile(r"^(STAGE_MOVE|MOVE|STATE|STAGE)\((\w+),\s*(\"[\w-]+\"|\w+)", re.M)


def table():
    """The moves that are allowed, of runs and of stages: {from: {to, …}} in words."""
    rows = ROW.findall((SOURCE / "src/catalog/state_rows.h").read_text())
    words = {kind: {symbol: word.strip('"') for row, symbol, word in rows if row == kind} for kind in ("STATE", "STAGE")}
    allowed = {}
    for kind, move in (("STATE", "MOVE"), ("STAGE", "STAGE_MOVE")):
        name = words[kind]
        allowed[kind] = {(name[a], name[b]) for row, a, b in rows if row == move}
    return words, allowed


class Story:
    """The ledger, told again: the state of every run and stage."""

    def __init__(self, entries):
        words, allowed = table()
        self.entries, self.runs, self.stages = entries, {}, {}
        for entry in entries:
            run, action, details = entry["run"], entry["action"], entry["details"] or {}
            if action == "planned":
                self.runs[run] = "planned"
                self.stages[run] = {stage: "pending" for stage in details["stages"]}
            elif action in words["STATE"].values():
                self.step(entry, self.runs, run, action, allowed["STATE"])
            elif action.startswith("stage."):
                self.step(entry, self.stages[run], details["stage"], action[6:], allowed["STAGE"])

    @staticmethod
    def step(entry, states, which, to, allowed):
        same(entry["details"]["from"], states[which], f"entry {entry['number']}: the state that {which} comes from")
        must((states[which], to) in allowed, f"entry {entry['number']}: {which} goes from {states[which]} to {to}")
        states[which] = to

    def of(self, run, reason):
        return [entry for entry in self.entries if entry["run"] == run and entry["reason"] == reason]

    def before(self, number, run):
        """The run's state when the entry was written."""
        states = [entry["action"] for entry in self.entries
                  if entry["number"] < number and entry["run"] == run and entry["action"] in table()[0]["STATE"].values()]
        return states[-1] if states else "planned"

    def after(self, number, run):
        """The run's states behind the entry."""
        return [(entry["action"], entry["reason"]) for entry in self.entries
                if entry["number"] > number and entry["run"] == run and entry["action"] in table()[0]["STATE"].values()]


class Crossing:
    def __init__(self, stand):
        self.stand, self.turn = stand, threading.Condition()
        self.rounds, self.until, self.holding, self.failed = 0, 0, True, []
        self.met, self.answers = Counter(), []

    # --- the three

    def take_round(self):
        with self.turn:
            if self.rounds >= self.until or self.failed:
                return 0
            self.rounds += 1
            self.turn.notify_all()
            return self.rounds

    def command(self, number, arguments, codes):
        reason = ["--reason", f"round {number}"] if arguments[0] != "status" else []
        done = self.stand.sluice(*arguments, *reason, "--json", timeout=120).ended(*codes)
        last = done.lines()[-1] if done.out else {}
        with self.turn:
            self.count(number, arguments, done, last)

    def count(self, number, arguments, done, last):
        self.met[f"{arguments[0]} {done.code}"] += 1
        self.answers.append((number, arguments, done.code, last))
        if done.code == 7:
            self.met["refused"] += 1
        elif arguments[0] == "resume":
            self.met["resumed"] += 1
        elif arguments[0] in ("pause", "rollback") and last["type"] == "wish":
            self.met[f"{arguments[0]} {'heard' if last['taken'] else 'recorded'}"] += 1

    def terminal(self, dice):
        try:
            while number := self.take_round():
                arguments, codes = dice.choices([move[1:] for move in MOVES], [move[0] for move in MOVES])[0]
                self.command(number, arguments, codes)
        except Exception as error: # pylint: disable=broad-except
            self.fail(error)

    def holder(self):
        """The third: whenever what it held has ended, and a few rounds have passed since, it begins again."""
        seen, dice = 0, random.Random(SEED + 2)
        try:
            while self.holding and not self.failed:
                done = self.stand.sluice("run", "fix.yaml", "--yes", "--json", "--reason", "the third").ended(0, 3, 7)
                with self.turn:
                    self.met[f"held to {done.lines()[-1].get('state', 'a refusal')}"] += 1
                    self.turn.wait_for(lambda seen=seen: self.rounds > seen or not self.holding)
                    seen = self.rounds + dice.randrange(4)
        except Exception as error: # pylint: disable=broad-except
            self.fail(error)

    def fail(self, error):
        with self.turn:
            self.failed.append(error)
            self.holding = False
            self.turn.notify_all()

    def go(self, dice, rounds):
        """So many rounds; afterwards nobody holds the run."""
        self.until, self.holding = self.rounds + rounds, True
        threads = [threading.Thread(target=self.terminal, args=(own,)) for own in dice]
        third = threading.Thread(target=self.holder)
        for thread in [third] + threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self.turn:
            self.holding = False
            self.turn.notify_all()
        self.stand.sluice("pause", "fix", "--reason", "all stand still")
        third.join()
        if self.failed:
            raise self.failed[0]

    # --- what must hold while all stand still

    def look(self):
        self.stand.sluice("audit", "verify").ended(0)
        story = Story(self.stand.sluice("audit", "log", "--json").ended(0).lines())
        runs = self.stand.sluice("list", "--json").ended(0).json()["runs"]
        same({run["run"]: run["state"] for run in runs}, story.runs, "the states in the catalog, and those of the ledger")
        for run in runs:
            self.look_at_run(story, run["run"])
        self.look_at_data(story, runs[0]["run"])
        self.look_at_answers(story)

    def look_at_run(self, story, name):
        status = self.stand.status(name)
        records, stages = status["records"], {stage["name"]: stage["state"] for stage in status["stages"]}
        same(stages, story.stages[name], f"{name}: the stages in the catalog, and those of the ledger")
        must(not status["held"], f"{name} is held")
        listed = sum(records[word] for word in ("written", "unchanged", "kept_live", "rejected", "filtered", "deleted", "gone", "in_doubt"))
        must(listed <= records["listed"] and records["left"] == 0, f"{name}: {records}")
        if status["state"] == "done":
            same(listed, records["listed"], f"{name} is done: records that are accounted for")
        if status["state"] == "rolled-back":
            same(records["restored"], records["written"], f"{name} is rolled back: records that were restored")

    def look_at_data(self, story, newest):
        """A run before the newest one is back, so that each record stands as it was, or repaired once by the newest."""
        for run, state in story.runs.items():
            must(run in (newest, "load.1") or state == "rolled-back", f"{run} is {state}, and {newest} is begun")
        documents = self.stand.documents("items")
        same(len(documents), ROWS, "records")
        mended = [0] * PARTS
        for place, (key, document) in enumerate(sorted(documents.items())):
            number = int(key[1:])
            must(document in ({"id": key, "n": number}, {"id": key, "n": number * 2 + 1}), f"{key}: {document}")
            mended[place * PARTS // ROWS] += document["n"] != number
        stages = story.stages[newest] if newest != "load.1" else {stage: "pending" for stage in STAGES}
        size = ROWS // PARTS
        whole = sum(STAGES[name] for name, state in stages.items() if state in ("passed", "verifying", "waiting"))
        none = sum(STAGES[name] for name, state in stages.items() if state in ("pending", "rolled-back"))
        if story.runs.get(newest) == "rolled-back":
            whole, none = 0, PARTS
        back = any(entry["action"] == "rolling-back" for entry in story.entries if entry["run"] == newest)
        if not back or story.runs[newest] == "rolled-back":
            must(mended.count(size) >= whole and mended.count(0) >= none, f"{mended} of {size} records mended each: {stages}")
        done = self.stand.status(newest)["records"]
        if newest != "load.1":
            same(sum(mended), done["written"] - done["restored"], f"records of {newest} that are mended")

    @staticmethod
    def has_come_true(reason, asked, states):
        """Where the run stops next after a wish that was taken. Of two pauses the first is in the ledger's word."""
        if asked == "rollback":
            must(("rolling-back", reason) in states, f"{reason}: rollback was taken, and yet: {states[:8]}")
            return
        stops = [state for state, _ in states if state not in ("running", "verifying", "waiting", "rolling-back")]
        same(stops[:1], ["paused"], f"{reason}: pause was taken; where the run stopped, of {states[:8]}")

    def look_at_answers(self, story):
        """What was answered has come true."""
        for number, arguments, code, last in self.answers:
            reason = f"round {number}"
            told = [entry for entry in story.entries if entry["reason"] == reason]
            actions = [entry["action"] for entry in told]
            if code == 7:
                must(not set(actions) - {"wish"}, f"{arguments} was refused, and yet: {actions}")
            elif last.get("type") == "wish" and last["taken"]:
                [wish] = [entry for entry in told if entry["action"] == "wish"]
                if arguments[0] == "pause" and story.before(wish["number"], last["run"]) == "paused":
                    continue # it was resumed, and had not begun yet: it stays paused, and nothing moves
                self.has_come_true(reason, arguments[0], story.after(wish["number"], last["run"]))
            elif last.get("type") == "wish":
                same(actions[-1:], ["paused"], f"{arguments} found no holder; what became of it")
        self.answers.clear()


@test(f"two terminals that pause, resume and take back against each other, {ROUNDS} rounds: ledger, states, records and answers agree")
def _(stand):
    print(f"# SLUICE_SEED={SEED} SLUICE_ROUNDS={ROUNDS}", flush=True)
    stand.records("in/a.ndjson", ({"id": f"k{n:05d}", "n": n} for n in range(ROWS)))
    for name, text in (("load.yaml", LOAD), ("fix.yaml", FIX), ("fix.lua", FIX_LUA)):
        stand.write(name, text)
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    stand.sluice("run", "fix.yaml").ended(2) # planned, so that there is something to talk about
    crossing = Crossing(stand)
    dice = [random.Random(SEED), random.Random(SEED + 1)]
    least = {"pause heard": ROUNDS // 15, "refused": ROUNDS // 10, "resumed": ROUNDS // 100, "resume 3": ROUNDS // 300,
             "rollback heard": ROUNDS // 100, "rollback 0": ROUNDS // 30}
    met = crossing.met
    seldom = lambda: {what: count for what, count in least.items() if met[what] < count}
    while crossing.rounds < ROUNDS or (seldom() and crossing.rounds < 10 * ROUNDS): # how often they meet is the machine's
        crossing.go(dice, STILL_EVERY)
        crossing.look()
    print(f"# {crossing.rounds} rounds, " + ", ".join(f"{what}: {count}" for what, count in sorted(met.items())), flush=True)
    same(seldom(), {}, f"met too seldom, of {dict(met)}")
    finish(stand)


def finish(stand):
    """Whatever they left: it can be taken back, and the repair done, once."""
    if stand.status("fix")["state"] not in ("done", "rolled-back"):
        stand.sluice("rollback", "fix", "--yes").ended(0)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(stand.documents("items"), {f"k{n:05d}": {"id": f"k{n:05d}", "n": n * 2 + 1} for n in range(ROWS)}, "records")
    stand.sluice("audit", "verify").ended(0)


if __name__ == "__main__":
    run_all()
