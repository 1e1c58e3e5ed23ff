#!/usr/bin/env python3
"""A process that is stopped while a copy of its home ends its run: the store has nothing of the run any more, and the stopped one's own
catalog knows nothing of the other. When it wakes it writes nothing a second time, on a server alone and on a cluster."""

import shutil
import signal

from livedata import ADD_LUA, left_of_sluice, numbers, seed_numbers, uri_of, write_fix
from servers import each_kind
from stand import must, run_all, same, stand_still

KEYS = 600
MORE = """\
partitions: {{ size: 50 }}
protect: {{ rate: {{ max: 600/s }} }} # so that there is something left to write when it wakes, whatever other workers do until it stands still
workers: {workers}
stages: [{{ name: full, scope: 100% }}]
"""


def waking(stand, cluster, nodes, point, workers, cut=False):
    """The first command stops at the point; the copy goes through. `cut`: its connections are gone, too."""
    write_fix(stand, uri_of(nodes[0]), MORE.format(workers=workers), ADD_LUA)
    seed_numbers(cluster, KEYS)
    with stand.asleep(point, 7) as done:
        first = stand.started[-1]
        stand_still(first)
        shutil.copytree(stand.path("home"), stand.path("copy"))
        stand.sluice("set", "fix", "protect.rate.max=none", "--home", "copy").ended(0)
        stand.sluice("run", "fix.yaml", "--yes", "--home", "copy", "--force-unlock").ended(0)
        for node in nodes if cut else ():
            node.client().execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        first.send_signal(signal.SIGCONT)
    same(numbers(cluster), {n: n + 1 for n in range(KEYS)}, f"asleep at {point}, {workers} workers: each once")
    if workers == 1: # which stood at that very point, and not amid a takeover
        must("copy of this home" in done[0].err, done[0].err)
        if not point.startswith("store.lane_open"): # a lane that is sent may find no fence yet, and make it: it hinders nobody
            same(left_of_sluice(nodes), [], f"asleep at {point}: what it has left in the store")
    shutil.rmtree(stand.path("home"))
    shutil.rmtree(stand.path("copy"))


# Before its first lane and a later one, with a batch in hand, behind its write, before what was written counts.
POINTS = ("store.lane_open:1", "store.lane_open:2", "log.before:2", "store.cas:2", "store.cas.after:2", "settle.before:2", "checkpoint.before:2")


@each_kind("a process whose run was ended with a copy of its home writes nothing when it wakes")
def _(stand, servers):
    server = servers.standalone()
    for point in POINTS:
        for workers in (1, 3):
            waking(stand, server, [server], point, workers)


@each_kind("on a cluster", slow=True)
def _(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0)
    for point in POINTS:
        waking(stand, cluster, cluster.nodes, point, 3)


@each_kind("one whose connections are gone as well makes no fence anew on which it would go on")
def _(stand, servers):
    server = servers.standalone()
    for point in ("store.cas:2", "store.cas.after:2"):
        waking(stand, server, [server], point, 1, cut=True)


if __name__ == "__main__":
    run_all()
