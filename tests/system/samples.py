#!/usr/bin/env python3
"""Verification that states what it proves: gates and verifications by a sample, and what changed since found by sketches."""

import datetime
import json

from stand import among, must, run_all, same, test
from staged import LOAD, after, ready, run, three

ROWS = 4000
SURE = "verify: { confidence: 99%, below: 5% }"
# A record that comes out otherwise whenever it is made.
REMEMBERS = "local n = 0\nfunction transform(doc) n = n + 1 doc.n = n return doc end\n"


def verified(stand, *arguments, status=0):
    return stand.sluice("verify", *arguments, "--json").ended(status).json()


@test("a gate by a sample: planned, judged, recorded as one; what it did not look at is compared later")
def _(stand):
    ready(stand, three(canary=SURE, full=SURE), rows=ROWS)
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()
    gate = plan["stages"][0]["verify"]
    same((gate["confidence"], gate["below"], plan["stages"][1]["verify"]), (0.99, 0.05, "full"), "planned gates")
    must(80 <= gate["sample"] <= 90, gate)
    among(["verified by a sample of", "99% sure that fewer than 5% differ"], stand.sluice("plan", "fix.yaml").ended(0).out)
    among("99%", stand.sluice("plan", "fix.yaml", "--show-spec").ended(0).out)
    said = run(stand, 0)
    same(stand.documents("items"), after(ROWS), "records")
    entries = stand.sluice("audit", "log", "--json").ended(0).out
    among(["a sample of", "were not looked at"], entries)
    whole = verified(stand, "fix.1")
    same((whole["by_sums"], whole["in_full"], whole["equal"], whole["confidence"]), (1, 3, ROWS, 1.0), "a later verification")
    part = verified(stand, "fix.1", "--sample", "99%,5%")
    same((part["by_sums"], part["in_full"], part["verdict"]), (0, 0, "pass"), "a sample")
    must(80 <= part["sample"]["keys"] < 100 and part["sample"]["of"] == ROWS and 0 < part["below"] <= 0.05, part)
    same(part["equal"], part["sample"]["keys"], "looked at")
    among(["a sample of", "with 99% confidence fewer than", "were not looked at"], part["sentence"])


@test("a gate by a sample that finds something fails; the report has it")
def _(stand):
    ready(stand, three(canary=SURE), rows=ROWS)
    stand.write("fix.lua", REMEMBERS)
    end = stand.sluice("run", "fix.yaml", "--yes", "--json").ended(4).lines()[-1]
    among("a sample of", end["verdict"])
    same(stand.status("fix.1")["state"], "paused", "state")


@test("verify --sample: of a spec, too; what it cannot be is refused")
def _(stand):
    ready(stand, rows=ROWS)
    stand.sluice("run", "load.yaml", "--yes").ended(0, 8)
    part = verified(stand, "load.yaml", "--sample", "99%,5%")
    same(part["sample"]["of"], ROWS, "population")
    must(80 <= part["sample"]["keys"] < 100, part["sample"])
    for text in ("", "99%", "99%,", "100%,1%", "99%,0%", "1000", "99%,1%,1%,1%", "99%,1%,0%"):
        among("99.9%,0.01%", stand.sluice("verify", "load.1", "--sample", text).ended(2).err)
    among("not both", stand.sluice("verify", "load.1", "--sample", "99%,1%", "--full").ended(2).err)


def drawn(stand):
    """The keys that a sample of the spec met: all of them differ, so that each one has a line."""
    report = verified(stand, "load.yaml", "--sample", "99%,5%", status=4)["report"]
    return {row["key"] for row in map(json.loads, stand.read(report).splitlines()) if row.get("kind") == "differing"}


@test("verify SPEC --sample draws the same keys each time, and others for another spec")
def _(stand):
    ready(stand, rows=ROWS)
    stand.sluice("run", "load.yaml", "--yes").ended(0, 8)
    stand.write("other.lua", "function transform(doc) doc.other = 1 return doc end\n")
    stand.write("load.yaml", stand.read("load.yaml") + "transform: { lua: other.lua }\n")
    first = drawn(stand)
    must(len(first) > 0, "nothing was drawn")
    same(drawn(stand), first, "keys drawn again")
    stand.write("load.yaml", stand.read("load.yaml") + "reason: another one\n")
    must(drawn(stand) != first, "another spec draws the same keys")


@test("what changed since the gates is found by the sketches: those keys alone are compared")
def _(stand):
    ready(stand, three(), rows=ROWS)
    run(stand, 0)
    stand.put("items", [f'k{n:05d}\t{{"id": "k{n:05d}", "n": -1}}\t0' for n in range(0, ROWS, 40)])
    found = verified(stand, "fix.1")
    same((found["by_sums"], found["by_keys"], found["in_full"], found["looked_at"]), (0, 4, 0, 100), "ways")
    same((found["changed_since"], found["equal"], found["compared"]), (100, ROWS - 100, ROWS), "classes")
    same(len(stand.path(found["report"]).read_text().splitlines()), 100, "lines of the report")
    full = verified(stand, "fix.1", "--full")
    for word in ("equal", "changed_since", "compared", "wanted_set", "live_set", "missing", "differing"):
        same(found[word], full[word], word)


STRATA = """
sluice: 1
name: strata
source: { store: "file:.", dataset: "in.ndjson", key: id%s }
target: { store: "rocksdb:live", dataset: items }
partitions: { count: 4 }
"""


def strata(stand, version=", version: at"):
    """One record in ten is large, one in twenty is old."""
    young = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    rows = [{"id": f"k{n:05d}", "at": "2020-01-01T00:00:00Z" if n % 20 == 7 else young.strftime("%Y-%m-%dT%H:%M:%SZ"), "text": "x" * (900 if n % 10 == 0 else 9)}
            for n in range(ROWS)]
    stand.records("in.ndjson", rows)
    stand.write("strata.yaml", STRATA % version)
    stand.sluice("run", "strata.yaml", "--yes").ended(0)
    return rows


@test("of a sample that finds nothing the strata of size and age say how much less is proven of those that were seldom met")
def _(stand):
    strata(stand)
    found = verified(stand, "strata.yaml", "--sample", "99%,2%")
    sample = found["sample"]
    sizes, ages = ({one["stratum"]: one for one in sample[of]} for of in ("by_size", "by_age"))
    same((set(sizes), set(ages)), ({"64 B to 512 B", "512 B to 4 KiB"}, {"1d to 7d", "above 365d"}), "strata")
    for all_of in (sizes, ages):
        same((sum(one["keys"] for one in all_of.values()), sum(one["bad"] for one in all_of.values())), (sample["keys"], 0), "looked at")
    large, small = sizes["512 B to 4 KiB"], sizes["64 B to 512 B"]
    must(small["below"] < large["below"] < 1 and found["below"] < small["below"], sizes)
    must(1 - 0.01 ** (1 / large["keys"]) <= large["below"] <= 1.1 * (1 - 0.01 ** (1 / large["keys"])), large)
    among([f"by size least is proven of those of 512 B to 4 KiB, {large['keys']} looked at: fewer than", "by age least is proven of those of above 365d"],
          found["sentence"])
    among(["What the sample says of small and large", "<td>512 B to 4 KiB</td>"], stand.read(found["page"]))
    must("by_size" not in verified(stand, "strata.1", "--full").get("sample", {}), "strata of what was compared in full")


@test("a fault that lives in large records alone is told as that; without a version nothing is said of ages")
def _(stand):
    rows = strata(stand, "")
    stand.put("items", [f"{row['id']}\t" + json.dumps({**row, "text": row["text"][:100]}) + "\t0" for row in rows if len(row["text"]) > 100])
    found = verified(stand, "strata.yaml", "--sample", "99%,2%", status=4)
    sample = found["sample"]
    sizes = {one["stratum"]: one for one in sample["by_size"]}
    large = sizes["512 B to 4 KiB"]
    must(large["bad"] == large["keys"] == found["differing"] > 0 and sizes["64 B to 512 B"]["bad"] == 0, sizes)
    among(f"bad by size: {large['bad']} of the {large['keys']} of 512 B to 4 KiB", found["sentence"])
    same(sample["by_age"], None, "ages")
    among("no source.version", sample["age_why"])


EACH = "stages: [{ name: full, scope: 100%, gate: { verify: { confidence: 99%, below: 2%, each: 10% } } }]\n"


@test("of each size and age by itself: the gate draws on in rounds until it is known, and no key twice; the plan says so")
def _(stand):
    strata(stand)
    stand.write("strata.yaml", (STRATA % ", version: at") + EACH)
    among("and by more until fewer than 10% of each size, age and shard do", stand.sluice("plan", "strata.yaml").ended(0).out)
    gate = stand.sluice("plan", "strata.yaml", "--json").ended(0).json()["stages"][0]["verify"]
    must(250 < gate["sample"] < 350 and gate["each"] == 0.1, gate)
    end = stand.sluice("run", "strata.yaml", "--yes", "--json").ended(0).lines()[-1]
    among(["a sample of", "of each size and age that makes up 2% or more of all, fewer than 10% do"], end["verdict"])
    found = verified(stand, "strata.2", "--sample", "99%,2%,10%")
    sample = found["sample"]
    must(sample["rounds"] > 1 and gate["sample"] < sample["keys"] < ROWS, sample)
    same((found["compared"], sample["asked_each"], sample["by_shard"]), (sample["keys"], 0.1, None), "looked at")
    for of in ("by_size", "by_age"):
        same(({one["standing"] for one in sample[of]}, sum(one["keys"] for one in sample[of])), ({"proven"}, sample["keys"]), of)
        must(all(one["keys"] >= 51 and one["below"] <= 0.1 for one in sample[of]), sample[of])
        must(abs(sum(one["about"] for one in sample[of]) - ROWS) <= 1, sample[of])
    among("Asked was fewer than 10% of each", stand.read(found["page"]))


@test("a fault that lives in old records alone is found by what is asked of each, and named; more are not drawn then")
def _(stand):
    rows = strata(stand)
    stand.put("items", [f"{row['id']}\t" + json.dumps({**row, "text": ""}) + "\t0" for row in rows if row["at"].startswith("2020")])
    found = verified(stand, "strata.yaml", "--sample", "99%,2%,10%", status=4)
    sample = found["sample"]
    ages = {one["stratum"]: one for one in sample["by_age"]}
    same((ages["above 365d"]["standing"], ages["above 365d"]["bad"], sample["rounds"]), ("bad", found["differing"], 1), "old ones")
    must(ages["1d to 7d"]["bad"] == 0 < found["differing"], ages)
    among(f"bad by age: {found['differing']} of the {found['differing']} of above 365d", found["sentence"])


run_all()
