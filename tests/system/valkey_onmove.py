#!/usr/bin/env python3
"""Slots that are on the move, their records still where they were: a server refuses commands on keys that it does not have, within a
script too. A record that is written there is never away, not for a moment: it waits until the move has ended."""

import time

from livedata import Judge, Story, owners, read, rows, seed, uri_of, write_fix
from servers import each_kind, need_client, wait_for
from stand import must, run_all, same

KEYS = 300
MOVING = 30

MORE = """\
partitions: { size: 10 }
workers: 4
stages: [{ name: full, scope: 100% }]
protect: { errors: 50%, rate: { max: 100/s } }
"""


def on_the_move(stand, servers, write, commands, ended):
    """All but the last command before the moves begin."""
    cluster = servers.cluster(primaries=2, replicas=0)
    seed(cluster, rows(KEYS, soon_ms=(3_600_000, 7_200_000))) # one that has expired would be away, too
    begin = read(cluster)
    write_fix(stand, uri_of(cluster), MORE, target=f", write: {write}")
    for command in commands[:-1]:
        stand.sluice(*command).ended(3)
    source, target = cluster.nodes
    client = cluster.client()
    mine = owners(cluster)
    nodes = {node: node.client() for node in cluster.nodes}

    def untouched():
        """Keys that are as they were; a record that its server does not have is refused by it."""
        try:
            return [key for key, state in begin.items()
                    if nodes[mine[client.keyslot(key)]].hget(key, "times") == state.fields[b"times"]]
        except need_client().ResponseError as error:
            return must(False, f"a record was away: {error}")
    run_begin = time.time()
    process = stand.start(*commands[-1])
    wait_for(lambda: len(untouched()) < KEYS - 5, "a run that writes")
    keys = [key for key in untouched() if mine[client.keyslot(key)] is source][-MOVING:]
    slots = {client.keyslot(key) for key in keys}
    for slot in slots:
        cluster.move_begin(slot, source, target)
    left = [KEYS]
    while len(left) < 30 or left[-1] != left[-30]: # until all workers wait for the moves
        left.append(len(untouched()))
    for slot in slots:
        cluster.move_keys(slot, source, target)
        cluster.move_end(slot, source, target)
    cluster.wait_whole()
    for node in nodes.values():
        node.close()
    stand.finish(process).ended(*ended)
    judge = Judge(cluster, begin, Story([]), run_begin, drift_ms=2000)
    counts = judge.each(judge.repair).must_hold()
    must(counts["repaired"] > KEYS * 9 // 10, dict(counts))
    same(stand.sluice("audit", "verify").code, 0, "audit")


@each_kind("a record in a slot on the move is not away for a moment, and is repaired when the move has ended")
def _(stand, servers):
    on_the_move(stand, servers, "in-place", [("run", "fix.yaml", "--yes")], (0, 8))


if __name__ == "__main__":
    run_all()
