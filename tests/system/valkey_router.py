#!/usr/bin/env python3
"""The router of the Valkey driver against real servers: moved slots, dead and hanging nodes, refusals, settling, and the
listing of keys. Every test runs on each kind of server that can be had."""

import json
import socketserver
import subprocess
import threading
import time

from livedata import slot_of
from servers import KINDS, SLOTS, Servers, Unavailable, need_client, take_turn, wait_for
from stand import Skip, among, must, run_all, same, test

SCRIPT_WAIT_MS = 20000


class Router:
    """tests/tools/router: a line in, a line of JSON out."""

    def __init__(self, program, uri):
        self.process = subprocess.Popen([program, uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.opened = json.loads(self.process.stdout.readline())

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        must(line, f"the router ended at {words}: {self.process.poll()}")
        return json.loads(line)

    def incr(self, prefix, n, deadline_ms=SCRIPT_WAIT_MS, start=0):
        return self.ask("incr", prefix, start, n, deadline_ms)

    def get(self, prefix, n, deadline_ms=SCRIPT_WAIT_MS):
        return self.ask("get", prefix, 0, n, deadline_ms)

    def settle(self, deadline_ms=SCRIPT_WAIT_MS):
        return self.ask("settle", deadline_ms)

    def listing(self, file, dataset="key:*", most=0, each=None, at_once=1000):
        """All keys, and how many came."""
        file.unlink(missing_ok=True)
        same(self.ask("open", dataset, at_once, most)["error"], "", "open")
        for number in range(1, 100000):
            row = self.ask("next", file, SCRIPT_WAIT_MS)
            same(row["error"], "", row["message"])
            if row["done"]:
                break
            if each:
                each(number)
        keys = file.read_bytes().splitlines()
        return set(keys), len(keys)

    def end(self):
        self.process.stdin.close()
        return self.process.wait(timeout=60)


class Bench:
    """Servers of one kind for one test, and routers to them."""

    def __init__(self, stand, kind):
        self.stand, self.servers, self.routers = stand, Servers(stand.dir, kind), []

    def router(self, uri, good=True):
        router = Router(str(self.stand.programs.router), uri)
        self.routers.append(router)
        if good:
            same(router.opened["error"], "", router.opened["message"])
        return router

    def paced(self, uri):
        router = self.router(uri)
        router.ask("pace")
        return router

    def end(self):
        self.servers.end()
        return [router.end() for router in self.routers]


def each_kind(words):
    """The test, once for each kind of server."""
    def keep(function):
        for kind in KINDS:
            def body(stand, kind=kind):
                take_turn(kind)
                try:
                    bench = Bench(stand, kind)
                except Unavailable as why:
                    raise Skip(why) from why
                codes = None
                try:
                    function(bench)
                finally:
                    codes = bench.end()
                same([code for code in codes if code not in (0, 1)], [], "ends of the router")
            test(f"{kind}: {words}")(body)
        return function
    return keep


def uri_of(server, scheme="redis", more=""):
    return f"{scheme}://{server.address}{more}"


def all_answered(row, n):
    same((row["error"], row["answered"], row["unknown"]), ("", n, []), row["message"])


def fails(row, code, *words):
    same(row["error"], code, row["message"])
    among(words, row["message"])


def refused(nodes, word):
    """How often the servers said so."""
    found = 0
    for node in nodes:
        if node.is_running():
            said_so = node.info("errorstats").get(f"errorstat_{word}", {})
            found += int(said_so.get("count", 0) if isinstance(said_so, dict) else said_so.partition("=")[2])
    return found


# --- slots that move


@each_kind("every write lands once while slots move")
def moving_slots(bench):
    cluster = bench.servers.cluster(replicas=0)
    router = bench.router(uri_of(cluster.nodes[0]))
    rounds = 0
    with cluster.moving() as moved:
        while len(moved) < 20:
            all_answered(router.incr("k", 3000), 3000)
            rounds += 1
    same(router.get("k", 3000)["sum"], 3000 * rounds, "sum")
    must(refused(cluster.nodes, "MOVED") + refused(cluster.nodes, "ASK") > 0, "no slot moved under the router's feet")


@each_kind("a slot that is half moved is waited for, and named at the deadline")
def half_moved(bench):
    cluster = bench.servers.cluster(primaries=2, replicas=0)
    router = bench.router(uri_of(cluster.nodes[1]))
    all_answered(router.incr("k", 1), 1)
    slot = cluster.nodes[0].call("CLUSTER", "KEYSLOT", "k{0}")
    source = cluster.owner(slot)
    target = next(node for node in cluster.nodes if node is not source)
    cluster.move_begin(slot, source, target)
    cluster.move_keys(slot, source, target, most=1)
    tries = (router.incr("k", 1, 1500) for _ in range(10))
    row = next(row for row in tries if row["unknown"] != [0]) # it may be on its way just at the deadline: again then
    fails(row, "busy", f"slot {slot}", "TRYAGAIN")
    same((row["not_sent"], row["unknown"]), (1, []), "fate")
    rows = []
    waiting = threading.Thread(target=lambda: rows.append(router.incr("k", 1)))
    before = refused([source, target], "TRYAGAIN")
    waiting.start()
    wait_for(lambda: refused([source, target], "TRYAGAIN") > before, "another TRYAGAIN")
    cluster.move_keys(slot, source, target)
    waiting.join()
    all_answered(rows[0], 1) # by ASK: the slot has not changed hands
    must(refused([source], "ASK") > 0, "no ASK")
    cluster.move_end(slot, source, target)
    all_answered(router.incr("k", 1), 1)
    same(router.get("k", 1)["sum"], 3, "sum")


@each_kind("a slot that nobody owns is named at the deadline; the others are served")
def unowned(bench):
    cluster = bench.servers.cluster(primaries=2, replicas=0, **{"cluster_require_full_coverage": "no"})
    router = bench.router(uri_of(cluster.nodes[0]))
    slot = cluster.nodes[0].call("CLUSTER", "KEYSLOT", "k{0}")
    for node in cluster.nodes:
        node.call("CLUSTER", "DELSLOTS", slot)
    same(router.ask("topology")["unowned"], 1, "unowned")
    row = router.incr("k", 100, 1000)
    fails(row, "unreachable", f"slot {slot}")
    same((row["answered"], row["not_sent"], row["unknown"]), (99, 1, []), "fates")


# --- nodes that die or hang


@each_kind("a failover is ridden out; what was settled before is there; that it may have cost writes is told once")
def failover(bench):
    cluster = bench.servers.cluster()
    router = bench.router(uri_of(cluster.nodes[0]))
    all_answered(router.incr("k", 2000), 2000)
    same(router.settle()["error"], "", "settle")
    all_answered(router.incr("k", 2000), 2000)
    killer = threading.Thread(target=cluster.fail_over, args=(cluster.primaries()[0],))
    killer.start()
    answered = unknown = 0
    while killer.is_alive():
        row = router.incr("k", 2000)
        same(row["error"], "", row["message"])
        answered, unknown = answered + row["answered"], unknown + len(row["unknown"])
        same(row["answered"] + len(row["unknown"]), 2000, "every command has a fate")
    killer.join()
    fails(router.settle(), "unsettled", "127.0.0.1")
    same(router.settle()["error"], "", "settle")
    total = router.get("k", 2000)["sum"]
    must(2000 <= total <= 4000 + answered + unknown, f"{total} of {4000 + answered} and {unknown} in doubt")
    all_answered(router.incr("k", 2000), 2000)
    same(router.get("k", 2000)["sum"], total + 2000, "sum")


@each_kind("a server that hangs is TIMED_OUT within the deadline; writes to it are unknown, reads are not")
def hangs(bench):
    server = bench.servers.standalone()
    router = bench.router(uri_of(server))
    all_answered(router.incr("k", 100), 100)
    server.freeze()
    for ask, doubt in ((router.get, 0), (router.incr, 100)):
        # The connection of the first is given up: the second finds none, and sends nothing.
        began = time.monotonic()
        row = ask("k", 100, 1000)
        must(0.9 < time.monotonic() - began < 2, f"took {time.monotonic() - began} s")
        fails(row, "timed-out", server.address)
        same(row["answered"], 0, "answered")
        must(len(row["unknown"]) <= doubt, row["unknown"])
    server.thaw()
    all_answered(router.get("k", 100), 100)
    all_answered(router.incr("k", 100), 100)
    server.freeze()
    same(router.incr("k", 100, 500)["unknown"], list(range(100)), "unknown")
    server.thaw()


@each_kind("a server that loads its data is waited for")
def loading(bench):
    server = bench.servers.standalone(key_load_delay=500, loading_process_events_interval_bytes=1024)
    router = bench.router(uri_of(server))
    all_answered(router.incr("k", 4000), 4000)
    server.call("SAVE")
    server.kill()
    server.start(ready=False)
    wait_for(lambda: b"LOADING" in said(server, "GET", "k"), "a server that loads")
    fails(router.get("k", 4000, 1000), "busy", "LOADING")
    all_answered(router.get("k", 4000), 4000)


def said(server, *words):
    try:
        return repr(server.call(*words)).encode()
    except need_client().RedisError as error:
        return f"LOADING {error}".encode() if "loading" in str(error).lower() else str(error).encode()


@each_kind("a connection that was closed while nobody used it costs no write")
def closed(bench):
    server = bench.servers.standalone()
    router = bench.router(uri_of(server))
    all_answered(router.incr("k", 1000), 1000)
    server.call("SAVE")
    server.kill()
    server.start()
    all_answered(router.incr("k", 1000), 1000)
    same(router.get("k", 1000)["sum"], 2000, "sum")


# --- what servers refuse


@each_kind("scripts that a server has forgotten are loaded again")
def forgotten(bench):
    server = bench.servers.standalone()
    router = bench.router(uri_of(server))
    for _ in range(3):
        all_answered(router.incr("k", 2000), 2000)
        server.call("SCRIPT", "FLUSH")
    same(router.get("k", 2000)["sum"], 6000, "sum")
    loads = server.info("commandstats")["cmdstat_script|load"]["calls"]
    must(loads <= 6, f"the script was loaded {loads} times")
    refused = int(server.info("errorstats")["errorstat_NOSCRIPT"].removeprefix("count="))
    must(refused <= 3 * 512, f"{refused} calls were refused: more than were on their way when the first of them was")


@each_kind("a server that is full, read-only or short of replicas: waited for, then said; the write was not done")
def refusals(bench):
    server = bench.servers.standalone()
    replica = bench.servers.replica_of(server)
    router = bench.router(uri_of(server))
    all_answered(router.incr("k", 10), 10)
    server.call("CONFIG", "SET", "maxmemory", "1")
    fails(router.incr("k", 10, 300), "store", "OOM", "maxmemory")
    rows = []
    waiting = threading.Thread(target=lambda: rows.append(router.incr("k", 10)))
    waiting.start()
    server.call("CONFIG", "SET", "maxmemory", "0")
    waiting.join()
    all_answered(rows[0], 10)
    server.call("CONFIG", "SET", "min-replicas-to-write", "5")
    fails(router.incr("k", 10, 300), "busy", "NOREPLICAS")
    server.call("CONFIG", "SET", "min-replicas-to-write", "0")
    same(router.get("k", 10)["sum"], 20, "sum")
    fails(bench.router(uri_of(replica)).incr("k", 10, 300), "unreachable", "READONLY")


@each_kind("a wrong password and a missing right end it at once")
def rights(bench):
    users = bench.servers.acl("user default on nopass ~* &* +@all", "user reader on >secret ~* +@all -evalsha",
                              "user narrow on >secret ~other* +@all")
    server = bench.servers.standalone(aclfile=users)
    for user, word in (("reader", "NOPERM"), ("narrow", "NOPERM")):
        router = bench.router(f"redis://{user}:secret@{server.address}")
        began = time.monotonic()
        fails(router.incr("k", 10, 10000), "not-permitted", word)
        must(time.monotonic() - began < 5, "it was waited for")
    fails(bench.router(f"redis://reader:wrong@{server.address}", good=False).opened, "not-permitted", server.address)


# --- settling


@each_kind("settling waits for the replicas, and says how many answered")
def settles(bench):
    server = bench.servers.standalone(appendonly="yes")
    router = bench.router(uri_of(server))
    all_answered(router.incr("k", 100), 100)
    same(router.settle()["error"], "", "without replicas")
    replica = bench.servers.replica_of(server)
    all_answered(router.incr("k", 100), 100)
    same(router.settle()["error"], "", "with a replica")
    replica.freeze()
    all_answered(router.incr("k", 100), 100)
    fails(router.settle(600), "timed-out", server.address, "0 of 1 replicas")
    fails(router.settle(600), "timed-out", server.address, "0 of 1 replicas")
    replica.thaw()
    same(router.settle()["error"], "", "again")
    same(replica.call("GET", "k{7}"), b"3", "at the replica")


@each_kind("a connection that breaks between a write and settling: the same process is waited for, another is told")
def torn(bench):
    server = bench.servers.standalone()
    replica = bench.servers.replica_of(server)
    router = bench.router(uri_of(server))
    all_answered(router.incr("k", 100), 100)
    replica.freeze()
    all_answered(router.incr("k", 100), 100)
    server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    fails(router.settle(600), "timed-out", server.address)
    replica.thaw()
    same(router.settle()["error"], "", "the same process")
    all_answered(router.incr("k", 100), 100)
    server.kill()
    server.start()
    fails(router.settle(), "unsettled", server.address)
    same(router.settle()["error"], "", "told once")


# --- ways to a server


@each_kind("Sentinel names the primary, before and after a failover")
def sentinel(bench):
    sentinels = bench.servers.sentinels()
    hosts = ",".join(watcher.address for watcher in sentinels.sentinels)
    router = bench.router(f"redis://{hosts}/?sentinel={sentinels.name}")
    same(router.ask("topology")["nodes"][0]["at"], sentinels.master().address, "master")
    all_answered(router.incr("k", 100), 100)
    same(router.settle()["error"], "", "settle")
    after = sentinels.fail_over()
    all_answered(router.get("k", 100), 100)
    all_answered(router.incr("k", 100), 100)
    same(router.get("k", 100)["sum"], 200, "sum")
    same(router.ask("topology")["nodes"][0]["at"], after.address, "master")
    fails(bench.router(f"redis://{hosts}/?sentinel=nobody", good=False).opened, "unreachable", "no master 'nobody'")
    fails(bench.router(f"redis://{hosts}", good=False).opened, "usage", "Sentinel")


@each_kind("nodes that announce a name, or nothing, are found; so is a cluster behind TLS")
def announced(bench):
    for settings in ({"cluster_announce_hostname": "localhost", "cluster_preferred_endpoint_type": "hostname"},
                     {"cluster_preferred_endpoint_type": "unknown-endpoint"}, {"tls": True}):
        cluster = bench.servers.cluster(primaries=2, replicas=0, **settings)
        tls = f"?ca={bench.servers.tls}/ca.crt&cert={bench.servers.tls}/client.crt&key={bench.servers.tls}/client.key"
        router = bench.router(uri_of(cluster.nodes[0], *(("rediss", tls) if "tls" in settings else ())))
        nodes = router.ask("topology")["nodes"]
        host = "localhost" if "cluster_announce_hostname" in settings else "127.0.0.1"
        same(sorted(node["at"] for node in nodes), sorted(f"{host}:{node.port}" for node in cluster.nodes), "nodes")
        all_answered(router.incr("k", 1000), 1000)
        for node in cluster.nodes:
            must(node.call("DBSIZE") > 500, "both have their share")
            node.kill()


QUESTIONS = [("INFO", "server"), ("INFO", "replication"), ("INFO", "cluster"), ("CLUSTER", "INFO"), ("CLUSTER", "MYID"),
             ("CLUSTER", "SHARDS")]


def encoded(value):
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(encoded, value))
    return b":%d\r\n" % value if isinstance(value, int) else b"$%d\r\n%s\r\n" % (len(value), value)


def view_of(node):
    """What the node answers now to whoever asks for the topology."""
    client = node.client()
    client.response_callbacks.clear()
    answers = {words: encoded(client.execute_command(*words)) for words in QUESTIONS}
    client.close()
    return answers


class Parrot(socketserver.StreamRequestHandler):
    """Says to each question what was answered once."""

    def handle(self):
        while head := self.rfile.readline():
            words = tuple(self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2].decode() for _ in range(int(head[1:])))
            self.server.asked.append(words)
            self.wfile.write(self.server.answers.get(words, b"-ERR unknown command\r\n"))


class Parrots(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@each_kind("a node whose view is old is not believed once a newer one is known")
def stale(bench):
    cluster = bench.servers.cluster(replicas=0)
    old, target, source = cluster.nodes # the target has not the highest epoch of the three: it gets a new one
    answers = view_of(old)
    cluster.move(16383, target)
    cluster.wait_whole()
    router = bench.router(uri_of(old))
    now = router.ask("topology")
    same(now["nodes"][now["asked"]]["at"], old.address, "who is asked first")
    old.kill()
    with Parrots(("127.0.0.1", old.port), Parrot) as parrot:
        parrot.answers, parrot.asked = answers, []
        threading.Thread(target=parrot.serve_forever, daemon=True).start()
        found = router.ask("topology")
        must(("CLUSTER", "SHARDS") in parrot.asked, "the old view was not asked for")
        parrot.shutdown()
    same(found["epoch"], now["epoch"], "epoch")
    must(found["nodes"][found["asked"]]["at"] in (source.address, target.address), "who was believed")


# --- listing


def filled(client, n, prefix="key:", execute=5000):
    """So many keys of the dataset, some of others."""
    pipeline = client.pipeline(**({} if hasattr(client, "get_primaries") else {"transaction": False}))
    keys = set()
    for i in range(n):
        pipeline.set(f"{prefix}{i}", i)
        keys.add(f"{prefix}{i}".encode())
        if i % execute == 0:
            pipeline.execute()
    for i in range(1000):
        pipeline.set(f"other:{i}", i)
        pipeline.set(f"sluice:fence:{i}", i)
    pipeline.execute()
    return keys


@each_kind("100,000 keys of a standalone server are listed, though it is started anew in the middle")
def lists_standalone(bench):
    server = bench.servers.standalone()
    keys = filled(server.client(), 100000)
    router, file = bench.router(uri_of(server)), bench.stand.path("keys")
    lists(router, file, keys, "at one go")
    lists(router, file, keys, "by cursors", each=lambda number: number % 7 or router.ask("again"))
    server.call("SAVE")

    def restart(number):
        if number == 20:
            server.kill()
            server.start()
    found, came = router.listing(file, each=restart)
    same(len(found ^ keys), 0, "wrong keys")
    must(came > 110000, f"it was not begun anew: {came} keys came")


@each_kind("100,000 keys of a cluster are listed while slots move")
def lists_moving(bench):
    cluster = bench.servers.cluster(replicas=0)
    client = cluster.client()
    keys = filled(client, 70000)
    for tag in range(10): # slots of their own
        keys |= filled(client, 3000, prefix=f"key:{{{tag}}}")
    router, file = bench.router(uri_of(cluster.nodes[0])), bench.stand.path("keys")
    lists(router, file, keys, "at rest")
    large = [client.keyslot(f"key:{{{tag}}}") for tag in range(10)]
    for most, slots in ((0, None), (1000, None), (1000, large), (8, None)): # 8: nearly every slot is too large for one call
        with cluster.moving(slots=slots, seed=most) as moved:
            wait_for(lambda: moved, "a slot that moved")
            before = len(moved)
            found, _ = router.listing(file, most=most, each=lambda number: number % 20 or wait_more(moved))
        same(len(found ^ keys), 0, f"keys too many or too few, slots above {most} by SCAN")
        must(len(moved) > before, "no slot moved meanwhile")
    paced = bench.paced(uri_of(cluster.nodes[0]))
    for slots in (None, large):
        with cluster.moving(slots=slots) as moved:
            wait_for(lambda: moved, "a slot that moved")
            found, _ = paced.listing(file, at_once=10000, each=lambda number: number % 5 or wait_more(moved))
        same(len(found ^ keys), 0, "at a pace: keys too many or too few")
    found = set(client.scan_iter("key:*", target_nodes=client.PRIMARIES))
    same(len(found ^ keys), 0, "wrong keys in python's own listing")


def lists(router, file, keys, what, **more):
    """All of them, and each once."""
    found, came = router.listing(file, **more)
    same((len(found ^ keys), came), (0, len(keys)), f"{what}: wrong keys, keys that came")


def wait_more(moved):
    before = len(moved)
    wait_for(lambda: len(moved) > before, "another slot that moves")


TURNS, OF_SLOT = 30, 60 # slots of each owner, and keys of each: more than one call gives


def lists_by_turns(cluster, router, paced, file):
    """Owner after owner; at a pace as many slots of each, so that none of them waits until the others are through."""
    owner = {slot: node.port for node in cluster.primaries() for slot in cluster.slots(node)[:TURNS]}
    tags = {slot: tag for tag in range(50_000) if (slot := slot_of(f"{{{tag}}}")) in owner} # hardly a slot is missed
    pipeline = cluster.client().pipeline()
    for tag in tags.values():
        for i in range(OF_SLOT):
            pipeline.set(f"turn:{{{tag}}}:{i}", i)
    pipeline.execute()
    for who, first in ((router, {owner[min(owner)]}), (paced, set(owner.values()))):
        file.unlink(missing_ok=True)
        same(who.ask("open", "turn:*", 1000, 20000)["error"], "", "open")
        same(who.ask("next", file, SCRIPT_WAIT_MS)["error"], "", "next")
        same({owner[slot_of(key)] for key in file.read_bytes().splitlines()}, first, "whose keys come first")


@each_kind("a slot that is half moved is listed at its source, then at its target; a large one by SCAN; at a pace it is each owner's turn")
def lists_half(bench):
    cluster = bench.servers.cluster(primaries=2, replicas=0)
    keys = filled(cluster.client(), 12000, prefix="key:{big}")
    router, file = bench.router(uri_of(cluster.nodes[0])), bench.stand.path("keys")
    slot = cluster.nodes[0].call("CLUSTER", "KEYSLOT", "{big}")
    source = cluster.owner(slot)
    target = next(node for node in cluster.nodes if node is not source)
    for dataset in ("key:*", "key:{{big}}*"):
        for most in (0, 100, 20000):
            lists(router, file, keys, f"{dataset} above {most} by SCAN", dataset=dataset, most=most)
    paced = bench.paced(uri_of(cluster.nodes[0]))
    for node in cluster.nodes:
        node.call("CONFIG", "RESETSTAT")
    lists(paced, file, keys, "at a pace", most=20000)
    counts = sum(node.info("commandstats")["cmdstat_cluster|countkeysinslot"]["calls"] for node in cluster.nodes)
    must(0 < counts < SLOTS / 8, f"at a pace {counts} slots were counted before they were read")
    lists_by_turns(cluster, router, paced, file)
    cluster.move_begin(slot, source, target)
    for _ in range(3):
        for most in (0, 100, 20000):
            found, _ = router.listing(file, most=most)
            same(len(found ^ keys), 0, f"half moved, above {most} by SCAN")
        same(len(paced.listing(file, at_once=10000, most=20000)[0] ^ keys), 0, "half moved, at a pace")
        cluster.move_keys(slot, source, target, most=4000)
    cluster.move_keys(slot, source, target) # one of another dataset is left
    cluster.move_end(slot, source, target)
    lists(router, file, keys, "moved")


@each_kind("a cluster is split into parts of about the same size")
def splits(bench):
    cluster = bench.servers.cluster(replicas=0)
    filled(cluster.client(), 20000)
    router = bench.router(uri_of(cluster.nodes[0]))
    for rough in (0, 1):
        parts = router.ask("split", 8, rough)["records"]
        same(len(parts), 8, "parts")
        must(all(2000 < part < 3500 for part in parts), f"parts of {parts}")
    same(sum(router.ask("split", 8, 0)["records"]), 22000, "records")


if __name__ == "__main__":
    run_all("router")
