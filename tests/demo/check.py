#!/usr/bin/env python3
"""What the demo promises, counted without sluice: [--back] BEFORE CHANGES AFTER (lines of `app dump`).

Forwards: every record that the application did not touch has its balance times 1.19, once. Of one that it did touch
either its change came after the repair and stands as it was written, or before it and was repaired, once.
Backwards: every record is what it was, byte for byte; one that the application touched is what it was before the repair
or what the application left."""

import json
import sys
from decimal import ROUND_HALF_EVEN, Decimal

back = sys.argv[1] == "--back"
paths = sys.argv[2:] if back else sys.argv[1:]


def read(path):
    with open(path, encoding="utf-8") as lines:
        return {cells[0]: cells[1:] for cells in (line.rstrip("\n").split("\t") for line in lines)}


def balance(document):
    return json.loads(document, parse_float=Decimal, parse_int=Decimal)["balance"]


def without_balance(document):
    fields = json.loads(document, parse_float=Decimal, parse_int=Decimal)
    fields.pop("balance")
    return fields


def repaired(document):
    return (balance(document) * Decimal("1.19")).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


before, changes, after = (read(path) for path in paths)
wrong, touched, kept = [], 0, 0
if before.keys() != after.keys():
    wrong.append(f"keys: {len(before)} before, {len(after)} after")
for key, (document, *_) in before.items():
    now = after.get(key, ["{}"])[0]
    if key in changes:
        touched += 1
        change = changes[key][0]
        stands = now == change
        kept += stands
        fine = (stands or now == document) if back else (stands or balance(now) == repaired(change))
    elif back:
        fine = after.get(key) == before[key]
    else:
        fine = balance(now) == repaired(document) and without_balance(now) == without_balance(document)
    if not fine:
        wrong.append(f"{key}: {document} -> {now}")
print(f"{len(before)} records, {touched} changed by the application ({kept} of them stand as it left them), "
      f"{len(wrong)} wrong")
for line in wrong[:5]:
    print("  " + line)
sys.exit(1 if wrong else 0)
