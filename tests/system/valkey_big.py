#!/usr/bin/env python3
"""Keys that no process should hold whole: raw copies in pieces, while an independent client feels for stalls, and what
becomes of them when sluice dies, the application writes, the user may neither DUMP nor RESTORE, or the run is taken back.
SLUICE_HUGE_MB says how large the keys are; from 100 on each type is copied by itself (SLUICE_HUGE_KINDS: which). The figures of
docs/performance.md:

    SLUICE_HUGE_MB=1000 valkey_big.py … --only "copied without a stall"
"""

import hashlib
import os
import random
import socket
import subprocess
import threading
import time

from livedata import Pipes
from servers import KINDS, each_kind, wait_for
from stand import must, run_all, same, test
from valkey_copy import content, killed_at_random, known, must_equal, servers, uri

HUGE_MB = int(os.environ.get("SLUICE_HUGE_MB", "24"))
ALL_KINDS = "string hash list set zset stream claims small"
STALL_MS = float(os.environ.get("SLUICE_STALL_MS", "40")) # of the tenth slowest command: a machine with other work stops a server in its midst

SPEC = """
sluice: 1
name: big
source: {{ store: "{source}", dataset: "*" }}
target: {{ store: "{target}", dataset: "*", write: {write} }}
stages: [{{ name: full, scope: 100% }}]
protect: {{ errors: 50% }}
"""


def huge(dice, most=HUGE_MB, kinds=ALL_KINDS):
    """(key, commands) of each type, about as many MiB."""
    rounds = most * 4
    calls = {
        "string": lambda: (("SETRANGE", b"huge:string", i << 20, dice.randbytes(1 << 20)) for i in (most - 1, *range(most - 1))),
        "hash": lambda: (("HSET", b"huge:hash", *(p for i in range(256) for p in (f"f{a}-{i}", dice.randbytes(1000)))) for a in range(rounds)),
        "list": lambda: (("RPUSH", b"huge:list", *(dice.randbytes(1000) for _ in range(256))) for _ in range(rounds)),
        "set": lambda: (("SADD", b"huge:set", *(dice.randbytes(1000) for _ in range(256))) for _ in range(rounds)),
        "zset": lambda: (("ZADD", b"huge:zset", *(p for _ in range(256) for p in (dice.choice((dice.random(), "inf", "-inf", -0.0, 1e300, 5e-324)),
                                                                                  dice.randbytes(1000)))) for _ in range(rounds)),
        "stream": lambda: [("XADD", b"huge:stream", f"{i + 1}-{i % 3}", "n", i, dice.randbytes(5), dice.randbytes(1000))
                           for i in range(rounds * 256)] + [
            ("XGROUP", "CREATE", b"huge:stream", "g", "0"), ("XGROUP", "CREATE", b"huge:stream", b"bin\xff", "7-0"),
            ("XREADGROUP", "GROUP", "g", "ann", "COUNT", 3000, "STREAMS", b"huge:stream", ">"),
            ("XREADGROUP", "GROUP", "g", b"b\xfe", "COUNT", 40, "STREAMS", b"huge:stream", ">"),
            ("XACK", b"huge:stream", "g", "5-1"), ("XDEL", b"huge:stream", "2-1", "3-2", "900-2", "3010-1"),
            ("XTRIM", b"huge:stream", "MINID", "30-2"), ("XGROUP", "CREATECONSUMER", b"huge:stream", "g", "idle")],
        "claims": lambda: claims(dice), "small": lambda: [("SET", b"k:%d" % i, b"v%d" % i) for i in range(200)],
    }
    for kind in kinds.split():
        yield from calls[kind]()


def claims(dice):
    """Streams that one command should not read or write: one with more pending entries than are held whole, some of them gone,
    delivered now and then, and one of 3 MiB that is held whole, with when its consumers were seen."""
    huge, mid, now = b"huge:claims", b"mid:stream", int(time.time() * 1000)
    yield from (("XADD", huge, f"{i + 1}-0", "f", i) for i in range(13000))
    yield from (("XADD", mid, f"{i + 1}-0", "f", dice.randbytes(1000)) for i in range(3000))
    for key, most in ((huge, 6000), (mid, 600)):
        yield from (("XGROUP", "CREATE", key, "g", "0"), ("XGROUP", "CREATE", key, "other", "9-0", "ENTRIESREAD", 9))
        yield from (("XREADGROUP", "GROUP", "g", who, "COUNT", most, "STREAMS", key, ">") for who in ("ann", b"b\xfe"))
        for i in range(0, 400, 4):
            yield ("XCLAIM", key, "g", "eve", 0, f"{i + 1}-0", "TIME", now - i * 1000, "RETRYCOUNT", i % 3)
        yield ("XDEL", key, "1-0", *(f"{i}-0" for i in range(5, 300, 7)))
        yield ("XTRIM", key, "MINID", "3-0")
        yield ("XREADGROUP", "GROUP", "other", "ann", "COUNT", 50, "STREAMS", key, ">")


def fill(place, seed=1, **more):
    pipes = Pipes(place)
    for i, call in enumerate(huge(random.Random(seed), **more)):
        if i % 64 == 0: # some MiB at once
            pipes.end()
        key = next(part for part in call[1:] if isinstance(part, bytes) and part[:2] in (b"hu", b"mi", b"k:"))
        pipes.pipe(key).execute_command(*call)
    now = int(time.time() * 1000)
    for key in (b"huge:string", b"huge:zset", b"k:7"):
        pipes.pipe(key).execute_command("PEXPIREAT", key, now + 7_200_000)
    pipes.end()


class Probe:
    """How long a server keeps another client waiting."""

    def __init__(self, node):
        self.worst, self.over, self.ends = 0.0, 0, threading.Event()
        self.node, self.thread = node, threading.Thread(target=self.feel)
        self.thread.start()

    def feel(self):
        with socket.create_connection(("127.0.0.1", self.node.port)) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self.ends.wait(0.0005):
                begin = time.perf_counter()
                wire.sendall(b"PING\r\n")
                same(wire.recv(64), b"+PONG\r\n", "what a server says to PING")
                took = (time.perf_counter() - begin) * 1000
                self.worst, self.over = max(self.worst, took), self.over + (took > 5)

    def end(self):
        self.ends.set()
        self.thread.join()
        return f"{self.worst:.1f} ms, {self.over} over 5 ms"


# --- what is there, read by pages


def members(client, key, command, each):
    """The digest of what a cursor gives, in whatever order."""
    cursor, found = b"0", set()
    while cursor != b"0" or not found:
        cursor, part = client.execute_command(command, key, cursor, "COUNT", 1000)
        found.update(hashlib.sha256(repr(part[i:i + each]).encode()).digest()[:16] for i in range(0, len(part), each))
    return len(found), sum(int.from_bytes(one, "big") for one in found) % (1 << 128)


def pages(client, ask):
    whole, n = hashlib.sha256(), 0
    while True:
        page = ask(client.execute_command, n)
        if not page:
            return n, whole.hexdigest()
        for one in [page] if isinstance(page, bytes) else page:
            whole.update(repr(one).encode() if isinstance(one, list) else b"%d:" % len(one) + one)
        n += len(page)


def entries(client, key):
    last = "-"

    def ask(call, _):
        nonlocal last
        page = call("XRANGE", key, last, "+", "COUNT", 500)
        last = b"(" + page[-1][0] if page else last
        return page
    return pages(client, ask), known(client.execute_command("XINFO", "STREAM", key, "FULL", "COUNT", 20000))


HELD = {b"string": lambda client, key: pages(client, lambda call, n: call("GETRANGE", key, n, n + (1 << 20) - 1)),
        b"list": lambda client, key: pages(client, lambda call, n: call("LRANGE", key, n, n + 999)),
        b"set": lambda client, key: members(client, key, "SSCAN", 1), b"hash": lambda client, key: members(client, key, "HSCAN", 2),
        b"zset": lambda client, key: members(client, key, "ZSCAN", 2), b"stream": entries}


def held(node):
    """{key: (type, what it holds, expiry)}, without what is sluice's own."""
    client = node.client(socket_timeout=60)
    client.response_callbacks.clear()
    kinds = {key: client.execute_command("TYPE", key) for key in client.execute_command("KEYS", "*") if not key.startswith(b"sluice:")}
    return {key: (kind, HELD[kind](client, key), client.execute_command("PEXPIRETIME", key)) for key, kind in kinds.items()}


def slowest(*nodes):
    """(ms, command) by what the servers themselves have measured, the slowest first."""
    found = []
    for node in nodes:
        found += [(entry["duration"] / 1000, entry["command"][:24]) for entry in node.client().slowlog_get(1000)]
    return sorted(found, reverse=True)


def peak_mib(process):
    """Of the resident memory, read while it runs."""
    peak = 0
    while True:
        try:
            process.wait(0.02)
            return peak / 1024
        except subprocess.TimeoutExpired:
            with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
                peak = max([peak, *(int(line.split()[1]) for line in status if line.startswith("VmHWM"))])


def spec(stand, source, target, write="fill"):
    stand.write("big.yaml", SPEC.format(source=uri(source), target=uri(target), write=write))


def hidden(node):
    return node.call("KEYS", "sluice:big:*")


def own_left(own):
    return [key for key in own if b"fence" not in key and b"lock" not in key]


def seen(node):
    """When the consumers of the stream that is held whole were last seen."""
    client = node.client()
    client.response_callbacks.clear()
    told = client.execute_command("XINFO", "STREAM", b"mid:stream", "FULL", "COUNT", 1)
    groups = told[told.index(b"groups") + 1]
    return [dict(zip(each[::2], each[1::2]))[b"seen-time"] for group in groups for each in group[group.index(b"consumers") + 1]]


def copied(stand, started, kinds):
    """From one server to another, with a third that does nothing: what it is kept waiting is the machine's."""
    one, other, idle = (started.standalone(proto_max_bulk_len="2gb") for _ in range(3))
    fill(one, kinds=kinds)
    want = held(one)
    same(len({kind for kind, _, _ in want.values()}), len({{"claims": "stream", "small": "string"}.get(kind, kind) for kind in kinds.split()}), "types")
    for node in (one, other):
        node.call("CONFIG", "SET", "slowlog-log-slower-than", "1000", "slowlog-max-len", "1000")
        node.call("SLOWLOG", "RESET")
    spec(stand, one, other)
    probes, begin = [Probe(node) for node in (one, other, idle)], time.monotonic()
    process = stand.start("run", "big.yaml", "--yes", "--json")
    peak = peak_mib(process)
    out, err = process.communicate()
    took = time.monotonic() - begin
    waits = [probe.end() for probe in probes]
    slow = slowest(one, other)
    must(process.returncode == 0, out[-2000:], err)
    must_equal(held(other), want)
    same("claims" in kinds and seen(other), "claims" in kinds and seen(one), "when the consumers of a stream were last seen")
    same(own_left(content(other, own_only=True)[1]), [], "keys of sluice's own that are left")
    print(f"# {kinds}: {took:.1f} s; another client waited for the source at most {waits[0]}, the target {waits[1]}, a third server {waits[2]}; "
          f"slowest commands, ms: {slow[:6]}; peak memory of sluice {peak:.0f} MiB", flush=True)
    must(peak <= 64, "peak memory", peak)
    must(len(slow) < 10 or slow[9][0] <= STALL_MS, "ten commands took so long", slow[:10])
    stand.sluice("verify", "big", "--full", timeout=300).ended(0)
    stand.sluice("rollback", "big", "--yes", timeout=300).ended(0)
    same(held(other), {}, "what is left after the rollback")
    stand.run(["rm", "-r", "home"]).ended(0)
    for node in (one, other, idle):
        node.kill()


HASHES = """
sluice: 1
name: hashes
source: {{ store: "{source}", dataset: "c:{{id}}", as: hash }}
target: {{ store: "file:{into}", dataset: "c-*.ndjson" }}
protect: {{ errors: 50% }}
"""
MANY = "for i = 1, 3000 do redis.call('HSET', 'c:' .. i, 'name', 'name ' .. i, 'tier', 'gold', 'visits', i) end"


def archived(stand, server, into):
    """Reads them all: how often for fields, for all of a hash, for a size; keys that were written, and that were not."""
    server.call("CONFIG", "RESETSTAT")
    stand.write("hashes.yaml", HASHES.format(source=uri(server), into=into))
    stand.run(["mkdir", into]).ended(0)
    stand.sluice("run", "hashes.yaml", "--yes", "--home", f"home-{into}").ended(0, 8)
    stats = server.client().info("commandstats")
    lines = [line for path in sorted((stand.dir / into).glob("*.ndjson")) for line in path.read_text().splitlines()]
    return [stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("hrandfield", "hgetall", "memory|usage")], len(lines)


@each_kind("sizes of hashes are asked where something large lives, or where they have many fields, and nowhere else")
def _(stand, started):
    server = started.standalone()
    server.call("EVAL", MANY, 0)
    server.call("HSET", "c:wide", *(word for i in range(200) for word in (f"f{i}", "v")))
    (few, whole, sizes), lines = archived(stand, server, "small")
    same(lines, 3001, "hashes that were written")
    must(few >= 3000 and 1 <= whole == sizes < few / 2, "fields, hashes, sizes", few, whole, sizes) # of a batch while another asks
    server.call("HSET", "c:large", "f", b"v" * (40 << 20))
    (few, whole, sizes), lines = archived(stand, server, "large")
    same(lines, 3001, "hashes that were written beside one that is too large")
    must(few == 0 and whole >= 3001 and sizes > whole, "fields, hashes, sizes", few, whole, sizes)


for KIND in KINDS:
    @test(f"{KIND}: keys of {HUGE_MB} MiB of every type are copied without a stall and without being held; taken back nothing is left")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            for kinds in os.environ.get("SLUICE_HUGE_KINDS", ALL_KINDS[:-6]).split() if HUGE_MB >= 100 else [ALL_KINDS]:
                copied(stand, started, kinds)

    @test(f"{KIND}: between clusters, killed again and again, with large keys in it: whole in the end, and nothing hidden stays")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            two, three = started.cluster(2, 0), started.cluster(3, 0)
            fill(two, 2)
            want, _ = content(two)
            spec(stand, two, three)
            deaths = killed_at_random(stand, random.Random(7), 12, (0.3, 2.5), "run", "big.yaml", "--yes", "--json")
            stand.sluice("run", "big.yaml", "--yes", "--json", timeout=300).ended(0)
            have, own = content(three)
            must_equal(have, want)
            must(deaths >= 1, "it never died")
            same(own_left(own), [], "keys of sluice's own that are left")

    @test(f"{KIND}: killed while a large key is put together, nothing of it shows under its name; the same command copies it and removes what was left")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            one, other = started.standalone(), started.standalone()
            fill(one, 8, kinds="hash")
            want = held(one)
            spec(stand, one, other)
            process = stand.start("run", "big.yaml", "--yes", "--json")
            begun = wait_for(lambda: hidden(other), "a hidden key")
            process.kill()
            process.communicate()
            same((held(other), hidden(other)), ({}, begun), "what stands there after the kill: nothing, and the hidden key")
            must(other.call("PTTL", begun[0]) > 0, "the hidden key would stay for ever")
            stand.sluice("run", "big.yaml", "--yes", "--json", timeout=300).ended(0)
            must_equal(held(other), want)
            same(hidden(other), [], "hidden keys that are left")

    @test(f"{KIND}: a large value that stands in the target where the run fills is kept live, is not moved, and stays at the rollback")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            one, other = started.standalone(), started.standalone()
            fill(one, 4, kinds="set small")
            fill(other, 5, kinds="set")
            there, want = held(other), held(one)
            spec(stand, one, other)
            stand.sluice("run", "big.yaml", "--yes", "--json", timeout=300).ended(8)
            same(stand.status()["records"]["kept_live"], 1, "kept live")
            must_equal(held(other), {**want, **there})
            stand.sluice("rollback", "big", "--yes", timeout=300).ended(0)
            must_equal(held(other), there)

    @test(f"{KIND}: what the application writes into a large key while it is copied is neither lost nor mixed with what was there")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            one, other = started.standalone(), started.standalone()
            fill(one, 3, kinds="hash string")
            spec(stand, one, other)
            client, ends = one.client(), threading.Event()

            def write():
                i = 0
                while not ends.is_set():
                    client.hset(b"huge:hash", "f0-0", b"now %d" % i)
                    i += 1
                    ends.wait(0.05)

            writer = threading.Thread(target=write)
            writer.start()
            stand.sluice("run", "big.yaml", "--yes", "--json", timeout=300).ended(3, 4, 8)
            ends.set()
            writer.join()
            have, _ = content(other)
            same(sorted(have), [b"huge:string"], "what was copied: a value that never stood there as a whole is none")
            row = stand.sluice("quarantine", "list", "big", "--json").ended(0).lines()[0]
            same((row["key"], row["code"]), ("huge:hash", "contended"), "the reason")

    @test(f"{KIND}: a large value that stands in the target is not overwritten, and is told; what the application made of a copy stays at the rollback")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            one, other = started.standalone(), started.standalone()
            fill(one, 4, kinds="list set small")
            fill(other, 5, kinds="set")
            there = content(other)[0]
            spec(stand, one, other, "in-place, conflict: overwrite")
            stand.sluice("run", "big.yaml", "--yes", "--json", timeout=300).ended(3, 4, 8)
            have, _ = content(other)
            want, _ = content(one)
            must_equal(have, {**want, **there})
            row = stand.sluice("quarantine", "list", "big", "--json").ended(0).lines()[0]
            same((row["key"], row["code"]), ("huge:set", "too-big"), "the reason")
            other.client().rpush(b"huge:list", b"written since")
            mine = {**there, b"huge:list": content(other)[0][b"huge:list"]}
            stand.sluice("rollback", "big", "--yes", timeout=300).ended(8)
            must_equal(content(other)[0], mine)

    @test(f"{KIND}: who may neither DUMP nor RESTORE copies by types, and is told so by doctor; taken back nothing is left")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            one, other = started.standalone(), started.standalone()
            fill(one, 6, kinds="string hash list set zset small")
            for node in (one, other):
                node.call("ACL", "SETUSER", "default", "-dump", "-restore")
            client = one.client()
            for call in (("RPUSH", "l", "a", "", "b"), ("SADD", "s", 1, 2, "x"), ("ZADD", "z", "inf", "a", 0.1, "b"), ("HSET", "h", "f", "v"),
                         ("SET", "empty", ""), ("XADD", "x", "1-1", "f", "v"), ("XGROUP", "CREATE", "x", "g", "0"), ("PEXPIRE", "h", 7_000_000)):
                client.execute_command(*call)
            want, _ = content(one)
            spec(stand, one, other)
            told = stand.sluice("doctor", "big.yaml").ended(0).out
            must("+dump" in told and "+restore" in told and "by their types" in told, told)
            stand.sluice("run", "big.yaml", "--yes", "--json", timeout=300).ended(0)
            have, own = content(other)
            must_equal(have, want)
            same(own_left(own), [], "keys of sluice's own that are left")
            stand.sluice("rollback", "big", "--yes", timeout=300).ended(0)
            same(content(other)[0], {}, "what is left after the rollback")


if __name__ == "__main__":
    run_all()
