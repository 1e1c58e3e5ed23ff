#!/usr/bin/env python3
"""retain.key: what a run leaves of records stands in the home encrypted, and everything that reads it goes on as without."""

import base64

from servers import each_kind
from stand import among, must, run_all, same, test
from traces import REFUSES, WHO, holding, key

ROWS = 400
KEY = base64.b64encode(b"0123456789" * 3 + b"01").decode()
KEYED = {"BACKFILL_KEY": KEY}
OTHER = {"BACKFILL_KEY": base64.b64encode(b"9" * 32).decode()}

SPEC = """
sluice: 1
name: fix
source: { store: "rocksdb:live", dataset: items }
transform: { lua: fix.lua }
target: { store: "rocksdb:live", dataset: items }
partitions: { count: 4 }
protect: { rejects: 100% }
stages: [{ name: full, scope: 100% }]
retain: { undo: 1ms, quarantine: 1ms, reports: 1ms, key: "${env:BACKFILL_KEY}" }
"""


def sluice(stand, *arguments, **more):
    """With the key, or what `more` says in its place."""
    return stand.sluice(*arguments, env=stand.environment(**{**KEYED, **more}))


def seed(stand, spec=SPEC):
    stand.write("fix.yaml", spec)
    stand.write("fix.lua", REFUSES)
    stand.put("items", [f'{key(n)}\t{{"id":"{key(n)}","n":{n},"who":"{WHO}@example.org"}}' for n in range(ROWS)])


def fixed(stand):
    return {row["n"] for row in stand.documents("items").values()}


WANTED = {n if n % 10 == 7 else n * 2 + 1 for n in range(ROWS)}


@test("no file of the home shows a key or a value, nor the key itself; rollback, quarantine and dump read all of it")
def _(stand):
    seed(stand)
    before = stand.dump("items")
    sluice(stand, "run", "fix.yaml", "--yes").ended(8)
    same(fixed(stand), WANTED, "values")
    same(holding(stand, WHO), [], "files that hold a record's bytes")
    same(holding(stand, KEY), [], "files that hold the key")
    refused = sluice(stand, "quarantine", "list", "fix.1", "--json").ended(0)
    among(key(7), refused.out)
    among(WHO + "@example.org", sluice(stand, "quarantine", "show", "fix.1", "1").ended(0).out)
    segment = stand.path("home/undo/fix.1/000001.undo")
    among(key(1), sluice(stand, "dump", str(segment)).ended(0).out)
    among(key(7), sluice(stand, "dump", str(stand.path("home/quarantine/fix.1.ndjson"))).ended(0).out)
    listing = next(stand.path("home/listing").glob("*.list"))
    among(key(1), sluice(stand, "dump", str(listing)).ended(0).out)
    sluice(stand, "rollback", "fix.1", "--yes").ended(0)
    same(stand.dump("items"), before, "records")
    same(holding(stand, WHO), [], "files that hold a record's bytes")


@test("a report shows nothing of a record, nor does its page; who has the key reads it, makes fixtures of it, and repairs by it")
def _(stand):
    seed(stand)
    sluice(stand, "run", "fix.yaml", "--yes").ended(8)
    wrong = f'{{"id":"{key(10)}","n":10,"who":"{WHO}@example.org"}}' # as it was before
    stand.put("items", [f"{key(10)}\t{wrong}"])
    report = stand.path(sluice(stand, "verify", "fix.1", "--full", "--json").ended(4).lines()[-1]["report"])
    same(holding(stand, WHO), [], "files that hold a record's bytes")
    among("is sealed", report.with_suffix(".html").read_text())
    lines = sluice(stand, "dump", str(report)).ended(0).lines()
    same([(line["key"], line["kind"]) for line in lines], [(key(10), "missing")], "the report")
    among(key(10), sluice(stand, "try", "fix.yaml", "--keys-from", "fix.1", "--sample", "100").ended(0, 8).out)
    among("BACKFILL_KEY", stand.sluice("dump", str(report)).ended(2).err)
    sluice(stand, "repair", "fix.1", "--yes").ended(0)
    same(fixed(stand), WANTED, "values")
    same(holding(stand, WHO), [], "files that hold a record's bytes")
    with open(report, "r+b") as file:
        bytes_of = file.read().replace(b'{"sealed":"A', b'{"sealed":"B', 1)
        file.seek(0)
        file.write(bytes_of[:-20] + b"AAAAAAAAAAAAAAAAAA" + bytes_of[-2:])
    among("not a line of a verification's report", sluice(stand, "dump", str(report)).ended(6).err)


COPY = """
sluice: 1
name: copy
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
target: {target}
expect: [{{ name: all, count: {rows} }}]
stages: [{{ name: full, scope: 100% }}]
retain: {{ reports: 30d, key: "${{env:BACKFILL_KEY}}" }}
"""


def copied(stand, target):
    stand.records("in/a.ndjson", ({"id": key(n), "n": n} for n in range(ROWS)))
    stand.write("copy.yaml", COPY.format(target=target, rows=ROWS))
    sluice(stand, "run", "copy.yaml", "--yes").ended(0)


def left(stand, ending):
    """The list that a verification keeps for a while: it is killed at one reading after the other until it leaves one."""
    for nth in range(1, 30):
        stand.dies(f"store.read:{nth}", "verify", "copy.1", "--extra", **KEYED)
        found = list(stand.path("home/reports/copy.1").glob("*." + ending))
        if found:
            must(found[0].stat().st_size > 0, f"an empty list: {found}")
            return
    must(False, "no reading leaves a list ." + ending)


@test("the list of the target's keys that a verification keeps for a while shows none of them")
def _(stand):
    copied(stand, '{ store: "rocksdb:live", dataset: items }')
    stand.put("items", [f'{key(ROWS)}\t{{"id":"{key(ROWS)}"}}'])
    left(stand, "target")
    same(holding(stand, WHO), [], "files that hold a record's bytes")


@each_kind("the same of the list that what is expected of all records is told by", slow=True)
def _(stand, servers):
    copied(stand, f'{{ store: "valkey://{servers.standalone().address}", dataset: "c:{{id}}" }}')
    left(stand, "keys")
    same(holding(stand, WHO), [], "files that hold a record's bytes")


@test("killed in the middle it goes on, with the key; without it, or with another, nothing is read and nothing written")
def _(stand):
    seed(stand)
    stand.dies("cas.after:2", "run", "fix.yaml", "--yes", **KEYED)
    was = stand.dump("items")
    among(["BACKFILL_KEY", "retain.key"], stand.sluice("run", "fix.yaml", "--yes").ended(2).err)
    among("is not the key by which it was sealed", sluice(stand, "run", "fix.yaml", "--yes", **OTHER).ended(7).err)
    among("BACKFILL_KEY", stand.sluice("rollback", "fix.1", "--yes").ended(2).err)
    same(stand.dump("items"), was, "records")
    sluice(stand, "run", "fix.yaml", "--yes").ended(8)
    same(fixed(stand), WANTED, "values")
    same(holding(stand, WHO), [], "files that hold a record's bytes")


@test("the key goes with what it seals: of a copy of the home that was made before, nothing can be read by it")
def _(stand):
    seed(stand)
    sluice(stand, "run", "fix.yaml", "--yes").ended(8)
    stand.copy("home/undo", "stolen")
    sluice(stand, "prune").ended(0)
    same(list(stand.path("home/keys").iterdir()), [], "keys")
    among("its key is not in this home", sluice(stand, "dump", str(stand.path("stolen/fix.1/000001.undo"))).ended(7).err)


@test("a key's file that is lost is told before anything is written")
def _(stand):
    seed(stand)
    stand.dies("cas.after:1", "run", "fix.yaml", "--yes", **KEYED)
    lost = next(stand.path("home/keys").glob("*.quarantine"))
    lost.rename(stand.path("aside"))
    was = stand.dump("items")
    among(["the key of the run is gone", lost.name], sluice(stand, "run", "fix.yaml", "--yes").ended(7).err)
    same(stand.dump("items"), was, "records")
    stand.path("aside").rename(lost)
    sluice(stand, "run", "fix.yaml", "--yes").ended(8)


@test("doctor says whether the key can be had; a key in the spec itself, and one of the wrong length, are refused")
def _(stand):
    seed(stand)
    among("is a key; undo log", sluice(stand, "doctor", "fix.yaml").out)
    done = stand.sluice("doctor", "fix.yaml")
    among("BACKFILL_KEY", done.out + done.err)
    short = sluice(stand, "run", "fix.yaml", "--yes", BACKFILL_KEY="hunter2").ended(2)
    among(["fix.yaml:", "32 bytes as base64 or as hex"], short.err)
    must("hunter2" not in short.err, "the secret is shown:", short.err)
    stand.write("plain.yaml", SPEC.replace("${env:BACKFILL_KEY}", KEY))
    among("a secret never stands in a spec", sluice(stand, "plan", "plain.yaml").ended(2).err)
    sluice(stand, "plan", "fix.yaml").ended(0)
    same(sorted(path.name for path in stand.path("home/keys").iterdir()) if stand.path("home/keys").exists() else [], [],
         "keys that a plan alone has left")


run_all()
