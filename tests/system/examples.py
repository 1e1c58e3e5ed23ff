#!/usr/bin/env python3
"""Each spec below examples/ planned and run against real servers, and what a copy must hold: every type, every expiry,
nothing of a key that is too big. The independent client is Debian's python3-redis."""

import shutil

from servers import each_kind
from stand import SOURCE, among, must, run_all, same

FIRST, SECOND = "valkey://127.0.0.1:6379", "valkey://127.0.0.1:6380"


def take(stand, name, first, second=None):
    """The example's folder, with the addresses of these servers."""
    shutil.copytree(SOURCE / "examples" / name, stand.path(name))
    for spec in stand.path(name).glob("*.yaml"):
        text = spec.read_text().replace(FIRST, f"valkey://{first}")
        spec.write_text(text.replace(SECOND, f"valkey://{second}") if second else text)


def planned_and_run(stand, spec, *words, codes=(0,)):
    among(words, stand.sluice("plan", spec).ended(0).out, "plan")
    return stand.sluice("run", spec, "--yes").ended(*codes)


def values(client):
    """What an independent reader sees of every key; a stream's consumers without the times of their last visits."""
    found = {}
    for key in client.scan_iter(count=1000):
        kind = client.type(key).decode()
        if key.startswith(b"sluice:"):
            continue
        read = {
            "string": client.get, "hash": client.hgetall, "set": client.smembers, "list": lambda key: client.lrange(key, 0, -1),
            "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            "stream": lambda key: (client.xrange(key), [(group["name"], group["pending"], group["last-delivered-id"])
                                                        for group in client.xinfo_groups(key)]),
        }[kind]
        found[key] = (kind, read(key), client.execute_command("PEXPIRETIME", key))
    return found


def fill(client):
    """Keys of every type and encoding, binary ones and expiring ones among them."""
    for n in range(300):
        client.set(f"string:{n}", bytes(range(256)) * (n % 5) if n % 2 else str(n))
        client.pexpireat(f"string:{n}", 4102444800000 + n)
        client.rpush(f"list:{n}", *[b"x" * (n % 90)] * (n % 40 + 1), n)
        client.sadd(f"set:{n}", *range(n % 20 + 1), *(["word"] if n % 2 else []))
        client.zadd(f"zset:{n}", {f"m{i}": i * 1.1 for i in range(n % 200 + 1)})
        client.hset(f"hash:{n}", mapping={f"f{i}": "v" * (n % 100) for i in range(n % 30 + 1)})
        client.xadd(f"stream:{n}", {"n": n})
    client.set(b"\x00binary\xff\n", b"\x00")
    client.xgroup_create("stream:1", "readers", "0")
    client.xadd("stream:1", {"more": "x"})
    client.xreadgroup("readers", "anna", {"stream:1": ">"}, count=1)


@each_kind("examples/hash-field mends a field of every hash, and a rollback puts back what stood there")
def hash_field(stand, servers):
    server = servers.standalone()
    client = server.client()
    for n in range(500):
        client.hset(f"customer:u{n}", mapping={"tier": "GOLD" if n % 2 else "silver", "balance": f"{n}.50"})
        client.pexpireat(f"customer:u{n}", 4102444800000 + n)
    client.hset("customer:bad", mapping={"tier": "BRASS"})
    client.set("other", "x")
    before = values(client)
    take(stand, "hash-field", server.address)
    planned_and_run(stand, "hash-field/repair.yaml", "501 keys", codes=(8,)) # one is refused
    after = values(client)
    for key, (kind, value, expiry) in before.items():
        if kind == "hash" and key != b"customer:bad":
            value = {**value, b"tier": value[b"tier"].lower()}
        same(after[key], (kind, value, expiry), key)
    stand.sluice("rollback", "mend-tiers.1", "--yes").ended(0)
    same(values(client), before, "what stands after the rollback")


@each_kind("examples/cluster-copy copies a cluster to a smaller one: every type, every expiry")
def cluster_copy(stand, servers):
    source, target = servers.cluster(primaries=2, replicas=0), servers.standalone()
    fill(source.client())
    take(stand, "cluster-copy", source.nodes[0].address, target.address)
    planned_and_run(stand, "cluster-copy/copy.yaml", "1 801 keys")
    wanted = {key: row for node in source.nodes for key, row in values(node.client()).items()}
    same(len(wanted), 1801, "keys of the source")
    same(values(target.client()), wanted, "what was copied")


@each_kind("a key of any size is copied, in pieces")
def large(stand, servers):
    source, target = servers.standalone(), servers.standalone()
    source.client().set("huge", b"x" * (17 << 20))
    source.client().rpush("long", *[b"y" * 100_000] * 200)
    source.client().set("small", "1")
    take(stand, "cluster-copy", source.address, target.address)
    stand.sluice("run", "cluster-copy/copy.yaml", "--yes").ended(0)
    same(values(target.client()), values(source.client()), "what was copied")


@each_kind("examples/archive writes NDJSON and puts it back")
def archive(stand, servers):
    server = servers.standalone()
    client = server.client()
    for n in range(200):
        client.hset(f"session:{n}", mapping={"id": n, "user": f"ümit {n}", "visits": n * 3})
    before = values(client)
    take(stand, "archive", server.address)
    planned_and_run(stand, "archive/archive.yaml", "200 keys")
    lines = [line for file in stand.path("archive/archive").glob("*.ndjson") for line in file.read_text().splitlines()]
    same(len(lines), 200, "lines of the archive")
    client.flushall()
    planned_and_run(stand, "archive/back.yaml")
    same(values(client), before, "what was put back")


@each_kind("examples/cache fills a cache from files, and every entry expires")
def cache(stand, servers):
    server = servers.standalone()
    client = server.client()
    client.set("profile:cleo", "the application's")
    take(stand, "cache", server.address)
    planned_and_run(stand, "cache/rehydrate.yaml", codes=(8,)) # one is kept
    same(client.get("profile:anna").decode(), '{"username":"anna","name":"Anna Ölund","active":true,"logins":12}', "anna")
    same(client.get("profile:cleo"), b"the application's", "what stood there")
    must(0 < client.ttl("profile:anna") <= 3600, "expiry", client.ttl("profile:anna"))
    same(client.exists("profile:bert"), 0, "bert, who is not active")


run_all("sluice")
