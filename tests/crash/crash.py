#!/usr/bin/env python3
"""Dies at every kill point, goes on, and compares with a run that did not die.

For every kill point × scenario × the first and the last time that it is passed (of every second point, of every fourth the last time too; SLUICE_CRASH=all: of each): a process of sluice is killed there and the
same command goes on; then the target (documents and expiries), the counts and the ledger's chain must be what they are
without the death, and before and after the states of run and stages must be those that the ledger tells. Prints TAP: a test
a scenario and point.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--dies", required=True)
parser.add_argument("--app", required=True)
parser.add_argument("--random", type=int, default=0, help="instead: so many SIGKILLs from outside at random times")
parser.add_argument("--only", default="")
parser.add_argument("--loses", default="", help="instead: with the process the machine of its store loses its power; the library that does it")
parser.add_argument("--seed", type=int, default=20261120)
args = parser.parse_args()
SOURCE = Path(__file__).resolve().parent.parent.parent
args.dies, args.app = os.path.abspath(args.dies), os.path.abspath(args.app)

RECORDS = 1500
DONE = (0, 8)
RUN, PROMOTE, BACK = ("run", "job.yaml", "--yes"), ("promote", "job", "--yes"), ("rollback", "job.1", "--yes")

TRANSFORM = """
function transform(doc, ctx)
  if doc.kind == "skip" then return nil end
  if doc.kind == "bad" then return ctx.reject("bad kind") end
  if doc.kind == "drop" then return ctx.delete() end
  doc.balance = doc.balance * 1.19
  doc.times = doc.times + 1
  return doc
end
"""

FILL = """
sluice: 1
name: job
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
transform: {{ lua: t.lua }}
target: {{ store: "rocksdb:live", dataset: items, expires: 30d }}
partitions: {{ count: 3 }}
protect: {{ rejects: 50%, kept_live: 100% }}
"""

IN_PLACE = """
sluice: 1
name: job
source: {{ store: "rocksdb:live", dataset: items }}
transform: {{ lua: t.lua }}
target: {{ store: "rocksdb:live", dataset: items }}
partitions: {{ count: 3 }}
protect: {{ rejects: 50%, kept_live: 100% }}
"""

COPY = IN_PLACE.replace("dataset: items }}\ntransform", "dataset: origin }}\ntransform")

SINK = """
sluice: 1
name: job
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
transform: {{ lua: t.lua }}
target: {{ store: "file:out", dataset: "out-*.ndjson" }}
partitions: {{ count: 3 }}
protect: {{ rejects: 50% }}
"""


# One stage that soaks and waits for somebody's word,, and one behind it.
GATED = IN_PLACE + """
stages:
  - {{ name: canary, scope: 1 partition, gate: {{ soak: 20ms, approve: daemon }} }}
  - {{ name: full, scope: 100%, gate: {{ soak: 20ms }} }}
"""

# Batches of 200 records, a tenth of what may be written in a second.
SHARED = IN_PLACE.replace("count: 3", "count: 1").replace("kept_live: 100%", "kept_live: 100%, rate: {{ max: 2000/s }}")

SHADOW = IN_PLACE.replace("dataset: items }}\npart", "dataset: items, write: shadow }}\npart")

PRUNED = IN_PLACE + "retain: {{ undo: 1ms, quarantine: 1ms, reports: 1ms }}\n"

HOOKED = IN_PLACE + """
hooks: [ {{ on: any, run: "cat >> heard; echo >> heard" }}, {{ on: stage.passed, run: "cat >> must; echo >> must", must: true }} ]
"""

# A number that is beyond its limit for a while: from the third reading on, for eighteen.
GUARDED = IN_PLACE.replace("kept_live: 100%", """kept_live: 100%, hold: 20ms, rate: {{ max: 3000/s }},
  signals: [ {{ name: flap, run: "echo >> asked; n=$(wc -l < asked); test $n -gt 2 -a $n -lt 21 && echo 11 || echo 1", above: 10, every: 10ms, timeout: 9s }} ]""")

MOVE_POINTS = re.findall(r'^MOVE_POINT\("([\w.]+)"', (SOURCE / "src" / "catalog" / "points.h").read_text(), re.M)
MOVES = re.findall(r"^(MOVE|STAGE_MOVE)\((\w+), *(\w+)\)", (SOURCE / "src" / "catalog" / "state_rows.h").read_text(), re.M)
MOVES = {(kind, was.lower().replace("_", "-"), now.lower().replace("_", "-")) for kind, was, now in MOVES}


def turn(scenario, point, of):
    """Whether it is a point's turn in a scenario, one in `of`: what one leaves out others meet; `SLUICE_CRASH=all`: always."""
    return os.environ.get("SLUICE_CRASH") == "all" or zlib.crc32(f"{scenario} {point}".encode()) % of == 0


class Stand:
    """A directory with a source, a store, a spec and a home."""

    run = "job.1"  # whose counts are compared
    loses = ""  # how the store's machine loses its power with the process that dies: "all" of what is not synced, or "torn"
    begin = staticmethod(lambda stand: None)  # what every life begins with

    def __init__(self, root, name, spec, seeded, records=RECORDS):
        self.dir = Path(root) / name
        (self.dir / "in").mkdir(parents=True)
        dice = random.Random(args.seed)
        kinds = ["plain"] * 94 + ["skip"] * 2 + ["bad"] * 2 + ["drop"] * 2
        with open(self.dir / "in" / "a.ndjson", "w") as file:
            for n in range(records):
                file.write(json.dumps({"id": f"k{n:06d}", "kind": dice.choice(kinds), "times": 0,
                                       "balance": dice.randrange(100_000), "pad": "x" * dice.randrange(200)}) + "\n")
        (self.dir / "t.lua").write_text(TRANSFORM)
        (self.dir / "job.yaml").write_text(spec.format())
        if seeded:
            self.put(self.source_lines())

    def source_lines(self):
        lines = []
        for n, line in enumerate((self.dir / "in" / "a.ndjson").read_text().splitlines()):
            # every tenth has an expiry of its own, far away, that must come through byte for byte
            expires = 4102444800000 + n if n % 10 == 0 else 0
            lines.append(f"{json.loads(line)['id']}\t{line}\t{expires}")
        return lines

    # A plan freezes absolute paths, so every life is lived in the same place: the prepared stand is kept aside.
    def keep(self):
        self.kept = self.dir.with_name(self.dir.name + "-kept")
        self.dir.rename(self.kept)

    def renew(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.copytree(self.kept, self.dir)
        self.begin(self)
        return self

    def put(self, lines, dataset="items"):
        subprocess.run([args.app, "put", "rocksdb:live", dataset], cwd=self.dir, check=True,
                       input="\n".join(lines) + "\n", text=True)

    def dump(self):
        run = subprocess.run([args.app, "dump", "rocksdb:live", "items"], cwd=self.dir, check=True, text=True,
                             stdout=subprocess.PIPE)
        return dict(line.split("\t", 1) for line in run.stdout.splitlines())

    def lines(self):
        """Of files that can be seen: how often each record stands there, by its own words."""
        found = {}
        for path in sorted((self.dir / "out").glob("*")) if (self.dir / "out").exists() else []:
            for line in path.read_text().splitlines() if not path.name.startswith(".") else ["hidden: " + path.name]:
                found[line] = found.get(line, 0) + 1
        return found

    def sluice(self, *arguments, user=None, dies=None, points=None):
        environment = dict(os.environ, SLUICE_HOME="home")
        if dies:
            environment["SLUICE_DIES_AT"] = dies
        if dies and self.loses:
            environment.update(LD_PRELOAD=os.path.abspath(args.loses), SLUICE_LOSES=self.loses, SLUICE_LOST=str(self.dir.parent / "lost"))
        if points:
            environment["SLUICE_POINTS_FILE"] = str(points)
        other = {"user": user, "group": user, "extra_groups": []} if user else {}
        if other:
            self.open_to_all()
        run = subprocess.run([args.dies, *arguments], cwd=self.dir, env=environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, **other)
        self.last = run
        return run.returncode

    def open_to_all(self):
        self.dir.parent.chmod(0o755)
        for path in [self.dir, *self.dir.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)

    def counts(self):
        self.sluice("status", self.run, "--json")
        return json.loads(self.last.stdout)["records"]

    def ledger_is_whole(self):
        return self.sluice("audit", "verify") == 0

    def entries(self):
        code = self.sluice("audit", "log", "--json")
        return [json.loads(line) for line in self.last.stdout.splitlines()] if code == 0 else []

    def unexplained(self):
        """What of the states of run and stages the ledger does not tell, entry by entry; no home yet: nothing to tell."""
        told, why = told_states([entry for entry in self.entries() if entry["run"] == self.run])
        if self.sluice("status", self.run, "--json") != 0:
            return why + (f"the ledger tells of {told}, and there is no run\n" if told else "")
        status = json.loads(self.last.stdout)
        found = {"": status["state"], **{stage["name"]: stage["state"] for stage in status["stages"]}}
        pending = {stage: "pending" for stage in found if stage}
        if found != {**pending, **told}:
            why += f"states are {found}, and the ledger tells of {told}\n"
        if not self.ledger_is_whole():
            why += "the ledger is broken: " + self.last.stdout
        return why


def told_states(entries):
    """The states of a run ("") and its stages that its ledger entries lead to, each move of which must be an allowed one."""
    states, why = {}, ""
    for entry in entries:
        details = entry["details"] or {}
        kind, stage, state = ("STAGE_MOVE", details.get("stage"), entry["action"][6:]) if entry["action"].startswith("stage.") else \
            ("MOVE", "", entry["action"])
        if entry["action"] == "planned":
            states[""] = "planned"
        elif "from" in details:
            was = states.get(stage, "pending")
            if was != details["from"] or (kind, was, state) not in MOVES:
                why += f"entry {entry['number']}: {stage or 'the run'} was {was}, and moves from {details['from']} to {state}\n"
            states[stage] = state
    return states, why


def forget_time(documents):
    """`expires: 30d` counts from the planned time, which differs between two runs: only that there is one is compared."""
    return {key: value.rsplit("\t", 1)[0] + ("\texpires" if not value.endswith("\t0") else "\tnever")
            for key, value in documents.items()}


class Step:
    """A command, how it ends, and how it may end where it is given again after a death; `user`: somebody else gives it."""

    def __init__(self, command, codes, again=None, user=None):
        self.command, self.codes, self.again, self.user = command, codes, again or codes, user


class Scenario:
    records = RECORDS
    at_random = True # worth SIGKILLs at random times: it lives long enough

    def __init__(self, name, spec, seeded, back):
        self.name, self.spec, self.seeded, self.back = name, spec, seeded, back
        self.steps = [Step(BACK if back else RUN, DONE)]

    def skipped(self):
        return ""

    def places(self, passed):
        """Where to die: (step, point, number)."""
        return [(step, point, nth) for (step, point), times in sorted(passed.items())
                for nth in sorted({1, times if turn(self.name, point, 6) else 1}) if turn(self.name, point, 3)
                if not point.startswith("idle.")]  # where nothing is done: how often is chance

    def prepare(self, root):
        stand = Stand(root, self.name, self.spec, self.seeded, self.records)
        if self.back:
            code = stand.sluice("run", "job.yaml", "--yes")
            assert code in DONE, f"forward run ended with {code}: {stand.last.stderr}"
        stand.keep()
        return stand

    def look(self, stand):
        if self.spec is SINK:
            return stand.lines()
        documents = stand.dump()
        return documents if self.seeded else forget_time(documents)


class Superseding(Scenario):
    """job.1 died in the middle, or is done; its transform is mended, and job.2 takes it back first."""

    def __init__(self, name, spec, seeded, dies, records=RECORDS):
        super().__init__(name, spec, seeded, False)
        self.dies, self.records = dies, records
        self.steps = [Step((*RUN, "--supersede", "job.1"), DONE)]

    # A copy of a store is another store, and what job.1 wrote would not stand in it: each life has a job.1 of its own. It has
    # one worker, so that it leaves the same in every life.
    def begin(self, stand):
        spec = (stand.dir / "job.yaml").read_text()
        (stand.dir / "job.yaml").write_text(spec + "workers: 1\n")
        code = stand.sluice("run", "job.yaml", "--yes", dies=self.dies)
        assert code in ((-signal.SIGKILL,) if self.dies else DONE), f"job.1 ended with {code}: {stand.last.stderr}"
        (stand.dir / "job.yaml").write_text(spec)
        (stand.dir / "t.lua").write_text(TRANSFORM.replace("1.19", "1.07"))

    def prepare(self, root):
        stand = super().prepare(root)
        stand.run, stand.begin = "job.2", self.begin
        return stand


class Sharing(Scenario):
    """One partition and two workers: at its checkpoints the one that has it splits it for the other. It dies around what that
    changes; the rest is the same as without."""

    records = 1000

    def places(self, passed):
        of_split = ("part", "checkpoint", "grant", "lane-open", "catalog")
        missed = {"part.split", "part.is_split"} - {point for _, point in passed}
        report(not missed, f"{self.name}: a partition is split", f"not passed: {sorted(missed)}" if missed else "")
        return [place for place in super().places(passed) if place[1].split(".")[0] in of_split]


class Gated(Scenario):
    """A run goes through its gates: one soaks, is denied, judged again and approved. It dies at every single transition; what
    lies between them is the same as without gates."""

    records = 300

    def __init__(self, name, spec):
        super().__init__(name, spec, True, False)
        self.steps = [Step(RUN, (3,)), Step(("deny", "job", "--reason", "not on a Friday"), (0,), (0, 7), "daemon"),
                      Step(("resume", "job"), (3,)), Step(("approve", "job"), (0,), user="daemon"), Step(RUN, DONE)]

    def skipped(self):
        return "" if os.geteuid() == 0 else "needs root, to be other users"

    def places(self, passed):
        missed = set(MOVE_POINTS) - {point for _, point in passed}
        report(not missed, f"{self.name}: every kill point of a move is passed", f"not passed: {sorted(missed)}" if missed else "")
        found = []
        for (step, point), times in sorted(passed.items()):
            if point in MOVE_POINTS:
                found += [(step, point, nth) for nth in range(1, times + 1)]
            elif point.split(".")[0] == "catalog" and (step == 0 or self.steps[step].user): # what is said moves nothing
                found += [(step, point, nth) for nth in sorted({1, times})]
        return found


class Shadow(Scenario):
    """A run writes a shadow, which is promoted. `before`: what every life has behind it, and where the last of it died."""

    records = 1000

    def __init__(self, name, before, steps, dies=None):
        super().__init__(name, SHADOW, True, False)
        self.before, self.dies, self.steps = before, dies, steps

    def begin(self, stand):
        spec = (stand.dir / "job.yaml").read_text()
        (stand.dir / "job.yaml").write_text(spec + ("workers: 1\n" if self.dies else ""))
        for at, command in enumerate(self.before):
            dies = self.dies if at == len(self.before) - 1 else None
            code = stand.sluice(*command, dies=dies)
            assert code == (-signal.SIGKILL if dies else code) and (dies or code in (0, 3, 8)), f"{command}: {code}: {stand.last.stderr}"

    def places(self, passed):
        """A shadow is written as a run in place writes: of that, where something becomes of it."""
        of_run = ("log", "cas", "outcome", "settle", "checkpoint", "store", "run", "stage")
        return [place for place in super().places(passed)
                if self.steps[place[0]].command is not RUN or place[1].split(".")[0] in of_run]

    def prepare(self, root):
        stand = super().prepare(root)
        stand.begin = self.begin
        return stand


class Pruned(Scenario):
    """What has expired of a run that is done goes, wholly: the files that are left are compared too."""

    records, at_random = 400, False

    def __init__(self, name, spec):
        super().__init__(name, spec, True, True)
        self.command = ("prune",)
        self.steps = [Step(self.command, DONE)]

    def look(self, stand):
        files = {str(path.relative_to(stand.dir)): "" for path in (stand.dir / "home").rglob("*")
                 if path.is_file() and path.suffix not in (".db-wal", ".db-shm", ".lock")}
        return {**super().look(stand), **files}


class Retried(Scenario):
    """What job.1 refused goes through a transform that is mended, as a run of its own."""

    records, at_random = 400, False

    def __init__(self, name, spec):
        super().__init__(name, spec, True, False)
        self.command = ("quarantine", "retry", "job.1", "--yes")
        self.steps = [Step(self.command, DONE)]

    # As in Superseding: a copy of a store is another store.
    def begin(self, stand):
        code = stand.sluice("run", "job.yaml", "--yes")
        assert code == 8, f"job.1 ended with {code}: {stand.last.stderr}"
        (stand.dir / "t.lua").write_text(TRANSFORM.replace('return ctx.reject("bad kind")', ""))

    def places(self, passed):
        """Its partitions are written as any are: of that, where something becomes of it."""
        of_run = ("log", "cas", "settle", "checkpoint", "run", "stage", "catalog")
        return [place for place in super().places(passed) if place[1].split(".")[0] in of_run]

    def prepare(self, root):
        stand = super().prepare(root)
        stand.run, stand.begin = "job.2", self.begin
        return stand


class Repaired(Scenario):
    """What a verification of job.1 has found lost, written over or changed at the source is read anew and written, as a run of its
    own that knows what the verification saw."""

    records, at_random = 400, False

    def __init__(self, name, spec):
        super().__init__(name, spec, False, False)
        self.steps = [Step(("repair", "job.1", "--yes"), DONE)]

    # As in Superseding: a copy of a store is another store.
    def begin(self, stand):
        lines = stand.source_lines()
        plain = [line for line in lines if '"kind": "plain"' in line]
        stand.put(lines, "origin")
        code = stand.sluice("run", "job.yaml", "--yes")
        assert code == 8, f"job.1 ended with {code}: {stand.last.stderr}"
        stand.put([line.split("\t")[0] + "\t-" for line in plain[:60]])
        stand.put([line.replace('"balance": ', '"balance": 7') for line in plain[100:160]], "origin")
        code = stand.sluice("verify", "job.1", "--full")
        assert code == 4, f"the verification ended with {code}: {stand.last.stderr}"
        stand.put([plain[0], plain[100]])  # since then the application has written two of them

    def places(self, passed):
        """Its partitions are written as any are: of that, where something becomes of it."""
        of_run = ("log", "cas", "settle", "checkpoint", "run", "stage", "catalog", "listing")
        return [place for place in super().places(passed) if place[1].split(".")[0] in of_run]

    def prepare(self, root):
        stand = super().prepare(root)
        stand.run, stand.begin = "job.2", self.begin
        return stand


class Hooked(Scenario):
    """Every move is told, under a key of its own, and at the same key nothing else; a death is a move too, and may be told."""

    records, at_random = 200, False

    def places(self, passed):
        return [place for place in super().places(passed) if place[1].split(".")[0] in ("hook", "run", "stage")]

    def look(self, stand):
        found = {}
        for name in ("heard", "must"):
            path, keys = stand.dir / name, {}
            for line in path.read_text().splitlines() if path.exists() else []:
                row = json.loads(line) if line else None
                if row and keys.setdefault(row["key"], line) != line:
                    found[f"{name} {row['key']}"] = "told twice, in other words"
                if row and row["event"] not in ("run.interrupted", "run.resumed"):
                    found[f"{name} {row['event']} {row.get('stage')}"] = "told"
        stand.sluice("hooks", "job.1", "--json")
        found["states"] = str({row["state"] for row in json.loads(stand.last.stdout)["deliveries"]})
        return {**super().look(stand), **found}


class Guarded(Scenario):
    """A guard pauses the run and lets it go on. It dies around each of its moves; the next one waits for the guard, or finds it clear."""

    records, at_random = 300, False

    def places(self, passed):
        moved = {point: times for (_, point), times in passed.items()}
        report(moved.get("run.moved", 0) >= 4, f"{self.name}: it is paused, and goes on", f"only {moved.get('run.moved', 0)} moves")
        return [(step, point, nth) for (step, point), times in sorted(passed.items()) if point in ("run.move", "run.moved")
                for nth in range(1, min(times, 4) + 1)]


SCENARIOS = [
    Scenario("fill", FILL, False, False),
    Scenario("in-place", IN_PLACE, True, False),
    Scenario("fill-back", FILL, False, True),
    Scenario("in-place-back", IN_PLACE, True, True),
    Guarded("guarded", GUARDED, True, False),
    Scenario("sink", SINK, False, False),
    Scenario("sink-back", SINK, False, True),
    Superseding("in-place-superseded", IN_PLACE, True, "cas.after:3"),
    Superseding("fill-superseded", FILL, False, None, records=1500),
    Gated("gated", GATED),
    Sharing("shared", SHARED, True, False),
    Shadow("shadow", [], [Step(RUN, (3,)), Step(PROMOTE, DONE)]),
    Shadow("shadow-dropped", [RUN], [Step(BACK, DONE)]),
    Shadow("shadow-back", [RUN, PROMOTE], [Step(BACK, DONE)]),
    Shadow("shadow-half-back", [RUN, PROMOTE], [Step(BACK, DONE)], dies="cas.after:1"),
    Pruned("pruned", PRUNED),
    Hooked("hooked", HOOKED, True, False),
    Retried("retried", IN_PLACE),
    Repaired("repaired", COPY),
]

number = 0


def report(ok, name, why=""):
    global number
    number += 1
    print(f"{'ok' if ok else 'not ok'} {number} - {name}")
    for line in why.splitlines()[:12]:
        print("# " + line)
    sys.stdout.flush()


def differences(left, right):
    keys = [key for key in sorted(left.keys() | right.keys()) if left.get(key) != right.get(key)]
    return "".join(f"{key}: {left.get(key)} | {right.get(key)}\n" for key in keys[:3]) + (
        f"{len(keys)} differ\n" if keys else "")


BESIDE = ("retried", "read")  # a redone batch is read again; that is not an outcome


def compare(stand, scenario, wanted, counts):
    why = differences(wanted, scenario.look(stand))
    now = stand.counts()
    for word in now:
        if word not in BESIDE and now[word] != counts[word]:
            why += f"{word}: {counts[word]} without a death, {now[word]} with\n"
    if not stand.ledger_is_whole():
        why += "the ledger is broken: " + stand.last.stdout
    return why


def points_of(scenario, base):
    """How often each (step, point) is passed without a death, and what then stands."""
    stand = base.renew()
    passed = {}
    for number, step in enumerate(scenario.steps):
        path = stand.dir / f"points-{number}"
        code = stand.sluice(*step.command, user=step.user, points=path)
        assert code in step.codes, f"{scenario.name} ended with {code}: {stand.last.stderr}"
        for line in path.read_text().splitlines():
            passed[number, line] = passed.get((number, line), 0) + 1
    return passed, scenario.look(stand), stand.counts()


UNDISTURBED = 3


def certain_points(scenario, base):
    """The same, of several lives: a point that was passed in one of them only was passed by chance (a catalog that was busy
    just then), and no death can be asked for there."""
    found = [points_of(scenario, base) for _ in range(UNDISTURBED)]
    always = set.intersection(*(set(passed) for passed, _, _ in found))
    by_chance = set().union(*(passed for passed, _, _ in found)) - always
    print("# passed by chance:", ", ".join(sorted(point for _, point in by_chance)) or "none")
    return {place: min(passed[place] for passed, _, _ in found) for place in always}, *found[0][1:]


def lives(stand, step, dies):
    return stand.sluice(*step.command, user=step.user, dies=dies)


def dies_in(scenario, base, place):
    """A life up to the death; None where the point was not passed so often."""
    number, point, nth = place
    for fewer in range(3):  # workers commit together when it so happens: the last time may come a little earlier
        stand = base.renew()
        for step in scenario.steps[:number]:
            lives(stand, step, None)
        if lives(stand, scenario.steps[number], f"{point}:{max(nth - fewer, 1)}") == -signal.SIGKILL:
            return stand
    return None


def die_once(scenario, base, place, wanted, counts):
    stand = dies_in(scenario, base, place)
    if not stand:
        return "it did not die there"
    why = stand.unexplained()
    for step in scenario.steps[place[0]:]:
        code = lives(stand, step, None)
        if code not in (step.again if step is scenario.steps[place[0]] else step.codes):
            return f"{why}going on with {' '.join(step.command)} ended with {code}: {stand.last.stderr}"
    return why + compare(stand, scenario, wanted, counts) + stand.unexplained()


def die_at_every_point(root):
    for scenario in SCENARIOS:
        if args.only and args.only != scenario.name:
            continue
        if scenario.skipped():
            report(True, f"{scenario.name} # SKIP {scenario.skipped()}")
            continue
        base = scenario.prepare(root)
        passed, wanted, counts = certain_points(scenario, base)
        print(f"# {scenario.name}: {len(passed)} kill points are passed")
        for place in scenario.places(passed):
            step, point, nth = place
            why = die_once(scenario, base, place, wanted, counts)
            of = f" of step {step + 1}, {scenario.steps[step].command[0]}" if len(scenario.steps) > 1 else ""
            report(not why, f"{scenario.name}: dies at {point} number {nth}{of}", why)


# Around what a loss of power takes away, or leaves without what belongs to it.
POWER = ("lane-open.after", "log.after", "cas.after", "outcome.after", "settle.before", "settle.after", "checkpoint.before", "checkpoint.after")


def lose_power_at_every_step(root):
    """As above; and with the process the store loses what it has not synced: all of it, or all but the beginning of its last
    write. The home keeps what it has written: it is on another disk."""
    for scenario in [scenario for scenario in SCENARIOS if scenario.name in ("in-place", "in-place-back", "fill")]:
        if args.only and args.only != scenario.name:
            continue
        base = scenario.prepare(root)
        passed, wanted, counts = points_of(scenario, base)
        for (step, point), times in sorted(passed.items()):
            for how in ("all", "torn"):
                nth = 1 if how == "all" else max(times // 2, 1)
                if point not in POWER or not turn(scenario.name, f"{point} {how}", 6):
                    continue
                base.loses = how
                why = die_once(scenario, base, (step, point, nth), wanted, counts)
                report(not why, f"{scenario.name}: power is lost at {point} number {nth}, {how}", why)
        base.loses = ""
    lost = Path(root) / "lost"
    report(lost.exists(), "something was held back when the power was lost")


LIVES_MOST = 20 # of a scenario that is too quick to die often


def die_at_random_times(root):
    """SIGKILL from outside, again and again, until the command comes through; then as above."""
    dice = random.Random(args.seed)
    deaths = 0
    for scenario in [scenario for scenario in SCENARIOS if len(scenario.steps) == 1 and scenario.at_random]:
        base = scenario.prepare(root)
        _, wanted, counts = points_of(scenario, base)
        life = 0
        while deaths < args.random * (SCENARIOS.index(scenario) + 1) // len(SCENARIOS) and life < LIVES_MOST:
            stand = base.renew()
            life += 1
            died = 0
            while True:
                environment = dict(os.environ, SLUICE_HOME="home")
                process = subprocess.Popen([args.dies, *scenario.steps[0].command], cwd=stand.dir, env=environment,
                                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                try:
                    code = process.wait(timeout=dice.uniform(0.005, 0.25) if died < 6 else 60)
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    died += 1
            deaths += died
            why = "" if code in DONE else f"ended with {code}: {process.stderr.read()}"
            why += compare(stand, scenario, wanted, counts)
            report(not why, f"{scenario.name}: life {life} with {died} deaths", why)
    print(f"# {deaths} deaths")


if args.only and args.only not in [scenario.name for scenario in SCENARIOS]:
    parser.error(f"there is no scenario {args.only!r}")
# In memory where there is such a place: a thousand lives sync ten thousand times.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
with tempfile.TemporaryDirectory(prefix="sluice-crash-", dir=MEMORY) as folder:
    if args.random:
        die_at_random_times(folder)
    elif args.loses:
        lose_power_at_every_step(folder)
    else:
        die_at_every_point(folder)
print(f"1..{number}")
