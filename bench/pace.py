#!/usr/bin/env python3
"""What live requests feel of a run, and what the run does meanwhile: phases in turn in one session.

    pace.py [--quick] [--records N] [--pairs N] [--seconds S] [--rate N] [--promise TEXT] [--server redis|valkey] [--keep]

A cluster of three shards (with replicas, unless --quick), live traffic in an open loop at a third of what one primary answers
to (bench/live.c: latencies count from when a request was due), and beside it in turn: nothing; a repair that keeps its
promise; one without a limit; repairs at fixed rates. Live latencies are those of windows of ten seconds; the first twenty
seconds of one that finds its pace do not count. First it is asked how noisy this machine is: how many windows of nothing lie above the
promise that the median window of nothing makes. Asserts nothing; docs/pace.md says what the rows mean.
"""

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "system")]

from bench import BUILD, SLUICE, Bench, machine  # noqa: E402
from servers import Servers  # noqa: E402

LIVE = BUILD / "bench" / "live"
BEGUN_S = 20
SPEC = """sluice: 1
name: fix
source: {{ store: "valkey://127.0.0.1:{port}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: fix.lua, idempotent: true }}
target: {{ store: "valkey://127.0.0.1:{port}", dataset: "c:{{id}}", as: hash }}
protect: {{ errors: 50%, {protect} }}
stages: [{{ name: all, scope: 100% }}]
"""


class Live:
    """The live traffic; its windows as they come."""

    def __init__(self, cluster, rate, window):
        ports = [str(node.port) for node in cluster.nodes if node.info("replication")["role"] == "master"]
        self.process = subprocess.Popen([LIVE, "--cluster", "--rate", str(rate), "--window", str(window), *ports],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def windows(self, count):
        return [json.loads(self.process.stdout.readline()) for _ in range(count)]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Pace(Bench):
    def __init__(self, options, work, cluster):
        super().__init__(options, work)
        self.cluster, self.port = cluster, cluster.nodes[0].port
        self.alone, self.base, self.turn = [], 0, 0

    def seed(self):
        pipe = self.cluster.client().pipeline()
        for i in range(self.options.records):
            pipe.hset(f"c:{i}", mapping={"id": str(i), "name": f"name {i}", "tier": "gold", "city": "Bremen", "visits": "7"})
            if i % 2000 == 1999:
                pipe.execute()
        pipe.execute()

    def capacity(self):
        """Requests a second that one primary answers without a pipeline."""
        run = subprocess.run(["redis-benchmark", "-p", str(self.port), "-n", "100000", "-c", "20", "-q", "PING"],
                             check=True, capture_output=True, text=True)
        return float(run.stdout.replace("\r", "\n").split("requests per second")[0].split()[-1])

    def quiet(self, windows):
        found = [window["p99_us"] for window in self.live.windows(windows)]
        self.alone += found
        return found

    def beside(self, protect):
        """The windows beside a repair, and how many records a second it did in them; one that ends begins anew."""
        shutil.rmtree(self.work / "home", ignore_errors=True)
        self.turn += 1 # each writes something else
        (self.work / "fix.lua").write_text(f"function transform(doc, ctx) doc.n = 'turn {self.turn}' return doc end\n")
        (self.work / "fix.yaml").write_text(SPEC.format(port=self.port, protect=protect))
        process = subprocess.Popen([SLUICE, "run", "fix.yaml", "--yes", "--json", "--force-unlock", "--home", "home"], cwd=self.work,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.live.windows(max(1, round(BEGUN_S / self.options.window)) if protect.startswith("live") else 1)
        done = [self.done()]
        windows = self.live.windows(self.options.windows)
        done.append(self.done())
        process.send_signal(signal.SIGINT)
        process.communicate()
        if done[1] == 0:
            raise SystemExit(f"bench: none of {self.options.records} records was done in the end ({protect})")
        if done[1] >= self.options.records:
            print(f"# it came to its end meanwhile: a lower bound ({protect})", flush=True)
        return [window["p99_us"] for window in windows], (done[1] - done[0]) / (self.options.windows * self.options.window)

    def done(self):
        run = subprocess.run([SLUICE, "status", "fix", "--json", "--home", "home"], cwd=self.work, capture_output=True, text=True)
        if run.returncode:
            return 0
        records = json.loads(run.stdout)["records"]
        return records["written"] + records["unchanged"]

    def misses(self, found):
        limit = max(1.1 * self.base, self.base + 500)
        return sum(p99 > limit for p99 in found) / len(found)

    def phases(self):
        """Each way of pacing as often as there are pairs, nothing between them."""
        found = {}
        for _ in self.pairs():
            for way in self.ways:
                self.quiet(self.options.windows)
                windows, per_s = self.beside(way)
                found.setdefault(way, []).append((windows, per_s))
                print(f"# {way}: {per_s:,.0f} records/s, p99 {[round(p99) for p99 in windows]} us; alone"
                      f" {[round(p99) for p99 in self.alone[-self.options.windows:]]}", flush=True)
        self.base = statistics.median(self.alone)
        return {way: ([p99 for windows, _ in tries for p99 in windows], statistics.median(per_s for _, per_s in tries))
                for way, tries in found.items()}

    def run(self):
        self.seed()
        rate = self.options.rate or self.capacity() / 3
        print(f"live: {rate:,.0f} requests/s", flush=True)
        governed, unlimited = f'live: {{ p99: "{self.options.promise}" }}', "kept_live: 100%"
        fixed = [f"rate: {{ max: {rate}/s }}" for rate in self.options.fixed]
        self.ways = [governed, unlimited, *fixed]
        self.live = Live(self.cluster, rate, self.options.window)
        try:
            found = self.phases()
        finally:
            self.live.end()
        self.tell(found, governed, unlimited, fixed)

    def tell(self, found, governed, unlimited, fixed):
        noise = self.misses(self.alone)
        self.add("noise", "windows of nothing above the promise of their median", "", f"{noise:.0%}", None,
                 f"live p99 {self.base:.0f} us, {len(self.alone)} windows")
        windows, per_s = found[governed]
        missed = self.misses(windows)
        self.add("promise", f"windows above the promise beside a repair with {self.options.promise}", "≤ noise + 2 points", f"{missed:.0%}",
                 missed <= noise + 0.02, f"{per_s:,.0f} records/s")
        self.add("unlimited", "the same without a limit", "", f"{self.misses(found[unlimited][0]):.0%}", None, f"{found[unlimited][1]:,.0f} records/s")
        kept = [found[way][1] for way in fixed if self.misses(found[way][0]) <= max(missed, noise)]
        best = max(kept, default=0)
        self.add("rate", "records a second, to the best fixed rate in hindsight that misses no more", "≥ 1.5", f"{per_s / best:.2f}" if best else "no such rate",
                 per_s >= 1.5 * best, f"{best:,.0f} records/s")


def main():
    parser = argparse.ArgumentParser(description="What live requests feel of a run.")
    parser.add_argument("--quick", action="store_true", help="no replicas, 200,000 records, windows of two seconds, one pair")
    parser.add_argument("--records", type=int)
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--rate", type=float, help="of the live traffic, a second")
    parser.add_argument("--promise", default="+10% or +0.5ms")
    parser.add_argument("--fixed", type=lambda text: [int(word) for word in text.split(",")], default=[1000, 2000, 4000, 8000])
    parser.add_argument("--server", default="redis", choices=["redis", "valkey"])
    parser.add_argument("--keep", action="store_true", help="leaves the working directory")
    options = parser.parse_args()
    options.records = options.records or (200_000 if options.quick else 1_000_000)
    options.pairs = options.pairs or (1 if options.quick else 3)
    options.window, options.windows = (2, 5) if options.quick else (10, 4)
    work = tempfile.mkdtemp(prefix="sluice-bench-")
    print(f"{options.records:,} records, {options.pairs} pairs; {machine()}", flush=True)
    try:
        with Servers(Path(work) / "servers", options.server) as servers:
            print(f"{options.server} {servers.version()}", flush=True)
            Pace(options, work, servers.cluster(3, 0 if options.quick else 1)).run()
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
