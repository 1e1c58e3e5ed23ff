#!/usr/bin/env python3
"""Random lives of a repair of hashes that is not idempotent, on a server alone and on a cluster: sluice killed, its
connections cut, the application writing the same keys; then every key was changed exactly once, a rollback is exact, and
nothing of sluice's is left. The seed is in each test's name; SLUICE_LIVES=N asks for so many on a cluster, and a third
of that alone, SLUICE_SEED=S for those from S on. And one that sleeps while its run is taken over: it writes nothing
when it wakes."""

import os
import random
import shutil
import signal
import threading
import time

from livedata import left_of_sluice
from servers import Servers, Unavailable
from stand import Skip, must, run_all, same, stand_still, test

ROWS = 3000
LIVES, FIRST = int(os.environ.get("SLUICE_LIVES", "5")), int(os.environ.get("SLUICE_SEED", "1"))
MET = {"kills": 0, "cuts": 0, "application's writes": 0, "application's keys transformed": 0}
SPEC = """
sluice: 1
name: fix
source: {{ store: "valkey://{at}", dataset: "k:{{id}}" }}
transform: {{ lua: fix.lua }}
target: {{ store: "valkey://{at}", dataset: "k:{{id}}" }}
partitions: {{ count: 3 }}
protect: {{ rate: {{ max: 3000/s }} }}
"""
LUA = "function transform(doc) doc.n = tostring(math.tointeger(tonumber(doc.n)) * 2 + 1) return doc end\n"


def numbers(client):
    keys = [f"k:{n}" for n in range(ROWS)]
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.hget(key, "n")
        pipe.execute_command("PEXPIRETIME", key)
    said = pipe.execute()
    return {key: (int(said[2 * i]), said[2 * i + 1]) for i, key in enumerate(keys)}


class Disturber:
    """Writes as the application, and cuts everybody's connections, until it is stopped. `server`: alone, or a cluster of these
    nodes."""

    def __init__(self, server, nodes, dice):
        self.server, self.nodes, self.dice, self.wrote, self.stop = server, nodes, dice, {}, threading.Event()
        self.thread = threading.Thread(target=self.body)

    def body(self):
        client, others = self.server.client(), [node.client() for node in self.nodes]
        while not self.stop.wait(self.dice.random() * 0.02):
            key, value = f"k:{self.dice.randrange(ROWS)}", 1000000 + 2 * self.dice.randrange(10**6)
            client.hset(key, "n", value)
            self.wrote[key] = value
            MET["application's writes"] += 1
            if self.dice.random() < 0.01:
                MET["cuts"] += self.dice.choice(others).execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                client = self.server.client()


def ended_at_last(stand, dice, command):
    """The command, killed at random moments a few times, then left alone."""
    for _ in range(dice.randrange(1, 5)):
        process = stand.start(*command, "--json")
        try:
            process.wait(timeout=0.1 + dice.random() * 0.8)
        except Exception: # pylint: disable=broad-except
            process.kill()
            MET["kills"] += 1
        process.communicate()
    end = time.monotonic() + 60
    done = stand.sluice(*command)
    while done.code not in (0, 8) and time.monotonic() < end:
        done = stand.sluice(*command)
    return done.ended(0, 8)


def begun(stand, servers, clustered):
    """The application's server with its keys, and the nodes that it is made of."""
    server = servers.cluster(3, 0) if clustered else servers.standalone()
    nodes = server.nodes if clustered else [server]
    pipe = server.client().pipeline(transaction=False)
    for n in range(ROWS):
        pipe.hset(f"k:{n}", mapping={"id": n, "n": n})
        pipe.pexpireat(f"k:{n}", 4102444800000 + n)
    pipe.execute()
    stand.write("fix.yaml", SPEC.format(at=nodes[0].address))
    stand.write("fix.lua", LUA)
    return server, nodes


def started(stand):
    try:
        return Servers(stand.dir)
    except Unavailable as error:
        raise Skip(str(error)) from error


def life(stand, seed, clustered=False):
    dice = random.Random(seed)
    with started(stand) as servers:
        server, nodes = begun(stand, servers, clustered)
        disturber = Disturber(server, nodes, dice)
        disturber.thread.start()
        try:
            ended_at_last(stand, dice, ("run", "fix.yaml", "--yes"))
        finally:
            disturber.stop.set()
            disturber.thread.join()
        after, wrote = numbers(server.client()), disturber.wrote
        for n in range(ROWS):
            key, (number, expires) = f"k:{n}", after[f"k:{n}"]
            base = wrote.get(key, n)
            same(expires, 4102444800000 + n, f"when {key} expires")
            must(number == 2 * base + 1 or (key in wrote and number == base), f"{key}: {base} became {number}")
            MET["application's keys transformed"] += key in wrote and number != base
        ended_at_last(stand, dice, ("rollback", "fix.1", "--yes", "--reason", "dice"))
        for key, (number, expires) in numbers(server.client()).items():
            n = int(key[2:])
            same((number, expires), (wrote.get(key, n), 4102444800000 + n), f"{key} after the rollback")
        same(left_of_sluice(nodes), [], "what sluice left")


for each in range(FIRST, FIRST + (LIVES + 2) // 3):
    test(f"life {each}: each key once, the application's writes stand, a rollback is exact")(
        lambda stand, seed=each: life(stand, seed))


for each in range(FIRST, FIRST + LIVES):
    test(f"life {each} on a cluster: each key once, the application's writes stand, a rollback is exact")(
        lambda stand, seed=each: life(stand, seed, clustered=True))


def asleep(stand, clustered, ends_before):
    """The whole process is stopped in the middle. Its run is taken over by another one with a copy of its home, which ends it
    before the first one wakes, or while it is awake again."""
    with started(stand) as servers:
        server, nodes = begun(stand, servers, clustered)
        first = stand.start("run", "fix.yaml", "--yes", "--json")
        while sum(number != n for n, (number, _) in enumerate(numbers(server.client()).values())) < ROWS // 10:
            must(first.poll() is None, "it has ended too soon")
        stand_still(first)
        shutil.copytree(stand.dir / "home", stand.dir / "copy")
        stood = numbers(server.client()) # it takes hardly a second, and might be through before it is looked at
        second = stand.start("run", "fix.yaml", "--yes", "--json", "--home", "copy", "--force-unlock")
        if ends_before:
            stand.finish(second).ended(0)
        else:
            while numbers(server.client()) == stood and second.poll() is None:
                pass
        first.send_signal(signal.SIGCONT)
        done = stand.finish(first)
        must(done.code not in (0, 8), "the one that slept has ended the run")
        if not ends_before:
            stand.finish(second).ended(0)
        same({key: number for key, (number, _) in numbers(server.client()).items()},
             {f"k:{n}": 2 * n + 1 for n in range(ROWS)}, "each key once")


for on in (False, True):
    for before in (False, True):
        test(f"one that sleeps while its run is taken over{' on a cluster' * on}, and wakes {'behind its end' if before else 'meanwhile'}"
             ", writes nothing")(lambda stand, on=on, before=before: asleep(stand, on, before))


@test("what was met is enough")
def enough(_):
    print("#", MET)
    must(all(MET.values()) or LIVES < 5, MET)


run_all()
