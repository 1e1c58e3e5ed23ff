#!/usr/bin/env python3
"""A home in trouble: full, read-only, damaged, locked, of another age, in two places, under a clock that jumps.

Each ends with the exit code of docs/exit-codes.md and a message that says what, where and what to do; nothing is lost, and
what can go on goes on. Disks are mounted in a mount namespace of the script's own, which ends with it.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys

from repair import FIX, ROWS, ended, once, ready, seed, started, writing
from stand import Skip, among, must, run_all, same, test
from wallclock import faked, jump_by

OWN_NAMESPACE = "SYSTEM_TEST_MOUNTS"


def into_namespace():
    """Begins this script again where it may mount: as root, or as root of a user namespace; else it goes on without."""
    if OWN_NAMESPACE in os.environ:
        return
    for way in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        trial = subprocess.run([*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
        if trial.returncode == 0:
            os.environ[OWN_NAMESPACE] = "yes"
            os.execvp(way[0], [*way, sys.executable, *sys.argv])
    os.environ[OWN_NAMESPACE] = ""


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    must(done.returncode == 0, f"mount {arguments}: {done.stderr}")


def may_mount():
    if not os.environ[OWN_NAMESPACE]:
        raise Skip("mounting is not permitted here")


@contextlib.contextmanager
def mounted(path):
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextlib.contextmanager
def disk(stand, name, kib):
    """A disk in place of a folder, with what stood there and so many KiB more; gives a function that makes it larger."""
    may_mount()
    path = stand.path(name)
    path.mkdir(parents=True, exist_ok=True)
    former = stand.path("former")
    shutil.copytree(path, former)
    used = sum(4 + file.stat().st_size // 1024 for file in former.rglob("*") if file.is_file())
    mount("-t", "tmpfs", "-o", f"size={used + kib}k", "tmpfs", path)
    with mounted(path):
        shutil.copytree(former, path, dirs_exist_ok=True)
        shutil.rmtree(former)
        yield lambda: mount("-o", "remount,size=64m", path)


@contextlib.contextmanager
def read_only(stand, name):
    may_mount()
    path = stand.path(name)
    mount("--bind", path, path)
    with mounted(path):
        mount("-o", "remount,bind,ro", path)
        yield


def fill(stand, name, leave_kib=0):
    """Leaves so much of a disk free."""
    room = os.statvfs(stand.path(name))
    size = max(room.f_bavail * room.f_frsize - leave_kib * 1024, 0)
    with open(stand.path(name + "/ballast"), "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while size > 0: # someone else may be writing there
            size -= ballast.write(b"\0" * min(size, 4096))


def half(stand, rate=4000, more=""):
    """The repair, stopped in its middle."""
    ready(stand, rate=rate)
    stand.write("fix.yaml", stand.read("fix.yaml") + more)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: writing(line) and line["done"])
    process.send_signal(signal.SIGINT)
    ended(stand, process, "interrupted", 3)


def resumed(stand, *codes):
    done = stand.sluice("resume", "fix", "--reason", "there is room again", "--json").ended(*(codes or (0,)))
    once(stand)
    stand.sluice("audit", "verify").ended(0)
    return done


# --- dump


def dumped(stand, path, code=0):
    """The lines by their types, and what was said."""
    done = stand.sluice("dump", path, "--json").ended(code)
    lines = {}
    for line in done.lines():
        lines.setdefault(line.get("type"), []).append(line)
    return lines, done.err


def dump_damaged(stand, path, at, *kinds):
    """Bits are flipped at an offset: the place is named, and what lies elsewhere is still there."""
    flip(path, at, 4)
    lines, said = dumped(stand, path, 6)
    among([str(path), "damaged"], said)
    for kind in kinds:
        must(lines.get(kind), f"no line of {kind} in {list(lines)}")
    stand.path("magic").write_bytes(b"?" + path.read_bytes()[1:])
    among(["magic", "damaged at offset 0"], stand.sluice("dump", "magic").ended(6).err)
    return lines, said


@test("dump: a segment of the undo log and the chains; where they are damaged")
def _(stand):
    ready(stand, rate=10**6)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    path = max(segments(stand), key=lambda path: path.stat().st_size)
    whole, _ = dumped(stand, path)
    same(len(whole["entry"]), ROWS, "entries")
    same(sum(line["applied"].count("1") for line in whole["outcomes"]), ROWS, "applied")
    same([line["offset"] for kind in ("intents", "outcomes") for line in whole[kind]],
         [begin for wanted in (INTENTS, OUTCOMES) for begin, _, kind in blocks(path) if kind == wanted], "offsets")
    stand.dies("undo.chains.made:1", "rollback", "fix", "--yes")
    chains = stand.path("home/undo/fix.1/chains")
    lines, _ = dumped(stand, chains)
    same((len(lines["chain"]), lines["end"][0]["chains"]), (ROWS, ROWS), "chains")
    dump_damaged(stand, chains, 100, "chains", "end", "damage")
    begin = whole["intents"][1]["offset"]
    lines, said = dump_damaged(stand, path, begin + 200, "segment", "entry", "outcomes")
    same([line["offset"] for line in lines["damage"]], [begin], "damage")
    among(f"the first at offset {begin}", said)


@test("dump: listing, skip list, sample, owners, sketch, quarantine; where they are damaged")
def _(stand):
    ready(stand, rate=10**6)
    stand.write("fix.yaml", FIX.format(rate=10**6).replace("protect: {", "protect: { rejects: 100%,"))
    stand.write("fix.lua", "function transform(doc, ctx) if doc.n < 9 then return ctx.reject('no') end doc.n = 1 return doc end\n")
    stand.sluice("run", "fix.yaml", "--yes").ended(8)
    [listing] = stand.path("home/listing").glob("*.list")
    lines, _ = dumped(stand, listing)
    same((len(lines["key"]), lines["listing"][0]["keys"]), (ROWS, ROWS), "keys")
    among(str(listing), (flip(listing, listing.stat().st_size // 2, 4), stand.sluice("dump", listing).ended(6))[1].err)
    samples = [dumped(stand, path)[0]["sampled"] for path in stand.path("home/reports/fix.1").glob("sample.*")]
    must(samples and all("digest" in line and line["key"][0] == "k" for sample in samples for line in sample), "samples")
    sample = next(stand.path("home/reports/fix.1").glob("sample.*"))
    dump_damaged(stand, sample, sample.stat().st_size - 9, "damage")
    [owners] = stand.path("home/reports/fast.1").glob("owners.0")
    owned = dumped(stand, owners)[0]["owner"]
    must({line["partition"] for line in owned} <= {0, 1}, "partitions of the owners")
    dump_damaged(stand, owners, 200, "damage")
    [sketch] = stand.path("home/reports/fast.1").glob("sketch.0")
    same([(line["cells"], line["records"]) for line in dumped(stand, sketch)[0]["sketch"]], [(4096, len(owned))], "sketch")
    must(sketch.stat().st_size <= 160000, sketch.stat().st_size)
    dump_damaged(stand, sketch, 200, "damage")
    quarantine = stand.path("home/quarantine/fix.1.ndjson")
    lines, _ = dumped(stand, quarantine)
    same(sorted(line["document"]["n"] for line in lines[None] if "reason" in line), list(range(9)), "refused")
    flip(quarantine, quarantine.stat().st_size - 40, 2)
    lines, said = dumped(stand, quarantine, 6)
    same((len(lines[None]), [line["line"] for line in lines["damage"]]), (9, [10]), "a damaged last row")
    among("the first at line 10", said)
    stand.records("in/a.ndjson", ({"id": f"k{n % 7}", "v": n} for n in range(9)))
    stand.write("skip.yaml", stand.read("load.yaml").replace("name: load", "name: skip").replace("key: id", "key: id, version: v").replace(
        "dataset: items", "dataset: others"))
    stand.sluice("run", "skip.yaml", "--yes").ended(0)
    [skips] = stand.path("home/listing").glob("*.skip")
    same([line["reason"] for line in dumped(stand, skips)[0]["state"]], ["superseded"] * 2, "losing states")
    among(str(skips), (flip(skips, skips.stat().st_size - 20, 4), stand.sluice("dump", skips).ended(6))[1].err)


@test("cat --fences: which writes of an unfinished run the store holds, by lane; of one that is over nothing")
def _(stand):
    ready(stand, rate=10**6)
    stand.dies("cas.after:2", "run", "fix.yaml", "--yes")
    fences = stand.sluice("cat", "--fences", "rocksdb:live", "items").ended(0).lines()
    same({(line["type"], line["run"]) for line in fences}, {("fence", "fix.1")}, "fences")
    lanes = [lane for line in fences for lane in line["lanes"]]
    same({(lane["lane"], lane["open"]) for lane in lanes}, {(1, True)}, "lanes")
    left = sum(document["n"] != 2 * int(key[1:]) + 1 for key, document in stand.documents("items").items())
    same(sum(lane["base"] + len(lane["applied_above"]) for lane in lanes), ROWS - left, "writes that the store notes")
    same(stand.sluice("cat", "--fences", "rocksdb:live", "others").ended(0).out, "", "of another dataset")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(stand.sluice("cat", "--fences", "rocksdb:live", "items").ended(0).out, "", "fences of a run that is over")
    among("keeps no fences", stand.sluice("cat", "--fences", "file:in", "*.ndjson").ended(2).err)


@test("dump: what is no file of a home, or not there")
def _(stand):
    ready(stand, rate=10**6)
    among("a segment of an undo log", stand.sluice("dump", "home/catalog.db").ended(6).err)
    among("nowhere", stand.sluice("dump", "nowhere").ended(9).err)
    stand.write("empty", "")
    among("empty", stand.sluice("dump", "empty").ended(6).err)


# --- a full disk


@test("a full disk under the undo log: 5, halted; it names the file and the way on; nothing is half done")
def _(stand):
    ready(stand, rate=10**6)
    with disk(stand, "home/undo", 64) as grow:
        done = stand.sluice("run", "fix.yaml", "--yes").ended(5)
        among(["home/undo/fix.1/", ".undo", "No space left on device", "sluice resume fix.1"], done.err)
        same(stand.status()["state"], "halted", "state")
        among("sluice resume fix.1", stand.sluice("run", "fix.yaml", "--yes").ended(5).err)
        grow()
        resumed(stand)


@test("a full disk under the listing: 5, nothing planned, nothing written; with room the same command begins anew")
def _(stand):
    ready(stand, rate=10**6)
    with disk(stand, "home/listing", 64) as grow:
        fill(stand, "home/listing")
        done = stand.sluice("run", "fix.yaml", "--yes").ended(5)
        among(["home/listing/", "No space left on device", "home"], done.err)
        same([run["run"] for run in stand.sluice("list", "--json").ended(0).json()["runs"]], ["fast.1"], "runs")
        grow()
        stand.sluice("run", "fix.yaml", "--yes").ended(0)
        once(stand)


@test("a full disk under the quarantine: 5, halted; afterwards every refused record is there once")
def _(stand):
    ready(stand, rate=10**6)
    stand.write("fix.yaml", FIX.format(rate=10**6).replace("protect: {", "protect: { rejects: 100%,"))
    stand.write("fix.lua", "function transform(doc, ctx) return ctx.reject('it is ' .. doc.n) end\n")
    with disk(stand, "home/quarantine", 64) as grow:
        done = stand.sluice("run", "fix.yaml", "--yes").ended(5)
        among(["home/quarantine/fix.1.ndjson", "No space left on device", "sluice resume fix.1"], done.err)
        grow()
        among("--reason", stand.sluice("resume", "fix").ended(2).err) # a halt needs a person's word
        stand.sluice("resume", "fix", "--reason", "there is room again").ended(8)
        rows = stand.sluice("quarantine", "list", "fix", "--json").ended(0).lines()
        same(sorted(row["reason"] for row in rows), sorted(f"it is {n}" for n in range(ROWS)), "refused")


@test("a full disk under the reports, at the beginning and at the gate: 5, halted; the verification is made again")
def _(stand):
    ready(stand)
    with disk(stand, "home/reports", 2048):
        fill(stand, "home/reports")
        among(["home/reports/fix.1", "No space left"], stand.sluice("run", "fix.yaml", "--yes").ended(5).err)
        stand.path("home/reports/ballast").unlink()
        process = started(stand, "resume", "fix", "--reason", "there is room again")
        process.send_signal(signal.SIGINT)
        ended(stand, process, "interrupted", 3)
        written = [key for key, document in stand.documents("items").items() if document["n"] != int(key[1:])]
        stand.put("items", [f'{key}\t{{"id":"{key}","n":-1}}\t0' for key in written]) # each a line of the report
        fill(stand, "home/reports")
        end = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(5).lines()[-1]
        among(["home/reports/fix.1/", "No space left", "sluice resume fix.1"], end["message"])
        same((end["type"], end["state"]), ("end", "halted"), "end")
        stand.path("home/reports/ballast").unlink()
        stand.sluice("resume", "fix", "--reason", "there is room again").ended(0)
        reports = stand.path("home/reports/fix.1").glob("verify-*.ndjson") # one a stage
        told = {json.loads(line)["key"] for path in reports for line in path.read_text().splitlines()}
        must(told >= set(written), "keys of the reports", set(written) - told)


@test("a full disk under the catalog: 5; what it could not record is found and settled by the next command")
def _(stand):
    ready(stand)
    with disk(stand, "home", 16384) as grow:
        process = started(stand, "run", "fix.yaml", "--yes")
        fill(stand, "home")
        done = stand.finish(process).ended(5)
        among(["home/", "full"], done.err.replace("No space left on device", "full"))
        state = stand.status()["state"]
        must(state in ("running", "halted"), state)
        stand.path("home/ballast").unlink()
        grow()
        resumed(stand)


@test("a full disk before the first catalog: 5, and with room the same command makes it")
def _(stand):
    seed(stand, rate=10**6)
    with disk(stand, "home", 16) as grow:
        done = stand.sluice("run", "fast.yaml", "--yes").ended(5)
        among(["home/catalog.db", "full", "run the same command again"], done.err)
        grow()
        stand.sluice("run", "fast.yaml", "--yes").ended(0)


@test("a full disk under the store: 5 or 6 with its name; with room it goes on, and nothing is done twice")
def _(stand):
    ready(stand, rate=10**6)
    with disk(stand, "live", 65536) as grow:
        fill(stand, "live", 16)
        done = stand.sluice("run", "fix.yaml", "--yes").ended(5)
        among(["live", "o space left on device"], done.err)
        stand.path("live/ballast").unlink()
        grow()
        if stand.status()["run"] == "fix.1":
            resumed(stand)
        else: # it was full before the first write
            stand.sluice("run", "fix.yaml", "--yes").ended(0)
            once(stand)


@test("a file that may not grow further (ulimit -f): 5, as a full disk, and it goes on without the limit")
def _(stand):
    ready(stand, rate=10**6)
    program = str(stand.programs.sluice)
    done = stand.run(["bash", "-c", f"ulimit -f 96; trap '' XFSZ; exec {program} run fix.yaml --yes"]).ended(5)
    among("File too large", done.err)
    if stand.status()["run"] == "fix.1":
        resumed(stand)
    else:
        stand.sluice("run", "fix.yaml", "--yes").ended(0)
        once(stand)


# --- a home that cannot be used


@test("a read-only home: looking works; whatever changes something is refused with 7; afterwards it goes on")
def _(stand):
    half(stand)
    with read_only(stand, "home"):
        same(stand.status("fix")["state"], "interrupted", "state")
        for command in (["list"], ["audit", "verify"], ["quarantine", "list", "fix"]):
            stand.sluice(*command).ended(0)
        for command in (["run", "fix.yaml", "--yes"], ["resume", "fix"], ["pause", "fix"], ["abort", "fix"],
                        ["rollback", "fix", "--yes"]):
            among(["home/catalog.db", "--home"], stand.sluice(*command).ended(7).err)
    resumed(stand)


@test("a home that cannot be made in a read-only folder is refused with 7 and names it")
def _(stand):
    seed(stand)
    stand.path("shut").mkdir()
    with read_only(stand, "shut"):
        done = stand.sluice("run", "fast.yaml", "--yes", "--home", "shut/home").ended(7)
        among(["shut/home", "Read-only file system", "--home"], done.err)


@test("a home that is a file, or lies below one, is refused with 2 and named; one that is not there is made, or 9")
def _(stand):
    seed(stand, rate=10**6)
    stand.write("file", "not a folder\n")
    for home in ("file", "file/below"):
        for command in (["run", "fast.yaml", "--yes"], ["status"]):
            done = stand.sluice(*command, "--home", home).ended(2)
            among([f"/{home}", "not a folder", "--home"], done.err)
    same(stand.read("file"), "not a folder\n", "the file")
    among("no home of sluice", stand.sluice("status", "--home", "far/away").ended(9).err)
    stand.sluice("run", "fast.yaml", "--yes", "--home", "far/away").ended(0)
    stand.sluice("status", "--home", "far/away").ended(0)


# --- the catalog


def flip(path, offset, n=1):
    with open(path, "r+b") as file:
        file.seek(offset)
        bits = bytes(byte ^ 0xff for byte in file.read(n))
        file.seek(offset)
        file.write(bits)


def page_garbage(path):
    """Every page but the first."""
    flip(path, 4096, path.stat().st_size - 4096)


CATALOGS = [
    ("whose pages are garbage", page_garbage, "damaged"),
    ("whose first page is", lambda path: flip(path, 0, 100), "damaged"),
    ("that is cut off", lambda path: os.truncate(path, path.stat().st_size // 2), "damaged"),
    ("that is no database", lambda path: path.write_text("hello\n" * 1000), "damaged"),
    ("that is empty", lambda path: os.truncate(path, 0), "empty"),
    ("of another program", lambda path: other_database(path), "another program"),
]


def other_database(path):
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.commit()


for what, damage, words in CATALOGS:
    @test(f"a catalog {what}: 6, named, what to do; nothing is written; with the copy put back the run goes on")
    def _(stand, damage=damage, words=words):
        half(stand)
        stand.copy("home", "copy")
        path = stand.path("home/catalog.db")
        damage(path)
        left = path.read_bytes()
        before = stand.dump("items")
        for command in (["status"], ["run", "fix.yaml", "--yes"], ["resume", "fix"], ["rollback", "fix", "--yes"]):
            among(["home/catalog.db", words], stand.sluice(*command).ended(6).err)
        same(path.read_bytes() == left, True, "the damaged file as it was")
        same(stand.dump("items"), before, "records")
        shutil.rmtree(stand.path("home"))
        stand.path("copy").rename(stand.path("home"))
        resumed(stand)


@test("a catalog that is gone from a home that was used: 6, not a new one beside what is left")
def _(stand):
    half(stand)
    stand.path("home/catalog.db").rename(stand.path("kept"))
    done = stand.sluice("run", "fix.yaml", "--yes").ended(6)
    among(["home/catalog.db", "put"], done.err)
    stand.path("kept").rename(stand.path("home/catalog.db"))
    resumed(stand)


@contextlib.contextmanager
def writer(stand):
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@test("a catalog that another process has locked: looking works; a change waits, then 6 with who holds it")
def _(stand):
    half(stand)
    with writer(stand):
        same(stand.status("fix")["state"], "interrupted", "state")
        done = stand.sluice("resume", "fix").ended(6)
        among(["home/catalog.db", "locked", f"process {os.getpid()}", "try again"], done.err)
    resumed(stand)


@test("a catalog that another process has locked for a moment is waited for")
def _(stand):
    half(stand)
    with writer(stand) as other:
        process = stand.start("resume", "fix")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        same(process.poll(), None, "it waits")
        other.execute("COMMIT")
    stand.finish(process).ended(0)
    once(stand)


@test("a home restored from a copy that is older than the store's fences is refused with 7, named; nothing is written")
def _(stand):
    ready(stand)
    stand.dies("cas.after:1", "run", "fix.yaml", "--yes") # amid a partition, of which each process opens a lane
    stand.copy("home", "old")
    stand.dies("cas.after:1", "run", "fix.yaml", "--yes")
    before = stand.dump("items")
    stand.path("home").rename(stand.path("new"))
    stand.copy("old", "home")
    for command in (["run", "fix.yaml", "--yes"], ["rollback", "fix", "--yes"]):
        done = stand.sluice(*command).ended(7)
        among(["older", "fix.1"], done.err)
        same(stand.dump("items"), before, "records")
    shutil.rmtree(stand.path("home"))
    stand.path("new").rename(stand.path("home"))
    resumed(stand)


# Takes back what the migrations after the first have added.
OF_LATER_SCHEMAS = (
    "DROP TABLE part_sum", "DROP TABLE checkpoint_lost", "DROP INDEX wish_open", "DROP INDEX part_by_turn", "DROP INDEX part_given_back",
    *(f"ALTER TABLE {table} DROP COLUMN {column}" for table, column in (
        ("stage", "attempt"), ("stage", "until_ms"), ("stage", "report"), ("run", "back_stage"), ("run", "author"), ("run", "over_ms"), ("run", "holder"), ("run", "guard"), ("run", "pauser"), ("run", "state_ms"), ("part", "turn"), ("part", "parent"), ("part", "origin"), ("part", "first"),
        ("run_total", "limited_ms"), ("wish", "over_ms"), ("run_total", "n_expired"), ("run_total", "n_removed"),
        ("checkpoint", "n_expired"), ("checkpoint", "n_removed"), ("run_total", "worked_ms"), ("run_total", "n_promoted"), ("run_total", "n_passed_over"),
        ("checkpoint", "n_promoted"), ("checkpoint", "n_passed_over"), ("checkpoint", "took_ms"), ("checkpoint", "claims"))),
    "DROP TABLE token", "DROP TABLE errand", "DROP TABLE answer", "DROP TABLE growth",
    "DROP TABLE told", "DROP TABLE pace", "DROP TABLE straggler", "DROP TABLE sight", "DROP TABLE stop", "DROP TABLE expiry", "DROP TABLE delivery", "DROP TABLE hook", "DROP TABLE approval", "DROP TABLE setting", "CREATE INDEX wish_open ON wish (run, id) WHERE taken_ms IS NULL",
    "CREATE INDEX part_by_state ON part (run, stage, state, part)", "CREATE INDEX part_given_back ON part (run, stage, part) WHERE state = 'pending' AND lane > 0")


def schema(stand, *statements):
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"), isolation_level=None)) as other:
        for statement in statements:
            other.execute(statement)
        return other.execute("PRAGMA user_version").fetchone()[0]


@test("a catalog of a newer sluice: 6, and it says to use that one; of an older one it is brought up, by a look too")
def _(stand):
    half(stand, more="workers: 1\n") # no partition is split, which an older one does not know
    now = schema(stand)
    schema(stand, "PRAGMA user_version=99")
    for command in (["status"], ["run", "fix.yaml", "--yes"], ["resume", "fix"]):
        among(["home/catalog.db", "newer sluice", "99"], stand.sluice(*command).ended(6).err)
    schema(stand, *OF_LATER_SCHEMAS, "PRAGMA user_version=1")
    same(stand.status("fix")["state"], "interrupted", "state")
    same(schema(stand), now, "schema")
    resumed(stand)


# --- the undo log


def segments(stand):
    return sorted(stand.path("home/undo/fix.1").glob("*.undo"))


def damaged_rollback(stand, damage):
    """The run is done and its log damaged: what cannot be taken back is counted, the rest is taken back."""
    ready(stand, rate=8000)
    before = stand.dump("items")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    after = stand.dump("items")
    damage(max(segments(stand), key=lambda path: path.stat().st_size))
    done = stand.sluice("rollback", "fix", "--yes").ended(8)
    among(["damaged", "segment"], done.err)
    now = stand.dump("items")
    lost = [key for key in now if now[key] != before[key]]
    same(set(re.findall(r"with (\d+) keys that could not be taken back", done.err)), {str(len(lost))}, "keys that are counted")
    must(0 < len(lost) < ROWS, f"{len(lost)} keys could not be taken back")
    same([key for key in lost if now[key] != after[key]], [], "keys that are neither")
    same(stand.status("fix")["state"], "rolled-back", "state")


@test("an undo log with flipped bits: its keys are counted and left as they are, 8; the rest is taken back exactly")
def _(stand):
    damaged_rollback(stand, lambda path: flip(path, path.stat().st_size // 2, 16))


@test("an undo log that was cut off: what is missing is counted and left as it is, 8; the rest is taken back exactly")
def _(stand):
    damaged_rollback(stand, lambda path: os.truncate(path, path.stat().st_size // 2))


INTENTS, OUTCOMES = 1, 2


def blocks(path):
    """Where the blocks of a segment begin and end, and their types."""
    data, at = path.read_bytes(), 56
    while at < len(data):
        _, kind, _, _, stored, head, _, _ = struct.unpack_from("<IHHIIIQQ", data, at)
        yield at, at + 36 + head + stored, kind
        at += 36 + head + stored


for what, kind in (("with the outcomes of its last entries", INTENTS), ("with entries and outcomes", OUTCOMES)):
    @test(f"an undo log that was cut off where a block ends, {what}: what is missing is counted, 8; the rest is taken back")
    def _(stand, kind=kind):
        damaged_rollback(stand, lambda path: os.truncate(path, [end for _, end, found in blocks(path) if found == kind][-2]))


@test("a torn end of the undo log, which no checkpoint covers, is cut; the run goes on and is taken back exactly")
def _(stand):
    ready(stand, rate=10**6)
    before = stand.dump("items")
    stand.dies("cas.before:1", "run", "fix.yaml", "--yes")
    last = segments(stand)[-1]
    os.truncate(last, last.stat().st_size - 7)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    once(stand)
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), before, "records")


@test("flipped bits above the checkpoint, in the intents of a batch that was not sent: as torn, nothing is lost")
def _(stand):
    ready(stand, rate=10**6)
    before = stand.dump("items")
    stand.dies("cas.before:1", "run", "fix.yaml", "--yes")
    last = segments(stand)[-1]
    flip(last, last.stat().st_size - 100, 8)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    once(stand)
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), before, "records")


@test("an undo segment, or the manifest, is missing: 6 or 8 with its name, never as if nothing had been written")
def _(stand):
    ready(stand, rate=10**6)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    after = stand.dump("items")
    manifest = stand.path("home/undo/fix.1/MANIFEST")
    manifest.rename(stand.path("kept"))
    among(["home/undo/fix.1", "MANIFEST"], stand.sluice("rollback", "fix", "--yes").ended(6).err)
    for missing in ["MANIFEST", ""]:
        among(["home/undo/fix.1", missing, "put it back from a copy of the home"], stand.sluice("verify", "fix.1").ended(6).err)
        if missing:
            manifest.parent.rename(stand.path("aside"))
    stand.path("aside").rename(manifest.parent)
    same(stand.dump("items"), after, "records")
    stand.path("kept").rename(manifest)
    for path in segments(stand):
        path.unlink()
    done = stand.sluice("rollback", "fix", "--yes").ended(6, 8)
    among(["damaged" if done.code == 8 else ".undo"], done.err)
    same(stand.dump("items"), after, "records")


# --- the listing


LISTINGS = [
    ("damaged", lambda path: flip(path, path.stat().st_size // 2, 16), 6),
    ("cut off", lambda path: os.truncate(path, path.stat().st_size // 2), 6),
    ("missing", lambda path: path.unlink(), 6),
]

for what, damage, code in LISTINGS:
    @test(f"a listing that is {what}: {code} with its name; nothing is written; the run can be taken back all the same")
    def _(stand, damage=damage, code=code):
        ready(stand)
        original = stand.dump("items")
        process = started(stand, "run", "fix.yaml", "--yes")
        process.send_signal(signal.SIGINT)
        ended(stand, process, "interrupted", 3)
        before = stand.dump("items")
        [listing] = stand.path("home/listing").glob("*.list")
        damage(listing)
        done = stand.sluice("run", "fix.yaml", "--yes").ended(code)
        among(["home/listing/", ".list", "sluice rollback fix.1"], done.err)
        same(stand.dump("items"), before, "records")
        stand.sluice("rollback", "fix", "--yes").ended(0)
        same(stand.dump("items"), original, "records")


# --- two homes


@test("two homes on one target: the second is refused with 7 and told run, host and home; --force-unlock is recorded")
def _(stand):
    half(stand)
    before = stand.dump("items")
    other = ["--home", "second", "--yes"]
    done = stand.sluice("run", "fix.yaml", *other).ended(7)
    among(["fix.1", "host " + os.uname().nodename, str(stand.path("home")), "--force-unlock"], done.err)
    same(stand.dump("items"), before, "records")
    stand.write("fix.lua", "function transform(doc) doc.seen = true return doc end\n")
    stand.sluice("run", "fix.yaml", *other, "--force-unlock", "--reason", "the first host burnt").ended(0)
    actions = stand.sluice("audit", "log", "--home", "second", "--json").ended(0).lines()
    [forced] = [entry for entry in actions if entry["action"] == "force-unlock"]
    same((forced["reason"], forced["details"]["held_by"]["run"]), ("the first host burnt", "fix.1"), "ledger")
    same(forced["details"]["held_by"]["home"], str(stand.path("home").resolve()), "home")


@test("a run whose lock another home has taken is refused with 7 when it comes back, and loses nothing of the other's")
def _(stand):
    half(stand, rate=2000)
    stand.write("fix2.lua", "function transform(doc) doc.seen = true return doc end\n")
    stand.write("other.yaml", FIX.format(rate=2000).replace("name: fix", "name: other").replace("fix.lua", "fix2.lua"))
    process = started(stand, "run", "other.yaml", "--yes", "--home", "second", "--force-unlock")
    process.send_signal(signal.SIGINT)
    ended(stand, process, "interrupted", 3)
    before = stand.dump("items")
    done = stand.sluice("run", "fix.yaml", "--yes").ended(7)
    among(["other.1", str(stand.path("second").resolve())], done.err)
    same(stand.dump("items"), before, "records")
    stand.sluice("run", "other.yaml", "--yes", "--home", "second").ended(0, 8)
    seen = stand.documents("items")
    same([key for key in seen if not seen[key].get("seen")], [], "records without the other's change")
    stand.sluice("resume", "fix").ended(0, 8)
    now = stand.documents("items")
    same([key for key in now if not now[key].get("seen")], [], "what the other wrote")
    same([key for key in now if now[key]["n"] != int(key[1:]) * 2 + 1], [], "records that were not repaired once")


# --- the clock


for first, second in ((-400, 400), (400, -400)):
    @test(f"the clock jumps by {first:+}d and then by {second:+}d while a run works: it ends as if it had not")
    def _(stand, first=first, second=second):
        ready(stand)
        process = stand.start("run", "fix.yaml", "--yes", "--json", env=faked(stand))
        seen = []
        for jump in (first, second):
            seen += stand.until(process, lambda line: writing(line) and line["done"] > (1000 if jump == first else 2500))
            jump_by(stand, jump * 86400)
        done = stand.finish(process).ended(0)
        rates = [line["records_per_s"] for line in seen + done.lines() if line["type"] == "progress"]
        same([rate for rate in rates if not 0 <= rate < 100000], [], "rates")
        once(stand)
        status = stand.status("fix")
        must(0 <= status["rate"]["records_per_s"] < 100000 and (status["eta_s"] or 0) >= 0, status)
        stand.sluice("rollback", "fix", "--yes").ended(0)
        stand.sluice("audit", "verify").ended(0)


if __name__ == "__main__":
    into_namespace()
    run_all()
