#!/usr/bin/env python3
"""Shadows on real servers: an application reads, writes, deletes and expires the very keys while a run writes its shadow, while it
is promoted and while it is taken back, and sluice is killed at random moments of all three. One server in the ordinary suite; a
cluster whose slots move with SLUICE_LIVE_ALL=1. SLUICE_LIVE_KEYS says how many keys, SLUICE_KILLS how often sluice is killed."""

import contextlib
import os
import random
import signal
import time

from livedata import FIX_LUA, NEVER, Judge, State, alive_at, busy, candidates, primaries, read, repaired, rows, scan_all, seed
from servers import each_kind
from stand import Skip, must, run_all, same

KEYS = int(os.environ.get("SLUICE_LIVE_KEYS", "2000"))
KILLS = int(os.environ.get("SLUICE_KILLS", "6"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
LIMIT = 120 + KEYS // 200

SPEC = """
sluice: 1
name: fix
source: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: fix.lua }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash, write: shadow }}
partitions: {{ size: 250 }}
stages: [{{ name: canary, scope: 5% }}, {{ name: full, scope: 100% }}]
protect: {{ errors: 50%, kept_live: 100%, rate: {{ max: {rate}/s }} }}
"""
WRONG_LUA = 'function transform(doc) doc.times = tonumber(doc.times) + 100 doc.tier = "bad" return doc end\n'


def uri(place):
    return "valkey://" + ",".join(node.address for node in getattr(place, "nodes", [place]))


def seeded(stand, place, lua=FIX_LUA, rate=0):
    seed(place, rows(KEYS))
    stand.write("fix.lua", lua)
    stand.write("fix.yaml", SPEC.format(uri=uri(place), rate=rate or max(KEYS // 2, 500)))
    return read(place)


def hidden(place):
    found = 0
    for node in primaries(place):
        client = node.client()
        client.response_callbacks.clear()
        found += len(scan_all(client, "sluice:shadow:*"))
        client.close()
    return found


def killed(stand, dice, *command, codes=(0, 8)):
    """The command, killed again and again at random moments, until it comes through. Returns how often."""
    for death in range(KILLS):
        process = stand.start(*command)
        try:
            process.wait(timeout=dice.uniform(0.02, 0.6))
        except Exception:  # pylint: disable=broad-except
            process.send_signal(signal.SIGKILL)
        process.communicate()
        stand.started.remove(process)
        if process.returncode != -signal.SIGKILL:
            must(process.returncode in codes, f"{command} ended with {process.returncode}")
            return death
    stand.sluice(*command, timeout=LIMIT).ended(*codes)
    return KILLS


def noted(stand, code):
    rows_of = stand.sluice("dump", "home/reports/fix.1/notes.ndjson", "--json").ended(0).lines()
    return {"c:" + row["key"] for row in rows_of if row.get("code") == code}


def promoted(judge, listed):
    """What may a key be now? What the application wrote last stands; what it left alone since the shadow was written is repaired
    exactly once; nothing that it deleted or let expire is back. A slot that moves takes along what is left of an expiry, not its
    moment: such a record is not what it was, and is passed over and listed."""
    def verdict(key, live, lines):
        states = candidates([judge.begin.get(key, State(None, NEVER))], lines)
        if judge.is_gone(states, live):
            return "gone"
        if live is None:
            return "WRONG: lost"
        alive = [state for state in states if alive_at(state, judge.from_ms - judge.drift_ms)]
        if any(judge.is_as(live, repaired(state.fields), state.expires) for state in alive):
            return "promoted, and written by the application" if lines else "promoted"
        if any(judge.is_as(live, *state) for state in alive):
            if any(line["end"] >= judge.run_begin for line in lines):
                return "passed over"
            moved = key in listed and live.expires != NEVER
            return "passed over, for its slot has moved" if moved else "WRONG: not promoted"
        return "WRONG: neither what the application wrote nor that, promoted"
    return verdict


def moved_back(judge, listed):
    """As after any rollback; what is listed because its slot has taken its expiry elsewhere stays as it was promoted."""
    verdict = judge.taken_back(listed)

    def moved(key, live, lines):
        word = verdict(key, live, lines)
        if word.startswith("WRONG") and judge.drift_ms and not lines and key in listed and live.expires != judge.begin[key].expires:
            return "left, for its slot has moved"
        return word
    return moved


def lived(stand, place, around=contextlib.nullcontext, drift_ms=0):
    begin, dice = seeded(stand, place), random.Random(SEED)
    with busy(stand, place, KEYS, processes=1, rate=150, seed_of=SEED % 1000 + 1) as box, around():
        run_begin = time.time()
        deaths = killed(stand, dice, "run", "fix.yaml", "--yes", codes=(3,))
        deaths += killed(stand, dice, "promote", "fix", "--yes")
    records = stand.status("fix")["records"]
    judge = Judge(place, begin, box.story, run_begin, drift_ms=drift_ms)
    counts = judge.each(promoted(judge, noted(stand, "passed-over"))).must_hold()
    print("# seed", SEED, box.story.words(), dict(counts), deaths, "deaths", {word: n for word, n in records.items() if n}, flush=True)
    same(box.story.stale, [], "reads that did not see the application's own last write")
    same(hidden(place), 0, "hidden keys that are left")
    must(counts["promoted"] > KEYS // 8 and counts["passed over"] > 5, "too little was met", dict(counts))
    middle = read(place)
    with busy(stand, place, KEYS, processes=1, rate=150, seed_of=SEED % 1000 + 2) as more, around():
        deaths = killed(stand, dice, "rollback", "fix", "--yes")
    box.story.lines += more.story.lines
    for key, lines in more.story.by_key.items():
        box.story.by_key.setdefault(key, []).extend(lines)
    listed = noted(stand, "left")
    back = Judge(place, begin, box.story, drift_ms=drift_ms)
    counts = back.each(moved_back(back, listed)).must_hold()
    print("# taken back:", dict(counts), len(listed), "listed,", deaths, "deaths,", len(middle), "before", flush=True)
    must(counts["taken back"] > KEYS // 8, "too little was taken back")
    same(stand.sluice("audit", "verify").code, 0, "audit")


@each_kind("promoted and taken back under live writes, killed at random: what the application did stands, all else exactly once", slow=True)
def _(stand, servers):
    lived(stand, servers.standalone())


@each_kind("the same on a cluster, while slots move")
def _(stand, servers):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: a cluster whose slots move")
    cluster = servers.cluster(primaries=3, replicas=1)

    @contextlib.contextmanager
    def around():
        with cluster.moving(seed=SEED):
            yield
        cluster.wait_whole()
    lived(stand, cluster, around, drift_ms=2000)


def times_of(place):
    return {state.fields[b"times"] for state in read(place).values()}


def mended_both_ways(stand, place):
    begin = seeded(stand, place, WRONG_LUA, rate=1_000_000)
    for way in ("rollback", "supersede"):
        stand.write("fix.lua", WRONG_LUA)
        stand.sluice("run", "fix.yaml", "--yes").ended(3)
        same(times_of(place), {b"0"}, "before the promotion")
        stand.sluice("promote", "fix", "--yes").ended(0, 8)
        must(b"100" in times_of(place), "it was not promoted")
        stand.write("fix.lua", FIX_LUA)
        if way == "rollback":
            stand.sluice("rollback", "fix", "--yes").ended(0, 8)
            stand.sluice("run", "fix.yaml", "--yes").ended(3)
        else:
            wrong = stand.status("fix")["run"]
            stand.sluice("run", "fix.yaml", "--yes", "--supersede", wrong).ended(3)
        stand.sluice("promote", stand.status("fix")["run"], "--yes").ended(0, 8)
        found = {key: state for key, state in read(place).items() if begin[key].expires == NEVER}
        same({state.fields[b"times"] for state in found.values()}, {b"1"}, f"applied once, by {way}")
        must(all(state.fields == repaired(begin[key].fields) for key, state in found.items()), f"not as they should be, by {way}")
        stand.sluice("rollback", stand.status("fix")["run"], "--yes").ended(0, 8)
        must(all(state == begin[key] for key, state in read(place).items()), f"not taken back, by {way}")
    same(hidden(place), 0, "hidden keys that are left")


@each_kind("fix-forward after a promotion, both ways, with a transform that is not idempotent", slow=True)
def _(stand, servers):
    mended_both_ways(stand, servers.standalone())


@each_kind("the same on a cluster")
def _(stand, servers):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: a cluster")
    mended_both_ways(stand, servers.cluster(primaries=3, replicas=0))


if __name__ == "__main__":
    run_all()
