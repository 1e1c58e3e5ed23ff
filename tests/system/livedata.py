"""Records on live servers: seeded and read back by Debian's python3-redis straight from the nodes, an application at work on
them meanwhile (application.py), and the judgement: what may each key be, after what the application was answered?

A state is what the application alone would have left. A repair adds 1 to `times` and mends `tier`; so each key is either
that state, or that state repaired once, and nothing else."""

import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter, namedtuple
from pathlib import Path

from servers import Cluster, need_client, wait_for
from stand import must

PREFIX = "c:"
BASE = 1_700_000_000_000 # versions of what was seeded; the application's are above
FIX_LUA = 'function transform(doc) doc.times = tonumber(doc.times) + 1 doc.tier = "gold" return doc end\n'
ADD_LUA = "function transform(doc) doc.n = tonumber(doc.n) + 1 return doc end\n"
FIX = """
sluice: 1
name: fix
source: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
transform: {{ lua: fix.lua }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash{target} }}
"""
NEVER = -1

State = namedtuple("State", "fields expires") # fields None: there is no such record


def owners(place):
    """{slot: node} of a cluster; a single server answers for all."""
    if not isinstance(place, Cluster):
        return None
    return {slot: node for node in place.primaries() for slot in place.slots(node)}


def slot_of(key):
    return need_client().crc.key_slot(key.encode() if isinstance(key, str) else key)


def primaries(place):
    return place.primaries() if isinstance(place, Cluster) else [place]


def flush(place):
    for node in primaries(place):
        node.call("FLUSHALL")


class Pipes:
    """Pipelines straight to the nodes, some hundred commands at a time."""

    def __init__(self, place):
        self.by_slot, self.single, self.open = owners(place), None if isinstance(place, Cluster) else place, {}

    def pipe(self, key):
        node = self.single or self.by_slot[slot_of(key)]
        if node.port not in self.open:
            self.open[node.port] = node.client().pipeline(transaction=False)
        pipe = self.open[node.port]
        if len(pipe) >= 1000:
            pipe.execute()
        return pipe

    def end(self):
        for pipe in self.open.values():
            pipe.execute()


def seed(place, rows):
    """rows: (key, fields, expires in Unix ms or NEVER)."""
    pipes = Pipes(place)
    for key, fields, expires in rows:
        pipe = pipes.pipe(key)
        pipe.hset(key, mapping=fields)
        if expires != NEVER:
            pipe.execute_command("PEXPIREAT", key, expires)
    pipes.end()


def read_node(node, match):
    client = node.client()
    client.response_callbacks.clear()
    keys, found = scan_all(client, match), {}
    for first in range(0, len(keys), 1000):
        part = keys[first:first + 1000]
        pipe = client.pipeline(transaction=False)
        for key in part:
            pipe.execute_command("HGETALL", key)
            pipe.execute_command("PEXPIRETIME", key)
        answers = pipe.execute()
        for i, key in enumerate(part):
            flat, expires = answers[2 * i], answers[2 * i + 1]
            if flat:
                found[key.decode()] = State(dict(zip(flat[::2], flat[1::2])), expires)
    client.close()
    return found


def scan_all(client, match):
    cursor, keys = b"0", set()
    while True:
        cursor, part = client.execute_command("SCAN", cursor, "MATCH", match, "COUNT", 2000)
        keys.update(part)
        if cursor == b"0":
            return sorted(keys)


def read(place, match=PREFIX + "*"):
    """{key: State}: all hashes, from the primaries."""
    found = {}
    for node in primaries(place):
        found.update(read_node(node, match))
    return found


def marks(place):
    """{key: number}: of the application's writes of it, the last one that the server still has the mark of."""
    found = {}
    for node in primaries(place):
        client = node.client()
        keys = list(client.scan_iter(match="mark:*", count=2000))
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.get(key)
        found.update((key.decode()[6:-1], int(value)) for key, value in zip(keys, pipe.execute()))
        client.close()
    return found


def rows(n, seed_of=1, soon_ms=(3000, 12000)):
    """n records with the bug in them. One in ten expires in an hour and more; behind them one in a hundred more that
    expire in some seconds and that the application leaves alone."""
    dice, now = random.Random(seed_of), int(time.time() * 1000)
    for i in range(n + n // 100):
        key = f"{PREFIX}{i:07d}"
        fields = {"id": f"{i:07d}", "times": "0", "tier": "gol", "updated_at": str(BASE), "app": "", "note": f"Größe {i}",
                  "balance": f"{dice.randrange(10**6)}.{dice.randrange(100):02d}"}
        if i % 7 == 0:
            fields["free"] = "x" * dice.randrange(200)
        expires = NEVER if i % 10 else now + 7_200_000 + i
        yield key, fields, now + dice.randrange(*soon_ms) if i >= n else expires


def seed_numbers(place, keys):
    """Each has its number: what was added to it tells how often it was written."""
    seed(place, [(f"{PREFIX}{n:05d}", {"id": f"{n:05d}", "n": str(n)}, NEVER) for n in range(keys)])


def left_of_sluice(nodes):
    """Its keys, but for what says that a run is over, which is gone by itself one day."""
    keys = [key for node in nodes for key in node.client().scan_iter("sluice:*")]
    return [key for key in keys if not key.startswith(b"sluice:ended:")]


def numbers(place):
    return {int(key[len(PREFIX):]): int(state.fields[b"n"]) for key, state in read(place).items()}


def uri_of(place):
    """Of a server, or of all those of a cluster."""
    return "valkey://" + ",".join(node.address for node in getattr(place, "nodes", [place]))


def write_fix(stand, uri, more, lua=FIX_LUA, target=""):
    """fix.yaml, a repair of the records where they stand; `more` are further lines of it, `target` further words of that."""
    stand.write("fix.lua", lua)
    stand.write("fix.yaml", FIX.format(uri=uri, target=target) + more)


def began(stand):
    """A run of that, which has begun to write."""
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing" and line["done"] > 0)
    return process


def as_state(fields, expires):
    return State({name.encode(): text.encode() for name, text in fields.items()}, expires)


def repaired(fields):
    """A touch of what a failover has lost leaves a record that cannot be mended."""
    if b"times" not in fields:
        return fields
    return {**fields, b"times": str(int(fields[b"times"]) + 1).encode(), b"tier": b"gold"}


# --- the application


class Busy:
    """Processes of the application, and what they wrote into their logs."""

    def __init__(self, stand, place, keys, processes=2, rate=250, seed_of=1, mark=False, kind=None, first=0, name=None, once=False):
        self.processes, self.logs = [], []
        nodes = place.nodes if isinstance(place, Cluster) else getattr(place, "sentinels", [place])
        kind = kind or ("cluster" if isinstance(place, Cluster) else "sentinel" if hasattr(place, "sentinels") else "alone")
        for me in range(processes):
            log, ready = stand.path(f"app-{seed_of}-{me}.log"), stand.path(f"app-{seed_of}-{me}.ready")
            config = stand.write(f"app-{seed_of}-{me}.json", json.dumps({
                "kind": kind, "ports": [node.port for node in nodes if node.is_running()], "me": me, "of": processes,
                "prefix": PREFIX, "first": first, "keys": keys, "seed": seed_of * 100 + me, "rate": rate, "log": str(log),
                "mark": mark, "ready": str(ready), "version": BASE + 1_000_000 * seed_of, "name": name, "once": once}))
            errors = open(stand.path(f"app-{seed_of}-{me}.err"), "wb")
            self.processes.append(subprocess.Popen([sys.executable, str(Path(__file__).parent / "application.py"), str(config)],
                                                   stdin=subprocess.DEVNULL, stdout=errors, stderr=errors))
            errors.close()
            stand.started.append(self.processes[-1])
            self.logs.append((log, ready, stand.path(f"app-{seed_of}-{me}.err")))
        for process, (_, ready, said) in zip(self.processes, self.logs):
            wait_for(lambda process=process, ready=ready: ready.exists() or process.poll() is not None, "an application")
            must(process.poll() is None, "the application ended:", said.read_text())

    def end(self):
        """Returns what they did, a list of lines for each key in their order."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        lines = []
        for process, (log, _, said) in zip(self.processes, self.logs):
            process.wait(timeout=200) # its last operation may be tried thirty times, each for five seconds
            must(process.returncode == 0, "the application failed:", said.read_text())
            lines += [json.loads(line) for line in log.read_text().splitlines()]
        return Story(lines)


@contextlib.contextmanager
def busy(*arguments, **more):
    """The application is at work as long as the block lasts; gives a box whose `story` then stands."""
    box = Busy(*arguments, **more)
    box.story = None
    yield box
    box.story = box.end()


class Story:
    """What the application did."""

    def __init__(self, lines):
        self.lines, self.by_key = lines, {}
        for line in lines:
            if line["op"] != "read":
                self.by_key.setdefault(line["key"], []).append(line)
        self.of = Counter(line["op"] for line in lines if line["ok"])
        self.failed = sum(not line["ok"] for line in lines)
        self.stale = [line for line in lines if "stale" in line]
        late = sorted(line["end"] - line["due"] for line in lines if line["ok"])
        self.p99_ms = late[len(late) * 99 // 100] * 1000 if late else 0

    def written(self):
        return sum(n for op, n in self.of.items() if op != "read")

    def words(self):
        return f"application: {dict(self.of)}, {self.failed} failed, p99 {self.p99_ms:.1f} ms"


def after(state, line):
    """What a write of the application makes of a record."""
    fields, expires = state
    if expires != NEVER and expires <= line["begin"] * 1000:
        fields, expires = None, NEVER
    if line["op"] == "delete":
        return State(None, NEVER)
    if "expires" in line:
        return State(fields, line["expires"] if fields is not None else NEVER)
    new = {name.encode(): text.encode() for name, text in line["fields"].items()}
    return State({**(fields or {}), **new}, expires)


def candidates(begin, lines, brought=()):
    """All states that a record may have, of those in `begin`, when the writes that were not answered may have been done, and
    where there is none, what is brought may have been put."""
    states = list(begin)
    for line in lines:
        states = [after(state, line) for state in states] + ([] if line["ok"] else states)
        if any(state.fields is None for state in states) and not line.get("mended"):
            states += brought
    return states


def alive_at(state, when_ms):
    return state.fields is not None and (state.expires == NEVER or state.expires > when_ms)


class Judge:
    """Goes through every key there is or was. `wrong` are the keys that may not be as they are, with why."""

    def __init__(self, place, begin, story, run_begin=0.0, drift_ms=0, doubted=()):
        """drift_ms: so much later may a key expire than it was told (MIGRATE carries what is left, not the moment).
        doubted: the keys of which the run says by name that nobody can tell."""
        self.begin, self.story, self.run_begin, self.drift_ms, self.doubted = begin, story, run_begin, drift_ms, doubted
        self.from_ms = int(time.time() * 1000)
        self.found = read(place)
        self.to_ms = int(time.time() * 1000)
        self.count, self.wrong = Counter(), []

    def keys(self):
        return sorted({*self.begin, *self.story.by_key, *self.found})

    def each(self, verdict):
        for key in self.keys():
            word = verdict(key, self.found.get(key), self.story.by_key.get(key, []))
            self.count[word] += 1
            if word.startswith("WRONG"):
                states = candidates([self.begin.get(key, State(None, NEVER))], self.story.by_key.get(key, []))
                self.wrong.append((word, key, self.found.get(key), states[-2:], self.story.by_key.get(key, [])[-3:]))
        return self

    def must_hold(self):
        must(not self.wrong, f"{len(self.wrong)} of {len(self.keys())} keys, {dict(self.count)}:\n" +
             "\n".join("  " + "\n     ".join(str(part) for part in each) for each in self.wrong[:6]))
        return self.count

    def reset(self, lines):
        """Whether the application wrote all of it, bug and all, after the run began."""
        return any(line["op"] in ("replace", "create") and line["end"] >= self.run_begin for line in lines)

    def is_as(self, live, fields, expires):
        late = live.expires - expires
        return live.fields == fields and (late == 0 if NEVER in (live.expires, expires) else 0 <= late <= self.drift_ms)

    def is_gone(self, states, live):
        """Whether it may be that there is none: it was deleted or has expired (a moment ago, perhaps)."""
        return live is None and any(not alive_at(state, self.to_ms + 1) for state in states)

    def repair(self, key, live, lines):
        """After a repair: everything is repaired exactly once, whatever the application wrote, which all still stands."""
        states = candidates([self.begin.get(key, State(None, NEVER))], lines)
        if self.is_gone(states, live):
            return "gone"
        alive = [state for state in states if alive_at(state, self.from_ms - self.drift_ms)]
        if live is None:
            return "WRONG: lost"
        if any(self.is_as(live, repaired(state.fields), state.expires) for state in alive):
            return "repaired, and written by the application" if lines else "repaired"
        if any(self.is_as(live, *state) for state in alive):
            if self.reset(lines):
                return "as the application wrote it since"
            # Its fence went with the server, and behind that the application wrote what may, or may not, be on top of it.
            if key in self.doubted and any(not line["ok"] for line in lines):
                return "in doubt, and listed"
            return "WRONG: not repaired" + (", though listed as in doubt" if key in self.doubted else "")
        return "WRONG: neither what the application wrote nor that, repaired once"

    def taken_back(self, listed):
        """After a rollback: what the application did not write is as before; the rest is as it wrote it, or repaired and
        listed."""
        def verdict(key, live, lines):
            states = candidates([self.begin.get(key, State(None, NEVER))], lines)
            if self.is_gone(states, live):
                return "gone"
            alive = [state for state in states if alive_at(state, self.from_ms - self.drift_ms)]
            if live is None:
                return "WRONG: lost"
            if any(self.is_as(live, *state) for state in alive):
                if key in listed and not lines:
                    return "WRONG: listed as left, but as before, and the application has not written it"
                return "taken back" if not lines else "as the application wrote it"
            if any(self.is_as(live, repaired(state.fields), state.expires) for state in alive):
                if not lines:
                    return "WRONG: not taken back, though the application has not written it"
                return "left and listed" if key in listed else "WRONG: left, but not listed"
            return "WRONG: neither as before nor as the application wrote it"
        return verdict

    def newer_wins(self, archive):
        """After a run that brought the archive's records: older live ones are replaced by them, newer ones stand."""
        def verdict(key, live, lines):
            here = self.begin.get(key, State(None, NEVER))
            brought = State(archive[key], here.expires) if key in archive else None
            anew = [State(archive[key], NEVER)] if key in archive else []
            states = candidates([here] + ([brought] if brought else []), lines, anew)
            if self.is_gone(states, live):
                return "gone"
            if live is None:
                return "WRONG: lost"
            if not lines:
                if brought and live == State(brought.fields, NEVER) and not alive_at(here, self.to_ms):
                    return "expired before sluice came to it"
                return "from the archive" if live == brought else "WRONG: not as in the archive"
            if any(live == state and alive_at(state, self.from_ms - self.drift_ms) for state in states):
                return "as the application wrote it" if live.fields.get(b"app") else "from the archive, then expiry set"
            if brought and live == State(archive[key], NEVER) and self.was_absent_before(lines):
                return "deleted by the application before sluice came to it"
            return "WRONG: neither in the archive nor what the application wrote"
        return verdict

    @staticmethod
    def was_absent_before(lines):
        """Deleted or expired, and not known to have been brought before that."""
        last = lines[-1]
        return last["op"] in ("delete", "expire_soon") and not last.get("mended")


def forget_lost(story, lossy, slots, kept):
    """After a failover: writes of slots of the killed server, acknowledged since its replica was cut off or near that, or near
    its death, which it may have lost, are made doubtful. The mark behind a write tells those that the promoted replica certainly had. Returns how many of each:
    certain, lost with the server, unknown."""
    count = Counter()
    for key, lines in story.by_key.items():
        if slot_of(key) not in slots:
            continue
        for line in lines:
            if not line["ok"] or not lossy[0] - 5.0 <= line["end"] <= lossy[1] + 20.0:
                continue
            if line.get("marked") and line is lines[-1] and kept.get(key, -1) >= line["n"]:
                count["certain"] += 1
                continue
            count["lost by the server" if line.get("marked") and line is lines[-1] else "unknown"] += 1
            line["ok"] = False
    return count
