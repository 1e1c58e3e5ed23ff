#!/usr/bin/env python3
"""A home that is older than its run's end (a backup that was restored), with which a new process begins: the run was ended with a later
copy, and the store has no fence of it any more. It hears of that, and writes nothing a second time, on a server alone and on a cluster."""

import shutil
import time

from livedata import ADD_LUA, NEVER, numbers, seed_numbers, uri_of, write_fix
from servers import each_kind
from stand import among, must, run_all, same

KEYS = 300
PERIOD_MS = 200 * 24 * 3600 * 1000
MORE = """\
partitions: { size: 100 }
workers: 1
stages: [{ name: first, scope: 1% }, { name: full, scope: 100% }]
"""
BUDGET = "budget: { records: 100 }\n"


def dies(point):
    return lambda stand: stand.dies(point, "run", "fix.yaml", "--yes")


# How the home stands when it is copied: planned, with the lock alone, before a first write, behind one that nothing notes, in the midst,
# with all written and verified, and paused until a person resumes it.
COPIED = {
    "planned": dies("store.lock:1"),
    "locked": dies("store.lock.after:1"),
    "at its first lane": dies("store.lane_open.after:1"),
    "behind its first write": dies("store.cas.after:1"),
    "in the midst": dies("store.cas:2"),
    "before its end": dies("store.end_mark:1"),
    "paused": lambda stand: stand.sluice("run", "fix.yaml", "--yes").ended(3),
}


def goes_on(stand, home, *more):
    stand.sluice("set", "fix.1", "budget.records=none", "--home", home)
    return stand.sluice("resume", "fix.1", "--reason", "goes on", "--home", home, *more)


def taken_back(stand, home):
    return stand.sluice("rollback", "fix.1", "--yes", "--reason", "taken back", "--home", home)


def ended_and_taken_back(stand, home):
    goes_on(stand, home).ended(0)
    return taken_back(stand, home)


ENDED = {
    "done": goes_on,
    "rolled back": taken_back,
    "done, and rolled back": ended_and_taken_back,
    "aborted": lambda stand, home: stand.sluice("abort", "fix.1", "--reason", "enough", "--home", home),
}

AFTER = {"resume": goes_on, "run": lambda stand, home: stand.sluice("run", "fix.yaml", "--yes", "--home", home), "rollback": taken_back}


def clean(stand, nodes):
    for node in nodes:
        node.client().flushall()
    for home in ("home", "copy", "older"):
        shutil.rmtree(stand.path(home), ignore_errors=True)


def begun(stand, cluster, nodes, copied):
    clean(stand, nodes)
    write_fix(stand, uri_of(nodes[0]), MORE + (BUDGET if copied == "paused" else ""), ADD_LUA)
    seed_numbers(cluster, KEYS)
    COPIED[copied](stand)
    shutil.copytree(stand.path("home"), stand.path("older"))


def older(stand, cluster, nodes, copied, ended):
    """What is written, and told, where the older home is used once the run was ended: lines of what is wrong."""
    wrong = []
    if copied in ("planned", "locked") and ended == "rolled back":
        return wrong # nothing is there to be taken back
    for command, after in AFTER.items():
        begun(stand, cluster, nodes, copied)
        ENDED[ended](stand, "home").ended(0)
        stood = numbers(cluster)
        done = after(stand, "older")
        now = numbers(cluster)
        twice = sum(now[n] == n + 2 for n in now)
        other = sum(now[n] != stood[n] for n in now)
        refused = done.code == 7 and ("of which this home" in done.err or "nothing to take back" in done.err)
        print(f"# copied {copied}, {ended}, then {command}: {done.code}, {other} changed, {twice} twice")
        waits = done.code == 3 and (copied, command) == ("paused", "run")
        if other or not (refused or waits):
            wrong.append(f"copied {copied}, {ended}, then {command}: {done.code}, {other} changed, {twice} twice: {done.err.strip()[-300:]}")
    return wrong


def all_older(stand, cluster, nodes, ways):
    wrong = [line for copied in ways for ended in ENDED for line in older(stand, cluster, nodes, copied, ended)]
    must(not wrong, "\n".join(wrong))


@each_kind("a home that is older than its run's end writes nothing")
def _(stand, servers):
    server = servers.standalone()
    all_older(stand, server, [server], COPIED)


@each_kind("on a cluster", slow=True)
def _(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0)
    all_older(stand, cluster, cluster.nodes, ("locked", "in the midst", "paused"))


@each_kind("it is told which home ended the run, and `abort` ends it there, too: nothing changes, nothing is locked")
def _(stand, servers):
    server = servers.standalone()
    begun(stand, server, [server], "in the midst")
    goes_on(stand, "home").ended(0)
    done = goes_on(stand, "older", "--force-unlock").ended(7)
    among([str(stand.path("home")), str(stand.path("older")), "sluice abort fix.1"], done.err)
    same(server.client().exists("sluice:locks"), 0, "the lock is nobody's")
    stood = numbers(server)
    among("aborted here alone", stand.sluice("abort", "fix.1", "--reason", "it was", "--home", "older").ended(0).err)
    same(numbers(server), stood, "what stands")
    same(stand.sluice("status", "fix.1", "--json", "--home", "older").ended(0).json()["state"], "aborted", "the older home's state")
    taken_back(stand, "home").ended(0)
    same(numbers(server), {n: n for n in range(KEYS)}, "taken back by the home that ended it")


@each_kind("what is left of a run that is over is small, expires not, is told for 400 days, and goes with a later one")
def _(stand, servers):
    server = servers.standalone()
    client, period = server.client(), int(time.time() * 1000) // PERIOD_MS
    begun(stand, server, [server], "in the midst")
    client.hset(f"sluice:ended:{period - 3}", "0" * 32, "{}")
    goes_on(stand, "home").ended(0)
    [left] = client.keys("sluice:*")
    same(left, f"sluice:ended:{period}".encode(), "what is left")
    same(client.pttl(left), NEVER, "when it expires: while no key does, no reader asks when one does")
    must(client.memory_usage(left) < 1024, client.memory_usage(left))
    for to in (period + 1, period - 1, period - 2):
        [stands] = client.keys("sluice:ended:*")
        client.rename(stands, f"sluice:ended:{to}")
        stand.sluice("resume", "fix.1", "--reason", "goes on", "--home", "older").ended(7)


@each_kind("a home whose run was not ended elsewhere goes on, whoever had the lock meanwhile")
def _(stand, servers):
    server = servers.standalone()
    for copied in COPIED:
        begun(stand, server, [server], copied)
        stand.write("other.lua", "function transform(doc) doc.m = 1 return doc end\n")
        stand.write("other.yaml", stand.read("fix.yaml").replace("name: fix", "name: other").replace("fix.lua", "other.lua")
                    .replace(BUDGET, ""))
        other = ("run", "other.yaml", "--yes", "--home", "copy", "--force-unlock", "--reason", "it is dead")
        stand.sluice(*other).ended(0)
        goes_on(stand, "older").ended(0, 8)
        for number, found in numbers(server).items():
            must(found in (number, number + 1), f"copied {copied}: {number} became {found}")


if __name__ == "__main__":
    run_all()
