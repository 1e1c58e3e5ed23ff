#!/usr/bin/env python3
"""Shadows on real servers: an application reads, writes, deletes and expires the very keys while a run writes its shadow, while it
is promoted and while it is taken back, and sluice is killed at random moments of all three. One server in the ordinary suite; a
cluster whose slots move with SLUICE_LIVE_ALL=1. SLUICE_LIVE_KEYS says how many keys, SLUICE_KILLS how often sluice is killed."""

import contextlib
import os
import random
import shutil
import signal
import time

from livedata import FIX_LUA, NEVER, Judge, State, alive_at, busy, candidates, primaries, read, repaired, rows, scan_all, seed
from servers import each_kind
from stand import Skip, among, must, run_all, same

KEYS = int(os.environ.get("SLUICE_LIVE_KEYS", "2000"))
KILLS = int(os.environ.get("SLUICE_KILLS", "6"))
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
LIMIT = 120 + KEYS // 200
POINT_KEYS = 400

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


def seeded(stand, place, lua=FIX_LUA, rate=0, keys=KEYS):
    seed(place, rows(keys))
    stand.write("fix.lua", lua)
    stand.write("fix.yaml", SPEC.format(uri=uri(place), rate=rate or max(keys // 2, 500)))
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


def promoted(judge):
    """What may a key be now? What the application wrote last stands; what it left alone since the shadow was written is repaired
    exactly once, also where its slot has moved with what was left of its expiry; nothing that it deleted or let expire is back."""
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
            return "WRONG: not promoted"
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


def lived(stand, place, around=contextlib.nullcontext, drift_ms=0, keys=KEYS, killed=killed): # pylint: disable=too-many-arguments,redefined-outer-name
    begin, dice = seeded(stand, place, keys=keys), random.Random(SEED)
    with busy(stand, place, keys, processes=1, rate=min(150, keys // 10), seed_of=SEED % 1000 + 1) as box, around():
        run_begin = time.time()
        deaths = killed(stand, dice, "run", "fix.yaml", "--yes", codes=(3,))
        deaths += killed(stand, dice, "promote", "fix", "--yes")
    records = stand.status("fix")["records"]
    judge = Judge(place, begin, box.story, run_begin, drift_ms=drift_ms)
    counts = judge.each(promoted(judge)).must_hold()
    print("# seed", SEED, box.story.words(), dict(counts), deaths, "deaths", {word: n for word, n in records.items() if n}, flush=True)
    same(box.story.stale, [], "reads that did not see the application's own last write")
    same(hidden(place), 0, "hidden keys that are left")
    must(counts["promoted"] > keys // 8 and counts["passed over"] > 0, "too little was met", dict(counts))
    middle = read(place)
    with busy(stand, place, keys, processes=1, rate=min(150, keys // 10), seed_of=SEED % 1000 + 2) as more, around():
        deaths = killed(stand, dice, "rollback", "fix", "--yes")
    box.story.lines += more.story.lines
    for key, lines in more.story.by_key.items():
        box.story.by_key.setdefault(key, []).extend(lines)
    listed = noted(stand, "left")
    back = Judge(place, begin, box.story, drift_ms=drift_ms)
    counts = back.each(moved_back(back, listed)).must_hold()
    print("# taken back:", dict(counts), len(listed), "listed,", deaths, "deaths,", len(middle), "before", flush=True)
    must(counts["taken back"] > keys // 8, "too little was taken back")
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


class AtPoint:
    """Each command dies at the kill point, where it passes it, and is given again. Without a point: notes which are passed."""
    def __init__(self, stand, point=None):
        self.point, self.noted, self.deaths = point, stand.path("points"), 0

    def __call__(self, stand, _dice, *command, codes=(0, 8)):
        environment = stand.environment(**({"SLUICE_DIES_AT": self.point + ":1"} if self.point else {"SLUICE_POINTS_FILE": str(self.noted)}))
        code = stand.run([stand.programs.dies, *command], env=environment).code
        must(code in (-signal.SIGKILL, *codes), f"{command} at {self.point} ended with {code}")
        if code == -signal.SIGKILL:
            self.deaths += 1
            stand.sluice(*command, timeout=LIMIT).ended(*codes)
        return self.deaths


@each_kind("the same on a cluster, killed at every kill point of run, promotion and rollback")
def _(stand, servers):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: every kill point, on a cluster")
    cluster, points, deaths = servers.cluster(primaries=3, replicas=0), [None], 0
    for point in points:
        at = AtPoint(stand, point)
        lived(stand, cluster, keys=POINT_KEYS, killed=at)
        deaths += at.deaths
        points += [] if point else sorted(set(at.noted.read_text().split()))
        must(not point or at.deaths, f"nothing died at {point}")
        shutil.rmtree(stand.path("home"))
        for node in primaries(cluster):
            node.client().flushall()
    print(f"# {deaths} deaths at {len(points) - 1} points", flush=True)
    must(len(points) > 30, points)


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


def expiries(server, glob):
    client = server.client()
    client.response_callbacks.clear()
    found = {key: client.execute_command("PEXPIRETIME", key) for key in scan_all(client, glob)}
    client.close()
    return {key: expires for key, expires in found.items() if expires > 0}


# A slot that moves takes along what is left of an expiry (RESTORE, MIGRATE), so that it comes to lie a little elsewhere.
def drift(server, glob, by_ms):
    found = expiries(server, glob)
    for key, expires in found.items():
        server.call("PEXPIREAT", key, expires + by_ms)
    return found


@each_kind("records whose expiry has drifted with their slots are promoted, with the expiry that they are to have", slow=True)
def _(stand, servers):
    server = servers.standalone()
    begin = seeded(stand, server, rate=1_000_000)
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    drift(server, "sluice:shadow:*", 37)
    must(len(drift(server, "c:*", 37)) > KEYS // 10, "too few expire")
    stand.sluice("promote", "fix", "--yes").ended(0)
    for key, state in read(server).items():
        was = begin[key]
        same((state.fields, state.expires), (repaired(was.fields), was.expires + 37 if was.expires != NEVER else NEVER), key)
    same(stand.status("fix")["records"]["passed_over"], 0, "passed over")
    text = (stand.dir / "fix.yaml").read_text()
    stand.write("fix.yaml", text.replace("write: shadow", "write: shadow, expires: 30d"))
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    hidden_at = set(drift(server, "sluice:shadow:*", -41).values())
    same(len(hidden_at), 1, "one expiry for all")
    stand.sluice("promote", "fix.2", "--yes").ended(0, 8)
    promoted_at = {state.expires for state in read(server).values() if state.fields[b"times"] == b"2"}
    same(promoted_at, {hidden_at.pop() - 2**50}, "the expiry that was planned")


@each_kind("a server that evicts what is to expire is refused a shadow, by name, and a promotion, but not its taking back", slow=True)
def _(stand, servers):
    server = servers.standalone(maxmemory="200mb")
    seeded(stand, server, rate=1_000_000)
    words = ["evicts keys that are to expire", "volatile-", "noeviction", server.address]
    for policy in ("volatile-lru", "volatile-ttl"):
        server.call("CONFIG", "SET", "maxmemory-policy", policy)
        for command in (["plan", "fix.yaml"], ["run", "fix.yaml", "--yes"], ["doctor", "fix.yaml"]):
            done = stand.sluice(*command).ended(7)
            among(words, done.out + done.err, " ".join(command))
    same(hidden(server), 0, "hidden keys")
    server.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    server.call("CONFIG", "SET", "maxmemory-policy", "volatile-random")
    among(words, stand.sluice("promote", "fix", "--yes").ended(7).err)
    same(times_of(server), {b"0"}, "before the promotion")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(hidden(server), 0, "hidden keys that are left")
    server.call("CONFIG", "SET", "maxmemory", "0") # nothing is ever evicted
    stand.sluice("run", "fix.yaml", "--yes").ended(3)


@each_kind("a shadow of raw records needs DUMP and RESTORE: without, that is said before anything is written")
def _(stand, servers):
    server = servers.standalone()
    seed(server, rows(50))
    client = server.client()
    client.set("from:1", "x")
    spec = f"""
sluice: 1
name: copy
source: {{ store: "valkey://{server.address}", dataset: "c:*" }}
target: {{ store: "valkey://{server.address}/0", dataset: "c:*", write: shadow }}
"""
    stand.write("copy.yaml", spec)
    for right in ("dump", "restore"):
        server.call("ACL", "SETUSER", "default", "-" + right)
        for command in (["plan", "copy.yaml"], ["run", "copy.yaml", "--yes"], ["doctor", "copy.yaml"]):
            done = stand.sluice(*command).ended(7)
            among([f"may not {right.upper()}", "+dump +restore", "write: shadow"], done.out + done.err, " ".join(command))
        server.call("ACL", "SETUSER", "default", "+" + right)
    same(hidden(server), 0, "hidden keys")
    stand.sluice("plan", "copy.yaml").ended(0)


if __name__ == "__main__":
    run_all()
