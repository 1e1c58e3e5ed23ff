#!/usr/bin/env python3
"""A server of a cluster that stands still holds up its own partitions: those of the others are granted, opened, written and
checkpointed meanwhile, to the last one."""

from livedata import ADD_LUA, numbers, seed_numbers, uri_of, write_fix
from servers import each_kind, wait_for
from stand import must, run_all, same

KEYS, OF_A_PARTITION, AT_FIRST = 6000, 100, 300
MORE = f"""\
partitions: {{ size: {OF_A_PARTITION} }}
workers: 3
stages: [{{ name: full, scope: 100% }}]
protect: {{ rate: {{ max: 200/s }}, hold: 10m }} # else a server that tells nothing pauses the run, where the machine is slow
"""


def values(node):
    """Of the node's keys alone, and little is asked of it."""
    client = node.client()
    keys = client.keys("c:*")
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.hget(key, "n")
    return {int(key[2:]): int(n) for key, n in zip(keys, pipe.execute())}


def repaired(nodes):
    return sum(n == key + 1 for node in nodes for key, n in values(node).items())


@each_kind("of three servers one stands still: what begins on the others is written all the same, and the rest once it goes on", slow=True)
def _(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0, cluster_node_timeout=120000, cluster_require_full_coverage="no")
    seed_numbers(cluster, KEYS)
    write_fix(stand, uri_of(cluster), MORE, ADD_LUA)
    still, *others = sorted(cluster.nodes, key=lambda node: cluster.slots(node)[0]) # the one of the first slots
    theirs = sum(len(values(node)) for node in others)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    wait_for(lambda: repaired(cluster.nodes) >= AT_FIRST, "the first partitions", 60)
    still.freeze()
    at_that = repaired(others)
    must(at_that < theirs / 2, f"{at_that} of {theirs} were written before it stood still")
    stand.sluice("set", "fix", "protect.rate.max=2000/s").ended(0)
    try: # one partition that begins on the one that stands still ends on another
        wait_for(lambda: repaired(others) > theirs - OF_A_PARTITION, "what begins on the others", 60)
    finally:
        still.thaw()
    stand.finish(process, 120).ended(0)
    same(numbers(cluster), {n: n + 1 for n in range(KEYS)}, "each once")


if __name__ == "__main__":
    run_all()
