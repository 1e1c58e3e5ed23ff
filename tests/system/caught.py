#!/usr/bin/env python3
"""Which check finds which planted fault of `gen events`: the table of docs/verification.md, held against runs that mend nothing."""

import json
import re
from collections import defaultdict
from decimal import Decimal

from stand import SOURCE, among, must, run_all, same, test

RECORDS, SEED = 40000, 3
PAGE = (SOURCE / "docs" / "verification.md").read_text()

SPEC = """
sluice: 1
name: events
source: { store: "file:in", dataset: "*.ndjson", key: event, version: received_at, duplicates: newest }
contract: events.contract.yaml
target: { store: "rocksdb:live", dataset: items, write: in-place }
protect: { rejects: 100% }
stages: [{ name: full, scope: 100% }]
"""
CONTRACT = """
contract: 1
name: events
version: 1
fields:
  event: { type: string, required: true, pattern: "^[0-9]{12}$" }
  kind: { type: string, one_of: [payment, refund] }
  amount: { type: decimal, min: 0 }
  money.amount: { type: decimal }
  occurred_at: { type: datetime, required: true }
  received_at: { type: datetime, required: true }
  schema: { type: int, one_of: [1] }
rules:
  - { name: clocks, expr: "doc.occurred_at <= doc.received_at" }
"""
# By the first words of the check in the table: what the quarantine says of each line with such a fault.
SAID = {"reader": r"expected ", "key": r"there is nothing at 'event'", "contract": r"kind: '(erasure|deleted)' is not one of|"
        r"money\.amount: expected a decimal|amount: expected a decimal|schema: 2 is not one of 1", "rule": r"rule clocks: does not hold"}


def table():
    """{fault: the check that finds it} as the page has it."""
    part = PAGE[PAGE.index("| fault | found by |"):]
    return {fault: check.split("`")[0].split(":")[0].strip() for fault, check in re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]*) \|", part, re.M)}


def loaded(stand):
    stand.path("in").mkdir()
    stand.sluice("gen", "events", "--records", str(RECORDS), "--seed", str(SEED), "--out", "in/e.ndjson", "--faults", "f.ndjson").ended(0)
    stand.write("events.yaml", SPEC)
    stand.write("events.contract.yaml", CONTRACT)
    stand.sluice("run", "events.yaml", "--yes").ended(8)
    planted = defaultdict(list)
    for text in stand.read("f.ndjson").splitlines():
        row = json.loads(text)
        planted[row["fault"]].append(row)
    said = {row["line"]: row["reason"] for row in stand.sluice("quarantine", "list", "events.1", "--json", "--limit", "100000").ended(0).lines()}
    return planted, said


def by_quarantine(planted, said, checks):
    for fault, check in checks.items():
        if check not in SAID:
            continue
        lines = [row["line"] for row in planted[fault]]
        must(lines, "none was planted of", fault)
        for line in lines:
            must(re.search(SAID[check], said.get(line, "")), fault, "in line", line, "is not found by the", check, ":", said.get(line))
    same(min(line for line, reason in said.items() if "schema: 2" in reason), planted["schema"][0]["line"], "the first of another schema")


@test("the table of the page names every fault that is planted, and each is found by the check that it names")
def _(stand):
    checks = table()
    rows = [row["name"] for row in stand.sluice("explain", "fault", "--json").ended(0).json()["entries"] if row["gen"] == "events"]
    same(sorted(checks), sorted(rows), "faults of the table")
    planted, said = loaded(stand)
    by_quarantine(planted, said, checks)
    same({fault for fault, check in checks.items() if check == "duplicates"}, {"duplicate", "again"}, "found by duplicates")
    twice = sum(len(planted[fault]) for fault in ("duplicate", "again", "tombstone"))
    same(stand.status("events.1")["records"]["duplicates"], twice, "states of a key that stands again")
    golden(stand, planted)
    same({fault for fault, check in checks.items() if check == "nothing"}, {"late", "clock-behind"}, "found by nothing")
    clean = [line for line, reason in said.items() if "schema" not in reason]
    hidden = {row["line"] for fault in ("late", "clock-behind") for row in planted[fault]}
    same(hidden & set(clean), set(), "what nothing finds")


def golden(stand, planted):
    """expect: a sum that somebody knows, and a person who must not be there."""
    stand_there = {key: json.loads(text, parse_float=Decimal) for key, (text, _) in stand.dump("items").items()}
    right = {row["key"]: Decimal(row["right"]) for row in planted["currency"]}
    found = sum(Decimal(record["amount"]) for record in stand_there.values())
    known = sum(right.get(key, Decimal(record["amount"])) for key, record in stand_there.items())
    erased = next(row["key"] for row in planted["erased"] if row["key"] in stand_there)
    must(found > known, "no amount was planted that is too large")
    stand.write("events.yaml", SPEC + "expect:\n" f"  - {{ name: paid, sum: amount, is: {known} }}\n"
                f"  - {{ name: gone, key: \"{erased}\", absent: true }}\n" "buckets: [{ name: paid, field: received_at, width: 6h, sum: amount }]\n")
    done = stand.sluice("verify", "events.yaml", "--json").ended(4).json()
    judged = {one["name"]: one for one in done["expect"]}
    flag, = done["buckets"][0]["flags"]
    same((flag["of"], flag["kind"], flag["range"]["from"][:16], flag["range"]["to"][:16]), ("sum", "spike", "2026-06-20T06:00", "2026-06-21T18:00"),
         "when the yen were received")
    same((judged["paid"]["holds"], Decimal(judged["paid"]["found"]), judged["gone"]["holds"]), (False, found, False), "golden data")
    among("there", judged["gone"]["found"])


run_all()
