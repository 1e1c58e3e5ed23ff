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


# --- explain


def entries(stand, *words):
    document = stand.sluice("explain", *words, "--json").ended(0).json()
    same(document["type"], "explain", "type")
    return document["entries"]


@test("explain: every key of spec and contract, whole and without what leads to it, in words and in JSON")
def _(stand):
    everything = entries(stand)
    keys = [row for row in everything if row["kind"] in ("spec", "contract")]
    must(len(keys) > 100, len(keys))
    for row in keys:
        found = [one for one in entries(stand, row["kind"], row["name"]) if one["name"] == row["name"]]
        same(found, [row], row["name"])
        must(row["words"] and row["form"] and row["example"], row)
        must(row["acts"] == (row["why"] is None), row)
    for row in keys[::7]:
        words = stand.sluice("explain", row["kind"], row["name"]).ended(0).out
        among([row["name"], row["words"], row["form"], row["example"], row["default"] or "none"], words)
        among("no, this version refuses it" if not row["acts"] else "yes", words)


@test("explain: keys as they are typed")
def _(stand):
    for typed, kind, name in (("conflict", "spec", "target.conflict"), ("stages[2].gate.verify", "spec", "stages[].gate.verify"),
                              ("stages.name", "spec", "stages[].name"), ("fields.address.zip.type", "contract", "fields.*.type"),
                              ("fields.tier", "contract", "fields.*"), ("fields.tier.length.max", "contract", "fields.*.length.max")):
        same([(row["kind"], row["name"]) for row in entries(stand, typed)], [(kind, name)], typed)
    same({(row["kind"], row["name"]) for row in entries(stand, "version")},
         {("spec", "source.version"), ("contract", "version")}, "version")
    among(["source.store", "source.version"], stand.sluice("explain", "source").ended(0).out)


@test("explain: exit codes, errors, outcomes, classes, states, capabilities")
def _(stand):
    for status in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 124):
        same([row["kind"] for row in entries(stand, "exit", str(status))], ["exit"], "kind")
    same(entries(stand, "exit", "5")[0]["errors"], ["halted", "source-moved", "no-space", "sync-failed"], "errors")
    among("bad-record: the record cannot be read", stand.sluice("explain", "8").ended(0).out)
    same([(row["kind"], row["class"], row["exit"]) for row in entries(stand, "timed-out")], [("error", "transient", 6)], "error")
    same([row["kind"] for row in entries(stand, "rejected")], ["error", "outcome"], "two meanings")
    same([row["kind"] for row in entries(stand, "class", "in_doubt")], ["class"], "one of two meanings")
    same(entries(stand, "done")[0]["next"], ["rolling-back"], "what a state leads to")
    among("over      yes", stand.sluice("explain", "done").ended(0).out)
    same({row["kind"] for row in entries(stand, "capability")}, {"capability"}, "a kind")
    same([row["kind"] for row in entries(stand, "error")][:2], ["error", "error"], "a kind")
    among(["error contract (", "contract (a key of the contract)\n  contract  "], stand.sluice("explain", "contract").ended(0).out)
    for kind in ("spec", "contract", "exit", "error", "outcome", "class", "state", "capability"):
        among("\n" + kind + " (", "\n" + stand.sluice("explain", kind).ended(0).out)


@test("explain: what there is not is refused with 9, and the nearest is named")
def _(stand):
    for words, near in ((["conflct"], "'conflict'"), (["target.conflct"], "'target.conflict'"), (["exits"], "'exit'"),
                        (["kept_alive"], "'kept_live'"), (["contract", "rules[].exrp"], "'rules[].expr'"),
                        (["spec", "unique"], "there is no spec 'unique'"), (["exit", "11"], "`sluice explain exit` lists"),
                        (["12345678"], "`sluice explain` lists"), (["frob", "x"], "there is no frob 'x'"), ([""], "`sluice explain` lists")):
        done = stand.sluice("explain", *words).ended(9)
        among(near, done.err)
        same(done.out, "", "standard output")
        same(stand.sluice("explain", *words, "--json").ended(9).json()["error"], "not-found", "in JSON")
    among("usage: sluice explain", stand.sluice("explain", "a", "b", "c").ended(2).err)


run_all()
