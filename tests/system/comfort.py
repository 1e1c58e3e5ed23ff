#!/usr/bin/env python3
"""The commands that stand beside the run: gen, explain, try, init, doctor."""

import json
import re
from decimal import Decimal

from stand import among, must, run_all, same, test

# --- gen


def found_at(record, field):
    for name in field.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def check_faults(lines, manifest):
    """Every line of the manifest is true of its record, and what is not in the manifest is without a fault."""
    broken = {row["line"]: row for row in manifest}
    same(len(broken), len(manifest), "faults a line")
    newest = {}
    for number, line in enumerate(lines, 1):
        row = broken.get(number)
        try:
            record = json.loads(line, parse_float=Decimal)
        except ValueError:
            same(row and row["fault"], "line-cut", f"fault of line {number}")
            continue
        if row is None:
            must(record["tier"] in ("bronze", "silver", "gold", "platinum"), line)
            must(isinstance(record["balance"], Decimal) and record["balance"] >= 0, line)
            must(re.fullmatch("[a-z0-9_]+", record["username"]) and len(record["address"]["zip"]) == 5, line)
            must(record["username"] not in newest, "twice", record["username"])
            newest[record["username"]] = record["updated_at"]
        else:
            same(record["username"], row["key"], "key")
            found = found_at(record, row["field"])
            same(None if found is None else str(found), row["found"], f"{row['fault']} in line {number}")
            must(row["right"] != row["found"] or (row["fault"] == "balance-text" and isinstance(found, str)), row)
    for row in manifest:
        if row["fault"] == "older-state":
            same(newest[row["key"]], row["right"], "the newer state")
            must(row["found"] < row["right"], row)


@test("gen: every planted fault is in the manifest, and every line of the manifest is true")
def _(stand):
    stand.sluice("gen", "customers", "--records", "30000", "--seed", "3", "--out", "c.ndjson", "--faults", "f.ndjson").ended(0)
    lines = stand.read("c.ndjson").splitlines()
    manifest = [json.loads(line) for line in stand.read("f.ndjson").splitlines()]
    same(len(lines), 30000, "lines")
    must(len({row["fault"] for row in manifest}) == 10, {row["fault"] for row in manifest})
    check_faults(lines, manifest)


@test("gen: standard output is the default, and files are replaced")
def _(stand):
    there = stand.sluice("gen", "customers", "--records", "50").ended(0).out
    stand.write("c.ndjson", "older\n" * 1000)
    for arguments in (["--out", "c.ndjson"], ["--out=c.ndjson", "--seed", "1"]):
        done = stand.sluice("gen", "customers", "--records", "50", *arguments).ended(0)
        same((done.out, done.err, stand.read("c.ndjson")), ("", "", there), "written")
    same(stand.sluice("gen", "customers", "--records", "50", "--out", "-", "--json").ended(0).out, there, "to -")
    same(len(stand.sluice("gen", "customers").ended(0).out.splitlines()), 1000, "lines by default")


@test("gen: what is wrong is named: names, numbers, files that cannot be written")
def _(stand):
    stand.write("dir/x", "")
    for arguments, words, code in (
            (["costumers"], "did you mean 'customers'?", 2), (["weather"], "there is customers (", 2), ([], "usage: sluice gen", 2),
            (["customers", "--records", "many"], "--records: a number was expected, not 'many'", 2),
            (["customers", "--records", "-5"], "--records: a number was expected", 2),
            (["customers", "--records", "1000000000001"], "at most 1000000000000", 2),
            (["customers", "--seed", "x"], "--seed: a number was expected", 2),
            (["customers", "--sede", "5"], "did you mean '--seed'?", 2),
            (["customers", "--out", "c.ndjson.zst"], "leave out '.zst'", 2),
            (["customers", "--faults", "f.gz"], "leave out '.gz'", 2),
            (["customers", "--faults", "-"], "--faults -: standard output takes the records", 2),
            (["customers", "--out", "same", "--faults", "same"], "name another", 2),
            (["customers", "--out", "dir"], "dir", 7), (["customers", "--out", "none/c"], "none/c", 9)):
        among(words, stand.sluice("gen", *arguments).ended(code).err)


run_all()
