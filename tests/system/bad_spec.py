#!/usr/bin/env python3
"""Specs, contracts and transforms that are wrong: exit 2 with file:line:column and what was expected, nothing written; or,
where only a record shows it, that record in the quarantine with the reason, and 8."""

import json

from stand import among, must, run_all, same, test

ROWS = 300

GOOD = """\
sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: items }
"""


def spec(line="", **changed):
    """GOOD with one line more, or with others in place of those of these keys."""
    lines = GOOD.splitlines()
    for key, value in changed.items():
        lines = [f"{key}: {value}" if row.startswith(key + ":") else row for row in lines]
    return "\n".join(lines + ([line] if line else [])) + "\n"


def seed(stand):
    stand.records("in/a.ndjson", ({"id": f"k{n:05d}", "n": n, "t": "x"} for n in range(ROWS)))


def refused(stand, words, code=2):
    """Twice: with this message, and without a run or a write."""
    for _ in range(2):
        done = stand.sluice("run", "load.yaml", "--yes").ended(code)
        among(words, done.err)
        error = stand.sluice("run", "load.yaml", "--yes", "--json").ended(code).lines()[-1]
        same((error["type"], error["exit"]), ("error", code), "in JSON")
    must(not stand.path("home/catalog.db").exists() or stand.sluice("list", "--json").json()["runs"] == [], "a run was planned")
    must(not stand.path("live").exists() or stand.dump("items") == {}, "something was written")


SPECS = {
    "is not YAML": (b"sluice: [1\nname: x\n", ["load.yaml:3:1", "closing bracket"]),
    "is not UTF-8": (b"sluice: 1\nname: caf\xe9\n", ["load.yaml:2:10", "not UTF-8", "0xE9"]),
    "is not UTF-8 where YAML has a directive": (b"%{\x80\n", ["load.yaml:1:3", "not UTF-8"]),
    "is empty": ("", ["load.yaml:1:1", "a map of keys"]),
    "is a list": ("- a\n", ["load.yaml:1:1", "a list"]),
    "is two documents": (GOOD + "---\n" + GOOD, ["load.yaml:6"]),
    "is a bomb of aliases": ("a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
        f"{n}: &{n} [" + ",".join(["*" + p] * 8) + "]\n" for p, n in zip("abcdefgh", "bcdefghi")), ["load.yaml:"]),
    "has a key twice": (spec("name: again"), ["load.yaml:5:1", "there already, at 2:1"]),
    "lacks keys": ("sluice: 1\n", ["'name' is missing", "'source' is missing", "'target' is missing", "for example"]),
    "has unknown keys: all of them, each with the nearest": (
        spec("wrokers: 2", target='{ store: "rocksdb:live", dataset: items, conflcit: overwrite }'),
        ["load.yaml:4:", "'conflcit'; did you mean 'conflict'?", "load.yaml:5:1", "'wrokers'; did you mean 'workers'?"]),
    "has values of the wrong form": (
        spec("workers: many\npartitions: 7\nprotect: { rejects: lots, rate: { max: 5 } }"),
        ["load.yaml:5:10", "from 1 to 64", "load.yaml:6:13", "a map of keys", "load.yaml:7:", "'lots'"]),
    "says two things that exclude each other: both places": (
        spec("partitions: { size: 5, count: 5 }"), ["load.yaml:5:", "count: 5", "size: 5", "on line 5"]),
    "says overwrite to fill": (
        spec(target='{ store: "rocksdb:live", dataset: items, write: fill, conflict: overwrite }'), ["load.yaml:4:", "fill"]),
    "overwrites each state of a key by the next": (
        spec(source='{ store: "file:in", dataset: "*.ndjson", key: id, duplicates: all }',
             target='{ store: "rocksdb:live", dataset: items, write: in-place, conflict: overwrite }'),
        ["load.yaml:", "duplicates: all", "conflict: overwrite", "only the last could be verified"]),
    "lets the states of a key that are a tie write over each other": (
        spec(source='{ store: "file:in", dataset: "*.ndjson", key: id, version: v, duplicates: all }',
             target='{ store: "rocksdb:live", dataset: items, write: in-place, ties: repair }'),
        ["load.yaml:", "duplicates: all", "ties: repair", "in whatever order they came"]),
    "wants the newest without a version": (
        spec(source='{ store: "file:in", dataset: "*.ndjson", key: id, duplicates: newest }'), ["load.yaml:3:", "version"]),
    "has a key that this version does not act on": (
        spec("partitions: { every: 1h }\nhooks: []"), ["load.yaml:5:15", "'partitions.every'", "load.yaml:6:8", "a list of hooks"]),
    "is of another version": (spec(sluice="2"), ["load.yaml:1:9", "2"]),
    "has a name that cannot be one": (spec(name='"Not Good"'), ["load.yaml:2:7", "Not Good"]),
    "names a store that is none": (spec(source='{ store: "flie:in", dataset: "*", key: id }'), ["load.yaml:3:18", "did you mean 'file:'"]),
    "names a store without a scheme": (spec(source='{ store: "in", dataset: "*", key: id }'), ["load.yaml:3:18", "file:archive"]),
    "writes to a store that can only be read": (
        spec(target='{ store: "undo:home/undo/x.1", dataset: x }'), ["load.yaml:4:18", "target.store", "can only be read"]),
    "has a password in it": (spec(target='{ store: "valkey://app:geheim@127.0.0.1:1", dataset: "x:{id}" }'),
                             ["load.yaml:4:18", "a password stands in it", "${env:NAME}"]),
    "has a template of other paths than the key": (
        spec(target='{ store: "valkey://127.0.0.1:1", dataset: "x:{id}:{name}" }'), ["load.yaml:4:", "2 placeholders"]),
    "has a template of another path than the key": (
        spec(target='{ store: "valkey://127.0.0.1:1", dataset: "x:{name}" }'), ["load.yaml:4:", "{name}", "'id'"]),
    "has a source without keys": (spec(source='{ store: "file:in", dataset: "*.ndjson" }'), ["load.yaml:3:", "source.key"]),
    "names a transform that is not there": (spec("transform: { lua: none.lua }"), ["load.yaml:5:19", "none.lua"]),
    "names a contract that is not there": (spec("contract: none.yaml"), ["load.yaml:5:11", "none.yaml"]),
    "has a `where` that does not compile": (spec(source='{ store: "file:in", dataset: "*.ndjson", key: id, where: "doc.n ==" }'),
                                           ["load.yaml", "where", "unexpected symbol"]),
    "is 2 MiB long": (GOOD + "# " + "x" * (2 << 20), ["load.yaml", "1048576 bytes"]),
}

for what, (content, words) in SPECS.items():
    @test("a spec that " + what)
    def _(stand, content=content, words=words):
        seed(stand)
        stand.write("load.yaml", content)
        refused(stand, words)


@test("a source that is not there: 9, with its place")
def _(stand):
    seed(stand)
    stand.write("load.yaml", spec(source='{ store: "file:in", dataset: "*.csv", key: id }'))
    refused(stand, ["load.yaml:3:", "'*.csv'"], 9)
    stand.write("load.yaml", spec(source='{ store: "file:out", dataset: "*.csv", key: id }'))
    refused(stand, ["load.yaml:3:", "out"], 9)


@test("a spec that is not there, or is a directory")
def _(stand):
    stand.path("folder.yaml").mkdir()
    for name in ("nowhere.yaml", "folder.yaml"):
        among(name, stand.sluice("run", name, "--yes").ended(2, 9).err)


@test("source and target the same: what makes no sense there is refused with its place")
def _(stand):
    stand.put("items", ['a\t{"n":1}'])
    before = stand.dump("items")
    for more, word in (("write: fill", "cannot fill"), ("conflict: overwrite", "no conflict policy applies")):
        stand.write("load.yaml", spec(source='{ store: "rocksdb:live", dataset: items }',
                                      target='{ store: "rocksdb:live", dataset: items, %s }' % more))
        among(["load.yaml:4:", word], stand.sluice("run", "load.yaml", "--yes").ended(2).err)
        same(stand.dump("items"), before, "records")


FIELD = "contract: 1\nname: c\nfields:\n  %s\n"
CONTRACTS = {
    "is not YAML": ("contract: [\n", ["c.yaml:2:1"]),
    "has an unknown key": ("contract: 1\nname: c\nfileds: {}\n", ["c.yaml:3:1", "did you mean 'fields'"]),
    "has an unknown type": (FIELD % "t: { type: strnig }", ["c.yaml:4:", "did you mean 'string'"]),
    "has a least above the greatest": (FIELD % "n: { type: int, min: 5, max: 3 }", ["c.yaml:4:", "'min: 5'", "'max: 3'"]),
    "refuses its own default": (FIELD % "t: { type: string, one_of: [a, b], default: c }", ["c.yaml:4:", "'c' is not one of a, b"]),
    "has a default for what is required": (FIELD % "t: { type: string, required: true, default: a }", ["c.yaml:4:", "never missing"]),
    "has a pattern that does not compile": (FIELD % 't: { type: string, pattern: "([" }', ["c.yaml:4:", "does not compile"]),
    "has a rule that does not compile": (FIELD % "n: { type: int }\nrules:\n  - { name: r, expr: 'doc.n ==' }", ["c.yaml:6:", "unexpected symbol"]),
    "has fields below a string": (FIELD % "a: { type: string }\n  a.b: { type: int }", ["c.yaml:5:3", "'a.b' lies below 'a'"]),
    "has several faults: all of them": (
        FIELD % "t: { type: int, pattern: x }\n  u: { type: string, min: 3 }\n  w: { type: string, length: { min: 5, max: 2 } }",
        ["c.yaml:4:", "c.yaml:5:", "c.yaml:6:"]),
}

for what, (content, words) in CONTRACTS.items():
    @test("a contract that " + what)
    def _(stand, content=content, words=words):
        seed(stand)
        stand.write("c.yaml", content)
        stand.write("load.yaml", spec("contract: c.yaml"))
        refused(stand, words)


LUA_AT_ONCE = {
    "does not compile": ("function transform(doc)\n  doc.x = = 1\nend\n", ["fix.lua:2:", "unexpected symbol"]),
    "has no function transform": ("local x = 1\n", ["fix.lua", "function transform(doc, ctx)"]),
    "never ends while it is loaded": ("while true do end\n", ["fix.lua:1:", "instructions"]),
    "assigns a global that is not a function's": ("local a = io.open('x')\n", ["fix.lua:1:", "'io'"]),
    "is binary": (b"\x1bLua\x54\x00", ["fix.lua"]),
}

for what, (content, words) in LUA_AT_ONCE.items():
    @test("a transform that " + what)
    def _(stand, content=content, words=words):
        seed(stand)
        stand.write("fix.lua", content)
        stand.write("load.yaml", spec("transform: { lua: fix.lua }"))
        refused(stand, words)


def body(text):
    return "function transform(doc, ctx)\n  if doc.n == 150 then\n    " + text + "\n  end\n  return doc\nend\n"


LUA_LIMITS = {
    "never ends": ("while true do end", "instructions for one record"),
    "never ends, and catches errors": ("while true do pcall(function() while true do end end) end", "instructions for one record"),
    "calls itself for ever": ("local function f() return f() + 1 end f()", "of memory in use"),
    "eats memory": ("local t = {} for i = 1, 1e12 do t[i] = {i, i, i, i, i, i, i, i} end", "of memory in use"),
    "makes a text of 10 GB": ("doc.x = string.rep('x', 1e10)", "of text and documents made"),
    "doubles a text for ever": ("local s = 'x' while true do s = s .. s end", "of text and documents made"),
    "explodes in a pattern": ("string.find(string.rep('a', 10000), 'a*a*a*a*a*a*b')", "instructions for one record"),
}

for what, (text, words) in LUA_LIMITS.items():
    @test(f"a transform that {what}: the run fails with 2, names line and record, and can be taken back")
    def _(stand, text=text, words=words):
        seed(stand)
        stand.write("fix.lua", body(text))
        stand.write("load.yaml", spec("transform: { lua: fix.lua }\nprotect: { rate: { max: 200/s } }"))
        for _ in range(2):
            done = stand.sluice("run", "load.yaml", "--yes", "--json", timeout=60).ended(2)
            same(done.lines()[-1]["state"], "failed", "state")
            among(["fix.lua:3:", words, "k00150"], done.err)
        stand.sluice("rollback", "load", "--yes").ended(0)
        same(stand.dump("items"), {}, "records")


LUA_RECORDS = {
    "throws": ("error('boom ' .. doc.id)", "fix.lua:3: boom k00150"),
    "throws nothing": ("error()", "an error was raised with a nil"),
    "indexes nil": ("return doc.a.b.c", "fix.lua:3: attempt to index a nil value"),
    "returns a text": ("return 'nonsense'", "returned a string"),
    "returns a number": ("return 42", "returned a number"),
    "returns a list of nonsense": ("return { doc, 5 }", "number 2 is a number"),
    "stores a function": ("doc.f = tostring", "function"),
    "stores what contains itself": ("local t = {} t.t = t doc.t = t", "nested"),
    "stores what is no number": ("doc.n = 0/0", "nan"),
    "stores bytes as text": ("doc.x = '\\xff'", "not UTF-8"),
    "removes the key": ("doc.id = nil", "nothing at 'id'"),
    "assigns a global": ("counter = 1", "globals are frozen"),
    "reaches for a file": ("io.open('/etc/passwd')", "no 'io'"),
    "refuses": ("return ctx.reject('not ours')", "not ours"),
}


@test("a transform that fails on a record: it is in the quarantine with the reason, the others are written, 8")
def _(stand):
    seed(stand)
    branches = "".join(f"  if doc.n == {150 + n} then {text.replace('k00150', f'k{150 + n:05d}')} end\n"
                       for n, (text, _) in enumerate(LUA_RECORDS.values()))
    stand.write("fix.lua", "function transform(doc, ctx)\n" + branches.replace("return 'nonsense' end", "return 'nonsense' end") +
                "  return doc\nend\n")
    stand.write("load.yaml", spec("transform: { lua: fix.lua }\nprotect: { rejects: 50% }"))
    records = stand.sluice("run", "load.yaml", "--yes", "--json").ended(8).lines()[-1]["status"]["records"]
    same((records["rejected"], records["written"]), (len(LUA_RECORDS), ROWS - len(LUA_RECORDS)), "records")
    rows = {row["key"]: row for row in stand.sluice("quarantine", "list", "load", "--json").ended(0).lines()}
    for n, (what, (_, words)) in enumerate(LUA_RECORDS.items()):
        row = rows[f"k{150 + n:05d}"]
        among(words.replace("k00150", row["key"]).replace("fix.lua:3", f"fix.lua:{2 + n}"), row["reason"], what)
        same((row["line"], row["document"]["n"]), (151 + n, 150 + n), what)
    same(len(stand.dump("items")), ROWS - len(LUA_RECORDS), "records written")
    stand.sluice("verify", "load").ended(0)


@test("a contract in force: what it refuses is named by field, value and rule; what can be converted is, without loss")
def _(stand):
    stand.records("in/a.ndjson", [{"id": "a", "n": 1}, {"id": "b", "n": "2"}, {"id": "c", "n": "two"}, {"id": "d"},
                                  {"id": "e", "n": 5.5}, {"id": "f", "n": 99}, {"id": "g", "n": 7, "x": 1}])
    stand.write("c.yaml", "contract: 1\nname: c\nfields:\n  id: { type: string, required: true }\n"
                          "  n: { type: int, required: true, max: 50 }\nunknown: reject\n")
    stand.write("load.yaml", spec("contract: c.yaml\nprotect: { rejects: 90% }"))
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    same(stand.documents("items"), {"a": {"id": "a", "n": 1}, "b": {"id": "b", "n": 2}}, "records")
    rows = {row["key"]: row["reason"] for row in stand.sluice("quarantine", "list", "load", "--json").ended(0).lines()}
    for key, words in (("c", ["n", "two"]), ("d", ["n"]), ("e", ["n", "5.5"]), ("f", ["n", "99", "50"]), ("g", ["x"])):
        among(words, rows[key], key)


@test("numbers survive: 64-bit integers, decimals with their scale, -0; what needs more than 34 digits is refused")
def _(stand):
    texts = {"a": "9007199254740993", "b": "18446744073709551615", "c": "0.10", "d": "-0", "e": "1.0e1", "f": "-0.0"}
    refused_texts = {"x": "1e6200", "y": "0." + "1" * 40}
    stand.write("in/a.ndjson", "".join(f'{{"id":"{key}","n":{text}}}\n' for key, text in {**texts, **refused_texts}.items()))
    stand.write("load.yaml", spec("protect: { rejects: 90% }"))
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    stands = {key: document.partition('"n":')[2][:-1] for key, (document, _) in stand.dump("items").items()}
    same({key: stands[key] for key in "abc"}, {key: texts[key] for key in "abc"}, "numbers")
    same((float(stands["d"]), stands["d"][0], stands["e"]), (0.0, "-", "10"), "numbers")
    rows = stand.sluice("quarantine", "list", "load", "--json").ended(0).lines()
    same(sorted(row["line"] for row in rows), [7, 8], "refused lines")


if __name__ == "__main__":
    run_all()
