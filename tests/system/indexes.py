#!/usr/bin/env python3
"""expect: secondary indexes held against their records, both ways; what was deleted stays so. The embedded store; servers are
valkey_indexes.py's."""

import json

from inplace import FIX
from stand import among, must, run_all, same, test

ROWS = 300
SPEC = FIX + """partitions: {{ count: 3 }}
stages: [{{ name: full, scope: 100% }}]
expect:
{expect}
"""
BY_STATUS = '  - { name: by-status, index: by_status, entry: "{status}:{key}" }\n'
LUA = "function transform(doc) doc.n = (doc.n or 0) + 1 return doc end\n"


def key(n):
    return f"k{n:05d}"


def status(n):
    return ("open", "at:09:30", "x:k00001")[n % 3] # the separator stands in values too


def expects(stand, expect, lua=LUA):
    stand.write("fix.lua", lua)
    stand.write("fix.yaml", SPEC.format(expect=expect))


def ready(stand, expect=BY_STATUS, lua=LUA, rows=ROWS):
    stand.put("items", [f"{key(n)}\t" + json.dumps({"n": n, "status": status(n), "tags": ["a", "b"][: n % 3], "mail": None}) + "\t0"
                        for n in range(rows)])
    stand.put("by_status", [f"{status(n)}:{key(n)}\t{{}}\t0" for n in range(rows)])
    expects(stand, expect, lua)


def judged(done):
    return {one["name"]: one for one in done["expect"]}


def lines(stand, done):
    found = [json.loads(text) for text in stand.path(done["report"]).read_text().splitlines()]
    return {(one["what"], one["index"], one["entry"], one["key"], one["why"]) for one in found if one["kind"] == "rule"}


@test("each record has its entries and each entry its record: what is missing and what leads nowhere fails the gate, named in verdict and report")
def _(stand):
    stand.put("by_tag", [f"t/{tag}/{key(n)}\t{{}}\t0" for n in range(ROWS) for tag in ["a", "b"][: n % 3]])
    ready(stand, BY_STATUS + '  - { name: by-tag, index: by_tag, entry: "t/{tags}/{key}" }\n')
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    done = stand.sluice("verify", "fix.1", "--json").ended(0).json()
    among("2 of 2 expectations hold", done["sentence"])
    same(judged(done)["by-status"]["found"], "300 records have their entries, 300 entries their record", "by status")
    same(judged(done)["by-tag"]["index"], {"records": 300, "entries": 300, "missing": 0, "dangling": 0, "again": 0, "odd": 0, "moving": 0}, "by tag")
    stand.put("by_status", ["open:k00000\t-", "open:k00001\t{}\t0", "gone:k99999\t{}\t0", "nonsense\t{}\t0"])
    stand.put("by_tag", ["t/b/k00002\t-"])
    stand.put("items", ["k00003\t-"])
    failed = stand.sluice("verify", "fix.1", "--json").ended(4).json()
    among(["by-status: 1 entry is missing: 'open:k00000' of 'k00000': it is not there; 4 entries lead nowhere", "by-tag: 1 entry is missing"],
          failed["sentence"])
    found = judged(failed)
    same(found["by-status"]["index"], {"records": 299, "entries": 302, "missing": 1, "dangling": 4, "again": 5, "odd": 0, "moving": 0}, "by status")
    same(lines(stand, failed), {
        ("missing_entry", "by_status", "open:k00000", "k00000", "it is not there"),
        ("dangling_entry", "by_status", "open:k00001", "k00001", "its record has another value"),
        ("dangling_entry", "by_status", "open:k00003", "k00003", "its record is not there"),
        ("dangling_entry", "by_status", "gone:k99999", "k99999", "its record is not there"),
        ("dangling_entry", "by_status", "nonsense", None, "it has not the form of an entry"),
        ("missing_entry", "by_tag", "t/b/k00002", "k00002", "it is not there")}, "the report")
    stand.put("items", ['k00003\t{"n": 4, "status": "open"}\t0'])
    among("there is nothing to repair", stand.sluice("repair", failed["report"], "--dry-run").ended(2, 7, 9).err)


@test("an index is judged at the last gate, which fails: the run is paused; what breaks it is put right, and it goes on")
def _(stand):
    ready(stand)
    stand.put("by_status", [f"{status(5)}:{key(5)}\t-"])
    done = stand.sluice("run", "fix.yaml", "--yes").ended(4)
    among(["by-status: 1 entry is missing", key(5)], done.out + done.err)
    same(stand.status()["state"], "paused", "state")
    stand.put("by_status", [f"{status(5)}:{key(5)}\t{{}}\t0"])
    stand.sluice("resume", "fix.1", "--reason", "indexed").ended(0)
    same(stand.status()["state"], "done", "state")


@test("an index of what no record has, of a dataset that is not there, of a record that has no text: each is told, and none passes")
def _(stand):
    ready(stand, rows=30)
    stand.put("origin", [f"{name}\t{document}\t0" for name, (document, _) in stand.dump("items").items()])
    stand.put("empty", ["a\t{}\t0", "a\t-"])
    for index, words in (('index: by_mail, entry: "{mail}:{key}"', "there is no dataset 'by_mail'"),
                         ('index: empty, entry: "{staus}:{key}"', "no record has the fields that it is of"),
                         ('index: by_status, entry: "{staus}:{key}"', "30 entries lead nowhere"),
                         ('index: by_status, entry: "{status}\\\\x3a{key}"', "30 records have their entries"),
                         ('index: empty, entry: "{deep}:{key}"', "1 cannot be held against the other side: 'k00000': 'deep' is an object")):
        expects(stand, f"  - {{ name: x, {index} }}\n", "function transform(doc) return doc end\n")
        stand.write("fix.yaml", stand.read("fix.yaml").replace("dataset: items", "dataset: origin", 1))
        if "deep" in index:
            stand.put("items", ['k00000\t{"deep": {"a": 1}}\t0'])
        done = stand.sluice("verify", "fix.yaml", "--json").ended(0 if "have their" in words else 4).json()
        among(words, judged(done)["x"]["found"])


@test("an index that says nothing, or not whose its entries are, is refused with its place")
def _(stand):
    for wrong, words in (('index: by_status, entry: "{status}"', "does not say whose it is"), ("index: by_status", "say what an 'entry' looks like"),
                         ('index: "by_{status}", entry: "{key}"', "placeholders stand in its 'entry'"), ('index: by_status, entry: "{status}{key}"', "nothing between them"),
                         ('index: by_status, entry: "{status:{key}"', "does not say whose it is"), ('index: by_status, entry: "{status}:{key"', "has no '}'"),
                         ('index: by_status, entry: "{key}", score: n', "no sorted sets"), ('index: by_status, entry: "{key}", unit: s', "with a 'score'"),
                         ('count: 1, entry: "{key}"', "'entry' is an expectation of"), ('unique: n, score: n', "'score' is an expectation of"),
                         ("revived: true", "'revived' is false"), ('index: "a\\\\x00", entry: "{key}"', "stands for a byte in an 'entry'")):
        expects(stand, f"  - {{ name: x, {wrong} }}\n")
        among([words, "fix.yaml:"], stand.sluice("plan", "fix.yaml").ended(2).err)


DELETES = "function transform(doc, ctx) if doc.n % 10 < 4 then return ctx.delete() end return doc end\n"
DEAD = "  - { name: dead, revived: false }\n"


@test("what the run deleted stays so where that is expected: what stands there again, with whatever, breaks it by name")
def _(stand):
    ready(stand, DEAD, DELETES, rows=10)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(judged(stand.sluice("verify", "fix.1", "--json").ended(0).json())["dead"]["found"], "none that was looked at", "before")
    stand.put("items", ['k00001\t{"n": 8}\t0'])
    for more in ([], ["--full"]):
        done = stand.sluice("verify", "fix.1", "--json", *more).ended(4).json()
        same((done["revived"], done["changed_since"], done["missing"]), (1, 1, 0), "counts")
        same(judged(done)["dead"], {"name": "dead", "holds": False, "found": "1 that the run deleted stands there again: 'k00001'"}, "found")


@test("the gate of a stage fails by a record that was deleted and came back, before anything widens")
def _(stand):
    ready(stand, DEAD, DELETES, rows=30)
    stand.write("canary.txt", "k00001\nk00007\n")
    spec = stand.read("fix.yaml").replace("{ name: full", "{ name: canary, scope: { keys: canary.txt } }, { name: full")
    stand.write("fix.yaml", spec)
    stand.dies("checkpoint.after:1", "run", "fix.yaml", "--yes")
    stand.put("items", ['k00001\t{"n": 8}\t0'])
    done = stand.sluice("run", "fix.yaml", "--yes").ended(4)
    among(["stage canary", "dead: 1 that the run deleted stands there again: 'k00001'"], done.out + done.err)
    must("k00021" in stand.documents("items"), "it went on")


run_all()
