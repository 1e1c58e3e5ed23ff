#!/usr/bin/env python3
"""Raw copies of a keyspace of all types, with big keys, expiries and binary keys: from a cluster to one of another size, to
a single server and back. Compared by what the servers' own commands say of each key, read by python3-redis, never by
sluice. SLUICE_BIG_MB says how big the biggest value is, SLUICE_COPY_KEYS how many small keys there are."""

import hashlib
import os
import random
import subprocess
import time

from livedata import Pipes, primaries
from servers import KINDS, Cluster, Servers, Unavailable, take_turn
from stand import Skip, must, run_all, same, test

BIG_MB = int(os.environ.get("SLUICE_BIG_MB", "10"))
SMALL = int(os.environ.get("SLUICE_COPY_KEYS", "6000"))

SPEC = """
sluice: 1
name: copy
source: {{ store: "{source}", dataset: "*", as: raw }}
target: {{ store: "{target}", dataset: "*", as: raw, write: fill }}
stages: [{{ name: full, scope: 100% }}]
protect: {{ errors: 50%, rate: {{ max: {rate}/s }} }}
"""


def uri(place):
    nodes = place.running() if isinstance(place, Cluster) else [place]
    return "valkey://" + ",".join(node.address for node in nodes)


# --- what is put there: (key, commands)


def text(dice, most):
    return bytes(dice.randrange(256) for _ in range(dice.randrange(most)))


def small_string(dice, key):
    return [("SET", key, dice.choice([b"", b"12345", b"-7", b"1.50", text(dice, 60), b"x" * 300]))]


def small_list(dice, key):
    return [("RPUSH", key, *(dice.choice([b"", str(dice.randrange(10**9)), text(dice, 90)]) for _ in range(dice.randrange(1, 12))))]


def small_set(dice, key):
    numbers = dice.random() < 0.5
    return [("SADD", key, *(dice.randrange(10**6) if numbers else text(dice, 20) for _ in range(dice.randrange(1, 12))))]


def small_zset(dice, key):
    scores = (0, -0.0, 1.5, "inf", "-inf", 3.141592653589793, 1e300, 5e-324, -2.25)
    return [("ZADD", key, *(part for _ in range(dice.randrange(1, 9)) for part in (dice.choice(scores), text(dice, 20))))]


def small_hash(dice, key):
    return [("HSET", key, *(part for _ in range(dice.randrange(1, 9)) for part in (text(dice, 12), text(dice, 80))))]


def small_stream(dice, key):
    calls = [("XADD", key, f"{i + 1}-{dice.randrange(3)}", "n", i, text(dice, 9) + b"f", text(dice, 40)) for i in range(dice.randrange(1, 20))]
    calls += [("XGROUP", "CREATE", key, "readers", "0"), ("XGROUP", "CREATE", key, b"bin\x00\xff", "3"),
              ("XREADGROUP", "GROUP", "readers", "ann", "COUNT", 5, "STREAMS", key, ">"),
              ("XREADGROUP", "GROUP", "readers", b"b\xfe", "COUNT", 2, "STREAMS", key, ">"), ("XACK", key, "readers", "1-0"),
              ("XGROUP", "CREATECONSUMER", key, "readers", "idle"), ("XDEL", key, "2-0", "2-1", "2-2")]
    return calls + ([("XTRIM", key, "MAXLEN", 3)] if dice.random() < 0.3 else [])


SMALL_ONES = (small_string, small_list, small_set, small_zset, small_hash, small_stream)


def names(dice, n):
    """Keys with everything that a key may have, each another one."""
    odd = [b"", b"\x00", b"\xff\xfe", b"{", b"}", b"{}", b"{}x", b"{a}b", b"a{b", b"a\nb", b"a b", b"*", b"[a]?", b"\\", b"k\r\n$3\r\n",
           "größe €".encode(), b"'\"", b"x" * 5000, b"{{x}}", b"sluic", b"sluice"]
    found = {b"odd:" + name for name in odd}
    while len(found) < n:
        found.add(b"k:%d:" % len(found) + (text(dice, 6) if dice.random() < 0.2 else b""))
    return sorted(found)


def big(dice):
    yield b"big:string", [("SET", b"big:string", dice.randbytes(1 << 20) * BIG_MB)]
    yield b"big:too", [("SET", b"big:too", dice.randbytes(1 << 20) * 20)] # more than is held whole
    yield b"big:hash", [("HSET", b"big:hash", *(part for i in range(a, a + 1000) for part in (f"f{i}", dice.randbytes(40))))
                        for a in range(0, BIG_MB * 4000, 1000)]
    yield b"big:list", [("RPUSH", b"big:list", *(dice.randbytes(60) for _ in range(1000))) for _ in range(BIG_MB * 3)]
    yield b"big:set", [("SADD", b"big:set", *(dice.randbytes(20) for _ in range(1000))) for _ in range(BIG_MB * 3)]
    yield b"big:zset", [("ZADD", b"big:zset", *(part for i in range(1000) for part in (dice.random(), dice.randbytes(20))))
                        for _ in range(BIG_MB * 3)]
    yield b"big:stream", [("XADD", b"big:stream", f"{i + 1}-0", "n", i, "t", "x" * 50) for i in range(BIG_MB * 500)] + [
        ("XGROUP", "CREATE", b"big:stream", "g", "0"), ("XREADGROUP", "GROUP", "g", "c", "COUNT", 3000, "STREAMS", b"big:stream", ">")]


def fill(place, seed=1):
    dice, pipes, now = random.Random(seed), Pipes(place), int(time.time() * 1000)
    for i, key in enumerate(names(dice, SMALL)):
        calls = SMALL_ONES[i % len(SMALL_ONES)](dice, key)
        if i % 4 == 0:
            calls.append(("PEXPIREAT", key, now + 3_600_000 + i))
        for call in calls:
            pipes.pipe(key).execute_command(*call)
    for key, calls in big(dice):
        for call in calls:
            pipes.pipe(key).execute_command(*call)
        if key in (b"big:hash", b"big:string"):
            pipes.pipe(key).execute_command("PEXPIREAT", key, now + 7_200_000)
    pipes.end()


# --- what is there


READ = {b"string": lambda key: [("GET", key)], b"list": lambda key: [("LRANGE", key, 0, -1)], b"set": lambda key: [("SMEMBERS", key)],
        b"zset": lambda key: [("ZRANGE", key, 0, -1, "WITHSCORES")], b"hash": lambda key: [("HGETALL", key)],
        b"stream": lambda key: [("XRANGE", key, "-", "+"), ("XINFO", "STREAM", key, "FULL", "COUNT", 0)]}
CLOCKS = (b"seen-time", b"active-time") # of a consumer: when it was last heard of, which nobody can restore
SHAPE = (b"radix-tree-keys", b"radix-tree-nodes") # of the server's memory


def plain(value, kind):
    """What a reply says, without what is of no meaning: the order of sets and hashes, a server's memory, its clock."""
    if kind == b"set":
        return sorted(value)
    if kind == b"hash":
        return sorted(zip(value[::2], value[1::2]))
    return known(value) if kind == b"stream" else value


def known(value):
    if not isinstance(value, list):
        return value
    if len(value) % 2 == 0 and all(isinstance(name, bytes) for name in value[::2]) and value[:1] in ([b"length"], [b"name"]):
        return [(name, known(each)) for name, each in zip(value[::2], value[1::2]) if name not in CLOCKS + SHAPE]
    return [known(each) for each in value]


def short(value):
    whole = repr(value)
    return whole if len(whole) < 200 else f"{len(whole)} bytes, {hashlib.sha256(whole.encode()).hexdigest()}"


def content(place, own_only=False):
    """{key: (type, what it holds, expiry)} without sluice's own keys; those are named apart, but for what says that a run is over."""
    found, own = {}, []
    for node in primaries(place):
        client = node.client(socket_timeout=60)
        client.response_callbacks.clear()
        cursor = b"0"
        while True:
            cursor, keys = client.execute_command("SCAN", cursor, "COUNT", 1000)
            own += [key for key in keys if key.startswith(b"sluice:") and not key.startswith(b"sluice:ended:")]
            if not own_only:
                read_keys(client, [key for key in keys if not key.startswith(b"sluice:")], found)
            if cursor == b"0":
                break
        client.close()
    return found, own


def read_keys(client, keys, found):
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.execute_command("TYPE", key)
    kinds = pipe.execute()
    for key, kind in zip(keys, kinds):
        for call in READ[kind](key):
            pipe.execute_command(*call)
        pipe.execute_command("PEXPIRETIME", key)
    answers = iter(pipe.execute())
    for key, kind in zip(keys, kinds):
        found[key] = (kind, [short(plain(next(answers), kind)) for _ in READ[kind](key)], next(answers))


def must_equal(have, want):
    wrong = [(key, have.get(key), want.get(key)) for key in sorted({*have, *want}) if have.get(key) != want.get(key)]
    must(not wrong, f"{len(wrong)} of {len(want)} keys differ:\n" + "\n".join(f"  {key[:60]!r}\n    is     {is_now}\n    wanted {wanted}"
                                                                          for key, is_now, wanted in wrong[:6]))


# --- the tests


def servers(stand, kind):
    take_turn(kind)
    try:
        return Servers(stand.dir, kind)
    except Unavailable as why:
        raise Skip(str(why)) from why


def killed_at_random(stand, dice, times, seconds, *command):
    """The command is begun and killed, so many times at most; it may end before. Returns how often it died."""
    for died in range(times):
        process = stand.start(*command)
        try:
            process.wait(timeout=dice.uniform(*seconds))
            return died
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    return times


def copies(stand, source, target, want):
    stand.write("copy.yaml", SPEC.format(source=uri(source), target=uri(target), rate=SMALL // 3))
    begin = time.monotonic()
    end = stand.sluice("run", "copy.yaml", "--yes", "--json", timeout=300 + BIG_MB).ended(0).lines()[-1]
    took = time.monotonic() - begin
    have, own = content(target)
    must_equal(have, want)
    slow = max((entry["duration"] for node in primaries(target) + primaries(source) for entry in node.client().slowlog_get(128)), default=0)
    print(f"# {len(have)} keys in {took:.1f} s, slowest command of a server {slow / 1000:.1f} ms, {len(own)} keys of sluice's own",
          end["state"], flush=True)
    return own


for KIND in KINDS if __name__ == "__main__" else ():
    @test(f"{KIND}: a keyspace of all types, from three shards to four, from there to one server; taken back nothing is left")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            three, four = started.cluster(3, 0), started.cluster(4, 0)
            fill(three)
            want, _ = content(three)
            must(len({kind for kind, _, _ in want.values()}) == 6 and len(want) >= SMALL, "not all types")
            copies(stand, three, four, want)
            must_equal(content(three)[0], want)
            one = started.standalone()
            stand.copy("home", "home-first")
            stand.sluice("rollback", "copy", "--yes", timeout=300).ended(0)
            same(content(four)[0], {}, "what is left after the rollback")
            stand.run(["rm", "-r", "home"]).ended(0)
            copies(stand, three, one, want)
            one.stop()

    @test(f"{KIND}: a copy that is killed again and again is whole in the end, and leaves no half-built key")
    def _(stand, kind=KIND):
        with servers(stand, kind) as started:
            three, one = started.cluster(3, 0), started.standalone()
            fill(three, 2)
            want, _ = content(three)
            stand.write("copy.yaml", SPEC.format(source=uri(three), target=uri(one), rate=SMALL // 3))
            deaths = killed_at_random(stand, random.Random(5), 8, (0.1, 1.2), "run", "copy.yaml", "--yes", "--json")
            own = copies(stand, three, one, want)
            must(deaths >= 3, "died only", deaths, "times")
            same([key for key in own if b"fence" not in key and b"lock" not in key], [], "keys of sluice's own that are left")


if __name__ == "__main__":
    run_all()
