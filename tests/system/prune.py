#!/usr/bin/env python3
"""retain and prune: what a run leaves goes when its time is over, wholly, and not before; who then needs it is refused by name."""

import contextlib
import fcntl
import os
import sqlite3

from staged import FIX_LUA
from stand import among, must, run_all, same, test
from traces import REFUSES, WHO, holding, key
from wallclock import faked, jump_to

ROWS = 400
GONE = "retain: { undo: 1ms, quarantine: 1ms, reports: 1ms }\n"
POINTS = ["prune.expire:1", "prune.expired:1", "prune.file:1", "prune.file:4", "prune.files:3", "prune.expire:4", "prune.rows:4", "prune.rows:6",
          "prune.wiped:1", "catalog.commit:1", "catalog.committed:9"]

LOAD = """
sluice: 1
name: load
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
target: {{ store: "rocksdb:live", dataset: items }}
stages: [{{ name: full, scope: 100% }}]
{more}"""

FIX = """
sluice: 1
name: fix
source: {{ store: "rocksdb:live", dataset: items{only} }}
transform: {{ lua: fix.lua }}
target: {{ store: "rocksdb:live", dataset: items }}
partitions: {{ count: 4 }}
protect: {{ rejects: 100% }}
workers: 1
stages: [{{ name: full, scope: 100% }}]
{more}"""


def seed(stand, more=GONE, only="", lua=REFUSES, keys=""):
    stand.write("keys.txt", keys)
    stand.records("in/a.ndjson", [{"id": key(n), "n": n, "who": f"{WHO}@example.org"} for n in range(ROWS)])
    stand.write("load.yaml", LOAD.format(more=more))
    stand.write("fix.yaml", FIX.format(more=more, only=only))
    stand.write("fix.lua", lua)
    stand.sluice("run", "load.yaml", "--yes").ended(0)


def ready(stand, **how):
    """fix.1 is done but for what it refused; the application has changed a key since, which a report names."""
    seed(stand, **how)
    stand.sluice("run", "fix.yaml", "--yes").ended(8)
    stand.put("items", [f'{key(1)}\t{{"id":"{key(1)}","n":-1,"who":"{WHO}"}}'])
    stand.sluice("verify", "fix.1", "--full").ended(0, 4)


def rows(stand, table, column):
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"))) as catalog:
        found = [row[0] for row in catalog.execute(f"SELECT {column} FROM {table}") if row[0]]
    return [row.decode() if isinstance(row, bytes) else row for row in found]


def in_free_pages(stand):
    """What a SQLite that does not overwrite leaves behind of rows that are deleted."""
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"), isolation_level=None)) as catalog:
        catalog.execute("PRAGMA secure_delete=OFF")
        catalog.executemany("INSERT INTO told VALUES (1, ?)", [(key(n) * 20,) for n in range(200)])
        catalog.execute("DELETE FROM told")
        catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def everything(stand):
    """Every file of the home but those that any look makes: name and content."""
    files = {}
    for folder, _, names in os.walk(stand.path("home")):
        for name in names:
            if name not in ("catalog.db-shm", "catalog.db-wal"):
                with open(os.path.join(folder, name), "rb") as file:
                    files[os.path.join(folder, name)] = file.read()
    return files


def left(stand, run_name):
    folder = stand.path(f"home/undo/{run_name}")
    return sorted(os.listdir(folder)) if folder.exists() else []


def is_clean(stand):
    same(holding(stand), [], f"files that hold {WHO}")
    same(left(stand, "fix.1"), ["expired"], "the undo log's folder")
    stand.sluice("audit", "verify").ended(0)
    told = [(entry["run"], entry["details"]["what"]) for entry in stand.sluice("audit", "log", "--json").ended(0).lines()
            if entry["action"] == "expired"]
    same(sorted(told), sorted((name, what) for name in ("load.1", "fix.1") for what in ("undo", "quarantine", "reports")), "ledger")


@test("a planted identifier, in keys and values, stands nowhere in the home once what has expired is pruned")
def _(stand):
    ready(stand)
    in_free_pages(stand)
    before = holding(stand)
    must("catalog.db" in before, "the catalog's free pages did not hold it", before)
    for part in ("listing/", "quarantine/fix.1", "reports/fix.1", "undo/fix.1"):
        must(any(name.startswith(part) for name in before), f"{part} did not hold it: the test looks at nothing", before)
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"))) as other: # the last to close would take the log away
        other.execute("SELECT count(*) FROM run").fetchall()
        said = stand.sluice("prune", "--json").ended(0).json()
        same(holding(stand), [], "files that hold it")
        log, whole = (stand.path(f"home/{name}").stat().st_size for name in ("catalog.db-wal", "catalog.db"))
        must(log < whole / 2, f"the log has {log} bytes, all of a catalog of {whole} that was written anew: nobody has emptied it")
    same((said["dry_run"], sorted((item["run"], item["what"]) for item in said["expired"] if not item["kept"])),
         (False, sorted((name, what) for name in ("fix.1", "load.1") for what in ("undo", "quarantine", "reports"))), "expired")
    must(sum(item["bytes"] for item in said["expired"]) > 0, "no bytes", said)
    is_clean(stand)
    among("nothing has expired", stand.sluice("prune").ended(0).out)
    status = stand.status("fix.1")
    same((status["state"], status["records"]["rejected"]), ("done", ROWS // 10), "what the catalog still says")
    stand.sluice("list").ended(0)
    stand.sluice("diff", "load.1", "fix.1").ended(0)


@test("keys that the spec names go out of the frozen plan and of the texts kept for diff; of the ledger nothing goes")
def _(stand):
    seed(stand, only=", only: { keys: keys.txt }", lua=FIX_LUA, keys=f"{key(1)}\n{WHO}-nobody\n")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    must(any(WHO in text for text in rows(stand, "plan", "json")), "the plan did not hold it: the test looks at nothing")
    must(any(name.endswith(".unmatched.ndjson") for name in holding(stand)), "what matched nothing", holding(stand))
    stand.sluice("prune").ended(0)
    same([text for text in rows(stand, "plan", "json") if WHO in text], [], "frozen plans that hold it")
    same(holding(stand), ["catalog.db"], "files that hold it: by the ledger")
    must(any(WHO in text for text in rows(stand, "ledger", "details")), "the ledger has lost it")
    stand.sluice("audit", "verify").ended(0)
    same(stand.status("fix.1")["state"], "done", "state")


@test("--dry-run says the same and changes nothing")
def _(stand):
    ready(stand)
    before = everything(stand)
    said = stand.sluice("prune", "--dry-run", "--json").ended(0).json()
    among("would be removed", stand.sluice("prune", "--dry-run").ended(0).out)
    must(everything(stand) == before, "files have changed")
    done = stand.sluice("prune", "--json").ended(0).json()
    same((said["dry_run"], done["dry_run"], said["expired"]), (True, False, done["expired"]), "what is said")


@test("what needs what has expired is refused by name: rollback, supersede, verify, cat of the undo log, the quarantine")
def _(stand):
    ready(stand)
    was = stand.dump("items")
    among("rollback    possible until", stand.sluice("status", "fix.1").ended(0).out)
    stand.sluice("prune").ended(0)
    for command in (("rollback", "fix.1", "--yes"), ("rollback", "fix.1", "--dry-run"), ("verify", "fix.1"),
                    ("run", "fix.yaml", "--yes", "--supersede", "fix.1"), ("quarantine", "list", "fix.1"),
                    ("quarantine", "show", "fix.1", "1"), ("quarantine", "retry", "fix.1", "--yes"),
                    ("try", "fix.yaml", "--keys-from", "fix.1"), ("cat", "undo:home/undo/fix.1", "*")):
        stand.write("fix.lua", REFUSES + "-- mended\n")
        among(["fix.1", "expired", "`sluice prune`"], stand.sluice(*command).ended(7).err, " ".join(command))
    among("rollback    not possible since", stand.sluice("status", "fix.1").ended(0).out)
    same(stand.dump("items"), was, "records")


@test("the clock starts when the run ends; each has its time; reports stay as long as undo log and quarantine need them")
def _(stand):
    ready(stand, more="retain: { undo: 7d, quarantine: 30d, reports: 1h }\n")
    clock = faked(stand, "2027-03-01 12:00:00")
    stand.sluice("rollback", "fix.1", "--yes", env=clock).ended(0, 8)
    same(stand.sluice("status", "fix.1", "--json", env=clock).ended(0).json()["undo_until"], None, "of a run taken back")
    stand.write("fix.lua", FIX_LUA)
    run_of = stand.sluice("run", "fix.yaml", "--yes", env=clock).ended(0)
    same(stand.sluice("status", "fix.2", "--json", env=clock).ended(0).json()["undo_until"][:16], "2027-03-08T12:00", "undo_until")
    steps = [("2027-03-08 11:59:00", []), ("2027-03-08 12:05:00", ["undo"]), ("2027-03-31 11:59:00", []),
             ("2027-03-31 12:05:00", ["quarantine", "reports"]), ("2028-01-01 00:00:00", [])]
    for at, gone in steps:
        jump_to(stand, at)
        said = stand.sluice("prune", "--json", env=clock).ended(0).json()
        same([item["what"] for item in said["expired"] if item["run"] == "fix.2"], gone, f"expired at {at}")
    must(run_of.out, "the run said nothing")


@test("without retain everything is kept; a time for the reports alone removes nothing that a rollback needs")
def _(stand):
    ready(stand, more="retain: { reports: 1ms }\n")
    before = everything(stand)
    among("nothing has expired", stand.sluice("prune").ended(0).out)
    must(everything(stand) == before, "files have changed")
    same(stand.status("fix.1")["undo_until"], None, "undo_until")
    stand.sluice("rollback", "fix.1", "--yes").ended(0, 8)


@test("killed anywhere and repeated it ends as if it had not been")
def _(stand):
    ready(stand)
    stand.copy("home", "kept")
    for point in POINTS:
        stand.copy("kept", "home")
        stand.dies(point, "prune")
        stand.sluice("prune").ended(0)
        is_clean(stand)


@test("a run that is not at its end is not touched, nor one that it needs")
def _(stand):
    seed(stand, lua=FIX_LUA)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    stand.write("fix.lua", FIX_LUA.replace("+ 1", "+ 2"))
    stand.dies("run.move:1", "run", "fix.yaml", "--yes", "--supersede", "fix.1") # fix.1 is still done
    before = left(stand, "fix.1"), left(stand, "fix.2")
    said = stand.sluice("prune", "--json").ended(0).json()["expired"]
    same([item["kept"] for item in said if item["run"] == "fix.1"], ["fix.2 needs it"] * 3, "kept")
    must(not any(item["run"] == "fix.2" for item in said), "an open run", said)
    same((left(stand, "fix.1"), left(stand, "fix.2")), before, "undo logs")
    stand.sluice("run", "fix.2", "--yes").ended(0)
    same({row["n"] for row in stand.documents("items").values()}, {n * 2 + 2 for n in range(ROWS)}, "values")
    stand.sluice("prune").ended(0)
    same(holding(stand), [], f"files that hold {WHO}")


@test("a run that a process holds at that moment is kept and named, the others are pruned; the next prune takes it")
def _(stand):
    ready(stand)
    with open(stand.path("home/runs/fix.1.lock"), "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = left(stand, "fix.1")
        said = stand.sluice("prune", "--json").ended(0).json()["expired"]
        same([("being run by" in (item["kept"] or "")) for item in said], [item["run"] == "fix.1" for item in said], "kept")
        same(left(stand, "fix.1"), before, "its undo log")
        same(left(stand, "load.1"), ["expired"], "the other's")
    stand.sluice("prune").ended(0)
    is_clean(stand)


run_all()
