#!/usr/bin/env python3
"""expect: golden data that must come out exactly so."""

import json

from stand import among, must, run_all, same, test

ROWS = 200
SPEC = """
sluice: 1
name: load
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
target: {{ store: "rocksdb:live", dataset: items }}
transform: {{ lua: load.lua }}
partitions: {{ count: 4 }}
expect:
{expect}
"""
GOOD = """
  - { name: all, count: 200 }
  - { name: total, sum: price, is: 20.10 }
  - { name: cheapest, min: price, is: 0.001 }
  - { name: dearest, max: price, is: 0.2 }
  - { name: first, min: at, is: "2026-01-01" }
  - { name: kinds, distinct: kind, is: 3 }
  - { name: known, key: k00007, fields: { kind: b, price: 0.0080, inner.deep: [1, two] } }
  - { name: no-test-user, key: test, absent: true }
"""


def key(n):
    return f"k{n:05d}"


def record(n):
    return {"id": key(n), "kind": "abc"[n % 3], "at": f"2026-01-{n % 28 + 1:02d}", "none": None, "inner": {"deep": [1, "two"]}}


def ready(stand, expect=GOOD, lua="function transform(doc) return doc end\n", more=""):
    lines = (json.dumps(record(n))[:-1] + f', "price": {(n + 1) / 1000:.3f}}}\n' for n in range(ROWS))
    stand.write("in/a.ndjson", "".join(lines))
    stand.write("load.lua", lua)
    stand.write("load.yaml", SPEC.format(expect=expect) + more)


def judged(done):
    return {one["name"]: (one["holds"], one["found"]) for one in done["expect"]}


@test("what is as expected passes the last gate, is said in the verdict, and can be judged again")
def _(stand):
    ready(stand)
    run = stand.sluice("run", "load.yaml", "--yes").ended(0)
    verified = stand.sluice("verify", "load.1", "--json").ended(0).json()
    among("8 of 8 expectations hold", verified["sentence"])
    same(judged(verified), {"all": (True, "200"), "total": (True, "20.100"), "cheapest": (True, "0.001"), "dearest": (True, "0.200"),
                            "first": (True, "2026-01-01"), "kinds": (True, "3"), "known": (True, "as expected"),
                            "no-test-user": (True, "absent")}, "expectations")
    among("8 of 8 expectations hold", stand.sluice("verify", "load.yaml").ended(0).out)
    must("do not hold" not in run.out + run.err, run.out)


WRONG = (("count: 201", "200"), ("sum: price, is: 20.11", "20.100"), ("sum: kind, is: 1", "no number in the record"),
         ("min: price, is: 0.002", "0.001"), ('max: at, is: "2026-01-27"', "2026-01-28"), ("max: none, is: 1", "nothing"),
         ("distinct: kind, is: 4", "3"), ("key: k00007, fields: { kind: c }", '\'k00007\': kind is "b", not "c"'),
         ("key: k00007, fields: { nothing: 1 }", "'k00007': nothing is nothing, not 1"), ("key: k00007, absent: true", "'k00007' is there"),
         ("key: nobody, fields: { kind: c }", "'nobody' is absent"),
         ("evicts: false", "a server of the target does not say what it evicts"))


@test("what does not come out so fails the gate, pauses the run, and is told by name with what stands there, each kind of it")
def _(stand):
    ready(stand, expect="  - { name: all, count: 200 }\n" + "".join(f"  - {{ name: x{i}, {wrong} }}\n" for i, (wrong, _) in enumerate(WRONG)),
          more="stages: [{ name: full, scope: 100% }]\n")
    done = stand.sluice("run", "load.yaml", "--yes").ended(4)
    among(["12 of 13 expectations do not hold", "x7: 'k00007': kind is \"b\", not \"c\""], done.out + done.err)
    same(stand.status()["state"], "paused", "state")
    found = judged(stand.sluice("verify", "load.1", "--json").ended(4).json())
    same(found.pop("all"), (True, "200"), "what holds")
    for i, (wrong, words) in enumerate(WRONG):
        must(not found[f"x{i}"][0] and found[f"x{i}"][1].startswith(words), wrong, found[f"x{i}"])
    stand.sluice("rollback", "load.1", "--yes").ended(0)
    same(stand.documents("items"), {}, "taken back")


@test("a record is judged at the gate of the stage that holds it: a wrong canary goes no further")
def _(stand):
    lua = "function transform(doc) if doc.id == 'k00000' then doc.kind = 'z' end return doc end\n"
    ready(stand, expect="  - { name: first, key: k00000, fields: { kind: a } }\n", lua=lua, more=(
        "stages: [{ name: canary, scope: { keys: canary.txt } }, { name: full, scope: 100% }]\n"))
    stand.write("canary.txt", "k00000\n")
    done = stand.sluice("run", "load.yaml", "--yes").ended(4)
    among(["stage canary", "first: 'k00000': kind is \"z\", not \"a\""], done.out + done.err)
    must(len(stand.documents("items")) < ROWS, "more than the canary was written")


RULES = """
sluice: 1
name: orders
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: orders }
contract: orders.contract.yaml
expect:
  - { name: once, unique: code }
  - { name: known, refers: customer, to: customers }
  - { name: sound, valid: true }
  - { name: for-ever, expires: false }
"""
CONTRACT = "contract: 1\nname: orders\nversion: 1\nfields: { id: { type: string }, amount: { type: int, min: 0 } }\n"


@test("rules over all records: unique values, references to another dataset, the contract, expiries; whoever wrote what breaks them")
def _(stand):
    rows = [{"id": f"o{n:03d}", "code": n, "customer": f"c{n % 7}", "amount": n} for n in range(100)]
    stand.records("in/a.ndjson", rows + [{"id": "o100", "code": None, "amount": 1}])
    stand.put("customers", [f'c{n}\t{{"id": "c{n}"}}\t0' for n in range(7)])
    stand.write("orders.yaml", RULES)
    stand.write("orders.contract.yaml", CONTRACT)
    stand.sluice("run", "orders.yaml", "--yes").ended(0)
    among("4 of 4 expectations hold", stand.sluice("verify", "orders.1").ended(0).out)
    stand.put("orders", ['x1\t{"code": 5.0, "amount": -1, "customer": "nobody"}\t99999999999999', 'x2\t{"code": 99, "customer": [1]}\t0'])
    stand.put("customers", ["c3\t-"])
    found = judged(stand.sluice("verify", "orders.1", "--json").ended(4).json())
    same({name for name, (holds, _) in found.items() if not holds}, {"once", "known", "sound", "for-ever"}, "broken")
    among(["2 of 103 records", "its value stands in 'o005' too", "'o099' too"], found["once"][1])
    among(["what it refers to is not there", "16 of 103 records"], found["known"][1])
    among(["1 of 103 records", "'x1': amount"], found["sound"][1])
    among("1 of 103 records do not: 'x1'", found["for-ever"][1])


@test("what waits for a run whose expectation does not hold waits on")
def _(stand):
    ready(stand, expect="  - { name: x, count: 1 }\n")
    stand.sluice("run", "load.yaml", "--yes").ended(4)
    stand.write("next.yaml", SPEC.format(expect="  - { name: y, count: 200 }\n").replace("name: load", "name: next")
                .replace("dataset: items", "dataset: others") + "after: [load]\n")
    done = stand.sluice("run", "next.yaml", "--yes", "--exit-on-pause").ended(3)
    among("load.1", done.out + done.err)
    same(stand.documents("others"), {}, "what waits")


@test("expectations that say nothing, or two things, are refused with their place")
def _(stand):
    for wrong, words in (("{ name: x }", "about one thing"), ("{ name: x, count: 1, key: a }", "about one thing"),
                         ("{ name: x, sum: a }", "says what it 'is'"), ("{ name: x, count: 1, is: 2 }", "'is' is an expectation of"),
                         ("{ name: x, sum: a, is: b }", "a number such as 12.50"), ("{ name: x, key: a }", "either 'fields' or"),
                         ("{ name: x, key: a, fields: {} }", "a map of fields"), ("{ name: x, min: a, is: [1] }", "a number or a text"),
                         ("{ name: x, sum: a, is: .inf }", "a number such as 12.50"), ("{ name: x, cuont: 1 }", "did you mean 'count'"),
                         ("{ name: x, refers: a }", "says 'to' which dataset"), ("{ name: x, unique: a, to: b }", "and no other"),
                         ("{ name: x, valid: true }", "needs a contract"), ("{ name: x, valid: false }", "'valid' is true"),
                         ("{ name: x, count: 1 }\n  - { name: x, count: 1 }", "was there already")):
        ready(stand, expect=f"  - {wrong}\n")
        among([words, "load.yaml:"], stand.sluice("plan", "load.yaml").ended(2).err)


@test("of a shadow records are expected before it is live, and nothing else")
def _(stand):
    ready(stand, expect="  - { name: known, key: k00007, fields: { kind: c } }\n")
    spec = stand.read("load.yaml").replace("dataset: items }", "dataset: items, write: shadow }")
    stand.write("load.yaml", spec)
    done = stand.sluice("run", "load.yaml", "--yes").ended(4)
    among("known: 'k00007': kind is \"b\", not \"c\"", done.out + done.err)
    same(stand.documents("items"), {}, "live")
    stand.write("load.yaml", spec + "  - { name: all, count: 200 }\n")
    among("an expectation of a shadow is about records", stand.sluice("plan", "load.yaml").ended(2).err)


run_all()
