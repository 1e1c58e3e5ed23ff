#!/usr/bin/env python3
"""Append-only targets from outside: NDJSON into new files, killed, resumed, verified, taken back; and each format that can
be written. What is there is counted by this script, which reads the files without sluice."""

import gzip
import json
import shutil
import signal
import subprocess

from stand import must, run_all, same, among, test

RECORDS = 20_000
TRANSFORM = """
function transform(doc, ctx)
  if doc.kind == "skip" then return nil end
  if doc.kind == "bad" then return ctx.reject("bad kind") end
  doc.balance = doc.balance * 2 + 1
  doc.name = string.upper(doc.name)
  return doc
end
"""
SPEC = """
sluice: 1
name: out
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
transform: {{ lua: t.lua }}
target: {{ store: "file:out", dataset: "{dataset}" }}
partitions: {{ size: 3000 }}
stages: {stages}
protect: {{ rejects: 50% }}
workers: 2
"""
STAGES = "[ { name: canary, scope: 10% }, { name: rest, scope: 100% } ]"
ONE = "[ { name: all, scope: 100% } ]"


def record(n):
    kind = "skip" if n % 40 == 7 else "bad" if n % 50 == 11 else "plain"
    return {"id": f"k{n:06d}", "kind": kind, "name": f"näme {n}", "balance": n, "exact": 9007199254740993 + n}


def wanted(n):
    row = record(n)
    return dict(row, balance=n * 2 + 1, name=f"NäME {n}") if row["kind"] == "plain" else None


def prepare(stand, dataset, stages=STAGES, records=RECORDS):
    stand.records("in/a.ndjson", [record(n) for n in range(records)])
    stand.write("t.lua", TRANSFORM)
    stand.write("out.yaml", SPEC.format(dataset=dataset, stages=stages))
    return [row for row in map(wanted, range(records)) if row]


def unpacked(path):
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", str(path)], check=True, capture_output=True).stdout
    return path.read_bytes()


def published(stand):
    """Every record of every file that bears no hidden name, in the order of the names."""
    rows = []
    for path in sorted((stand.dir / "out").glob("out-*")):
        rows += [json.loads(line) for line in unpacked(path).decode().splitlines()]
    return rows


def exactly(stand, rows):
    found = published(stand)
    same(len(found), len(rows), "records in the files")
    same([row["id"] for row in found], [row["id"] for row in rows], "keys, in the source's order")
    must(found == rows, "a record has other content")
    same([path.name for path in (stand.dir / "out").iterdir() if path.name.startswith(".")], [], "hidden files")


def counts(stand, run="out.1"):
    return stand.status(run)["records"]


@test("NDJSON into NDJSON.zst with a transform: done, verified, each record once, in the source's order")
def once(stand):
    rows = prepare(stand, "out-*.ndjson.zst")
    done = stand.sluice("run", "out.yaml", "--yes").ended(8)
    among("0 of", done.err + done.out)
    exactly(stand, rows)
    same(stand.status("out.1")["state"], "done", "state")
    same(counts(stand)["written"], len(rows), "written")


@test("killed by SIGKILL wherever a file comes to be, and resumed: each record once")
def killed(stand):
    rows = prepare(stand, "out-*.ndjson.zst")
    points = ["sink.before:2", "sink.after:3", "publish.before:4", "publish.after:5", "checkpoint.before:6",
              "checkpoint.after:2", "store.sink_list:1", "store.sink_list:2"]
    for point in points:
        for folder in ("home", "out"):
            shutil.rmtree(stand.path(folder), ignore_errors=True)
        stand.dies(point, "run", "out.yaml", "--yes")
        stand.sluice("run", "out.yaml", "--yes").ended(8)
        exactly(stand, rows)
        stand.sluice("verify", "out.1", "--full").ended(0)


@test("killed by SIGKILL from outside, again and again: each record once")
def killed_from_outside(stand):
    rows = prepare(stand, "out-*.ndjson.zst")
    deaths = 0
    for after in (3, 1, 2, 1):
        process = stand.start("run", "out.yaml", "--yes", "--json")
        for _ in range(after):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        deaths += stand.finish(process).code == -signal.SIGKILL
    must(deaths > 1, "it came through before it was killed")
    stand.sluice("run", "out.yaml", "--yes").ended(0, 8)
    exactly(stand, rows)
    stand.sluice("audit", "verify").ended(0)


@test("each format that can be written: written, verified by sums and in full, read back as a source")
def formats(stand):
    for form in ("ndjson", "jsonl", "json", "ndjson.gz", "ndjson.zst", "jsonl.gz", "jsonl.zst", "json.gz", "json.zst"):
        for folder in ("home", "out"):
            shutil.rmtree(stand.path(folder), ignore_errors=True)
        rows = prepare(stand, f"out-*.{form}", ONE, 7000)
        stand.sluice("run", "out.yaml", "--yes").ended(8)
        exactly(stand, rows)
        among("by sums of 3 partitions", stand.sluice("verify", "out.1").ended(0).out)
        among("all keys of 3 partitions", stand.sluice("verify", "out.1", "--full").ended(0).out)
        back = [json.loads(line)["document"] if "document" in json.loads(line) else json.loads(line)
                for line in stand.sluice("cat", "file:out", f"out-*.{form}", "--json").ended(0).out.splitlines()]
        same(len(back), len(rows), f"records read back from {form}")


@test("what becomes of the files is said: one that is gone, one that is doubled, a record that is another")
def classes(stand):
    prepare(stand, "out-*.ndjson", ONE, 7000)
    stand.sluice("run", "out.yaml", "--yes").ended(8)
    files = sorted(stand.path("out").iterdir())
    kept = {path: path.read_bytes() for path in files}
    first = kept[files[0]].count(b"\n")

    files[0].unlink()
    found = stand.sluice("verify", "out.1", "--json").ended(4).json()
    same((found["missing"], found["extra"], found["differing"]), (first, 0, 0), "one gone: missing, extra, differing")
    same((found["by_sums"], found["in_full"]), (2, 1), "partitions by sums, in full")
    files[0].write_bytes(kept[files[0]])

    double = files[0].with_name(files[0].name.replace("-00000001", "-00000042"))
    double.write_bytes(kept[files[0]])
    found = stand.sluice("verify", "out.1", "--json").ended(4).json()
    same((found["missing"], found["extra"], found["differing"]), (0, first, 0), "one doubled: missing, extra, differing")
    double.unlink()

    files[1].write_bytes(kept[files[1]].replace(b'"balance":', b'"balance":7', 1))
    found = stand.sluice("verify", "out.1", "--json").ended(4).json()
    same((found["missing"], found["extra"], found["differing"]), (0, 0, 1), "one changed: missing, extra, differing")
    line = json.loads(stand.read(found["report"]))
    same((line["kind"], line["fields"]), ("differing", ["balance"]), "the report")

    files[1].write_bytes(kept[files[1]])
    stand.sluice("verify", "out.1", "--full").ended(0)


@test("a gate that finds a file damaged does not pass; mended, the same command goes on")
def gate(stand):
    rows = prepare(stand, "out-*.ndjson", ONE, 7000)
    stand.dies("store.sink_list:1", "run", "out.yaml", "--yes")
    path = sorted(stand.path("out").iterdir())[0]
    whole = path.read_bytes()
    path.write_bytes(whole.split(b"\n", 1)[1])
    done = stand.sluice("run", "out.yaml", "--yes").ended(4)
    among("1 missing", done.err + done.out)
    path.write_bytes(whole)
    stand.sluice("resume", "out.1").ended(8)
    exactly(stand, rows)


@test("a rollback removes the run's files and leaves those of another run and of others")
def rollback(stand):
    rows = prepare(stand, "out-*.ndjson.gz", ONE, 7000)
    stand.sluice("run", "out.yaml", "--yes").ended(8)
    mine = stand.write("out/out-mine.ndjson.gz", gzip.compress(b'{"id":"mine"}\n'))
    stand.sluice("run", "out.yaml", "--yes", "--again").ended(8)
    same(len(published(stand)), 2 * len(rows) + 1, "records of two runs")
    stand.sluice("verify", "out.1").ended(0)
    stand.dies("store.sink_drop:1", "rollback", "out.2", "--yes")
    stand.sluice("rollback", "out.2", "--yes").ended(0)
    same(len(published(stand)), len(rows) + 1, "records of the other run")
    stand.sluice("verify", "out.1", "--full").ended(0)
    stand.sluice("rollback", "out.1", "--yes").ended(0)
    same([path.name for path in stand.path("out").iterdir()], [mine.name], "what is left")
    same(stand.status("out.1")["state"], "rolled-back", "state")


@test("run once more after done: not a new run, unless asked for, for the files would hold everything twice")
def again(stand):
    rows = prepare(stand, "out-*.ndjson", ONE, 7000)
    stand.write("out.yaml", stand.read("out.yaml").replace("t.lua }", "t.lua, idempotent: true }"))
    stand.sluice("run", "out.yaml", "--yes").ended(8)
    among("done already", stand.sluice("run", "out.yaml", "--yes").ended(8).err)
    exactly(stand, rows)


@test("a spec without a run: its files bear a run's name, and that is said")
def spec(stand):
    prepare(stand, "out-*.ndjson", ONE, 100)
    among("`sluice verify out` takes its newest run", stand.sluice("verify", "out.yaml").ended(2).err)


run_all()
