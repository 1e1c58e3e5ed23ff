#!/usr/bin/env python3
"""Fixtures: `sluice test`, plans that need them green, fixtures made of records, masked ones."""

import json

import jsonschema
from stand import among, must, run_all, same, test

SPEC = """
sluice: 1
name: fix
source: { store: "rocksdb:live", dataset: items, where: "doc.kind ~= 'other'" }
transform: { lua: fix.lua, tests: fix.tests.ndjson }
contract: item.contract.yaml
target: { store: "rocksdb:live", dataset: items }
protect: { rejects: 100% }
"""

CONTRACT = """
contract: 1
name: item
version: 1
fields:
  id: { type: string, required: true }
  tier: { type: string, one_of: [gold, silver] }
  at: { type: datetime }
  price: { type: decimal, min: 0 }
"""

LUA = """
local whole = { gol = "gold", silv = "silver" }
function transform(doc, ctx)
  if doc.drop then return nil end
  if doc.gone then return ctx.delete() end
  if doc.bad then return ctx.reject("bad: " .. doc.bad) end
  if doc.crash then return doc.crash.deeper.still end
  if doc.split then return { doc, { id = doc.id } } end
  if doc.year then doc.year = doc.at.year end
  if doc.who then doc.who = ctx.key .. " " .. ctx.run .. " " .. ctx.spec .. " " .. tostring(ctx.planned_at) end
  doc.tier = whole[doc.tier] or doc.tier
  return doc
end
"""

GREEN = [
    {"name": "a cut tier", "in": {"id": "a", "tier": "gol", "price": 1.5}, "out": {"tier": "gold", "id": "a", "price": 1.5}},
    {"in": {"id": "b", "kind": "other"}, "filtered": True},
    {"in": {"id": "c", "drop": 1}, "filtered": True},
    {"in": {"id": "d", "gone": True}, "deleted": True},
    {"in": {"id": "e", "bad": "apple"}, "rejected": "bad: apple", "error": "rejected"},
    {"in": {"id": "f", "tier": "brass"}, "rejected": "'brass' is not one of", "error": "contract-says"},
    {"in": {"id": "g", "crash": 1}, "rejected": "fix.lua:7", "error": "lua"},
    {"in": {"id": "h", "price": -1}, "rejected": ""},
    {"name": "a time", "in": {"id": "i", "at": "2026-07-10T12:00:00.000Z", "year": 1}, "types": {"at": "datetime"},
     "out": {"id": "i", "at": "2026-07-10T12:00:00.000Z", "year": 2026}},
    {"in": {"id": "j", "who": 1}, "ctx": {"key": "k7", "run": "fix.9", "spec": "s", "planned_at": "2026-01-01T00:00:00.000Z"},
     "out": {"id": "j", "who": "k7 fix.9 s 2026-01-01T00:00:00.000Z"}},
    {"in": {"id": "k", "who": 1}, "out": {"id": "k", "who": " fix.1 fix 2000-01-01T00:00:00.000Z"}},
]


def files(stand, fixtures=None):
    for name, text in (("fix.yaml", SPEC), ("item.contract.yaml", CONTRACT), ("fix.lua", LUA)):
        stand.write(name, text)
    stand.records("fix.tests.ndjson", GREEN if fixtures is None else fixtures)


def live(stand):
    stand.put("items", ['a\t{"id":"a","tier":"gol","price":1.50}', 'b\t{"id":"b","tier":"silv","price":2}'])


def tested(stand, code, *arguments):
    lines = stand.sluice("test", "fix.yaml", "--json", *arguments).ended(code).lines()
    end = lines.pop()
    same((end["type"], end["exit"], end["fixtures"]), ("end", code, len(lines)), "the end")
    return lines, end


@test("test: every outcome, every type, every field of ctx; no store is opened and no home is made")
def _(stand):
    files(stand)
    lines, end = tested(stand, 0)
    same([line["passed"] for line in lines], [True] * len(GREEN), "passed")
    same((end["passed"], end["failed"], [line["line"] for line in lines]), (len(GREEN), 0, list(range(1, len(GREEN) + 1))), "counts")
    among(f"fix.tests.ndjson: {len(GREEN)} passed, 0 failed", stand.sluice("test", "fix.yaml").ended(0).out)
    must(not stand.path("home").exists() and not stand.path("live").exists(), "something was made")
    schema = json.loads(stand.sluice("explain", "--schema", "fixture").ended(0).out)
    jsonschema.Draft202012Validator.check_schema(schema)
    for line in GREEN:
        jsonschema.validate(line, schema)


@test("test: each wrong expectation is told by field or in a sentence, with file and line, and ends with 4")
def _(stand):
    files(stand)
    for expected, words in (
            ({"out": {"id": "a", "tier": "silver", "price": 1.5, "more": 1}}, ['tier: expected "silver", came "gold"', "more: expected 1, came nothing"]),
            ({"out": {"id": "a", "tier": "gold", "price": 1.50}}, []),
            ({"out": {"id": "a", "tier": "gold"}}, ["price: expected nothing, came 1.5"]),
            ({"out": [{"id": "a"}]}, ["expected a list of 1 document, came a document"]),
            ({"filtered": True}, ["expected filtered, came a document"]), ({"deleted": True}, ["expected deleted"]),
            ({"rejected": "x"}, ["expected rejected: x, came a document"])):
        stand.records("fix.tests.ndjson", [GREEN[1], dict({"name": "mine", "in": GREEN[0]["in"]}, **expected)])
        if not words:
            tested(stand, 0) # Python writes 1.50 as 1.5
            continue
        among(["fix.tests.ndjson:2: mine: fails", *words], stand.sluice("test", "fix.yaml").ended(4).out)
    stand.write("fix.tests.ndjson", '{"in":{"id":"a","price":1.50},"out":{"id":"a","price":1.5}}\n')
    lines, _ = tested(stand, 4)
    same(lines[0]["changes"], [{"field": "price", "expected": 1.5, "came": 1.5}], "changes")
    among("price: expected 1.5, came 1.50", stand.sluice("test", "fix.yaml").ended(4).out)
    for expected, words in (({"rejected": "pear"}, "came rejected with rejected: bad: apple"),
                            ({"rejected": "bad", "error": "lua"}, "expected rejected with lua: bad, came rejected with rejected")):
        stand.records("fix.tests.ndjson", [dict({"in": GREEN[4]["in"]}, **expected)])
        among(words, stand.sluice("test", "fix.yaml").ended(4).out)


@test("test: all that is wrong in the file is named at once, with its line; the schema refuses it too")
def _(stand):
    files(stand)
    schema = jsonschema.Draft202012Validator(json.loads(stand.sluice("explain", "--schema", "fixture").ended(0).out))
    broken = [({"in": {}, "outt": {}}, "unknown key 'outt'; did you mean 'out'?"), ({"in": {}}, "one of out, filtered"),
              ({"out": {}}, "'in', the record, is missing"), ({"in": {}, "out": {}, "filtered": True}, "only one of out"),
              ({"in": 1, "out": {}}, "'in': an object"), ({"in": {}, "out": []}, "at least one document"),
              ({"in": {}, "out": 1}, "'out': an object"), ({"in": {}, "deleted": False}, "'deleted': true"),
              ({"in": {}, "out": {}, "error": "lua"}, "'error' goes with 'rejected'"), ({"in": {}, "rejected": 1}, "'rejected': a text"),
              ({"in": {}, "out": {}, "ctx": {"kee": 1}}, "unknown key 'ctx.kee'"), ({"in": {}, "out": {}, "ctx": {"key": 1}}, "'ctx.key': a text"),
              ({"in": {"a": "b"}, "out": {}, "types": {"a": "time"}}, "'a' is no time")]
    beyond = [({"in": {"a": "b"}, "out": {}, "types": {"a": "datetime"}}, "'a' is no datetime"),
              ({"in": {}, "out": {}, "types": {"a": "double"}}, "no value"), ({"in": {}, "rejected": "", "error": "luaa"}, "did you mean 'lua'?"),
              ({"in": {}, "out": {}, "ctx": {"planned_at": "noon"}}, "'ctx.planned_at': a time")]
    stand.records("fix.tests.ndjson", [line for line, _ in broken + beyond])
    said = stand.sluice("test", "fix.yaml").ended(2).err
    for number, (line, words) in enumerate(broken + beyond, 1):
        found = [one for one in said.splitlines() if f"fix.tests.ndjson:{number}:" in one]
        must(any(words in one for one in found), words, "is not among", found)
        must(schema.is_valid(line) == (number > len(broken)), "the schema of", line)
    stand.write("fix.tests.ndjson", '{"in":{},"filtered":true}\n\n{"in":{,}}\n')
    among("fix.tests.ndjson:3:8: ", stand.sluice("test", "fix.yaml").ended(2).err)
    stand.path("fix.tests.ndjson").unlink()
    among("fix.tests.ndjson", stand.sluice("test", "fix.yaml").ended(9).err)
    stand.write("none.yaml", SPEC.replace(", tests: fix.tests.ndjson", ""))
    among("it names no fixtures", stand.sluice("test", "none.yaml").ended(2).err)
    files(stand)
    stand.write("fix.lua", LUA.replace("if doc.drop then", "if doc.drop then while true do end"))
    among("fix.tests.ndjson:3: ", stand.sluice("test", "fix.yaml").ended(2).err)


@test("test --update: what came is what is expected, lines that pass and blank ones stay as they are, and it asks")
def _(stand):
    files(stand)
    good = '{ "in": {"id":"a","tier":"gol"},   "out":{"tier":"gold","id":"a"} }'
    stand.write("fix.tests.ndjson", good + "\n\n" + "".join(json.dumps(dict({"name": f"n{i}", "in": line["in"], "filtered": True},
                **{k: line[k] for k in ("types", "ctx") if k in line})) + "\n" for i, line in enumerate(GREEN)))
    before = stand.read("fix.tests.ndjson")
    among("nobody is here to be asked", stand.sluice("test", "fix.yaml", "--update").ended(2).err)
    same(stand.read("fix.tests.ndjson"), before, "the file")
    done = stand.sluice("test", "fix.yaml", "--update", "--yes").ended(0).out
    among(["expected filtered, came a document", "updated: look at them"], done)
    after = stand.read("fix.tests.ndjson")
    must(after.startswith(good + "\n\n"), after)
    written = [json.loads(line) for line in after.splitlines()[2:]]
    for line, was in zip(written, GREEN):
        same({k: v for k, v in line.items() if k not in ("name", "rejected", "error")},
             {k: v for k, v in was.items() if k not in ("name", "rejected", "error")}, "what was written")
    same(written[4]["rejected"], "bad: apple", "the reason")
    tested(stand, 0)
    stand.sluice("test", "fix.yaml", "--update").ended(0)
    same(stand.read("fix.tests.ndjson"), after, "a file whose fixtures pass")


@test("plan and run refuse while a fixture fails, and name it; their digest is the plan's; an unfinished run goes on")
def _(stand):
    files(stand, GREEN + [{"name": "not yet", "in": {"id": "z", "tier": "silv"}, "out": {"id": "z", "tier": "gold"}}])
    live(stand)
    for command in (["plan", "fix.yaml"], ["run", "fix.yaml", "--yes"]):
        done = stand.sluice(*command).ended(2)
        among(["fix.tests.ndjson:12: the fixture 'not yet' fails", 'tier: expected "gold", came "silver"'], done.err)
    stand.sluice("try", "fix.yaml", "--sample", "2").ended(0)
    found = stand.sluice("doctor", "fix.yaml").ended(2).out
    among(["fail  tests", "the fixture 'not yet' fails"], found)
    files(stand)
    among("11 of fix.tests.ndjson, all green", stand.sluice("doctor", "fix.yaml").ended(0).out)
    stand.sluice("plan", "fix.yaml", "-o", "p.json").ended(0)
    text = json.loads(json.loads(stand.read("p.json"))["plan"])
    must(len(text["tests"]) == 64, text)
    files(stand, GREEN[:-1])
    among("the transform's fixtures have changed", stand.sluice("run", "--plan", "p.json").ended(7).err)
    files(stand)
    stand.dies("cas.after:1", "run", "--plan", "p.json")
    files(stand, GREEN[:-1])
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(stand.documents("items")["a"]["tier"], "gold", "what was written")
    kept = json.loads(next(stand.path("home/texts").iterdir()).read_text())
    same([one["what"] for one in kept], ["spec", "contract", "transform", "tests"], "texts")
    same(kept[3]["text"].splitlines(), [json.dumps(line) for line in GREEN], "the fixtures of then")


run_all()
