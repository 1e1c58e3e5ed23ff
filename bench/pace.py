#!/usr/bin/env python3
"""What live requests feel of a run, and what the run does meanwhile: phases in turn in one session.

    pace.py [--quick | --small | --stops | --noise | --cost] [--minutes N] [--records N] [--shards N] [--replicas N] [--rate N] [--out FILE]
    pace.py --tell FILE

A cluster of three shards with replicas, live traffic in an open loop at a third of what one primary answers
to (bench/live.c: latencies count from when a request was due), and beside it in turn: nothing; a repair that keeps its
promise; one without a limit; repairs at fixed rates; one that stops when the live p99 is above the promise and goes when it is not. Live
latencies are those of windows of ten seconds; the first twenty seconds of one that finds its pace do not count. Then how soon a run
stops when it is told to, and (not with --quick) what it does when the live load doubles, and when it ends. First it is asked how noisy
this machine is: how many windows of nothing lie above the promise that the median window of nothing makes; where that is more than a
fifth the rows say that they say nothing.

Every window is written to --out when it is over. What ends it early (Ctrl-C, SIGTERM, --minutes) leaves rows of what there is by then;
of a session that was killed --tell makes them. Asserts nothing; docs/pace.md says what the rows mean, and what each way of calling takes.
"""

import argparse
import contextlib
import json
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
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
MINUTES = 33   # what the others have not begun by then
STOPS = 5      # of each kind
PLAN_S = 300
NOISE_S, NOISE_WINDOWS = 5, 8  # of --noise, for each rate
EASY = "+10% or +500ms"  # so that there is something in flight to stop; and a probe is there, whatever the machine does
QUIET_S = 1.5  # so long it is listened to after it was told
STOP_GO, TRICKLE = "stop and go", 100
COST_S, COST_PAIRS, COST_RATE = 10, 3, 1 # of --cost; records a second: what is left is probes and signals
WORK_RATE = 1000                         # records a second that a server is at work with then
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


class Heard:
    """When a server was last asked for a write to a record, by MONITOR: whoever measures may be asleep when it is."""
    SCRIPT = re.compile(rb'^\+(\d+\.\d+) \[[^\]]*\] "(?:EVALSHA|EVAL|FCALL)" [^\n]*"c:\d+"', re.MULTILINE | re.IGNORECASE)

    PROBE = re.compile(rb'^\+\d+\.\d+ \[\d+ [^l\]][^\]]*\] "(?:HGET" "sluice:probe[^"]*" "f"|HSET" "sluice:probe[^"]*" "f" )', re.MULTILINE)
    ANY = re.compile(rb"^\+\d+\.\d+ \[\d+ [^l\]]", re.MULTILINE) # but for what a script calls

    def __init__(self, port):
        self.lines = []
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"MONITOR\r\n")
        self.socket.recv(16)
        self.thread = threading.Thread(target=self.take)
        self.thread.start()

    def take(self):
        with contextlib.suppress(OSError): # it is closed while something is on its way
            while chunk := self.socket.recv(1 << 20):
                self.lines.append(chunk)

    def heard(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()
        return b"".join(self.lines)

    def end(self):
        return max((float(at) for at in self.SCRIPT.findall(self.heard())), default=0)

    def probes(self):
        """How many there were; of how many requests."""
        heard = self.heard()
        return len(self.PROBE.findall(heard)), len(self.ANY.findall(heard))


class Pace(Bench):
    def __init__(self, options, work, cluster, servers=None):
        super().__init__(options, work)
        self.servers = servers
        self.cluster, self.port = cluster, cluster.nodes[0].port if cluster else None
        self.found = [] # as it stands in the file
        self.turn, self.rate, self.per_s = 0, 0, 0 # per_s: probes of a server
        self.begun = time.monotonic()

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

    # --- what is kept of it

    def keep(self, **line):
        self.found.append(line)
        with open(self.options.out, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")

    def of(self, kind, key, **like):
        """That of each line of the kind so far, with these values."""
        return [line[key] for line in self.found if line["is"] == kind and all(line[name] == value for name, value in like.items())]

    @property
    def alone(self):
        return self.of("window", "p99_us", way=None)

    def measure(self, way, windows):
        """Windows of live traffic, each kept as soon as it is over; their p99."""
        found = []
        for _ in range(windows):
            window = self.live.windows(1)[0]
            self.keep(**{"is": "window", "way": way, **window})
            found.append(window["p99_us"])
        return found

    def start(self, protect):
        shutil.rmtree(self.work / "home", ignore_errors=True)
        self.turn += 1 # each writes something else
        (self.work / "fix.lua").write_text(f"function transform(doc, ctx) doc.n = 'turn {self.turn}' return doc end\n")
        (self.work / "fix.yaml").write_text(SPEC.format(port=self.port, protect=protect))
        return subprocess.Popen([SLUICE, "run", "fix.yaml", "--yes", "--json", "--force-unlock", "--home", "home"], cwd=self.work,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)

    def beside(self, protect, count):
        """So many windows beside a repair, and how many records a second it did in them."""
        if protect == STOP_GO:
            self.stop_and_go(count)
            return
        process = self.start(protect)
        governed = protect.startswith("live")
        self.planned(process, lambda: self.measure(f"planning, {protect}", 1) if governed else time.sleep(0.05))
        self.live.windows(max(1, round(BEGUN_S / self.options.window)) if governed else 1)
        done = [self.done()]
        self.measure(protect, count)
        done.append(self.done())
        ended = process.poll() is not None
        if governed and not ended:
            self.keep(**{"is": "stop", "seconds": self.stop(process)})
        process.send_signal(signal.SIGINT)
        process.communicate()
        if done[1] == 0 and ended:
            raise SystemExit(f"bench: a run with {protect} ended with {process.returncode} and had done nothing")
        if done[1] == 0:
            print(f"# none of {self.options.records:,} records was done in that time ({protect})", flush=True)
        if done[1] >= self.options.records:
            print(f"# it came to its end meanwhile: a lower bound ({protect})", flush=True)
        self.keep(**{"is": "phase", "way": protect, "per_s": (done[1] - done[0]) / (count * self.options.window)})

    def planned(self, process, meanwhile):
        """Until it writes; before that it lists, and opens lanes."""
        begun = time.monotonic()
        while self.done() == 0 and process.poll() is None:
            if time.monotonic() - begun > PLAN_S:
                raise SystemExit("bench: nothing is written")
            meanwhile()

    def stop(self, process, tell=lambda process: process.send_signal(signal.SIGINT)):
        """Seconds from the signal to the last write that a server was asked for, by the server's own clock."""
        heard = [Heard(node.port) for node in self.cluster.primaries()]
        begun = time.time()
        tell(process)
        time.sleep(QUIET_S)
        return max(0, max(each.end() for each in heard) - begun)

    def pause(self, _):
        subprocess.Popen([SLUICE, "pause", "fix", "--reason", "bench", "--home", "home"], cwd=self.work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def measure_stops(self, governed, unlimited):
        """Of a run in the middle of its writes: told by a signal, told by another terminal."""
        tells = {"signal": lambda process: process.send_signal(signal.SIGINT), "pause": self.pause}
        for name, tell in tells.items():
            found = []
            for way in [governed, unlimited] * STOPS:
                process = self.start(way)
                self.planned(process, lambda: time.sleep(0.05))
                found.append(self.stop(process, tell))
                process.kill()
                process.communicate()
            print(f"# {self.spent_s() / 60:.1f} min: {name}: {[round(took * 1000) for took in found]} ms (kept its promise, no limit, in turn)", flush=True)
            self.add(f"stop by {name}", "to the last write asked for, median and slowest", "≤ 100 ms",
                     f"{statistics.median(found) * 1000:.0f} and {max(found) * 1000:.0f} ms", None)

    def worked_s(self):
        """What processor's time the primaries have had so far, of all of them."""
        said = [node.info("cpu") for node in self.cluster.primaries()]
        return sum(float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"]) for cpu in said)

    def woken(self):
        """How often the primaries have slept so far, all of them; that does not depend on how fast a core is, nor who shares it."""
        said = [Path(f"/proc/{node.process.pid}/status").read_text(encoding="utf-8") for node in self.cluster.primaries()]
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[1]) for text in said)

    def share(self):
        """Of a core of each server, in the next seconds; and how often it was woken, a second."""
        began = self.worked_s(), self.woken()
        time.sleep(COST_S)
        return [(after - before) / COST_S / self.options.shards for after, before in zip((self.worked_s(), self.woken()), began)]

    @contextlib.contextmanager
    def hardly_writing(self):
        """A run with a promise to servers, of which probes and signals are most of what it does."""
        process = self.start(f'live: {{ p99: "{EASY}" }}, rate: {{ max: {COST_RATE}/s }}')
        self.planned(process, lambda: time.sleep(0.05))
        time.sleep(BEGUN_S) # what it listed and read before is forgotten by then
        yield
        process.kill()
        process.communicate()

    def count_probes(self):
        """Of a run at work that keeps the promise: a second, of a server; and what share of its requests they are."""
        process = self.start(self.ways()[0])
        self.planned(process, lambda: time.sleep(0.05))
        time.sleep(BEGUN_S)
        heard = [Heard(node.port) for node in self.cluster.primaries()]
        time.sleep(COST_S)
        probes, requests = (sum(each) for each in zip(*(each.probes() for each in heard)))
        process.kill()
        process.communicate()
        self.per_s = probes / COST_S / self.options.shards
        self.add("probes", "probes of a server by a run at work, of the requests that it answers", "≤ 0.5 %", f"{probes / requests:.2%}", probes <= 0.005 * requests,
                 f"{self.per_s:.0f} of {requests / COST_S / self.options.shards:,.0f} a second")

    @contextlib.contextmanager
    def asked_more(self):
        """As often as by probes, by somebody else."""
        more = Live(self.cluster, self.per_s * self.options.shards, self.options.window)
        more.windows(1)
        yield
        more.end()

    def cost(self, name, of, most=""):
        """What servers take beside it, less what they take before and behind it."""
        found = []
        for _ in range(COST_PAIRS):
            before = self.share()
            with of():
                beside = self.share()
            behind = self.share()
            found.append((before[0], *(there - (here + after) / 2 for here, there, after in zip(before, beside, behind))))
        without, more, woken = (statistics.median(each) for each in zip(*found))
        print(f"# {self.spent_s() / 60:.1f} min: {name}: {[f'{each[1]:.2%}' for each in found]}", flush=True)
        self.add(f"cost, {name}", f"{name}: processor's time of a server, of a core", most, f"{more:.2%}", more <= 0.005 if most else None,
                 f"{without:.2%} without, so {more / (without + more):.1%} of what it does; {min(each[1] for each in found):.2%} to {max(each[1] for each in found):.2%};"
                 f" woken {woken:.0f} times a second more; {COST_PAIRS} times in turn")

    def measure_cost(self):
        """Of servers with live traffic, beside which a run on other servers of this machine tells what is no request to them; of a run at work, of which
        probes cannot be taken away, what as many requests more take; and of servers with nothing else to do. Signals alone are 0.05 %."""
        other = Pace(self.options, self.work, self.servers.cluster(self.options.shards, self.options.replicas))
        other.seed()
        self.live, load = Live(self.cluster, self.rate, self.options.window), f"beside {self.rate:,.0f} live requests/s"
        self.cost(f"probes and signals, {load}", self.hardly_writing, "≤ 0.5 %")
        self.cost(f"the same to other servers, {load}", other.hardly_writing)
        self.count_probes()
        process = self.start(f"rate: {{ max: {WORK_RATE}/s }}")
        self.planned(process, lambda: time.sleep(0.05))
        self.cost(f"{self.per_s:.0f} requests a second more, beside that and {WORK_RATE:,} records/s", self.asked_more)
        if process.poll() is not None:
            print("# the run came to its end meanwhile", flush=True)
        process.kill()
        process.communicate()
        self.live.end()
        self.cost("probes and signals, at rest", self.hardly_writing)

    def stop_and_go(self, count):
        """A fixed rate that is taken to a trickle for each window above the promise."""
        most = max(self.options.fixed)
        process = self.start(f"rate: {{ max: {most}/s }}")
        limit = self.limit(self.alone)
        self.live.windows(1)
        begun = self.done()
        for _ in range(count):
            rate = TRICKLE if self.measure(STOP_GO, 1)[0] > limit else most
            subprocess.run([SLUICE, "set", "fix", f"protect.rate.max={rate}/s", "--home", "home"], cwd=self.work, capture_output=True, check=False)
        done = self.done()
        process.kill() # what is in flight would wait for its rate
        process.communicate()
        self.keep(**{"is": "phase", "way": STOP_GO, "per_s": (done - begun) / (count * self.options.window)})

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

    def spent_s(self):
        return time.monotonic() - self.begun

    def phases(self):
        """Each way of pacing, nothing between them, as often as the schedule says."""
        for way, count in self.schedule():
            if self.spent_s() > self.options.minutes * 60 and self.of("phase", "way"):
                print(f"# no time is left for {way}", flush=True)
                continue
            alone = self.measure(None, self.options.between)
            self.beside(way, count)
            windows = self.of("window", "p99_us", way=way)[-count:]
            print(f"# {self.spent_s() / 60:.1f} min: {way}: {self.of('phase', 'per_s', way=way)[-1]:,.0f} records/s, p99"
                  f" {[round(p99) for p99 in windows]} us; alone {[round(p99) for p99 in alone]}", flush=True)

    def schedule(self):
        """Ways with their numbers of windows. The promise is judged to two points, so it has most of them."""
        governed, unlimited, fixed = self.ways()
        if self.options.quick:
            return [(way, self.options.windows) for way in (governed, STOP_GO, *fixed, unlimited)]
        others = [(way, self.options.windows) for way in (STOP_GO, *fixed)]
        each, many = len(others) // 2 or 1, (governed, self.options.windows + 2)
        return [many, (unlimited, 2), many, *others[:each], many, *others[each:], many, *others[:each], many, *others[each:], many]

    def ways(self):
        return (f'live: {{ p99: "{self.options.promise}" }}', "kept_live: 100%", [f"rate: {{ max: {rate}/s }}" for rate in self.options.fixed])

    def run(self):
        self.keep(**{"is": "about", "machine": machine(), "promise": self.options.promise, "fixed": self.options.fixed, "records": self.options.records})
        self.seed()
        self.rate = rate = self.options.rate or self.capacity() / 3
        print(f"# {self.spent_s() / 60:.1f} min: seeded; live: {rate:,.0f} requests/s", flush=True)
        if self.options.noise:
            self.noise()
            return
        if self.options.cost:
            self.measure_cost()
            return
        self.live = Live(self.cluster, rate, self.options.window)
        try:
            if self.options.stops:
                self.measure_stops(f'live: {{ p99: "{EASY}" }}', self.ways()[1])
                return
            self.measure(None, 2 * self.options.windows)
            print(f"# {self.spent_s() / 60:.1f} min: alone: {[round(p99) for p99 in self.alone]} us", flush=True)
            self.phases()
        except KeyboardInterrupt:
            print("# told to stop: rows of what there is", flush=True)
            self.options.quick = True
        finally:
            self.live.end()
        self.tell()
        if not self.options.quick:
            self.react(self.ways()[0])

    def noise(self):
        """For which live traffic this machine is quiet enough."""
        for rate in sorted({300, 1000, 3000, round(self.rate)}):
            self.live = Live(self.cluster, rate, NOISE_S)
            self.live.windows(1)
            found = [window["p99_us"] for window in self.live.windows(NOISE_WINDOWS)]
            self.live.end()
            base = statistics.median(found)
            missed = sum(p99 > self.limit(found) for p99 in found) / len(found)
            self.add(f"noise at {rate}/s", f"windows of nothing above the promise of their median, {rate:,}/s", f"≤ {NOISY:.0%}", f"{missed:.0%}", missed <= NOISY,
                     f"p99 {base:.0f} us, {min(found):.0f} to {max(found):.0f}")

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
            self.planned(process, lambda: live.windows(1))
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

    def rate_of(self, way):
        return statistics.median(self.of("phase", "per_s", way=way) or [0])

    def missed(self, way):
        windows = self.of("window", "p99_us", way=way)
        return self.misses(windows) if windows else None

    def tell(self):
        """The rows, of whatever is kept."""
        governed, unlimited, fixed = self.ways()
        if not self.alone:
            raise SystemExit("bench: not one window is kept")
        noise, missed, per_s = self.misses(self.alone), self.missed(governed), self.rate_of(governed)
        if noise > NOISY:
            print(f"# too noisy: {noise:.0%} of the windows of nothing lie above the promise; no row below says whether it is kept", flush=True)
        self.add("noise", "windows of nothing above the promise of their median", "", f"{noise:.0%}", None,
                 f"live p99 {statistics.median(self.alone):.0f} us, {len(self.alone)} windows")
        if missed is None:
            return
        self.add("promise", f"windows above the promise beside a repair with {self.options.promise}", "≤ noise + 2 points", f"{missed:.0%}",
                 self.says(missed <= noise + 0.02), f"{per_s:,.0f} records/s, {len(self.of('window', 'p99_us', way=governed))} windows")
        if (plans := self.missed(f"planning, {governed}")) is not None:
            self.add("planning", "the same while it plans, until it writes", "", f"{plans:.0%}", None, f"{len(self.of('window', 'p99_us', way=f'planning, {governed}'))} windows")
        if self.missed(unlimited) is not None:
            self.add("unlimited", "the same without a limit", "", f"{self.missed(unlimited):.0%}", None, f"{self.rate_of(unlimited):,.0f} records/s")
        best = max((self.rate_of(way) for way in fixed if self.missed(way) is not None and self.missed(way) <= max(missed, noise)), default=0)
        self.add("rate", "records a second, to the best fixed rate in hindsight that misses no more", "≥ 1.5", f"{per_s / best:.2f}" if best else "no such rate",
                 self.says(per_s >= 1.5 * best), f"{best:,.0f} records/s")
        if self.missed(STOP_GO) is not None:
            slow = self.rate_of(STOP_GO)
            self.add("stop-go", "records a second, to a fixed rate that stops and goes by the live p99", "≥ 2", f"{per_s / slow:.2f}" if slow > 0 else "it stood",
                     self.says(per_s >= 2 * slow), f"{slow:,.0f} records/s, above the promise in {self.missed(STOP_GO):.0%}")
        if stops := self.of("stop", "seconds"):
            self.add("stop", "from a signal to the last write asked for, the slowest of them", "≤ 100 ms", f"{max(stops) * 1000:.0f} ms", self.says(max(stops) <= 0.1))


def tell_kept(options):
    """The rows of a session that did not come to tell them."""
    pace = Pace(options, tempfile.gettempdir(), None)
    pace.found = [json.loads(line) for line in Path(options.tell).read_text(encoding="utf-8").splitlines()]
    about = pace.found[0]
    options.promise, options.fixed = about["promise"], about["fixed"]
    print(f"{about['records']:,} records; {about['machine']}")
    pace.tell()


def read_options():
    parser = argparse.ArgumentParser(description="What live requests feel of a run.")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="no replicas, 200,000 records, windows of two seconds, one pair, no change of the live load: within four minutes")
    how.add_argument("--small", action="store_true", help="for two cores: no replicas, 300,000 records, 1,000 live requests a second")
    how.add_argument("--stops", action="store_true", help="only how soon a run stops that is told to, in the middle of its writes, live traffic beside it")
    how.add_argument("--noise", action="store_true", help="only for which live traffic this machine is quiet enough: three minutes")
    how.add_argument("--tell", metavar="FILE", help="only the rows of the windows that are kept there")
    how.add_argument("--cost", action="store_true", help="only what probes and signals cost the servers: twelve minutes")
    parser.add_argument("--minutes", type=float, help=f"what has not begun by then is left out; {MINUTES}, of --quick 3")
    parser.add_argument("--records", type=int)
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--replicas", type=int, help="of each shard; 1, of --quick and --small 0")
    parser.add_argument("--rate", type=float, help="of the live traffic, a second")
    parser.add_argument("--promise", default="+10% or +0.5ms")
    parser.add_argument("--fixed", type=lambda text: [int(word) for word in text.split(",")], help="records a second; 1000,2000,4000,8000, of --quick 1000,4000")
    parser.add_argument("--server", default="redis", choices=["redis", "valkey"])
    parser.add_argument("--out", default=str(BUILD / "bench" / "pace.ndjson"), help="where each window is kept")
    parser.add_argument("--keep", action="store_true", help="leaves the working directory")
    options = parser.parse_args()
    options.records = options.records or (200_000 if options.quick or options.stops else 300_000 if options.small else 20_000 if options.noise else 150_000 if options.cost else 1_000_000)
    options.rate = options.rate or (1000 if options.small else None)
    options.fixed = options.fixed or ([1000, 4000] if options.quick else [1000, 2000, 4000, 8000])
    options.window, options.windows, options.between = (2, 4, 4) if options.quick else (10, 4, 3)
    options.minutes = options.minutes or (QUICK_S / 60 if options.quick else MINUTES)
    options.replicas = options.replicas if options.replicas is not None else int(not (options.quick or options.small))
    return options


def main():
    options = read_options()
    if options.tell:
        tell_kept(options)
        return
    Path(options.out).write_text("", encoding="utf-8")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    work = tempfile.mkdtemp(prefix="sluice-bench-")
    print(f"{options.records:,} records; windows are kept in {options.out}; {machine()}", flush=True)
    try:
        with Servers(Path(work) / "servers", options.server) as servers:
            print(f"{options.server} {servers.version()}, {options.shards} shards, {options.replicas} replicas of each", flush=True)
            Pace(options, work, servers.cluster(options.shards, options.replicas), servers).run()
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
