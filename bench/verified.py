#!/usr/bin/env python3
"""What it costs to verify a run again: one scan of its target, whatever has changed since; and what that finds.

    verified.py [--quick] [--records N] [--pairs N] [--only NAME[,NAME]] [--keep]

The limit is a bare scan of the same column family by as many threads; the row `live` is of a server, on which an application writes
meanwhile, and has none. docs/performance.md says what the rows mean.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "system")]

from bench import BUILD, MEMORY, MIB, SLUICE, Bench, asked, begun, median, working  # noqa: E402
from servers import Servers  # noqa: E402

APP, SKETCH = BUILD / "tests" / "tools" / "app", BUILD / "bench" / "sketch"
PLANTED = 1000
HOT, HOT_PER_S = 200, 200  # keys that an application writes meanwhile; each write is of one of them
LIVE = """sluice: 1
name: live
source: {{ store: "valkey://127.0.0.1:{port}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: live.lua, idempotent: false }}
target: {{ store: "valkey://127.0.0.1:{port}", dataset: "c:{{id}}", as: hash }}
workers: 4
stages: [{{ name: all, scope: 100% }}]
"""


class Verified(Bench):
    def repaired(self):
        """A run on its own source, whose gate has left sums and a sketch."""
        self.make_records(self.options.records)
        self.sluice("run", "load.yaml", "--yes")
        self.sluice("run", "repair.yaml", "--yes")
        self.bare("compact", "-", "db", threads=1) # what both read is in one state, and stays so

    def verify(self, *more, env=None, codes=(0,)):
        return self.sluice("verify", "repair.1", *more, env=env, codes=codes)

    def above(self, *more):
        into = self.work / "memory"
        into.unlink(missing_ok=True)
        self.verify(*more, env={"LD_PRELOAD": str(MEMORY), "SLUICE_MEMORY": str(into)})
        samples = [tuple(map(int, line.split())) for line in into.read_text().splitlines() if line.count(" ") == 2]
        return max(all_ - buffers - cache for all_, buffers, cache in samples) / MIB

    def sketch(self):
        """From digests that are there: sums and a sketch, by one core; and what comes out of it."""
        found = [json.loads(subprocess.run([SKETCH, str(4_000_000)], check=True, capture_output=True, text=True).stdout)
                 for _ in self.pairs()]
        rate = median([row["records"] / row["seconds"] for row in found])
        one = found[0]
        self.add("sketch", "sketch and sums from digests, one core", "≥ 4 M/s", f"{rate / 1e6:.1f} M/s", rate >= 4e6,
                 f"{one['bytes']:,} bytes; of 1,000 changed records {one['entries']:,} entries found in {1e3 * one['peel_s']:.1f} ms")

    def later(self):
        again, scan = [], []
        for _ in self.pairs():
            timed = self.verify()
            if timed.end["by_sums"] == 0 or timed.end["in_full"] or timed.end["by_keys"]:
                raise SystemExit(f"bench: not by sums alone: {timed.end}")
            again.append(timed.seconds)
            scan.append(self.bare("scan", self.options.records, "db")[0])
        self.ratio("later", "verify RUN from kept digests, start of the program included; a bare scan", 80, again, scan)
        above = self.above()
        self.add("later", "  its peak anonymous memory above cache and write buffers", "≤ 96 MiB", f"{above:.0f} MiB", above <= 96)

    def planted(self):
        """Keys that the application wrote since."""
        step = self.options.records // PLANTED
        keys = [f"key{n * step:08d}" for n in range(PLANTED)]
        lines = "".join(f'{key}\t{{"id": "{key}", "planted": true}}\t0\n' for key in keys)
        subprocess.run([APP, "put", "rocksdb:db", "items"], cwd=self.work, input=lines, text=True, check=True)
        found, scan = [], []
        for _ in self.pairs():
            timed = self.verify()
            found.append(timed.seconds)
            scan.append(self.bare("scan", self.options.records, "db")[0])
        end, [sketch] = timed.end, (self.work / ".sluice" / "reports" / "repair.1").glob("sketch.*")
        report = {json.loads(line)["key"] for line in (self.work / end["report"]).read_text().splitlines()}
        right = report == set(keys) and end["changed_since"] == PLANTED and end["in_full"] == 0 and end["looked_at"] == PLANTED
        self.add("planted", f"{PLANTED:,} keys changed among {self.options.records:,}: found by one scan", "all, no other",
                 f"{len(report & set(keys)):,}, {len(report - set(keys))} others", right,
                 f"{end['looked_at']:,} keys compared; a sketch of {sketch.stat().st_size:,} bytes; {median(found):.2f} s, a bare scan {median(scan):.2f} s")
        above = self.above()
        self.add("planted", "  its peak anonymous memory above cache and write buffers", "≤ 96 MiB", f"{above:.0f} MiB", above <= 96)
        above = self.above("--full")
        self.add("planted", "  the same of verify RUN --full", "≤ 96 MiB", f"{above:.0f} MiB", above <= 96)

    # --- of a server, under live writes

    def seed(self, server):
        pipe = server.client().pipeline(transaction=False)
        for n in range(self.options.records):
            pipe.hset(f"c:{n}", mapping={"id": str(n), "name": f"name {n}", "tier": "gold", "visits": "7"})
            if n % 5000 == 4999:
                pipe.execute()
        pipe.execute()

    def plant(self, server, keys):
        """Every other one is as it was before the run, as a server that lost its write has it; the rest nobody has written so."""
        pipe = server.client().pipeline(transaction=False)
        for i, key in enumerate(keys):
            pipe.hset(f"c:{key}", "tier", "gold" if i % 2 == 0 else "tin")
        pipe.execute()

    @contextlib.contextmanager
    def application(self, server, keys):
        """Writes them one after the other, all the time; what it yields says how often."""
        stop, written = threading.Event(), [0]

        def write():
            client = server.client()
            while not stop.wait(1 / HOT_PER_S):
                client.hset(f"c:{keys[written[0] % len(keys)]}", "visits", str(written[0]))
                written[0] += 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield written
        finally:
            stop.set()
            thread.join()

    def live(self):
        (self.work / "live.lua").write_text("function transform(doc, ctx) doc.tier = doc.tier .. '+' return doc end\n")
        with Servers(self.work, "valkey") as servers:
            server = servers.standalone()
            (self.work / "live.yaml").write_text(LIVE.format(port=server.port))
            self.seed(server)
            self.sluice("run", "live.yaml", "--yes")
            step = self.options.records // PLANTED
            planted = {str(n * step) for n in range(PLANTED)}
            hot = [str(n * step + 1) for n in range(HOT)]
            self.plant(server, sorted(planted, key=int))
            with self.application(server, hot) as written:
                before, began = self.reads(server), time.monotonic()
                end, resident = self.verify_alone()
                seconds, reads = time.monotonic() - began, self.reads(server) - before
            self.told(end, planted, hot, f"{written[0]:,} live writes in {seconds:.1f} s")
            self.add("live", "  records read from the server, of those that there are", "once, and again what differs",
                     f"{reads / self.options.records:.3f}", reads <= self.options.records + 10 * (PLANTED + HOT))
            self.add("live", "  resident memory of the verification, all of it", "≤ 64 MiB", f"{resident:.0f} MiB", resident <= 64)

    def verify_alone(self):
        process = subprocess.Popen([SLUICE, "verify", "live.1", "--json"], cwd=self.work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        text = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) != 4:
            raise SystemExit(f"bench: sluice verify ended with {status}: {text}")
        return json.loads(text), used.ru_maxrss / 1024

    def reads(self, server):
        """Records that were found by key; the application reads none."""
        return server.client().info("stats")["keyspace_hits"]

    def told(self, end, planted, hot, beside):
        lines = [json.loads(line) for line in (self.work / end["report"]).read_text().splitlines()]
        report, judged = {line["key"] for line in lines}, {line["key"] for line in lines if line["kind"] != "changed_since"}
        false = len(report - planted - set(hot)) + len(judged - planted)
        exchanged = sum(path.stat().st_size for path in (self.work / ".sluice" / "reports" / "live.1").glob("sketch.*"))
        records = self.options.records
        self.add("live", f"{PLANTED:,} keys planted among {records:,} on a server, {HOT} others written meanwhile", "all, none false",
                 f"{len(report & planted):,}, {false} false", report >= planted and false == 0 and end["in_full"] == 0,
                 f"{end['looked_at']:,} keys compared, {end['missing']:,} missing; {beside}")
        self.add("live", "  exchanged to find them", "≤ 160 KB", f"{exchanged / 1000:.0f} KB", exchanged <= 160_000)


ROWS = ["sketch", "later", "planted", "live"]


def main():
    options = asked(argparse.ArgumentParser(description="What it costs to verify a run again."), ROWS, "100,000 records, three pairs")
    with working(options) as work:
        begun(options)
        bench = Verified(options, work)
        bench.write_specs()
        names = options.only.split(",")
        if {"later", "planted"} & set(names):
            bench.repaired()
        for name in names:
            getattr(bench, name)()


if __name__ == "__main__":
    main()
