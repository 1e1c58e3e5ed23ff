#!/usr/bin/env python3
"""What it costs to verify a run again: one scan of its target, whatever has changed since; and what that finds.

    verified.py [--quick] [--records N] [--pairs N] [--only NAME[,NAME]] [--keep]

The limit is a bare scan of the same column family by as many threads. docs/performance.md says what the rows mean.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

from bench import BUILD, MEMORY, MIB, Bench, asked, begun, median, working  # noqa: E402

APP, SKETCH = BUILD / "tests" / "tools" / "app", BUILD / "bench" / "sketch"
PLANTED = 1000


class Verified(Bench):
    def repaired(self):
        """A run on its own source, whose gate has left sums and a sketch."""
        self.make_records(self.options.records)
        self.sluice("run", "load.yaml", "--yes")
        self.sluice("run", "repair.yaml", "--yes")

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


ROWS = ["sketch", "later", "planted"]


def main():
    options = asked(argparse.ArgumentParser(description="What it costs to verify a run again."), ROWS, "100,000 records, three pairs")
    with working(options) as work:
        begun(options)
        bench = Verified(options, work)
        bench.write_specs()
        names = options.only.split(",")
        if names != ["sketch"]:
            bench.repaired()
        for name in names:
            getattr(bench, name)()


if __name__ == "__main__":
    main()
