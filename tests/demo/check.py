#!/usr/bin/env python3
"""What the demo promises, counted without sluice: [--back] BEFORE CHANGES AFTER FAULTS (lines of `app dump`; the list
of planted faults).

Forwards: every record that the application did not touch has its tier and zip mended and its balance times 1.19, once;
one that the contract refuses is what it was. Of a record that the application did touch either its change came after the
repair and stands as it was written, or before it and was repaired, once.
Backwards: every record is what it was, byte for byte; one that the application touched is what it was before the repair
or what the application left."""

import json
import sys
from decimal import ROUND_HALF_EVEN, Decimal

TIERS = {"bro": "bronze", "sil": "silver", "gol": "gold", "pla": "platinum"}

back = sys.argv[1] == "--back"
*paths, faults = sys.argv[2:] if back else sys.argv[1:]


def read(path):
    with open(path, encoding="utf-8") as lines:
        return {cells[0]: cells[1:] for cells in (line.rstrip("\n").split("\t") for line in lines)}


def parsed(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def refused(document):
    balance = document.get("balance")
    return (document["username"] != document["username"].lower() or " " in document["username"]
            or "updated_at" not in document or (balance is not None and Decimal(balance) < 0)
            or (document["tier"] == "gold" and balance is None))


def repaired(text):
    document = parsed(text)
    document["tier"] = TIERS[document["tier"][:3]] if document.get("tier") else "bronze"
    document["address"]["zip"] = document["address"]["zip"].zfill(5)
    if document.get("balance") is not None:
        exact = Decimal(document["balance"]) * Decimal("1.19")
        document["balance"] = exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
    return parsed(text) if refused(document) else document


with open(faults, encoding="utf-8") as lines:
    planted = [json.loads(line) for line in lines]
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
        fine = stands or (now == document if back else parsed(now) == repaired(change))
    elif back:
        fine = after.get(key) == before[key]
    else:
        fine = parsed(now) == repaired(document)
    if not fine:
        wrong.append(f"{key}: {document} -> {now}")
mended = [fault for fault in planted if fault["fault"] == "tier-cut" and not back
          and fault["key"] in after and fault["key"] not in changes]
for fault in mended:
    if parsed(after[fault["key"]][0])["tier"] != fault["right"]:
        wrong.append(f"{fault['key']}: its tier should be {fault['right']}")
print(f"{len(before)} records, {touched} changed by the application ({kept} of them stand as it left them), "
      f"{len(mended)} planted faults looked at, {len(wrong)} wrong")
for line in wrong[:5]:
    print("  " + line)
sys.exit(1 if wrong or touched < 10 else 0)
