#!/usr/bin/env python3
"""Repairs on a live cluster of six servers while an application reads, writes, deletes and expires the very keys: no live
write is lost, every other key is repaired exactly once and nothing else changed, whatever moves and dies meanwhile; and it
can be taken back. SLUICE_LIVE_KEYS says how many keys (the proof is 300,000), SLUICE_KILLS how often sluice is killed,
SLUICE_SERVERS which servers (redis, valkey)."""

import contextlib
import json
import os
import random
import signal
import time

from livedata import (BASE, FIX_LUA, NEVER, PREFIX, Judge, as_state, busy, flush, forget_lost, marks, owners, read, read_node,
                      rows, seed, slot_of)
from servers import KINDS, Servers, Unavailable, take_turn, wait_for, wait_in_step
from stand import TESTS, Failed, Skip, must, run_all, same, stand_still, test

KEYS = int(os.environ.get("SLUICE_LIVE_KEYS", "8000"))
KILLS = int(os.environ.get("SLUICE_KILLS", "20"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
LIMIT = 120 + KEYS // 500 # seconds
MOST_DOUBTED = 20 # keys that the application wrote while their server died

SPEC = """
sluice: 1
name: fix
reason: "the importer left times at 0 and cut tier"
source: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: fix.lua }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
partitions: {{ size: {size} }}
stages: [{{ name: canary, scope: 5% }}, {{ name: full, scope: 100% }}]
protect: {{ errors: 50%, kept_live: 100%{rate} }}
"""

BRING = """
sluice: 1
name: bring
reason: "the archive has the right records"
source: {{ store: "file:archive", dataset: "*.ndjson", key: id, version: updated_at }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash, write: in-place, conflict: newer-wins }}
partitions: {{ size: {size} }}
stages: [{{ name: canary, scope: 5% }}, {{ name: full, scope: 100% }}]
protect: {{ kept_live: 100%{rate} }}
"""


def uri(place, **more):
    return "valkey://" + ",".join(node.address for node in place.running()) + more.get("query", "")


def spec(text, place, seconds=0, more=""):
    """`seconds`: how long it is to take, about, so that enough happens meanwhile. `more` of protect."""
    rate = (f", rate: {{ max: {max(KEYS // seconds, 200)}/s }}" if seconds else "") + more
    return text.format(uri=uri(place), size=max(KEYS // 40, 250), rate=rate)


class Shared:
    """One cluster for all tests of a kind: it takes seconds to become whole."""

    cluster, servers, kind = None, None, None

    @classmethod
    def get(cls, stand, kind):
        if cls.cluster and cls.kind == kind:
            flush(cls.cluster)
            return cls.cluster
        cls.end()
        try:
            cls.servers = Servers(stand.dir.parent / f"{stand.dir.name}-{kind}", kind)
        except Unavailable as why:
            raise Skip(str(why)) from why
        cls.kind, cls.cluster = kind, cls.servers.cluster(primaries=3, replicas=1)
        print(f"# {kind} {cls.servers.version()}, seed {SEED}")
        return cls.cluster

    @classmethod
    def end(cls):
        if cls.servers:
            cls.servers.end()
            for path in sorted(cls.servers.folder.parent.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            cls.servers.folder.parent.rmdir()
        cls.cluster = cls.servers = cls.kind = None


def live(words, by_hand=None, each=False):
    """A test for each kind of server; `by_hand` says why it is not for every time. Nor is the second kind of server, unless
    it is to be `each`."""
    def keep(function):
        for kind in KINDS:
            @test(f"{kind}: {words}")
            def _(stand, kind=kind):
                if by_hand and not os.environ.get("SLUICE_LIVE_ALL"):
                    raise Skip(f"by hand, with SLUICE_LIVE_ALL=1: {by_hand}")
                if not each:
                    take_turn(kind)
                cluster = Shared.get(stand, kind)
                try:
                    function(stand, cluster)
                except Exception:
                    Shared.end() # what it left is not for the next one
                    raise
        return function
    return keep


def seeded(stand, cluster):
    seed(cluster, rows(KEYS))
    stand.write("fix.lua", FIX_LUA)
    found = read(cluster)
    must(len(found) >= KEYS, len(found), "seeded")
    return found


def began(stand, name, limit=60):
    """Its process has begun to write."""
    process = stand.start("run", f"{name}.yaml", "--yes", "--json")
    try:
        stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing" and line["done"] > 0)
    except Failed:
        process.wait(timeout=limit)
        raise
    return process


def met(what, count, least):
    must(count >= least, f"met only {count} of {what}, less than {least}: nothing is proved")


def say(*words):
    print("#", *words, flush=True)


def finish(stand, process, *codes, limit=None):
    done = stand.finish(process, timeout=limit or LIMIT).ended(*(codes or (0,)))
    return done.lines()[-1]


@live("from an archive, newer wins: what the application wrote stands, all else is as in the archive")
def _(stand, cluster):
    begin = seeded(stand, cluster)
    archive = {}
    with open(stand.write("archive/a.ndjson", b""), "w", encoding="utf-8") as file:
        for key, state in begin.items():
            fields = {name.decode(): text.decode() for name, text in state.fields.items()}
            fields.update(tier="gold", updated_at=BASE + 100_000, note=fields["note"] + " geprüft")
            file.write(json.dumps(fields, ensure_ascii=False) + "\n")
            archive[key] = as_state({name: str(value) for name, value in fields.items()}, NEVER).fields
    stand.write("bring.yaml", spec(BRING, cluster, seconds=6))
    with busy(stand, cluster, KEYS, seed_of=SEED % 1000 + 1, once=True) as box:
        run_begin = time.time()
        process = began(stand, "bring")
        end = finish(stand, process, 0, 8)
    records = stand.status("bring")["records"]
    judge = Judge(cluster, begin, box.story, run_begin)
    counts = judge.each(judge.newer_wins(archive)).must_hold()
    say(box.story.words(), dict(counts), {word: n for word, n in records.items() if n}, end["exit"])
    same(box.story.stale, [], "reads that did not see the application's own last write")
    met("writes of the application", box.story.written(), 500)
    met("records kept live", records["kept_live"], 20)


@live("repair in place, with a transform that is not idempotent: each key once; then taken back, but what is the application's")
def _(stand, cluster):
    begin = seeded(stand, cluster)
    stand.write("fix.yaml", spec(SPEC, cluster, seconds=6))
    with busy(stand, cluster, KEYS, seed_of=SEED % 1000 + 2, rate=400) as box:
        run_begin = time.time()
        finish(stand, began(stand, "fix"), 0, 8)
    records = stand.status("fix")["records"]
    judge = Judge(cluster, begin, box.story, run_begin)
    counts = judge.each(judge.repair).must_hold()
    say(box.story.words(), dict(counts), {word: n for word, n in records.items() if n})
    same(box.story.stale, [], "reads that did not see the application's own last write")
    met("records changed between read and write", records["retried"], 5)
    met("keys the application wrote and sluice repaired", counts["repaired, and written by the application"], 100)
    take_back(stand, cluster, begin, box.story)


def noted(stand, code):
    """The keys that the run has noted with the code."""
    notes = stand.path("home/reports/fix.1/notes.ndjson")
    rows_of = stand.sluice("dump", str(notes), "--json").ended(0).lines() if notes.exists() else []
    return {"c:" + row["key"] for row in rows_of if row.get("code") == code}


def take_back(stand, cluster, begin, story):
    done = stand.sluice("rollback", "fix", "--yes", timeout=LIMIT).ended(0, 8)
    listed = noted(stand, "left")
    judge = Judge(cluster, begin, story)
    counts = judge.each(judge.taken_back(listed)).must_hold()
    say("taken back:", dict(counts), len(listed), "listed,", "exit", done.code)
    met("keys taken back", counts["taken back"], KEYS // 8)
    met("keys left and listed", counts["left and listed"], 20)


@live("the same while slots move from shard to shard all the time, one right after the other", each=True)
def _(stand, cluster):
    begin = seeded(stand, cluster)
    stand.write("fix.yaml", spec(SPEC, cluster, seconds=6))
    with busy(stand, cluster, KEYS, seed_of=SEED % 1000 + 3) as box, cluster.moving(seed=SEED) as moved:
        run_begin = time.time()
        process = began(stand, "fix")
        before = len(moved)
        finish(stand, process, 0, 8)
        during = len(moved) - before
    cluster.wait_whole()
    judge = Judge(cluster, begin, box.story, run_begin, drift_ms=2000)
    counts = judge.each(judge.repair).must_hold()
    say(box.story.words(), dict(counts), during, "slots moved")
    met("slots moved while it wrote", during, 30)
    met("keys the application wrote and sluice repaired", counts["repaired, and written by the application"], 50)


@live(f"the same with sluice killed {KILLS} times at random moments, and taken back in the end")
def _(stand, cluster):
    begin, dice = seeded(stand, cluster), random.Random(SEED)
    stand.write("fix.yaml", spec(SPEC, cluster, seconds=8))
    deaths, writing = 0, 0
    with busy(stand, cluster, KEYS, seed_of=SEED % 1000 + 4) as box:
        run_begin = time.time()
        while deaths < KILLS:
            process = stand.start("run", "fix.yaml", "--yes", "--json")
            if dice.random() < 0.75: # else at any moment, before that too
                try:
                    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing")
                    writing += 1
                except Failed:
                    break # it is done
            try:
                process.wait(timeout=dice.uniform(0.0, KEYS / 40000))
                break
            except Exception:  # pylint: disable=broad-except
                process.send_signal(signal.SIGKILL)
                process.wait()
                process.stdout.close()
                process.stderr.close()
                stand.started.remove(process)
                deaths += 1
        stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
        stand.sluice("run", "fix.yaml", "--yes", timeout=LIMIT).ended(0, 8)
    judge = Judge(cluster, begin, box.story, run_begin)
    counts = judge.each(judge.repair).must_hold()
    say(box.story.words(), dict(counts), deaths, "deaths,", writing, "of them writing")
    met("deaths", deaths, KILLS * 3 // 4)
    same(stand.sluice("audit", "verify").code, 0, "audit")
    take_back(stand, cluster, begin, box.story)


def mended(node, slots=None):
    """How many records it holds mended."""
    return sum(state.fields.get(b"tier") == b"gold" for key, state in read_node(node, PREFIX + "*").items()
               if not slots or slot_of(key) in slots)


def written_now(cluster):
    """The primary that the run has begun to write, and is not done with."""
    for node in cluster.primaries():
        if KEYS // 20 < mended(node) < KEYS // 5:
            return node
    return None


def writes_alone(victim, heir, process):
    """Whether it takes writes that its replica has not, and since when; none where every worker waits for the replica already,
    which then comes back."""
    cut_at = time.time()
    victim.call("ACL", "SETUSER", "default", "-psync", "-sync") # its replica loses it, and cannot come back
    victim.call("CLIENT", "KILL", "TYPE", "replica")
    before = mended(victim)
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: mended(victim) > before or process.poll() is not None, "a write", limit=3)
        return cut_at
    victim.call("ACL", "SETUSER", "default", "+psync", "+sync")
    wait_in_step(heir, victim)
    return False


def lose_primary(cluster, process):
    """A primary dies whose replica lags, so that writes that it has acknowledged are lost. Returns the primary, since when, its
    slots, and how many of the run's own were lost: counted while sluice stands still."""
    victim = wait_for(lambda: written_now(cluster), "a primary in the middle")
    slots = {slot for slot, node in owners(cluster).items() if node is victim}
    heir = cluster.replicas_of(victim)[0]
    cut_at = wait_for(lambda: writes_alone(victim, heir, process), "writes that the replica has not", limit=120)
    stand_still(process)
    before, killed_at = mended(victim), time.time()
    say(f"killed {killed_at - cut_at:.1f} s after its replica was cut off")
    victim.kill()
    cluster.wait_heir([heir], min(slots))
    after = mended(heir, slots)
    process.send_signal(signal.SIGCONT)
    return victim, (cut_at, killed_at), slots, before - after


# The guard of replication would pause the run as soon as the replica is cut off, and nothing would be lost.
@live("the same with a primary killed in the middle: what its failover lost of ours is done again")
def _(stand, cluster):
    begin = seeded(stand, cluster)
    stand.write("fix.yaml", spec(SPEC, cluster, seconds=8, more=", replication_lag: none"))
    with busy(stand, cluster, KEYS, seed_of=SEED % 1000 + 5, mark=True) as box:
        run_begin = time.time()
        process = began(stand, "fix")
        victim, lossy, slots, ours = lose_primary(cluster, process)
        code, again = stand.finish(process, timeout=LIMIT).ended(0, 3, 4, 6, 8).code, 0
        while code in (3, 6) and again < 5: # the same command goes on
            again += 1
            code = stand.sluice("run", "fix.yaml", "--yes", timeout=LIMIT).ended(0, 3, 4, 6, 8).code
    doubted = noted(stand, "in-doubt")
    must(code in (0, 8) or (code == 4 and doubted), "it was never done") # keys in doubt count against the gate
    lost = forget_lost(box.story, lossy, slots, marks(cluster))
    must(len(doubted) <= MOST_DOUBTED, f"{len(doubted)} keys in doubt")
    judge = Judge(cluster, begin, box.story, run_begin, doubted=doubted)
    counts = judge.each(judge.repair).must_hold()
    say(box.story.words(), dict(counts), "the application's near the failover:", dict(lost), "ours that it lost:", ours,
        "begun again", again, "times")
    met("writes of ours that the failover lost", ours, 1)
    met("writes of the application that it lost", lost["lost by the server"], 1)
    met("writes of the application near it that certainly stand", lost["certain"], 10)
    victim.start()
    wait_for(lambda: victim.info("replication").get("master_link_status") == "up", "the killed one is a replica now")
    take_back(stand, cluster, begin, box.story)


if __name__ == "__main__":
    try:
        run_all()
    finally:
        Shared.end()
