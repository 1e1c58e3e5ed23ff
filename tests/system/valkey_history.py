#!/usr/bin/env python3
"""Registers, counters and sets that independent clients (python3-redis) write and read on the very keys of three runs, while
these write, die, go on, die while they are taken back, and are taken back: the history of what the clients were answered is
one that the clients alone could have made (history.py). So no live write was lost, and none came back.

By hand, on a cluster whose slots move meanwhile, with SLUICE_LIVE_ALL=1; SLUICE_HISTORY_S says for how many seconds,
SLUICE_SEED which chances."""

import os
import random
import threading
import time

from history import History
from servers import KINDS as SERVERS
from servers import Cluster, Servers, Unavailable, each_kind, need_client
from stand import Skip, must, run_all, same, test

SECONDS = float(os.environ.get("SLUICE_HISTORY_S", "120"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
PAUSE = 0.004 # between two operations of a client: the server is not what is tested

ONCE = "function transform(doc) doc.times = (tonumber(doc.times) or 0) + 1 return doc end\n"

SPEC = """
sluice: 1
name: {name}
reason: "to be mended while it is in use"
source: {{ store: "{uri}", dataset: "{dataset}", as: {form} }}
{transform}
target: {{ store: "{uri}", dataset: "{dataset}", as: {form}{expires} }}
partitions: {{ size: {size} }}
stages: [{{ name: full, scope: 100% }}]
protect: {{ errors: 50%, kept_live: 100%, rate: {{ max: {rate}/s }} }}
"""

# Of each kind of value: its dataset, how sluice sees it, and what a run does to it: something that is not idempotent, or a
# new expiry, for which the value is written anew.
KINDS = {"registers": ("r:{{id}}", "hash", True), "counters": ("c:{{id}}", "hash", True), "sets": ("s:*", "raw", False)}


def uri(place):
    nodes = place.running() if isinstance(place, Cluster) else [place]
    return "valkey://" + ",".join(node.address for node in nodes)


class Client(threading.Thread):
    """One connection, one operation after the other, until it is told to stop."""

    def __init__(self, box, kind, number):
        super().__init__(daemon=True)
        self.box, self.kind, self.dice, self.name = box, kind, random.Random(f"{SEED} {kind} {number}"), f"{kind[0]}{number}"
        self.client, self.failed, self.made = box.connect(), None, 0
        self.own = {} # sets: what this client has added and not removed

    def run(self):
        act = {"registers": self.register, "counters": self.counter, "sets": self.set}[self.kind]
        try:
            while not self.box.over.wait(PAUSE):
                try:
                    act(int(self.box.keys * self.dice.random() ** 5)) # some keys are busy, and some are left alone
                except (OSError, need_client().RedisError):
                    self.box.unheard += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failed = error
        self.client.close()

    def register(self, i, final=False):
        key = f"r:{i}"
        if not final and self.dice.random() < 0.5:
            self.made += 1
            value = f"{self.name}.{self.made}"
            with self.box.history.op("write", key, value) as op:
                self.client.hset(key, "v", value)
                op.answer()
            return
        with self.box.history.op("read", key) as op:
            op.answer((self.client.hget(key, "v") or b"").decode())

    def counter(self, i, final=False):
        key = f"c:{i}"
        counts = not final and self.dice.random() < 0.5
        with self.box.history.op("count" if counts else "look", key) as op:
            op.answer(int(self.client.hincrby(key, "n", 1) if counts else self.client.hget(key, "n") or 0))

    def set(self, i, final=False):
        key, chance = f"s:{i}", self.dice.random()
        own = self.own.setdefault(key, [])
        if final or chance < 0.4:
            with self.box.history.op("members", key) as op:
                op.answer({member.decode() for member in self.client.smembers(key)})
        elif chance < 0.8 or not own:
            self.made += 1
            member = f"{self.name}.{self.made}"
            with self.box.history.op("add", key, member) as op:
                self.client.sadd(key, member)
                op.answer()
            own.append(member)
        else:
            member = own.pop(self.dice.randrange(len(own)))
            with self.box.history.op("remove", key, member) as op:
                self.client.srem(key, member)
                op.answer()


class Box:
    """The clients, for as long as the block lasts; then each key is read once more."""

    def __init__(self, place, keys, clients):
        self.place, self.keys, self.history = place, keys, History()
        self.over, self.unheard = threading.Event(), 0
        self.seed()
        self.clients = [Client(self, kind, number) for kind in KINDS for number in range(clients)]

    def connect(self):
        """Nothing is sent twice (but where it was redirected): whoever hears nothing does not know."""
        more = {"cluster_error_retry_attempts": 1} if isinstance(self.place, Cluster) else {}
        return self.place.client(**more)

    def seed(self):
        client = self.connect()
        for i in range(self.keys):
            for key, field, value in ((f"r:{i}", "v", "first"), (f"c:{i}", "n", 0)):
                client.hset(key, mapping={"id": i, field: value, "times": 0})
            client.sadd(f"s:{i}", "first")
            with self.history.op("write", f"r:{i}", "first") as op:
                op.answer()
            with self.history.op("look", f"c:{i}", 0) as op:
                op.answer()
            with self.history.op("add", f"s:{i}", "first") as op:
                op.answer()
        client.close()

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for client in self.clients:
            client.join()

    def must_hold(self):
        for client in self.clients:
            must(not client.failed, client.name, "failed:", repr(client.failed))
        last = self.connect()
        for kind in KINDS:
            client = next(each for each in self.clients if each.kind == kind)
            client.client = last
            for i in range(self.keys):
                {"registers": client.register, "counters": client.counter, "sets": client.set}[kind](i, final=True)
        last.close()
        found = list(self.history.faults())
        must(not found, f"{len(found)} impossible things, with SLUICE_SEED={SEED}:\n" + "\n".join(found[:20]))
        print("#", self.history.counts(), f"{self.unheard} unheard, seed {SEED}", flush=True)


def write_specs(stand, place, keys, rate):
    stand.write("once.lua", ONCE)
    for name, (dataset, form, transforms) in KINDS.items():
        stand.write(f"{name}.yaml", SPEC.format(
            name=name, uri=uri(place), dataset=dataset.replace("{{", "{").replace("}}", "}"), form=form, size=max(keys // 8, 20), rate=rate,
            transform="transform: { lua: once.lua }" if transforms else "", expires="" if transforms else ", expires: 30d"))


DEATHS = ("cas.after", "checkpoint.before", "log.after", "outcome.before", "settle.after")


def live_of_run(stand, name, dice, counts):
    """It dies, goes on, ends; dies while it is taken back; is taken back."""
    for point in dice.sample(DEATHS, 2):
        stand.dies(f"{point}:{dice.choice((1, 2))}", "run", f"{name}.yaml", "--yes")
    # Hot keys are never still: a gate may have failed by them. What was written is what counts here.
    stand.sluice("run", f"{name}.yaml", "--yes", timeout=300).ended(0, 3, 4, 8)
    run = f"{name}.{counts['lives'] + 1}"
    records = stand.status(run)["records"]
    stand.dies(dice.choice(("cas.after:1", "checkpoint.before:1")), "rollback", run, "--yes")
    stand.sluice("rollback", run, "--yes", timeout=300).ended(0, 8)
    back = stand.status(run)["records"]
    counts["lives"] += 1
    for word in ("written", "retried"):
        counts[word] += records[word]
    for word in ("restored", "left"):
        counts[word] += back[word]


def live_beside(stand, box, until):
    """All three at once, again and again; gives what they came to."""
    counts = {name: dict.fromkeys(("lives", "written", "retried", "restored", "left"), 0) for name in KINDS}
    failed = []

    def body(name):
        dice = random.Random(f"{SEED} {name}")
        try:
            while not counts[name]["lives"] or time.monotonic() < until:
                live_of_run(stand, name, dice, counts[name])
        except Exception as error:  # pylint: disable=broad-except
            failed.append(error)
    threads = [threading.Thread(target=body, args=(name,)) for name in KINDS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    print("#", counts, flush=True)
    return counts


def met(counts, word, least):
    found = sum(count[word] for count in counts.values())
    must(found >= least, f"met only {found} of {word}, less than {least}: nothing is proved")


@each_kind("what clients were answered, on the keys of runs that die and are taken back, is what they alone could have made", slow=True)
def _(stand, servers):
    place, keys = servers.standalone(), 120
    write_specs(stand, place, keys, rate=200)
    with Box(place, keys, clients=2) as box:
        counts = live_beside(stand, box, until=0)
    box.must_hold()
    for word, least in (("written", 3 * keys), ("retried", 3), ("restored", 10), ("left", 20)):
        met(counts, word, least)


@test("by hand: the same on a cluster whose slots move, for as long as is wished")
def _(stand):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: it takes minutes")
    try:
        with Servers(stand.dir, SERVERS[0]) as servers:
            place, keys = servers.cluster(primaries=3, replicas=0), 600
            write_specs(stand, place, keys, rate=400)
            with Box(place, keys, clients=3) as box, place.moving(seed=SEED) as moved:
                counts = live_beside(stand, box, until=time.monotonic() + SECONDS)
            box.must_hold()
            print(f"# {len(moved)} slots moved")
    except Unavailable as error:
        raise Skip(str(error)) from error
    for word, least in (("written", 3 * keys), ("retried", 20), ("restored", 100), ("left", 100)):
        met(counts, word, least)


if __name__ == "__main__":
    run_all()
