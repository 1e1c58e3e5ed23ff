#!/usr/bin/env python3
"""Partitions that are split at a checkpoint: two workers share a large one, and what became of it is verified, taken back, and
gone on with after a death. Those that lag are named."""

from staged import LOAD, after, ready, run
from stand import among, must, run_all, same, test

ROWS = 2700
RUN = ("run", "fix.yaml", "--yes")
# A large partition of 2,400 records and a small one of 300; a batch is what may be written in a tenth of a second.
UNEVEN = "partitions: { size: 2400 }\nworkers: %d"
SLOW = "protect: { rate: { max: 4000/s } }\n"


def prepare(stand, workers=2):
    was = ready(stand, "stages: [{ name: full, scope: 100% }]\n", more=SLOW, rows=ROWS)
    spec = stand.read("fix.yaml").replace("partitions: { count: 4 }\nworkers: 1", UNEVEN % workers)
    stand.write("fix.yaml", spec)
    return was


def splits(stand):
    entries = stand.sluice("audit", "log", "--json").ended(0).lines()
    return [entry["details"] for entry in entries if entry.get("action") == "split"]


def is_right(stand):
    same(stand.documents("items"), after(ROWS), "records")
    status = stand.status("fix")
    same((status["state"], status["records"]["written"]), ("done", ROWS), "the run")
    same(status["partitions"]["total"], 2 + len(splits(stand)), "partitions")
    same(status["partitions"]["verified"], status["partitions"]["total"], "verified")
    stand.sluice("audit", "verify").ended(0)


@test("two workers share a large partition: each is given the later half of what the other has left, and it is on record")
def _(stand):
    was = prepare(stand)
    run(stand, 0)
    is_right(stand)
    found = splits(stand)
    must(found, "nothing was split")
    left = {0: 2400, 1: 300}
    for split in found:
        parent = split["partition"]
        same(split["into"], len(left), "number of the new partition")
        same(split["at"] + split["records"], left[parent], f"keys of partition {parent}, which is split")
        left[parent], left[split["into"]] = split["at"], split["records"]
    must(max(left.values()) < 2400 * 3 // 4, f"the large partition stayed large: {left}")
    by_sums = stand.sluice("verify", "fix", "--json").ended(0).json()
    same((by_sums["compared"], by_sums["by_sums"]), (ROWS, len(left)), "by sums")
    full = stand.sluice("verify", "fix", "--full", "--json").ended(0).json()
    same((full["compared"], full["in_full"]), (ROWS, len(left)), "in full")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), was, "records after the rollback")


@test("it dies behind a split, and amid what was split off: gone on with, every record is repaired once")
def _(stand):
    for point in ("part.is_split:1", "cas.after:5"):
        prepare(stand)
        stand.dies(point, *RUN)
        run(stand, 0)
        is_right(stand)
        for name in ("home", "live", "in"):
            stand.run(["rm", "-r", name]).ended(0)


@test("a half-done run with a split is taken back, every record as it was")
def _(stand):
    was = prepare(stand)
    stand.dies("checkpoint.after:5", *RUN)
    must(splits(stand), "nothing was split before it died")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), was, "records after the rollback")


@test("diff compares keys across a split: of a run whose partitions were split and one whose were not, no key ended otherwise")
def _(stand):
    prepare(stand)
    run(stand, 0)
    must(splits(stand), "nothing was split")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    stand.write("fix.yaml", stand.read("fix.yaml").replace("workers: 2", "workers: 1"))
    run(stand, 0)
    keys = stand.sluice("diff", "fix.1", "fix.2", "--json").ended(0, 10).json()["keys"]
    same((keys["both"], keys["other_outcome"], keys["only_a"], keys["only_b"]), (ROWS, 0, 0, 0), "keys")


@test("one worker splits for nobody; ranges of files are not split")
def _(stand):
    prepare(stand, workers=1)
    run(stand, 0)
    same(stand.status("fix")["partitions"]["total"], 2, "partitions")
    spec = LOAD.replace("name: load", "name: again").replace("dataset: items }", "dataset: other }")
    stand.write("again.yaml", spec + SLOW + "partitions: { count: 1 }\nworkers: 2\n")
    stand.sluice("run", "again.yaml", "--yes").ended(0)
    same(stand.status("again")["partitions"]["total"], 1, "partitions of files")
    same(splits(stand), [], "splits")


# The first partition's records are written, as slowly as the rate says; of the others nothing is.
SLOW_LUA = "function transform(doc) if doc.n >= 2000 then return nil end doc.n = doc.n * 2 + 1 return doc end\n"


@test("a partition that lags behind the others is named, with the cause, by run, status and watch; not when nobody is at work")
def _(stand):
    ready(stand, "stages: [{ name: full, scope: 100% }]\n", more="protect: { rate: { max: 100/s } }\n", rows=6000)
    stand.write("fix.lua", SLOW_LUA)
    spec = stand.read("fix.yaml").replace("partitions: { count: 4 }\nworkers: 1", "partitions: { size: 2000 }\nworkers: 2")
    stand.write("fix.yaml", spec)
    process = stand.start(*RUN, "--json")
    note = stand.until(process, lambda line: line["type"] == "note" and "partition 0 lags" in line["text"])[-1]["text"]
    among(["partition 0 lags behind the others: it waits", "ms a record, of the others"], note)
    lags = [row for row in stand.status("fix")["stragglers"] if row["partition"] == 0][0]
    same(lags["cause"], "waiting", "cause")
    must(lags["records_per_s"] * 2 < lags["others_per_s"] and lags["records_left"] > 0, f"by the rule: {lags}")
    among(["lags        partition 0, ", "records left", "it waits"], stand.sluice("status", "fix").ended(0).out)
    among("lags: partition 0, ", stand.run(["timeout", "-s", "INT", "1", stand.programs.sluice, "watch", "fix"]).out)
    stand.sluice("pause", "fix").ended(0)
    stand.finish(process).ended(3)
    same(stand.status("fix")["stragglers"], [], "stragglers of a run that is paused")


run_all()
