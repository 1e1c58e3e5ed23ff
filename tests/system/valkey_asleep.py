#!/usr/bin/env python3
"""A process that sleeps (stopped, or in a virtual machine that is paused) while another one takes its run up, finishes it or takes it
back, and wakes when that is over: it writes nothing, and moves nothing. The lock of the run lies in the home, and a process that
sleeps keeps it; here it is lost, as on a file system of another machine."""

from livedata import ADD_LUA, numbers, seed_numbers, uri_of, write_fix
from servers import Mover, each_kind
from stand import run_all, same

KEYS = 200
MORE = """\
partitions: { size: 50 }
workers: 1
stages: [{ name: full, scope: 100% }]
"""
# Between a grant and the opening of its lane, behind that, with a batch in hand, before what was written counts.
POINTS = ("store.lane_open:2", "store.lane_open.after:2", "log.before:2", "store.cas:2", "checkpoint.before:2")


def overtaken(stand, point, *command):
    """A process falls asleep in the middle of its run, and another one gives the command."""
    with stand.asleep(point, 6, 7): # another has the run; or the fence is gone on which it would go on
        max(stand.path("home/runs").glob("*.lock"), key=lambda path: int(path.name.split(".")[1])).unlink()
        stand.sluice(*command).ended(0)
        stood = stand.status("fix")
    now = stand.status("fix")
    for word in ("state", "reason", "records", "stages"):
        same(now[word], stood[word], f"{point}: {word}, once it is awake")


def ready(stand, place):
    seed_numbers(place, KEYS)
    write_fix(stand, uri_of(place), MORE, ADD_LUA)


def lived(stand, server):
    plus = 0
    for point in POINTS:
        overtaken(stand, point, "rollback", "fix", "--yes")
        same(numbers(server), {n: n + plus for n in range(KEYS)}, f"asleep at {point} while its run is taken back")
        overtaken(stand, point, "run", "fix.yaml", "--yes")
        plus += 1
        same(numbers(server), {n: n + plus for n in range(KEYS)}, f"asleep at {point} while its run is finished")
        stand.sluice("rollback", "fix", "--yes").ended(0) # the next one is a new run
        plus -= 1
    same(stand.sluice("audit", "verify").code, 0, "audit")


@each_kind("a process that sleeps while its run is taken back, or finished, writes nothing when it wakes")
def _(stand, servers):
    server = servers.standalone()
    ready(stand, server)
    lived(stand, server)


@each_kind("a slot that moves between the last write of a batch and its witness is followed, though nothing else asks who has it", slow=True)
def _(stand, servers):
    cluster = servers.cluster(primaries=3, replicas=0)
    ready(stand, cluster)
    mover = Mover(cluster)
    with stand.asleep("settle.before:2", 0):
        for node in cluster.nodes: # the first slot of each is where its witnesses lie
            mover.move(cluster.slots(node)[0], next(other for other in cluster.nodes if other is not node))
    mover.end()
    same(numbers(cluster), {n: n + 1 for n in range(KEYS)}, "each once")


if __name__ == "__main__":
    run_all()
