#!/usr/bin/env python3
"""A process that is stopped while a copy of its home ends its run: the store has nothing of the run any more, and the stopped one's own
catalog knows nothing of the other. When it wakes it writes nothing a second time, on a server alone and on a cluster."""

import shutil
import signal

from livedata import NEVER, read, seed
from servers import each_kind
from stand import must, run_all, same, stand_still

KEYS = 600
LUA = "function transform(doc) doc.n = tonumber(doc.n) + 1 return doc end\n"
SPEC = """
sluice: 1
name: fix
source: {{ store: "valkey://{at}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: fix.lua }}
target: {{ store: "valkey://{at}", dataset: "c:{{id}}", as: hash }}
partitions: {{ size: 200 }}
protect: {{ rate: {{ max: 4000/s }} }}
workers: {workers}
stages: [{{ name: full, scope: 100% }}]
"""


def waking(stand, cluster, nodes, point, workers, cut=False):
    """The first command stops at the point; the copy goes through. `cut`: its connections are gone, too."""
    stand.write("fix.lua", LUA)
    stand.write("fix.yaml", SPEC.format(at=nodes[0].address, workers=workers))
    seed(cluster, [(f"c:{n:05d}", {"id": f"{n:05d}", "n": str(n)}, NEVER) for n in range(KEYS)])
    with stand.asleep(point, 7) as done:
        first = stand.started[-1]
        stand_still(first)
        shutil.copytree(stand.path("home"), stand.path("copy"))
        stand.sluice("run", "fix.yaml", "--yes", "--home", "copy", "--force-unlock").ended(0)
        for node in nodes if cut else ():
            node.client().execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        first.send_signal(signal.SIGCONT)
    same({int(key[2:]): int(state.fields[b"n"]) for key, state in read(cluster).items()}, {n: n + 1 for n in range(KEYS)},
         f"asleep at {point}, {workers} workers: each once")
    must(workers > 1 or "copy of this home" in done[0].err, done[0].err)
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
