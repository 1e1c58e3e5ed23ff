#!/usr/bin/env python3
"""What live requests feel of a run, and what the run does meanwhile: phases in turn in one session.

    pace.py [--quick | --stops] [--records N] [--pairs N] [--seconds S] [--rate N] [--promise TEXT] [--server redis|valkey] [--keep]

A cluster of three shards (with replicas, unless --quick), live traffic in an open loop at a third of what one primary answers
to (bench/live.c: latencies count from when a request was due), and beside it in turn: nothing; a repair that keeps its
promise; one without a limit; repairs at fixed rates; one that stops when the live p99 is above the promise and goes when it is not. Live
latencies are those of windows of ten seconds; the first twenty seconds of one that finds its pace do not count. Then how soon a run
stops when it is told to, and (not with --quick) what it does when the live load doubles, and when it ends. First it is asked how noisy
this machine is: how many windows of nothing lie above the promise that the median window of nothing makes; where that is more than a
fifth the rows say that they say nothing. Asserts nothing; docs/pace.md says what the rows mean.
"""

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "system")]

from bench import BUILD, SLUICE, Bench, machine  # noqa: E402
from servers import Servers  # noqa: E402

LIVE = BUILD / "bench" / "live"
BEGUN_S = 20
NOISY = 0.2  # of the windows of nothing
QUICK_S = 180  # what --quick has not begun by then it leaves out, and says so
STOPS = 5      # of each kind
EASY = "+10% or +500ms"  # so that there is something in flight to stop
QUIET_S = 1.5  # without a write: it has stopped
STOP_GO, TRICKLE = "stop and go", 100
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
        self.alone, self.base, self.turn, self.rate = [], 0, 0, 0
        self.begun = time.monotonic()
        self.clients, self.calls = [], 0 # to each primary; scripts that were run before this run

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

    def start(self, protect):
        shutil.rmtree(self.work / "home", ignore_errors=True)
        self.turn += 1 # each writes something else
        (self.work / "fix.lua").write_text(f"function transform(doc, ctx) doc.n = 'turn {self.turn}' return doc end\n")
        (self.work / "fix.yaml").write_text(SPEC.format(port=self.port, protect=protect))
        return subprocess.Popen([SLUICE, "run", "fix.yaml", "--yes", "--json", "--force-unlock", "--home", "home"], cwd=self.work,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)

    def beside(self, protect):
        """The windows beside a repair, and how many records a second it did in them; one that ends begins anew."""
        if protect == STOP_GO:
            return self.stop_and_go()
        process = self.start(protect)
        self.live.windows(max(1, round(BEGUN_S / self.options.window)) if protect.startswith("live") else 1)
        done = [self.done()]
        windows = self.live.windows(self.options.windows)
        done.append(self.done())
        ended = process.poll() is not None
        if protect.startswith("live"):
            self.stops.append(self.stop(process))
        process.send_signal(signal.SIGINT)
        process.communicate()
        if done[1] == 0 and ended:
            raise SystemExit(f"bench: a run with {protect} ended with {process.returncode} and had done nothing")
        if done[1] == 0:
            print(f"# none of {self.options.records:,} records was done in that time ({protect})", flush=True)
        if done[1] >= self.options.records:
            print(f"# it came to its end meanwhile: a lower bound ({protect})", flush=True)
        return [window["p99_us"] for window in windows], (done[1] - done[0]) / (self.options.windows * self.options.window)

    def scripts(self):
        """How often any primary has run one of sluice's scripts: nothing else here runs one."""
        self.clients = self.clients or [node.client() for node in self.cluster.primaries()]
        found = [client.info("commandstats") for client in self.clients]
        return sum(row["calls"] for stats in found for name, row in stats.items() if "eval" in name or "fcall" in name)

    def stop(self, process, tell=lambda process: process.send_signal(signal.SIGINT)):
        """Seconds from the signal to the last write that a server was asked for, to within a look at all of them."""
        begun = last = time.monotonic()
        tell(process)
        seen = self.scripts()
        while time.monotonic() - max(begun, last) < QUIET_S and time.monotonic() - begun < 10:
            now = self.scripts()
            last, seen = (time.monotonic(), now) if now != seen else (last, seen)
        return last - begun

    def pause(self, _):
        subprocess.Popen([SLUICE, "pause", "fix", "--reason", "bench", "--home", "home"], cwd=self.work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def at_work(self, process):
        """Until it has written for a while."""
        begun = time.monotonic()
        while self.scripts() < self.calls + 100 and process.poll() is None:
            if time.monotonic() - begun > 60:
                raise SystemExit("bench: nothing is written")
            time.sleep(0.05)

    def measure_stops(self, governed, unlimited):
        """Of a run in the middle of its writes: told by a signal, told by another terminal."""
        tells = {"signal": lambda process: process.send_signal(signal.SIGINT), "pause": self.pause}
        for name, tell in tells.items():
            found = []
            for way in [governed, unlimited] * STOPS:
                self.calls = self.scripts()
                process = self.start(way)
                self.at_work(process)
                found.append(self.stop(process, tell))
                process.kill()
                process.communicate()
            print(f"# {name}: {[round(took * 1000) for took in found]} ms (kept its promise, no limit, in turn)", flush=True)
            self.add(f"stop by {name}", "to the last write asked for, median and slowest", "≤ 100 ms",
                     f"{statistics.median(found) * 1000:.0f} and {max(found) * 1000:.0f} ms", None)

    def stop_and_go(self):
        """A fixed rate that is taken to a trickle for each window above the promise."""
        most = max(self.options.fixed)
        process = self.start(f"rate: {{ max: {most}/s }}")
        limit, found = self.limit(self.alone), []
        self.live.windows(1)
        begun = self.done()
        for _ in range(self.options.windows):
            found.append(self.live.windows(1)[0]["p99_us"])
            rate = TRICKLE if found[-1] > limit else most
            subprocess.run([SLUICE, "set", "fix", f"protect.rate.max={rate}/s", "--home", "home"], cwd=self.work, capture_output=True, check=False)
        done = self.done()
        process.kill() # what is in flight would wait for its rate
        process.communicate()
        return found, (done - begun) / (self.options.windows * self.options.window)

    def done(self):
        run = subprocess.run([SLUICE, "status", "fix", "--json", "--home", "home"], cwd=self.work, capture_output=True, text=True)
        if run.returncode:
            return 0
        records = json.loads(run.stdout)["records"]
        return records["written"] + records["unchanged"]

    @staticmethod
    def limit(alone):
        base = statistics.median(alone)
        return max(1.1 * base, base + 500)

    def misses(self, found):
        return sum(p99 > self.limit(self.alone) for p99 in found) / len(found)

    def phases(self):
        """Each way of pacing as often as there are pairs, nothing between them."""
        found = {}
        for _ in self.pairs():
            for way in self.ways:
                if self.options.quick and found and time.monotonic() - self.begun > QUICK_S:
                    print(f"# no time is left for {way}: the machine is slow", flush=True)
                    continue
                self.quiet(self.options.windows)
                windows, per_s = self.beside(way)
                found.setdefault(way, []).append((windows, per_s))
                print(f"# {way}: {per_s:,.0f} records/s, p99 {[round(p99) for p99 in windows]} us; alone"
                      f" {[round(p99) for p99 in self.alone[-self.options.windows:]]}", flush=True)
        return {way: ([p99 for windows, _ in tries for p99 in windows], statistics.median(per_s for _, per_s in tries))
                for way, tries in found.items()}

    def run(self):
        self.seed()
        self.rate = rate = self.options.rate or self.capacity() / 3
        print(f"live: {rate:,.0f} requests/s", flush=True)
        governed, unlimited = f'live: {{ p99: "{self.options.promise}" }}', "kept_live: 100%"
        if self.options.stops:
            self.measure_stops(f'live: {{ p99: "{EASY}" }}', unlimited)
            return
        fixed = [f"rate: {{ max: {rate}/s }}" for rate in self.options.fixed]
        self.ways, self.stops = [governed, STOP_GO, *fixed, unlimited], []
        self.live = Live(self.cluster, rate, self.options.window)
        try:
            self.quiet(2 * self.options.windows)
            print(f"# alone: {[round(p99) for p99 in self.alone]} us", flush=True)
            found = self.phases()
        finally:
            self.live.end()
        self.tell(found, governed, unlimited, fixed)
        if not self.options.quick:
            self.react(governed)

    # --- how soon

    def windows_until(self, live, within, most):
        """Seconds until the p99 of windows of a second is within for three of them; None: not in so many."""
        good = 0
        for second in range(1, most + 1):
            good = good + 1 if live.windows(1)[0]["p99_us"] <= within else 0
            if good == 3:
                return second - 3
        return None

    def react(self, governed):
        live, more = Live(self.cluster, self.rate, 1), Live(self.cluster, self.rate, 1)
        try:
            doubled = [window["p99_us"] for window in live.windows(10)][2:]
            more.end()
            live.windows(3)
            process = self.start(governed)
            live.windows(BEGUN_S)
            more = Live(self.cluster, self.rate, 1)
            took = self.windows_until(live, self.limit(doubled), 20)
            more.end()
            begun, steps = self.done(), []
            for _ in range(20):
                live.windows(1)
                steps.append(self.done() - begun - sum(steps))
            process.send_signal(signal.SIGINT)
            process.communicate()
        finally:
            live.end()
        best = statistics.mean(steps[-5:])
        risen = next((second + 1 for second, done in enumerate(steps) if done >= 0.9 * best), None)
        self.add("doubles", "live load doubles: seconds until within the promise", "≤ 2", "never" if took is None else f"{took}",
                 self.says(took is not None and took <= 2), f"p99 alone at that load {statistics.median(doubled):.0f} us")
        self.add("ends", "… and falls again: seconds until 90 % of the new best rate", "≤ 10", f"{risen}", self.says(risen is not None and risen <= 10),
                 f"{best:,.0f} records/s")

    def says(self, holds):
        """Nothing, where the machine makes more of a difference than what is measured."""
        return holds if self.misses(self.alone) <= NOISY else None

    def tell(self, found, governed, unlimited, fixed):
        self.base = statistics.median(self.alone)
        noise = self.misses(self.alone)
        if noise > NOISY:
            print(f"# too noisy: {noise:.0%} of the windows of nothing lie above the promise; no row below says whether it is kept", flush=True)
        self.add("noise", "windows of nothing above the promise of their median", "", f"{noise:.0%}", None,
                 f"live p99 {self.base:.0f} us, {len(self.alone)} windows")
        windows, per_s = found[governed]
        missed = self.misses(windows)
        self.add("promise", f"windows above the promise beside a repair with {self.options.promise}", "≤ noise + 2 points", f"{missed:.0%}",
                 self.says(missed <= noise + 0.02), f"{per_s:,.0f} records/s")
        if unlimited in found:
            self.add("unlimited", "the same without a limit", "", f"{self.misses(found[unlimited][0]):.0%}", None, f"{found[unlimited][1]:,.0f} records/s")
        kept = [found[way][1] for way in fixed if way in found and self.misses(found[way][0]) <= max(missed, noise)]
        best = max(kept, default=0)
        self.add("rate", "records a second, to the best fixed rate in hindsight that misses no more", "≥ 1.5", f"{per_s / best:.2f}" if best else "no such rate",
                 self.says(per_s >= 1.5 * best), f"{best:,.0f} records/s")
        windows, slow = found.get(STOP_GO, ([], 0))
        if windows:
            self.add("stop-go", "records a second, to a fixed rate that stops and goes by the live p99", "≥ 2", f"{per_s / slow:.2f}" if slow > 0 else "it stood",
                 self.says(per_s >= 2 * slow), f"{slow:,.0f} records/s, above the promise in {self.misses(windows):.0%}")
        stop = max(self.stops, default=0)
        self.add("stop", "from a signal to the last write asked for, the slowest of them", "≤ 100 ms", f"{stop * 1000:.0f} ms", self.says(stop <= 0.1))


def main():
    parser = argparse.ArgumentParser(description="What live requests feel of a run.")
    parser.add_argument("--quick", action="store_true", help="no replicas, 200,000 records, windows of two seconds, one pair, no change of the live load: within four minutes")
    parser.add_argument("--stops", action="store_true", help="only how soon a run stops that is told to, in the middle of its writes")
    parser.add_argument("--records", type=int)
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--rate", type=float, help="of the live traffic, a second")
    parser.add_argument("--promise", default="+10% or +0.5ms")
    parser.add_argument("--fixed", type=lambda text: [int(word) for word in text.split(",")], help="records a second; 1000,2000,4000,8000, of --quick 1000,4000")
    parser.add_argument("--server", default="redis", choices=["redis", "valkey"])
    parser.add_argument("--keep", action="store_true", help="leaves the working directory")
    options = parser.parse_args()
    options.records = options.records or (200_000 if options.quick or options.stops else 1_000_000)
    options.pairs = options.pairs or (1 if options.quick else 3)
    options.fixed = options.fixed or ([1000, 4000] if options.quick else [1000, 2000, 4000, 8000])
    options.window, options.windows = (2, 4) if options.quick else (10, 4)
    work = tempfile.mkdtemp(prefix="sluice-bench-")
    print(f"{options.records:,} records, {options.pairs} pairs; {machine()}", flush=True)
    try:
        with Servers(Path(work) / "servers", options.server) as servers:
            print(f"{options.server} {servers.version()}", flush=True)
            Pace(options, work, servers.cluster(3, 0 if options.quick or options.stops else 1)).run()
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
