#!/usr/bin/env python3
"""buckets: records of the target by their time; half a backfill is told with its range, by which the rest is run."""

from datetime import datetime, timedelta, timezone

from stand import among, must, run_all, same, test

START, HOURS, EACH = datetime(2026, 7, 10, tzinfo=timezone.utc), 40, 60
SPEC = """
sluice: 1
name: {name}
source: {{ store: "rocksdb:src", dataset: items, {of} }}
target: {{ store: "rocksdb:live", dataset: items, write: fill }}
partitions: {{ count: 4 }}
stages: [{{ name: canary, scope: 1% }}, {{ name: full, scope: 100% }}]
buckets:
{buckets}
"""
BUCKETS = '  - { name: hours, field: meta.at, width: 1h, sum: price }\n  - { name: days, field: meta.at, width: 1d }\n  - { name: never, field: price }\n  - { name: odd, field: meta.at, width: 1d, sum: prize }\n'


def text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def rows():
    for hour in range(HOURS):
        for n in range(EACH + hour * 7 % 5):
            at = START + timedelta(hours=hour, seconds=n)
            yield f'{hour:02d}-{n:02d}\t{{"price": {900 if hour == 30 else 1}.10, "meta": {{"at": "{text(at)}"}}}}\t0'


def spec(stand, of="", name="load", buckets=BUCKETS):
    stand.write(f"{name}.yaml", SPEC.format(name=name, of=of, buckets=buckets))


def found(done):
    return {one["name"]: one for one in done["buckets"]}


@test("a load that left two hours out in part is told at the last gate, in JSON and on the page; its range run anew fills them, and the flag is gone")
def _(stand):
    stand.put("items", list(rows()), store="rocksdb:src")
    spec(stand, "where: \"doc.meta.at < '2026-07-10T20:00:05' or doc.meta.at >= '2026-07-10T22'\"")
    done = stand.sluice("run", "load.yaml", "--yes").ended(0)
    words = "time buckets hours: a trough of counts from 2026-07-10T20:00:00.000Z to 2026-07-10T22:00:00.000Z: 5, where about "
    among([words, "a spike of sums from 2026-07-11T06:00:00.000Z", "time buckets never cannot be judged: no record has a point in time there", "time buckets odd: no record has a number in prize"], done.out + done.err)
    done = stand.sluice("verify", "load.1", "--json").ended(0).json()
    among(words, done["sentence"])
    among(["Records by their time", "a trough of counts", "nothing is out of line; no record has a number in prize to be added up"], stand.path(done["page"]).read_text())
    hours, days, never, odd = (found(done)[name] for name in ("hours", "days", "never", "odd"))
    same((hours["summed"] == hours["records"], odd["summed"], odd["flagged"]), (True, 0, 0), "what was added up")
    same((hours["flagged"], hours["undated"], hours["fault"], days["flagged"], never["buckets"]), (2, 0, None, 0, 0), "what was found")
    trough, spike = hours["flags"]
    same((trough["of"], trough["kind"], spike["of"], spike["kind"]), ("count", "trough", "sum", "spike"), "kinds")
    must(trough["found"] == 5 and 115 < trough["expected"] < 130, f"figures {trough}")
    before = stand.dump("items")
    spec(stand) # mended: what it left out is meant
    among(["name one of the stretches", f'hours@{trough["range"]["from"]} (a trough, to {trough["range"]["to"]})', "(a spike, to"],
          stand.sluice("repair", "load.1", "--bucket", "hours", "--yes").ended(2).err)
    among("flags nothing of time buckets of that name: there is nothing to repair; it flags something of hours", stand.sluice("repair", "load.1", "--bucket", "days", "--yes").ended(9).err)
    command = ("repair", "load.1", "--bucket", "hours@2026-07-10T20:00:00Z")
    among(f'its meta.at from {trough["range"]["from"]} to {trough["range"]["to"]}', stand.sluice(*command, "--dry-run").ended(0).out)
    stand.dies("checkpoint.after:1", *command, "--yes")
    planned = stand.status()["run"]
    lines = stand.sluice(*command, "--yes", "--json").ended(0).lines()
    records = stand.status(planned)["records"]
    same((lines[-1]["run"], records["written"], records["unchanged"]), (planned, len(list(rows())) - len(before), 5), "the rest")
    verdict = stand.sluice("verify", planned, "--full", "--json").ended(0).json()
    same((found(verdict)["hours"]["flags"][0]["of"], verdict["unvisited"]), ("sum", 0), "what is still out of line")
    same(len(stand.dump("items")), len(list(rows())), "records")
    stand.sluice("rollback", planned, "--yes").ended(0)
    same(stand.dump("items"), before, "taken back")


@test("a stretch is not run again where records would be changed or stand twice")
def _(stand):
    stand.put("items", list(rows()), store="rocksdb:src")
    stand.write("twice.lua", "function transform(doc) doc.price = doc.price * 2 return doc end\n")
    spec(stand)
    stand.write("load.yaml", stand.read("load.yaml").replace("rocksdb:live", "rocksdb:src").replace(", write: fill", "").replace("partitions:", "transform: { lua: twice.lua }\npartitions:"))
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    among("applied to its own result", stand.sluice("repair", "load.1", "--bucket", "hours", "--yes").ended(7).err)
    among("not both", stand.sluice("repair", "load.1", "--bucket", "hours", "--extra").ended(2).err)


@test("time buckets that say nothing are refused with their place")
def _(stand):
    stand.put("items", list(rows())[:3], store="rocksdb:src")
    for wrong, words in (("{ name: x }", "the key 'buckets[].field' is missing"), ("{ name: x, field: at, width: 0s }", "above zero"),
                         ("{ name: x, field: at }\n  - { name: x, field: by }", "were there already"), ("{ name: x, feild: at }", "did you mean 'field'")):
        spec(stand, buckets=f"  - {wrong}\n")
        among(["load.yaml:", words], stand.sluice("plan", "load.yaml").ended(2).err, wrong)
    spec(stand)
    stand.write("load.yaml", stand.read("load.yaml").replace("write: fill", "write: shadow"))
    among("'buckets' are of the live dataset", stand.sluice("plan", "load.yaml").ended(2).err)


run_all()
