#!/usr/bin/env python3
"""Ratios to what redis-benchmark gets out of the same server, run in turn in one session.

    valkey.py [--quick] [--records N] [--pairs N] [--only NAME[,NAME]] [--server redis|valkey] [--keep]

The limit of a write is redis-benchmark calling a script that does for one record what sluice's does for several
(one.lua), once a record, at the best of several pipeline depths; of a read the same with the command that sluice reads by. docs/performance.md says what the rows mean.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parent / "src" / "store" / "valkey"
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "system"), str(SCRIPTS)]

from bench import BUILD, SLUICE, Bench, asked, fresh, machine, working  # noqa: E402
from scripts import bare  # noqa: E402
from servers import Servers, need_client  # noqa: E402

key_slot = need_client().crc.key_slot

PIPELINE = BUILD / "bench" / "pipeline"
CAS = HERE / "one.lua"
# redis-benchmark cannot count: its calls take the number behind the last one that is marked.
MARKED = "unpack4('<I4I4I4I4', mark)"
COUNTED = f"{MARKED} number = unpack4('<I4', marks, #marks - 3) + 1"
FENCE, EPOCH, PART = "sluice:fence:bench", "1-bench", "1"
DEPTHS = (32, 64, 128, 256, 512)
FIELDS = ("name", "tier", "city", "zip", "visits", "score")
FIRST = 0x01010101  # no zero bytes: it stands in a command line
MARK = struct.pack("<5I", FIRST, FIRST, FIRST, FIRST + 1, FIRST + 1)
WIDE = 2 * 10**9  # keys of which hardly one comes twice; redis-benchmark takes no wider a range
MIB = 1 << 20

SPECS = {
    "fill": """sluice: 1
name: fill
source: {{ store: "file:.", dataset: in.ndjson, key: id }}
target: {{ store: "valkey://127.0.0.1:{port}", dataset: "c:{{id}}", as: hash }}
workers: 4
stages: [{{ name: all, scope: 100% }}]
""",
    "repair": """sluice: 1
name: repair
source: {{ store: "valkey://127.0.0.1:{port}", dataset: "c:{{id}}" }}
transform: {{ lua: repair.lua, idempotent: false }}
target: {{ store: "valkey://127.0.0.1:{port}", dataset: "c:{{id}}", as: hash }}
workers: 4
stages: [{{ name: all, scope: 100% }}]
""",
    "shadow": """sluice: 1
name: shadow
source: {{ store: "file:.", dataset: in.ndjson, key: id }}
target: {{ store: "valkey://127.0.0.1:{port}", dataset: "c:{{id}}", as: hash, write: shadow, conflict: overwrite }}
workers: 4
stages: [{{ name: all, scope: 100% }}]
""",
    "raw": """sluice: 1
name: raw
source: {{ store: "valkey://127.0.0.1:{port}", dataset: "s:*", as: raw }}
target: {{ store: "valkey://127.0.0.1:{other}", dataset: "s:*", as: raw }}
workers: 6
stages: [{{ name: all, scope: 100% }}]
""",
}
REPAIR = 'function transform(doc, ctx)\n  doc.tier = doc.tier == "gold" and "silver" or "gold"\n  return doc\nend\n'


# What record() gives, made by the server itself: ten million of them are not to be sent.
SEED = """for i = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
    redis.call('HSET', string.format('c:%012d', i), 'name', string.format('name of %012d', i), 'tier', ({'bronze', 'silver', 'gold'})[i % 3 + 1],
        'city', string.format('city %04d', i % 5000), 'zip', string.format('%05d', i % 100000), 'visits', i % 1000, 'score', i % 101)
end"""


def record(i):
    return {"name": f"name of {i:012d}", "tier": ("bronze", "silver", "gold")[i % 3], "city": f"city {i % 5000:04d}",
            "zip": f"{i % 100000:05d}", "visits": str(i % 1000), "score": str(i % 101)}


class Valkey(Bench):
    def __init__(self, options, work, servers):
        super().__init__(options, work)
        self.servers = servers
        self.depths = set()  # at which redis-benchmark was fastest

    # --- the limit -------------------------------------------------------------------------------------------------

    def asked(self, port, *command, keys=0, options=()):
        return ["redis-benchmark", "-p", str(port), "-n", str(self.options.records), "-r", str(keys or self.options.records), "-c", "4",
                "-q", *options, "-P", "{depth}", *command]

    def benchmark(self, *commands, prepare=None, check=None, depths=DEPTHS):
        """Seconds for one request a record, at the best depth."""
        found = {}
        for depth in depths:
            if prepare:
                prepare()
            began = time.monotonic()
            running = [subprocess.Popen([word.replace("{depth}", str(depth)) if isinstance(word, str) else word for word in command],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                       for command in commands]
            if any([process.wait() for process in running]):
                raise SystemExit("bench: redis-benchmark failed")
            found[depth] = time.monotonic() - began
            if check:
                check()
        best = min(found, key=found.get)
        self.depths.add(best)
        return found[best]

    def set_fence(self, server):
        """As a partition's stands that has written one record."""
        client = server.client()
        client.delete(FENCE)
        client.hset(FENCE, mapping={"e": EPOCH, PART: struct.pack("<5I", FIRST, 1, FIRST, FIRST + 1, FIRST + 1)})

    def check_written(self, server):
        """Each call that wrote took a number: all of them did, but for keys that came twice."""
        (last,) = struct.unpack("<I", server.client().hget(FENCE, PART)[-4:])
        written = last - FIRST - 1
        if written < 0.995 * self.options.records:
            raise SystemExit(f"bench: of {self.options.records} calls of the script by redis-benchmark only {written} wrote")

    def script(self, server, etag, *writes, keys=0):
        text = bare(CAS.read_text(encoding="utf-8"))
        if text.count(MARKED) != 1:
            raise SystemExit(f"bench: {CAS.name} does not take its number from {MARKED} any more")
        sha = server.client().script_load(text.replace(MARKED, COUNTED))
        return self.asked(server.port, "EVALSHA", sha, "2", "c:__rand_int__", FENCE, EPOCH, PART, MARK, etag, "HGETALL", "p", "0", "0",
                          *writes, keys=keys)

    def hset(self, of):
        pairs = [word for item in of.items() for word in item]
        return ["HSET", str(len(pairs)), *pairs]

    # --- rows ------------------------------------------------------------------------------------------------------

    def pipeline(self):
        """One connection, with nothing of sluice above it; the best of as many tries as the limit has."""
        server = self.servers.standalone()
        for verb, command in (("set", ("SET", "key:__rand_int__", "v" * 200)), ("get", ("GET", "key:__rand_int__"))):
            ours, limit, cpu = [], [], []
            for _ in self.pairs():
                tries = [self.piped(server, verb) for _ in DEPTHS]
                ours.append(min(found["seconds"] for found in tries))
                cpu += [found["own_us"] + found["system_us"] for found in tries]
                limit.append(self.benchmark(self.asked(server.port, *command, keys=100000, options=["-c", "1"])))
            self.ratio("pipeline", f"{verb.upper()} of 200 bytes on one connection, 512 at a time; redis-benchmark -c 1", 80, ours, limit)
            value = statistics.median(cpu)
            self.add("cpu", f"  client CPU a {verb.upper()} and its reply", "≤ 1 µs", f"{value:.2f} µs", value <= 1)
        server.stop()

    def piped(self, server, verb):
        run = subprocess.run([PIPELINE, f"valkey://{server.address}", verb, str(self.options.records), "512", "200"], check=True,
                             capture_output=True, text=True)
        return json.loads(run.stdout)

    def write_spec(self, name, **more):
        (self.work / f"{name}.yaml").write_text(SPECS[name].format(**more))
        (self.work / "repair.lua").write_text(REPAIR)

    def make_records(self, count):
        with open(self.work / "in.ndjson", "w", encoding="utf-8") as into:
            for i in range(count):
                fields = ",".join(f'"{name}":"{value}"' for name, value in record(i).items())
                into.write(f'{{"id":"{i:012d}",{fields}}}\n')

    def seed(self, server, count, what):
        client = server.client()
        client.flushall()
        pipe = client.pipeline(transaction=False)
        for i in range(count):
            what(pipe, i)
            if i % 5000 == 4999:
                pipe.execute()
        pipe.execute()

    def seed_hashes(self, server, count, each=10000):
        client = server.client()
        client.flushall()
        make = client.register_script(SEED)
        for first in range(0, count, each):
            make(args=[first, min(first + each, count)])

    def ran(self, name):
        """A run: its seconds until all is written, and the microseconds of processor's time a record until then and in the end."""
        fresh(self.work / ".sluice")
        timed = self.sluice("run", f"{name}.yaml", "--yes")
        written = timed.end["status"]["records"]["written"]
        if written != self.options.records:
            raise SystemExit(f"bench: of {self.options.records} records {name} wrote {written}")
        return timed.at["verifying"], [timed.used[state] / self.options.records * 1e6 for state in ("verifying", "done")]

    def cpu(self, what, found, most):
        value, whole = (statistics.median(each) for each in zip(*found))
        self.add("cpu", f"  client CPU a record until it is written: {what}", f"≤ {most} µs", f"{value:.1f} µs", value <= most,
                 f"with the plan; verification included {whole:.1f} µs; redis-benchmark best at {sorted(self.depths)}")

    def fill(self):
        whole, limit, cpu = [], [], []
        server = self.servers.standalone()
        self.write_spec("fill", port=server.port)
        self.make_records(self.options.records)
        for _ in self.pairs():
            server.client().flushall()
            seconds, used = self.ran("fill")
            whole.append(seconds)
            cpu.append(used)
            limit.append(self.benchmark(self.script(server, "", *self.hset({"id": f"{0:012d}", **record(0)}), keys=WIDE),
                                        prepare=lambda: (server.client().flushall(), self.set_fence(server)),
                                        check=lambda: self.check_written(server)))
        server.stop()
        self.ratio("fill", "fill of hashes with 7 fields; the same script by redis-benchmark", 70, whole, limit)
        self.cpu("fill", cpu, 6)

    def repair(self):
        whole, limit, cpu = [], [], []
        server = self.servers.standalone()
        self.write_spec("repair", port=server.port)
        same = record(0)
        for _ in self.pairs():
            self.seed_hashes(server, self.options.records)
            seconds, used = self.ran("repair")
            whole.append(seconds)
            cpu.append(used)
            self.seed(server, self.options.records, lambda pipe, i: pipe.hset(f"c:{i:012d}", mapping=same))
            read = self.benchmark(self.asked(server.port, "HGETALL", "c:__rand_int__"))
            limit.append(read + self.benchmark(self.script(server, self.etag(server), *self.hset(same)),
                                               prepare=lambda: self.set_fence(server), check=lambda: self.check_written(server)))
        server.stop()
        self.ratio("repair", "repair of hashes in place; HGETALL and the same script by redis-benchmark", 60, whole, limit)
        self.cpu("repair", cpu, 6)

    def etag(self, server):
        return server.client().eval("local i = redis.call('HGETALL', KEYS[1]) return string.sub(redis.sha1hex('H-1:' .. cmsgpack.pack(i)), 1, 32)",
                                    1, f"c:{0:012d}")

    def shadow(self):
        """A load beside the dataset, to one into it."""
        beside, into = [], []
        server = self.servers.standalone()
        self.make_records(self.options.records)
        for _ in self.pairs():
            for name, found in (("fill", into), ("shadow", beside)):
                server.client().flushall()
                self.write_spec(name, port=server.port)
                fresh(self.work / ".sluice")
                found.append(self.sluice("run", f"{name}.yaml", "--yes", codes=(0, 3)).at["verifying"])
        server.stop()
        self.ratio("shadow", "load of a shadow of hashes with 7 fields, to the stage written; fill", 90, beside, into)

    def promote(self):
        """In a cluster, over records that stand; the limit: a script that renames, once a key, in each shard at once."""
        whole, limit = [], []
        cluster = self.servers.cluster(primaries=3, replicas=0)
        nodes = cluster.primaries()
        owner = {slot: node for node in nodes for slot in cluster.slots(node)}
        self.make_records(self.options.records)
        self.write_spec("shadow", port=nodes[0].port)
        for _ in self.pairs():
            self.seed_cluster(nodes, owner, "c:{i:012d}")
            fresh(self.work / ".sluice")
            self.sluice("run", "shadow.yaml", "--yes", codes=(3,))
            whole.append(self.sluice("promote", "shadow", "--yes").seconds)
            self.seed_cluster(nodes, owner, "c:{i:012d}")
            self.seed_cluster(nodes, owner, "h:{{c:{i:012d}}}", flush=False)
            limit.append(self.renamed(nodes, owner))
        self.ratio("promote", "promotion in a cluster of 3 shards; a script that renames, once a key, by redis-cli --pipe on each", 60,
                   whole, limit)

    def seed_cluster(self, nodes, owner, name, flush=True):
        pipes = {}
        for node in nodes:
            if flush:
                node.client().flushall()
            pipes[node.port] = node.client().pipeline(transaction=False)
        for i in range(self.options.records):
            key = name.format(i=i)
            pipe = pipes[owner[key_slot(key.encode())].port]
            pipe.hset(key, mapping={"id": f"{i:012d}", **record(i)})
            if len(pipe) >= 5000:
                pipe.execute()
        for pipe in pipes.values():
            pipe.execute()

    def renamed(self, nodes, owner):
        text = "return redis.call('RENAME', KEYS[1], KEYS[2])"
        files = {node.port: open(self.work / f"renames-{node.port}", "wb") for node in nodes}
        sha = [node.client().script_load(text) for node in nodes][0]
        for i in range(self.options.records):
            key = f"c:{i:012d}"
            words = [b"EVALSHA", sha.encode(), b"2", b"h:{%b}" % key.encode(), key.encode()]
            files[owner[key_slot(key.encode())].port].write(
                b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
        for file in files.values():
            file.close()
        began, running = time.monotonic(), []
        for port in files:
            with open(self.work / f"renames-{port}", "rb") as commands:
                running.append(subprocess.Popen(["redis-cli", "-p", str(port), "--pipe"], stdin=commands, stdout=subprocess.DEVNULL,
                                                stderr=subprocess.DEVNULL))
        if any([process.wait() for process in running]):
            raise SystemExit("bench: redis-cli did not rename all")
        return time.monotonic() - began

    def raw(self):
        whole, limit, cpu = [], [], []
        server, other = self.servers.standalone(), self.servers.standalone()
        self.write_spec("raw", port=server.port, other=other.port)
        value = "v" * 200
        self.seed(server, self.options.records, lambda pipe, i: pipe.set(f"s:{i:012d}", value))
        self.make_restores(server.client().dump(f"s:{0:012d}"))
        for _ in self.pairs():
            other.client().flushall()
            seconds, used = self.ran("raw")
            whole.append(seconds)
            cpu.append(used)
            other.client().flushall()
            began = time.monotonic()
            # Its payloads have zero bytes, behind which redis-benchmark puts no more numbers into keys.
            with open(self.work / "restores", "rb") as restores:
                restoring = subprocess.Popen(["redis-cli", "-p", str(other.port), "--pipe"], stdin=restores, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL)
            dumped = self.benchmark(self.asked(server.port, "DUMP", "s:__rand_int__"), depths=(256,))
            if restoring.wait() != 0 or other.client().dbsize() != self.options.records:
                raise SystemExit("bench: redis-cli did not restore all")
            limit.append(max(dumped, time.monotonic() - began))
        server.stop()
        other.stop()
        self.ratio("raw", "raw copy of strings of 200 bytes; DUMP by redis-benchmark and RESTORE by redis-cli --pipe at once", 60, whole, limit)
        self.cpu("raw copy", cpu, 3)

    def make_restores(self, payload):
        tail = b"$1\r\n0\r\n$%d\r\n%b\r\n" % (len(payload), payload)
        with open(self.work / "restores", "wb") as into:
            for i in range(self.options.records):
                into.write(b"*4\r\n$7\r\nRESTORE\r\n$14\r\ns:%012d\r\n%b" % (i, tail))

    def memory(self):
        server = self.servers.standalone()
        found = {}
        for count in [self.options.records] + ([] if self.options.quick else [10 * self.options.records]):
            self.write_spec("repair", port=server.port)
            self.seed_hashes(server, count)
            fresh(self.work / ".sluice")
            process = subprocess.Popen([SLUICE, "run", "repair.yaml", "--yes", "--quiet"], cwd=self.work, stderr=subprocess.DEVNULL)
            _, _, used = os.wait4(process.pid, 0)
            found[count] = used.ru_maxrss / 1024
            self.add("memory", f"resident memory, repair of {count:,} hashes", "≤ 64 MiB", f"{found[count]:.0f} MiB", found[count] <= 64)
        server.stop()

    def make_bare(self, nodes):
        """redis-benchmark reads of a cluster only keys that it names itself: so a slot of each shard has a third of the records."""
        commands = []
        for node in nodes:
            mine, count = set(self.bare_cluster.slots(node)), self.options.records // len(nodes)
            tag = next(tag for tag in map(str, range(1000)) if key_slot(tag.encode()) in mine)
            self.seed(node, count, lambda pipe, i, tag=tag: pipe.hset(f"{{{tag}}}c:{i:012d}", mapping={"id": f"{i:012d}", **record(i)}))
            commands.append(["redis-benchmark", "-p", str(node.port), "-n", str(count), "-r", str(count), "-c", "4", "-q", "-P", "{depth}",
                             "HGETALL", f"{{{tag}}}c:__rand_int__"])
        return commands

    def verify(self):
        whole, limit = [], []
        cluster = self.servers.cluster(primaries=3, replicas=0)
        nodes = cluster.primaries()
        spec = SPECS["fill"].format(port=nodes[0].port)
        (self.work / "fill.yaml").write_text(spec)
        self.make_records(self.options.records)
        fresh(self.work / ".sluice")
        self.sluice("run", "fill.yaml", "--yes")
        self.bare_cluster = self.servers.cluster(primaries=3, replicas=0)
        bare_reads = self.make_bare(self.bare_cluster.primaries())
        for _ in self.pairs():
            whole.append(self.sluice("verify", "fill.1", "--full").seconds)
            limit.append(self.benchmark(*bare_reads))
        self.ratio("verify", "a cluster of 3 shards verified, every record; HGETALL by one redis-benchmark a shard", 60, whole, limit)


ROWS = ["pipeline", "fill", "shadow", "promote", "repair", "raw", "memory", "verify"]


def main():
    parser = argparse.ArgumentParser(description="Ratios to what redis-benchmark gets out of the same server.")
    parser.add_argument("--server", default="redis", choices=["redis", "valkey"])
    options = asked(parser, ROWS)
    print(f"{options.records:,} records, {options.pairs} pairs; {machine()}", flush=True)
    with working(options) as work, Servers(Path(work) / "servers", options.server) as servers:
        print(f"{options.server} {servers.version()}", flush=True)
        bench = Valkey(options, work, servers)
        for name in options.only.split(","):
            getattr(bench, name)()


if __name__ == "__main__":
    main()
