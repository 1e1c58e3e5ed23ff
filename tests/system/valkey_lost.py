#!/usr/bin/env python3
"""A cluster that no failover mends: a slot that nobody owns, a primary that is gone and has no replica. A run waits for as long
as a failover may take, is halted, says why and what to do, and goes on once the cluster is whole."""

import contextlib
import time

from livedata import Judge, Story, began, owners, read, rows, seed, uri_of, write_fix
from servers import each_kind, need_client, wait_for
from stand import among, must, run_all, same

KEYS = 3000
PATIENCE = 4 # seconds

MORE = """\
partitions: { size: 250 }
stages: [{ name: full, scope: 100% }]
protect: { errors: 50%, rate: { max: 1000/s } }
"""


def prepared(stand, cluster):
    write_fix(stand, f"{uri_of(cluster)}/?failover={PATIENCE}s", MORE)


def halts(stand, cluster, harm, says, mend):
    """Harmed while it writes, it is halted; mended, it goes on, and every key is repaired once."""
    seed(cluster, rows(KEYS))
    begin = read(cluster)
    prepared(stand, cluster)
    run_begin = time.time()
    process = began(stand)
    harm()
    harmed = time.monotonic()
    done = stand.finish(process).ended(5)
    must(time.monotonic() - harmed > PATIENCE, "it did not wait for a failover")
    among([*says, "CLUSTER ADDSLOTS", "sluice resume fix.1"], done.out + done.err)
    now = stand.status("fix")
    same(now["state"], "halted", "state")
    among(says, now["reason"], "reason")
    among(says, stand.sluice("run", "fix.yaml", "--yes").ended(5).err, "what run says")
    mend()
    cluster.wait_whole()
    stand.sluice("resume", "fix.1", "--reason", "mended", timeout=120).ended(0, 8)
    judge = Judge(cluster, begin, Story([]), run_begin)
    counts = judge.each(judge.repair).must_hold()
    must(counts["repaired"] > KEYS * 9 // 10, dict(counts))


def a_slot(cluster):
    return next((slot, node) for slot, node in owners(cluster).items() if slot > 9000)


def owned_by_nobody(cluster, slot):
    for node in cluster.nodes:
        with contextlib.suppress(need_client().ResponseError): # it has heard that there is no owner
            node.call("CLUSTER", "DELSLOTS", slot)
    return all(cluster.info(node)["cluster_slots_assigned"] == "16383" for node in cluster.nodes)


@each_kind("a slot that nobody owns halts a run once a failover would be over; given an owner again, the run goes on", slow=True)
def slot_without_owner(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0)
    slot, owner = a_slot(cluster)
    halts(stand, cluster, lambda: wait_for(lambda: owned_by_nobody(cluster, slot), "a slot without owner"),
          [f"no server owns slot {slot}"], lambda: owner.call("CLUSTER", "ADDSLOTS", slot))


@each_kind("a primary that is killed and has no replica halts a run once a failover would be over; started again, the run goes on", slow=True)
def lost_shard(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0, appendonly="yes", appendfsync="always")
    victim = cluster.nodes[1]
    halts(stand, cluster, victim.kill, [victim.address, "without a server"], victim.start)


@each_kind("a slot that goes while nothing but a witness is to be written halts a run likewise", slow=True)
def lost_behind_the_last_write(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0)
    seed(cluster, rows(200))
    prepared(stand, cluster)
    slot, owner = a_slot(cluster)
    with stand.asleep("settle.before:2", 5):
        wait_for(lambda: owned_by_nobody(cluster, slot), "a slot without owner")
    among([f"no server owns slot {slot}"], stand.status("fix")["reason"], "reason")
    owner.call("CLUSTER", "ADDSLOTS", slot)
    cluster.wait_whole()
    stand.sluice("resume", "fix.1", "--reason", "mended", timeout=120).ended(0, 8)


if __name__ == "__main__":
    run_all()
