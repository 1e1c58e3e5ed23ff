#!/usr/bin/env python3
"""What a run promises to live requests: measured before the first write, kept, shown, changed on the way. How well it is kept
`./dev bench pace` tells; here machines with other work must do, so promises are wide."""

import json
import signal
import threading
import time

from livedata import FIX, uri_of, write_fix
from servers import each_kind, wait_for, wait_in_step
from stand import among, by_hand, must, run_all, same, test

KEYS = 3000
OF_A_PARTITION = 100

MORE = """\
stages: [{{ name: full, scope: 100% }}]
protect: {{ errors: 50%, live: {{ p99: "{promise}" }}{more} }}
"""
WIDE = "+10% or +500ms"


def seed(client, prefix, keys=KEYS):
    pipe = client.pipeline(transaction=False)
    for n in range(keys):
        pipe.hset(f"{prefix}:{n}", mapping={"id": str(n), "n": str(n)})
    pipe.execute()


def begin(stand, server, client, promise, more=""):
    seed(client, "c")
    write_spec(stand, server, promise, more)


def write_spec(stand, server, promise, more=""):
    write_fix(stand, uri_of(server), MORE.format(promise=promise, more=more), "function transform(doc) doc.n = doc.n .. '+' return doc end\n")


def ready(stand, servers, promise, more=""):
    server = servers.standalone()
    begin(stand, server, server.client(), promise, more)
    return server


def repaired(server):
    client = server.client()
    return sum(client.hget(f"c:{n}", "n") == f"{n}+".encode() for n in range(KEYS))


def is_running(line):
    return line["type"] == "state" and line["state"] == "running"


def began(stand):
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, is_running)
    return process


def began_slowly(stand, servers):
    """A run at work under a promise that cannot be kept. It is told so then: where the machine is not as quiet as it was a
    moment ago, however little is sent, such a promise would not let it begin."""
    server = ready(stand, servers, WIDE, ", rate: { max: 300/s }")
    process = began(stand)
    stand.sluice("set", "fix", "protect.live.p99=1us").ended(0)
    return server, process


def held_back(status):
    """By its promise, which it breaks (live.p99.breach) or is about to."""
    return (status["rate"]["limited_by"] or "").startswith("live.p99")


def until(stand, holds, seconds=30):
    """The status that holds."""
    def look():
        status = stand.status("fix")
        return status if holds(status) else None
    return wait_for(look, "the status that is waited for", seconds)


@each_kind("nothing is written before there is a baseline; then all is, in small steps, and the probe leaves nothing for long", slow=True)
def _(stand, servers):
    server = ready(stand, servers, WIDE)
    begun = time.monotonic()
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    notes = [line["text"] for line in stand.until(process, is_running) if line["type"] == "note"]
    must(any("known from just before" in text for text in notes), f"it measures again what planning has measured: {notes}")
    status = until(stand, lambda status: status["live"] and status["live"][0]["limit_ms"])
    must(time.monotonic() - begun > 2.5, "so soon a baseline")
    same({row["name"]: (row["unit"], row["source"], row["kind"]) for row in status["signals"] if row["source"] == "probe"},
         {"probe": ("word", "probe", "limit"), "live.p99": ("latency", "probe", "load")}, "signals of the probe")
    live = status["live"][0]
    same(live["server"], f"127.0.0.1:{server.port}", "server")
    must(live["limit_ms"] - live["baseline_ms"] >= 499, live)
    told = stand.finish(process, 120).ended(0).lines()
    paces = [line for line in told if line["type"] == "pace"]
    must(paces and all({"server", "limited_by", "window", "commands_per_s"} <= line.keys() for line in paces), f"changes of its pace: {paces}")
    same(repaired(server), KEYS, "repaired, once")
    must(0 < server.client().pttl("sluice:probe") <= 3600_000, "the probe's key does not expire")


@each_kind("who plans keeps the promise too: it is felt while keys are listed, and nobody is felt who was promised nothing", slow=True)
def _(stand, servers):
    server = ready(stand, servers, WIDE)
    spec = stand.read("fix.yaml")
    stand.write("fix.yaml", spec.replace(f', live: {{ p99: "{WIDE}" }}', ""))
    stand.sluice("plan", "fix.yaml").ended(0)
    same(server.client().exists("sluice:probe"), 0, "felt without a promise")
    stand.write("fix.yaml", spec)
    begun = time.monotonic()
    stand.sluice("plan", "fix.yaml").ended(0)
    must(time.monotonic() - begun > 2.5, "listed without a baseline")
    same(server.client().hkeys("sluice:probe"), [b"f"], "of the probe's key, when it is over")


@each_kind("what planning has learnt of three servers goes to the run, which is silent for it no more than for a lull", slow=True)
def _(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0)
    client = cluster.client()
    for n in range(KEYS // 100):
        client.hset(f"{{t}}:{n}", mapping={"id": str(n), "n": str(n)})
    write_spec(stand, cluster.nodes[0], WIDE)
    stand.write("fix.yaml", stand.read("fix.yaml").replace("c:{id}", "{{t}}:{id}")) # of one slot: no other is listed
    told = stand.sluice("run", "fix.yaml", "--yes", "--json", timeout=300).ended(0).lines()
    notes = [line["text"] for line in told if line["type"] == "note" and "live latency" in line["text"]]
    same([text.partition(",")[0] for text in notes], ["the live latency is measured before anything is listed", "the live latency is known from just before"], "notes")
    same(sum(client.hget(f"{{t}}:{n}", "n") == f"{n}+".encode() for n in range(KEYS // 100)), KEYS // 100, "repaired, once")


class Busy:
    """A server that has no time for anybody else, again and again."""
    LOOP = "local function now() local t = redis.call('time') return t[1] * 1000 + t[2] / 1000 end local began = now() repeat until now() - began > 200"

    def __init__(self, server):
        self.server, self.over = server, threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        client = self.server.client()
        while not self.over.is_set():
            client.eval(self.LOOP, 0)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@each_kind("a slow server slows its own partitions: those of the others are written while it has most of its own left", slow=True)
def _(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0)
    begin(stand, cluster.nodes[0], cluster.client(), WIDE)
    spec = stand.read("fix.yaml").replace(f', live: {{ p99: "{WIDE}" }}', "")
    stand.write("fix.yaml", spec + f"partitions: {{ size: {OF_A_PARTITION} }}\n")
    same(json.loads(stand.sluice("plan", "fix.yaml", "--json").ended(0).out)["defaults"]["workers"], "3", "one worker a server")
    client, slow = cluster.client(), cluster.nodes[0]
    slots = {node: set(cluster.slots(node)) for node in cluster.nodes}
    keys = {node: [n for n in range(KEYS) if client.keyslot(f"c:{n}") in slots[node]] for node in cluster.nodes}
    def left(node):
        pipe = node.client().pipeline(transaction=False)
        for n in keys[node]:
            pipe.hget(f"c:{n}", "n")
        return sum(value != f"{n}+".encode() for n, value in zip(keys[node], pipe.execute()))
    with Busy(slow):
        process = began(stand)
        wait_for(lambda: sum(left(node) for node in cluster.nodes[1:]) < 2 * OF_A_PARTITION,
                 "the others' records, but for those of partitions with some of the slow one's", 120)
        must(left(slow) > len(keys[slow]) / 5, f"{left(slow)} of {len(keys[slow])} left of the slow one's: it held up the others")
    stand.finish(process, 120).ended(0)
    same(repaired(cluster), KEYS, "repaired, once")


@each_kind("a promise that cannot be kept leaves a trickle, and says why; taken off it the run goes on at once", slow=True)
def _(stand, servers):
    server, process = began_slowly(stand, servers)
    status = until(stand, held_back)
    # one look in twenty falls into a lull
    wait_for(lambda: "live.p99" in stand.sluice("status", "fix").ended(0).out, "what holds it back, for people", 30)
    must(status["records"]["written"] < KEYS, "it was not held back")
    same(stand.sluice("set", "fix", "protect.live.p99=?").ended(0).out.strip(), "protect.live.p99=1us", "promise")
    stand.sluice("set", "fix", "protect.live.p99=none", "--reason", "nobody is there").ended(0)
    told = stand.finish(process, 60).ended(0).lines()
    must(any(line["type"] == "pace" and line["limited_by"] is None for line in told), "that nothing holds it back any more is not told")
    same(repaired(server), KEYS, "repaired")


@each_kind("a server that stops answering gets nothing until it does; no write is lost, none is done twice", slow=True)
def _(stand, servers):
    server, process = began_slowly(stand, servers)
    until(stand, held_back)
    server.process.send_signal(signal.SIGSTOP)
    try:
        until(stand, lambda status: status["rate"]["limited_by"] == "probe")
    finally:
        server.process.send_signal(signal.SIGCONT)
    until(stand, held_back)
    stand.sluice("set", "fix", "protect.live.p99=none").ended(0) # a wide one, from next to nothing on, takes its time
    stand.finish(process, 120).ended(0)
    same(repaired(server), KEYS, "repaired")


# What else is watched of a server says nothing either while it stands still: it is not asked.
ALONE = ", hold: 1s, replication_lag: none, memory: none, clients: none, saving: none"


def paused_by(guard):
    return lambda status: status["state"] == "paused" and status["watchdog"]["by"] == guard


@each_kind("a probe without an answer pauses the run by name, and the run goes on by itself when there is one", slow=True)
def _(stand, servers):
    server = ready(stand, servers, WIDE, ALONE + ", rate: { max: 300/s }")
    process = began(stand)
    until(stand, lambda status: status["records"]["written"] > 0)
    server.process.send_signal(signal.SIGSTOP)
    try:
        status = until(stand, paused_by("probe"))
        among("has not answered the probe", status["reason"])
        words = stand.sluice("status", "fix").ended(0).out
        must("paused by probe" in words and "slowed by" not in words, words)
    finally:
        server.process.send_signal(signal.SIGCONT)
    until(stand, lambda status: status["state"] == "running")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.finish(process, 120).ended(0)
    same(repaired(server), KEYS, "repaired, once")


@each_kind("a primary whose place its replica takes is missed by nobody: the run goes on, at the pace of those that are there", slow=True)
def _(stand, servers):
    by_hand("it takes long")
    cluster = servers.cluster()
    victim = cluster.primaries()[0]
    begin(stand, victim, cluster.client(), WIDE, ALONE + ", rate: { max: 300/s }")
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, is_running, 300) # slots are listed one by one
    until(stand, lambda status: status["records"]["written"] > 0, 120)
    heir = cluster.replicas_of(victim)[0]
    wait_in_step(heir, victim)
    heir.call("CLUSTER", "FAILOVER")
    wait_for(lambda: heir in cluster.primaries(), "the replica in its place")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.finish(process, 300).ended(0)
    same(repaired(cluster), KEYS, "repaired, once")


# Equal, once it may say so: until then a verification lasts.
JUDGE_WAITS = """#!/bin/sh
while [ ! -e judged ]; do sleep 0.1; done
sed 's/.*/{"verdict": "equal"}/'
"""


@each_kind("a probe that is refused pauses the run, a verification and a rollback, by name; allowed again, each goes on", slow=True)
def _(stand, servers):
    server = ready(stand, servers, WIDE, ALONE)
    client = server.client()
    refuse = lambda: client.execute_command("ACL", "SETUSER", "default", "resetkeys", "~c:*", "~sluice:[^p]*")
    allow = lambda: client.execute_command("ACL", "SETUSER", "default", "allkeys")

    def pauses_while_refused(process):
        refuse()
        among(["guard: probe: it cannot be read", "may not do this"], until(stand, paused_by("probe"))["reason"])
        allow()

    stand.write("fix.yaml", stand.read("fix.yaml").replace("hold: 1s", "hold: 1s, rate: { max: 100/s }") + "verify: { command: ./judge, timeout: 10m }\n")
    stand.write("judge", JUDGE_WAITS).chmod(0o755)
    process = began(stand)
    until(stand, lambda status: status["records"]["written"] > 0)
    pauses_while_refused(process)
    until(stand, lambda status: status["state"] == "running")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "verifying")
    pauses_while_refused(process)
    stand.write("judged", "")
    stand.finish(process, 120).ended(0)
    same(repaired(server), KEYS, "repaired, once")
    process = stand.start("rollback", "fix", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "rolling-back")
    pauses_while_refused(process)
    stand.finish(process, 120).ended(0)
    same(sum(client.hget(f"c:{n}", "n") == str(n).encode() for n in range(KEYS)), KEYS, "taken back")


@each_kind("a probe whose key is removed again and again pauses the run, by name; when that ends, the run goes on by itself")
def _(stand, servers):
    by_hand("it takes long")
    server = ready(stand, servers, WIDE, ALONE + ", rate: { max: 300/s }")
    client, over = server.client(), threading.Event()
    process = began(stand)
    until(stand, lambda status: status["records"]["written"] > 0)

    def evict():
        while not over.wait(0.1):
            client.unlink("sluice:probe")
    evicting = threading.Thread(target=evict)
    evicting.start()
    try:
        among(["the probe's key 'sluice:probe' is gone", "the server evicts keys"], until(stand, paused_by("probe"))["reason"])
    finally:
        over.set()
        evicting.join()
    until(stand, lambda status: status["state"] == "running")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.finish(process, 120).ended(0)
    same(repaired(server), KEYS, "repaired, once")
    must(0 < client.pttl("sluice:probe") <= 3600_000, "the key that was made anew does not expire")


@each_kind("a full server that evicts what expires, the probe's key too, pauses the run by name; when that ends, the run goes on")
def _(stand, servers):
    by_hand("it takes long")
    server = ready(stand, servers, WIDE, ALONE + ", rate: { max: 300/s }")
    client, over = server.client(), threading.Event()
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", 1 << 30)
    among("evicts any key when its memory is full", stand.sluice("run", "fix.yaml", "--yes").ended(7).err)
    client.config_set("maxmemory-policy", "volatile-random")
    process = began(stand)
    until(stand, lambda status: status["records"]["written"] > 0)
    client.config_set("maxmemory", client.info("memory")["used_memory"] + (4 << 20))

    def fill(): # what the application writes makes room for itself
        more, n = server.client(), 0
        while not over.wait(0.001):
            more.set(f"more:{n}", b"v" * 50_000, ex=3600)
            n += 1
    filling = threading.Thread(target=fill)
    filling.start()
    try:
        among(["the probe's key 'sluice:probe' is gone", "the server evicts keys"], until(stand, paused_by("probe"), 60)["reason"])
        must(client.info("stats")["evicted_keys"] > 0, "nothing was evicted")
    finally:
        over.set()
        filling.join()
    until(stand, lambda status: status["state"] == "running")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.finish(process, 120).ended(0)
    same(repaired(server), KEYS, "repaired, once")


@each_kind("what is above its promise although hardly anything is sent pauses the run; without the promise it goes on", slow=True)
def _(stand, servers):
    server = ready(stand, servers, "1us", ALONE)
    process = began(stand)
    status = until(stand, paused_by("live.p99"), 60)
    among("although hardly anything is sent", status["reason"])
    stand.sluice("set", "fix", "protect.live.p99=none").ended(0)
    stand.finish(process, 60).ended(0)
    same(repaired(server), KEYS, "repaired")


def doctor_says(stand, tries=10):
    """What doctor says of live requests; on a machine too busy for enough answers it says so, and is asked again."""
    for _ in range(tries):
        live = next(line for line in stand.sluice("doctor", "fix.yaml", "--json").ended(0).json()["checks"] if line["check"] == "live")
        if "too few answers" not in live["text"]:
            break
    return live


@each_kind("doctor holds the promise against what live requests differ by without us, and writes nothing", slow=True)
def _(stand, servers):
    server = ready(stand, servers, WIDE)
    live = doctor_says(stand)
    same(live["level"], "ok", live)
    among("the promise leaves 500.00 ms", live["text"])
    stand.write("fix.yaml", stand.read("fix.yaml").replace(WIDE, "+0.001us"))
    live = doctor_says(stand)
    same(live["level"], "warn", live)
    among("promise at least", live["todo"])
    stand.write("fix.yaml", stand.read("fix.yaml").replace("+0.001us", "1us"))
    among("above the 0.001 ms of protect.live.p99 already", doctor_says(stand)["text"])
    same(server.client().keys("sluice:*"), [], "what doctor wrote")


@each_kind("cat is read at the pace that leaves live requests what they are promised, and writes nothing", slow=True)
def _(stand, servers):
    server = ready(stand, servers, WIDE)
    cat = ("cat", f"valkey://127.0.0.1:{server.port}", "c:{id}", "--keys")
    same(len(stand.sluice(*cat).ended(0).lines()), KEYS, "keys")
    begun = time.monotonic()
    same(len(stand.sluice(*cat, "--p99", WIDE).ended(0).lines()), KEYS, "keys at a pace")
    must(time.monotonic() - begun > 2.5, "so soon a baseline")
    same(server.client().keys("sluice:*"), [], "what it wrote")
    among("+10% or +0.5ms", stand.sluice(*cat, "--p99", "10%").ended(2).err)
    among("no live requests", stand.sluice("cat", "file:.", "fix.yaml", "--p99", WIDE).ended(2).err)


@each_kind("cat hears the first Ctrl-C, also while it waits for its pace and for a server that stands still", slow=True)
def _(stand, servers):
    server = ready(stand, servers, WIDE)
    client = server.client()
    there = len(client.client_list())
    process = stand.start("cat", f"valkey://127.0.0.1:{server.port}", "c:{id}", "--keys", "--p99", "1us")
    wait_for(lambda: len(client.client_list()) > there, "a connection of its own")
    server.process.send_signal(signal.SIGSTOP)
    try:
        process.send_signal(signal.SIGINT)
        among("interrupted", stand.finish(process, 20).ended(3).err)
    finally:
        server.process.send_signal(signal.SIGCONT)


def second_home(stand, server):
    """Another home, with a run on another dataset of the same server."""
    seed(server.client(), "d")
    stand.write("other.yaml", stand.read("fix.yaml").replace("name: fix", "name: other").replace("c:{id}", "d:{id}"))
    return {"env": dict(stand.environment(), SLUICE_HOME="another")}


def beacons(server):
    return [field for field in server.client().hkeys("sluice:probe") if field.startswith(b"at:")]


SLOW = ", rate: { max: 300/s }"


@each_kind("runs of two homes know of each other on a server, and who is gone is forgotten")
def _(stand, servers):
    by_hand("it takes long")
    server = ready(stand, servers, WIDE, SLOW)
    there = second_home(stand, server)
    one = began(stand)
    other = stand.start("run", "other.yaml", "--yes", "--json", **there)
    until(stand, lambda status: status["live"] and status["live"][0]["others"] == 1)
    # while it plans it has no number yet
    status = until(stand, lambda status: status["live"] and status["live"][0]["other"].startswith("other.1 of home"), 120)
    among("another", status["live"][0]["other"])
    wait_for(lambda: json.loads(stand.sluice("status", "other", "--json", **there).out)["live"][0]["others"] == 1, "the first run")
    same(len(beacons(server)), 2, "beacons")
    other.kill()
    until(stand, lambda status: status["live"][0]["others"] == 0)
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.finish(one, 120).ended(0)
    stand.finish(other, 60)
    same(repaired(server), KEYS, "repaired, once")
    stand.sluice("run", "other.yaml", "--yes", **there).ended(0)
    must(len(beacons(server)) <= 1, "who ends takes its beacon away; that of the killed one may stand")


MANY = 150_000  # more than the second does until the test is through; the first one, which has the server alone for a while, has FIRST
FIRST = 400_000
MOST = 32       # commands in flight: one that may have so many is not held back, and its status has no window


@each_kind("runs of two homes come to the same window on a server, and neither is starved")
def _(stand, servers):
    by_hand("it takes long")
    server = ready(stand, servers, WIDE)
    there = second_home(stand, server)
    seed(server.client(), "c", FIRST)
    seed(server.client(), "d", MANY)

    def look(name, **more):
        done = stand.sluice("status", name, "--json", **more)
        status = done.json() if done.code == 0 else {"records": {"written": 0}, "live": None}
        return status["records"]["written"], status["live"][0]["window"] if status["live"] else MOST

    def shared():
        (one, wide), (other, window) = look("fix"), look("other", **there)
        return (one, other) if other and min(wide, window) > 0 and wide / 2 < window < wide * 2 else None

    began(stand)
    wait_for(lambda: look("fix")[0] > 20_000, "a first run that has found its pace", 120)
    stand.start("run", "other.yaml", "--yes", "--json", **there)
    one, other = wait_for(shared, "windows that are the same, or nearly", 120)
    wait_for(lambda: look("other", **there)[0] >= other + 10_000, "what the second gets", 120)
    now, then = look("fix")[0], look("other", **there)[0]
    must(now < FIRST, "the first is through: on this machine it needs more records than that to have something to share")
    # as many for the same window, but for who gets the processors: whoever came first would keep 24 of 25
    one, other = now - one, then - other
    must(other / 10 < one < 10 * other, f"while the second wrote {other} records the first wrote {one}")


@each_kind("a run of a higher priority goes first, whatever home it is of")
def _(stand, servers):
    by_hand("it takes long")
    server = ready(stand, servers, WIDE, SLOW)
    there = second_home(stand, server)
    stand.write("other.yaml", stand.read("other.yaml").replace("name: other", "name: other\npriority: 8"))
    one = began(stand)
    until(stand, lambda status: status["records"]["written"] > 0)
    other = stand.start("run", "other.yaml", "--yes", "--json", **there)
    status = until(stand, paused_by("priority"))
    among(["guard: priority: other", "another on", "of priority 8"], status["reason"]) # other.1, or other while it plans
    stand.until(other, is_running, 120)
    stand.sluice("set", "other", "protect.rate.max=none", **there).ended(0)
    stand.finish(other, 120).ended(0)
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.finish(one, 120).ended(0)
    same(repaired(server), KEYS, "repaired, once")


@test("a store that nobody else can use at the same time has no live requests: refused by name")
def _(stand):
    stand.put("items", ['k\t{"id": "k", "n": 1}\t0'])
    stand.write("fix.lua", "function transform(doc) return doc end\n")
    spec = (FIX.format(uri="rocksdb:live", target="") + MORE.format(promise=WIDE, more="")).replace('"c:{id}", as: hash', "items")
    stand.write("fix.yaml", spec)
    refused = stand.sluice("run", "fix.yaml", "--yes").ended(2).err
    must(refused.startswith("sluice: fix.yaml:8:"), f"something was said before it: {refused}")
    among("no", stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("fix.yaml", spec.replace(WIDE, "10%"))
    among("+10% or +0.5ms", stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("fix.yaml", spec.replace(f', live: {{ p99: "{WIDE}" }}', ""))
    stand.sluice("run", "fix.yaml").ended(2) # nobody is there to be asked: it is planned
    among("servers that others use", stand.sluice("set", "fix", f"live.p99={WIDE}").ended(2).err)
    stand.sluice("set", "fix", "live.p99=none").ended(0)


run_all()
