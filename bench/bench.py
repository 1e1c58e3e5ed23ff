#!/usr/bin/env python3
"""Ratios to the limits of this machine: sluice and a bare loop over the same library, run in turn in one session.

    bench.py [--quick] [--records N] [--pairs N] [--only NAME[,NAME]] [--keep]

A ratio is the median over interleaved pairs of (time of the bare loop / time of sluice). Absolute figures stand beside it
with the machine, and are asserted nowhere. Ends with 1 where the protocol itself fails (fewer syncs than it needs, more work
redone after a kill than one batch a worker); a missed ratio is printed as missed. docs/performance.md says what the rows mean.
"""

import argparse
import contextlib
import json
import os
import platform
import pty
import random
import resource
import select
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("SLUICE_BUILD") or HERE.parent / "build")
SLUICE, BARE, RECORDS = BUILD / "sluice", BUILD / "bench" / "bare", BUILD / "bench" / "records"
SYNCS, MEMORY = BUILD / "bench" / "libsyncs.so", BUILD / "bench" / "libmemory.so"
INTENTS, DIES = BUILD / "bench" / "intents", BUILD / "tests" / "tools" / "sluice_dies"
WORKERS = 4
BATCH = 2000  # src/run/job.h
MIB = 1 << 20
PROTOCOL = ("log", "outcome", "sync", "fence", "lane-open", "checkpoint", "grant", "tail", "cut", "settle")

CONTRACT = """contract: 1
name: customer
version: 1
fields:
  id: { type: string, required: true, pattern: "^key[0-9]+$" }
  name: { type: string, length: { max: 64 } }
  tier: { type: string, one_of: [bronze, silver, gold, platinum] }
  balance: { type: decimal, min: 0 }
  visits: { type: int, min: 0 }
  active: { type: bool }
  zip: { type: string, length: 5 }
  city: { type: string }
  score: { type: int, min: 0, max: 100 }
  updated_at: { type: string }
unknown: reject
"""
REPAIR = """contract: 1
name: repaired
version: 1
fields:
  region: { type: string, default: eu }
unknown: keep
"""
IDENTITY = "function transform(doc, ctx) return doc end\n"


def spec(name, source, more=""):
    return (f"sluice: 1\nname: {name}\nsource: {source}\n"
            f'target: {{ store: "rocksdb:db", dataset: items }}\nworkers: {{workers}}\n'
            f"stages: [{{ name: all, scope: 100% }}]\n{more}")


FILE = '{ store: "file:.", dataset: in.ndjson, key: id }'
SPECS = {
    "load": spec("load", FILE),
    "load-lua": spec("load-lua", FILE, "transform: { lua: identity.lua }\ncontract: customer.contract.yaml\n"),
    "shadow": spec("shadow", FILE).replace("dataset: items }", "dataset: items, write: shadow }"),
    "repair": spec("repair", '{ store: "rocksdb:db", dataset: items }', "contract: repair.contract.yaml\n"),
    "many": spec("many", FILE, "partitions: { count: 10000 }\n"),
}


GATE = ('sluice: 1\nname: gate\nsource: { store: "file:few", dataset: in.ndjson, key: id }\n'
        'target: { store: "rocksdb:db", dataset: items }\npartitions: { count: 10 }\nworkers: 1\nstages:\n'
        + "".join(f"  - {{ name: s{n}, scope: {n} partitions }}\n" for n in range(1, 10)) + "  - { name: all, scope: 100% }\n")


class Row:
    """A line of the table: what, what it must reach, what was found, figures."""

    def __init__(self, name, what, target, found, holds, figures=""):
        self.name, self.what, self.target, self.found, self.holds, self.figures = name, what, target, found, holds, figures


class Timed:
    """How a sluice went: seconds since its start at which each state was reached, and what it said."""

    def __init__(self):
        self.at, self.steps, self.end, self.seconds = {}, [], {}, 0.0
        self.used = {}  # seconds of the processor's time up to each state


def percent(ratio):
    return f"{100 * ratio:.0f} %"


def median(values):
    return statistics.median(values)


def used_by(pid):
    """Of a process that runs, or that nobody has waited for yet."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fresh(directory):
    shutil.rmtree(directory, ignore_errors=True)


class Bench:
    def __init__(self, options, work):
        self.options, self.work, self.rows = options, Path(work), []
        self.kept = {}  # figures that several rows share

    # --- things that are run ---------------------------------------------------------------------------------------

    def write_specs(self):
        for name, text in SPECS.items():
            (self.work / f"{name}.yaml").write_text(text.replace("{workers}", str(WORKERS)))
        (self.work / "alone.yaml").write_text(SPECS["load"].replace("{workers}", "1"))
        (self.work / "customer.contract.yaml").write_text(CONTRACT)
        (self.work / "repair.contract.yaml").write_text(REPAIR)
        (self.work / "identity.lua").write_text(IDENTITY)

    def make_records(self, count):
        with open(self.work / "in.ndjson", "wb") as into:
            subprocess.run([RECORDS, str(count)], stdout=into, check=True)

    def sluice(self, *arguments, program=SLUICE, env=None, codes=(0,)):
        timed, began = Timed(), time.monotonic()
        process = subprocess.Popen([program, *map(str, arguments), "--json"], cwd=self.work, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True, env={**os.environ, **(env or {})})
        for line in process.stdout:
            now, event = time.monotonic() - began, json.loads(line)
            if event.get("state") and event["type"] == "state":
                timed.at.setdefault(event["state"], now)
                timed.used.setdefault(event["state"], used_by(process.pid))
            if event["type"] == "steps":
                timed.steps.append(event["steps"])
            timed.end = event
        timed.seconds = time.monotonic() - began
        if process.wait() not in codes:
            raise SystemExit(f"bench: sluice {' '.join(map(str, arguments))} ended with {process.returncode}: {timed.end}")
        return timed

    def bare(self, mode, what, directory, threads=WORKERS):
        began = time.monotonic()
        process = subprocess.Popen([BARE, mode, str(what), directory, str(threads)], cwd=self.work, stdout=subprocess.PIPE,
                                   text=True)
        line = process.stdout.readline()
        seconds = time.monotonic() - began
        process.stdout.close()
        if process.wait() != 0:
            raise SystemExit(f"bench: bare {mode} failed")
        return seconds, json.loads(line)

    def copy(self, directory, into):
        fresh(self.work / into)
        shutil.copytree(self.work / directory, self.work / into)

    def add(self, name, what, target, found, holds, figures=""):
        row = Row(name, what, target, found, holds, figures)
        self.rows.append(row)
        print(line_of(row), flush=True)

    def ratio(self, name, what, least, sluice_s, bare_s):
        ratio = median([b / s for s, b in zip(sluice_s, bare_s)])
        per_s = self.options.records / median(sluice_s)
        figures = f"{median(sluice_s):.2f} s to {median(bare_s):.2f} s; {per_s:,.0f} records/s"
        self.add(name, what, f"≥ {least} %" if least else "", percent(ratio), ratio * 100 >= least if least else None, figures)

    # --- rows ------------------------------------------------------------------------------------------------------

    def pairs(self):
        return range(self.options.pairs)

    def load_pair(self, name):
        fresh(self.work / "db")
        fresh(self.work / ".sluice")
        timed = self.sluice("run", f"{name}.yaml", "--yes")
        fresh(self.work / "bare")
        (self.work / "bare").mkdir()
        seconds, _ = self.bare(name, "in.ndjson", "bare")
        return timed, seconds

    def load(self):
        whole, alone, bare, stage, multi_get, final, both, shares = [], [], [], [], [], [], [], []
        for _ in self.pairs():
            timed, seconds = self.load_pair("load")
            whole.append(timed.at["verifying"])
            alone.append(timed.at["verifying"] - timed.at["running"])
            bare.append(seconds)
            shares.append(share_of(timed))
            stage.append(timed.at["done"] - timed.at["verifying"])
            seconds, found = self.bare("verify", "in.ndjson", "db")
            if found["equal"] != self.options.records:
                raise SystemExit(f"bench: of {self.options.records} records the target holds {found['equal']}")
            multi_get.append(seconds)
            final.append(self.sluice("verify", "load.1").seconds)
            both.append(self.bare("both", "in.ndjson", "db")[0])
        self.ratio("load", "load, fill, no transform; to the stage written", 55, whole, bare)
        self.ratio("load", "  writing alone, without planning", 0, alone, bare)
        self.ratio("stage", "verification of a stage; parse and sorted multi-get", 60, stage, multi_get)
        self.ratio("final", "final verification; scanning both sides", 60, final, both)
        self.share("load", shares)

    def shadow(self):
        """A load beside the dataset, to one into it."""
        beside, into, promotion = [], [], []
        for _ in self.pairs():
            for name, found in (("load", into), ("shadow", beside)):
                fresh(self.work / "db")
                fresh(self.work / ".sluice")
                timed = self.sluice("run", f"{name}.yaml", "--yes", codes=(0, 3))
                found.append(timed.at["verifying"])
            promotion.append(self.sluice("promote", "shadow", "--yes").seconds)
        self.ratio("shadow", "load of a shadow, to the stage written; fill", 90, beside, into)
        self.add("shadow", "  its promotion", "", f"{self.options.records / median(promotion):,.0f} records/s", None)

    def load_lua(self):
        whole, alone, bare = [], [], []
        for _ in self.pairs():
            timed, seconds = self.load_pair("load-lua")
            whole.append(timed.at["verifying"])
            alone.append(timed.at["verifying"] - timed.at["running"])
            bare.append(seconds)
        self.ratio("load-lua", "load, identity in Lua, contract of 10 fields", 50, whole, bare)
        self.ratio("load-lua", "  writing alone, without planning", 0, alone, bare)

    def repair(self):
        whole, bare, blind, shares = [], [], [], []
        fresh(self.work / ".sluice")
        fresh(self.work / "db")
        self.sluice("run", "load.yaml", "--yes")
        self.copy("db", "loaded")
        for _ in self.pairs():
            self.copy("loaded", "db")
            fresh(self.work / ".sluice")
            timed = self.sluice("run", "repair.yaml", "--yes")
            whole.append(timed.at["verifying"])
            shares.append(share_of(timed))
            for mode, into in (("repair", bare), ("repair-blind", blind)):
                self.copy("loaded", "bare")
                into.append(self.bare(mode, self.options.records, "bare")[0])
        self.ratio("repair", "repair in place; get_for_update and put", 70, whole, bare)
        self.ratio("repair", "  to a blind loop of get and put", 0, whole, blind)
        self.share("repair", shares)

    def share(self, name, shares):
        """Of the processor's time that the workers had: what a profile would show. Beside it, of the wall's, waiting included."""
        found, waited = median([share for share, _, _ in shares]), median([wall for _, wall, _ in shares])
        kinds = {kind: median([of.get(kind, 0) for _, _, of in shares]) for kind in PROTOCOL}
        figures = ", ".join(f"{kind} {100 * part:.1f} %" for kind, part in sorted(kinds.items(), key=lambda k: -k[1]) if part >= .0005)
        self.add("share", f"share of undo log, fences, checkpoints, ledger: {name}", "≤ 15 %", percent(found), found <= 0.15,
                 f"{figures}; of the wall time {percent(waited)}")

    def memory(self):
        above = {}
        sizes = [self.options.records] + ([] if self.options.quick else [10 * self.options.records])
        for size in sizes:
            self.make_records(size)
            fresh(self.work / "db")
            fresh(self.work / ".sluice")
            into = self.work / "memory"
            into.unlink(missing_ok=True)
            self.sluice("run", "load.yaml", "--yes", env={"LD_PRELOAD": str(MEMORY), "SLUICE_MEMORY": str(into)})
            samples = [tuple(map(int, line.split())) for line in into.read_text().splitlines() if line.count(" ") == 2]
            above[size] = max(all_ - buffers - cache for all_, buffers, cache in samples) / MIB
            tops = [max(column) / MIB for column in zip(*samples)]
            self.add("memory", f"peak anonymous memory above cache and write buffers, {size:,} records", "≤ 128 MiB",
                     f"{above[size]:.0f} MiB", above[size] <= 128,
                     f"{len(samples)} samples; at most {tops[0]:.0f} MiB in all, {tops[1]:.0f} write buffers, {tops[2]:.0f} cache")
        if len(sizes) == 2:
            apart = abs(above[sizes[1]] - above[sizes[0]]) / max(above.values())
            self.add("memory", "  the two apart by", "≤ 10 %", percent(apart), apart <= 0.10)
            self.make_records(self.options.records)

    def until_running(self, name):
        """How long the planning takes, from the start of the program: up to the first state of the run, which is then killed."""
        fresh(self.work / ".sluice")
        began = time.monotonic()
        process = subprocess.Popen([SLUICE, "run", f"{name}.yaml", "--yes", "--json"], cwd=self.work, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        for line in process.stdout:
            if json.loads(line).get("state") == "running":
                break
        took = time.monotonic() - began
        process.kill()
        process.stdout.close()
        process.wait()
        return took

    def plan(self):
        """Of a file the duplicates pass, of RocksDB the listing; against a bare loop that writes the keys in order."""
        planned, bare = [], []
        for _ in self.pairs():
            fresh(self.work / "db")
            planned.append(self.until_running("load"))
            fresh(self.work / "bare")
            (self.work / "bare").mkdir()
            bare.append(self.bare("list", "in.ndjson", "bare")[0])
        self.times("plan", f"plan of {self.options.records:,} records in a file; a bare listing pass", 1.3, planned, bare)
        records = self.options.records * (1 if self.options.quick else 10)
        self.make_records(records)
        fresh(self.work / "bare")
        (self.work / "bare").mkdir()
        self.bare("load", "in.ndjson", "bare")
        planned, bare = [], []
        for _ in self.pairs():
            self.copy("bare", "db")
            planned.append(self.until_running("repair"))
            bare.append(self.bare("list-db", "-", "bare")[0])
        self.times("plan", f"plan of {records:,} records in RocksDB; a bare listing pass", 1.3, planned, bare)
        self.make_records(self.options.records)

    def times(self, name, what, most, sluice_s, bare_s):
        ratio = median([s / b for s, b in zip(sluice_s, bare_s)])
        self.add(name, what, f"≤ {most} ×", f"{ratio:.2f} ×", ratio <= most, f"{median(sluice_s):.2f} s to {median(bare_s):.2f} s")

    def kills(self):
        """Work begun and not checkpointed is done again: the undo log says which, the catalog up to where."""
        worst, most, met, dice = 0, 0, 0, random.Random(1)
        points = self.work / "points"
        for _ in range(self.options.pairs * 2):
            fresh(self.work / "db")
            fresh(self.work / ".sluice")
            points.unlink(missing_ok=True)
            process = self.begin("load.yaml", points)
            wait_for(process, points, "checkpoint.after", dice.randrange(1, self.options.records // BATCH // 2))
            time.sleep(dice.random() * 0.05)
            process.kill()
            process.wait()
            redone = self.redone("load.1")
            met += len(redone) > 0
            worst = max(worst, len(redone))
            most = max([most] + [count for count in redone])
            self.sluice("run", "load.yaml", "--yes")
        holds = worst <= WORKERS and most <= BATCH
        figures = f"{WORKERS} workers, {self.options.pairs * 2} kills, {met} amid a batch; of {most} records at most"
        self.add("kills", "work redone after SIGKILL, batches", f"≤ {WORKERS}", str(worst), holds and met > 0, figures)

    def redone(self, name):
        """Of each batch whose intents stand in the undo log behind the last checkpoint of their partition: how many records."""
        with sqlite3.connect(self.work / ".sluice" / "catalog.db") as catalog:
            run, uid = catalog.execute("SELECT id, hex(uid) FROM run WHERE name = ?", [name]).fetchone()
            settled = {(part, lane): upto for part, lane, upto in catalog.execute(
                "SELECT part, lane, max(settled) FROM checkpoint WHERE run = ? GROUP BY part, lane", [run])}
        log = subprocess.run([INTENTS, self.work / ".sluice" / "undo" / name, uid], check=True, capture_output=True, text=True)
        blocks = [tuple(map(int, line.split())) for line in log.stdout.splitlines()]
        return [count for part, lane, first, count in blocks if first > settled.get((part, lane), 0)]

    def begin(self, name, points):
        return subprocess.Popen([DIES, "run", name, "--yes", "--quiet"], cwd=self.work, stderr=subprocess.DEVNULL,
                                env={**os.environ, "SLUICE_POINTS_FILE": str(points)})

    def many(self):
        """A run of 10,000 partitions: killed, started again until its first write; and looked at."""
        fresh(self.work / "db")
        fresh(self.work / ".sluice")
        first, opening = [], []
        for turn in self.pairs():
            points = self.work / "points"
            points.unlink(missing_ok=True)
            process = self.begin("many.yaml", points)
            wait_for(process, points, "checkpoint.after", 200)
            process.kill()
            process.wait()
            self.copy("db", "bare")
            opening.append(self.bare("open", "-", "bare")[1]["open_ms"])
            first.append(self.until_first_write("many.yaml"))
        beyond = median([a - b for a, b in zip(first, opening)])
        self.add("resume", "resuming 10,000 partitions, to the first write, beyond the store's opening", "≤ 100 ms", f"{beyond:.0f} ms",
                 beyond <= 100, f"{median(first):.0f} ms, of which {median(opening):.0f} ms opening")
        looks = []
        for _ in range(4 * self.options.pairs + 1):
            began = time.monotonic()
            subprocess.run([SLUICE, "status"], cwd=self.work, stdout=subprocess.DEVNULL, check=True)
            looks.append((time.monotonic() - began) * 1000)
        self.add("status", "sluice status, 10,000 partitions", "≤ 20 ms", f"{median(looks):.1f} ms", median(looks) <= 20)

    def gate(self):
        """What lies between the last checkpoint of a stage and the first scan of the next, in a run whose stages are so small
        that verifying them is next to nothing: of it, what is spent before the verification and behind it."""
        (self.work / "few").mkdir(exist_ok=True)
        with open(self.work / "few" / "in.ndjson", "wb") as into:
            subprocess.run([RECORDS, "1000"], stdout=into, check=True)
        (self.work / "gate.yaml").write_text(GATE)
        whole, apart = [], []
        for _ in self.pairs():
            fresh(self.work / "db")
            fresh(self.work / ".sluice")
            points = self.timed_points("gate.yaml")
            at = {name: [when for when, point in points if point == name] for name in ("checkpoint.after", "run.moved", "scan.before",
                                                                                      "parts.moved", "store.scan_open")}
            for judged in at["parts.moved"][:-1]:
                last = max(when for when in at["checkpoint.after"] if when < judged)
                begun = min(when for when in at["store.scan_open"] if when > last)
                next_ = min(when for when in at["scan.before"] if when > judged)
                done = max(when for when, point in points if point == "store.scan_next" and when < judged)
                whole.append((next_ - last) * 1000)
                apart.append((next_ - done + begun - last) * 1000)
        self.add("gate", "a gate between two stages, verification apart", "≤ 50 ms", f"{median(apart):.0f} ms", median(apart) <= 50,
                 f"{len(apart)} gates, {max(apart):.0f} ms at most; {median(whole):.0f} ms with the verification of 100 records")

    def timed_points(self, name):
        """The points that a run passes, each with the time at which it was read from a pipe."""
        pipe, found, left = self.work / "pipe", [], b""
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        process = self.begin(name, pipe)
        while process.poll() is None:
            if select.select([reader], [], [], 0.1)[0]:
                *lines, left = (left + os.read(reader, 1 << 16)).split(b"\n")
                found += [(time.monotonic(), line.decode()) for line in lines]
        os.close(reader)
        if process.returncode != 0:
            raise SystemExit(f"bench: {name} ended with {process.returncode}")
        return found

    def watch(self):
        """The processor's time that `sluice watch` takes on a terminal, of a run of 10,000 partitions that is at work."""
        fresh(self.work / "db")
        fresh(self.work / ".sluice")
        rate = self.options.records // 60
        (self.work / "slow.yaml").write_text((self.work / "many.yaml").read_text() + f"protect: {{ rate: {{ max: {rate}/s }} }}\n")
        run = self.begin("slow.yaml", self.work / "points")
        wait_for(run, self.work / "points", "checkpoint.after", 10)
        shares, drawn = [], []
        for _ in self.pairs():
            share, screens = watched(self.work, 5)
            shares.append(share)
            drawn.append(screens)
        if run.poll() is not None:
            raise SystemExit("bench: the run ended before it was watched")
        run.kill()
        run.wait()
        self.add("watch", "sluice watch, 10,000 partitions, of a core", "≤ 5 %", f"{100 * median(shares):.1f} %", median(shares) <= 0.05,
                 f"{median(drawn) / 5:.1f} screens a second, 5 s a look")

    def until_first_write(self, name):
        """Milliseconds from the start to the first write; the points come through a pipe, so that they bear no delay."""
        pipe = self.work / "pipe"
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        began, text = time.monotonic(), b""
        process = self.begin(name, pipe)
        while b"cas.before" not in text:
            select.select([reader], [], [], 10)
            text += os.read(reader, 1 << 16)
            if process.poll() is not None:
                raise SystemExit("bench: the run ended before it wrote")
        took = (time.monotonic() - began) * 1000
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(reader)
        return took

    def gen(self):
        """Synthetic events into a file, to writing the same bytes."""
        made, bare = [], []
        for _ in self.pairs():
            into, again = self.work / "events.ndjson", self.work / "again.ndjson"
            for path in (into, again):
                path.unlink(missing_ok=True)
            made.append(self.sluice("gen", "events", "--records", self.options.records, "--out", into.name).seconds)
            content = into.read_bytes()
            began = time.monotonic()
            with open(again, "wb", buffering=0) as file:
                for at in range(0, len(content), MIB):
                    file.write(content[at:at + MIB])
            bare.append(time.monotonic() - began)
        self.ratio("gen", "gen events (300,000 records/s are wanted); writing its bytes", 0, made, bare)

    def syncs(self):
        fresh(self.work / "db")
        fresh(self.work / ".sluice")
        into = self.work / "syncs"
        into.unlink(missing_ok=True)
        self.sluice("run", "alone.yaml", "--yes", env={"LD_PRELOAD": str(SYNCS), "SLUICE_SYNCS": str(into)})
        paths = into.read_text().splitlines()
        of = {"undo log": sum("/undo/" in path for path in paths),
              "store": sum(path.startswith(str(self.work / "db")) and path.endswith(".log") for path in paths),
              "catalog": sum("/catalog.db" in path for path in paths)}
        with sqlite3.connect(f"file:{self.work}/.sluice/catalog.db?mode=ro", uri=True) as catalog:
            batches = catalog.execute("SELECT count(*) FROM checkpoint WHERE n_written > 0").fetchone()[0]
        holds = all(count >= batches for count in of.values())
        figures = ", ".join(f"{name} {count / batches:.2f}" for name, count in of.items()) + f"; {batches} batches, one worker"
        self.add("syncs", "syncs a batch", "≥ 3", f"{sum(of.values()) / batches:.2f}", holds, figures)

    def lives(self):
        """Whole lives of a run a second: planned, run, killed, resumed, taken back and looked at; and days of operation."""
        for what, program, variable, count in (
                ("whole lives of a run, on mem, a second of a core", "tests/model/lives", "SLUICE_LIVES", 100),
                ("days of operation, in virtual time, a second of a core", "tests/sim/days", "SLUICE_DAYS", 40)):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run = subprocess.run([SLUICE.parent / program], check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env={**os.environ, variable: str(count), "SLUICE_SOURCE": str(HERE.parent), "CMOCKA_MESSAGE_OUTPUT": "TAP"})
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            if run.returncode:
                raise SystemExit(f"bench: {program}: {run.stdout[-500:]}")
            self.add("lives", what, "", f"{count / seconds:.1f}", None, f"{count} of them, {seconds:.1f} s of processor time")


def watched(directory, seconds):
    """The share of a core that a `sluice watch` takes on a terminal, over so many seconds, and how often it was drawn."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([SLUICE, "watch"], cwd=directory, stdin=theirs, stdout=theirs, stderr=theirs,
                               env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    screens, until = 0, time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([ours], [], [], left)[0]:
            screens += os.read(ours, 1 << 16).count(b"\x1b[J")
    process.kill()
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    os.close(ours)
    return (used.ru_utime + used.ru_stime) / seconds, screens


def share_of(timed):
    """The part of the workers' time that the protocol took: of the processor's, of the wall's; and of each kind of step."""
    cpu, wall = ({kind: sum(step[clock] for steps in timed.steps for step in steps if step["step"] == kind)
                  for kind in {step["step"] for steps in timed.steps for step in steps}} for clock in ("cpu_us", "busy_us"))
    of = {kind: cpu.get(kind, 0) / sum(cpu.values()) for kind in PROTOCOL}
    return sum(of.values()), sum(wall.get(kind, 0) for kind in PROTOCOL) / sum(wall.values()), of


def wait_for(process, points, name, times):
    """Until the program has passed the point so often, or ended."""
    while process.poll() is None:
        if points.exists() and points.read_text().count(name) >= times:
            return
        time.sleep(0.005)


def line_of(row):
    verdict = {True: "ok", False: "MISSED", None: ""}[row.holds]
    return f"{row.what:<72} {row.found:>10}  {row.target:<10} {verdict:<7} {row.figures}"


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")),
                 platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} × {model}, {memory:.0f} GiB, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"


ROWS = ["load", "shadow", "plan", "load_lua", "repair", "kills", "gate", "many", "watch", "gen", "syncs", "memory", "lives"]


def asked(parser, rows, quick="100,000 records, three pairs, no run of ten times the size"):
    """What the command line of a bench asks for: which rows, how many records and pairs."""
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--records", type=int)
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--only", default=",".join(rows), help=f"some of {', '.join(rows)}")
    parser.add_argument("--keep", action="store_true", help="leaves the working directory")
    options = parser.parse_args()
    options.records = options.records or (100_000 if options.quick else 1_000_000)
    options.pairs = options.pairs or (3 if options.quick else 5)
    return options


@contextlib.contextmanager
def working(options):
    """A directory that is gone afterwards, unless it is to be kept."""
    work = tempfile.mkdtemp(prefix="sluice-bench-")
    try:
        yield work
    finally:
        if options.keep:
            print(work)
        else:
            shutil.rmtree(work, ignore_errors=True)


def begun(options):
    print(f"{options.records:,} records of 200 bytes, {options.pairs} pairs, {WORKERS} workers and threads\n{machine()}\n", flush=True)


def main():
    options = asked(argparse.ArgumentParser(description="Ratios to the limits of this machine."), ROWS)
    with working(options) as work:
        bench = Bench(options, work)
        begun(options)
        bench.write_specs()
        bench.make_records(options.records)
        for name in options.only.split(","):
            getattr(bench, name)()
    missed = [row for row in bench.rows if row.holds is False]
    print(f"\n{len(missed)} missed of {sum(row.holds is not None for row in bench.rows)}; {machine()}")
    return 1 if any(row.name in ("syncs", "kills") for row in missed) else 0


if __name__ == "__main__":
    sys.exit(main())
