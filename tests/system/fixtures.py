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



# --- fixtures of records

PEOPLE = """
sluice: 1
name: people
source: { store: "file:in", dataset: "*.ndjson", key: id }
transform: { lua: people.lua, tests: made.ndjson }
contract: people.contract.yaml
target: { store: "rocksdb:live", dataset: people }
protect: { rejects: 100% }
"""

PEOPLE_CONTRACT = """
contract: 1
name: people
version: 1
fields:
  id: { type: string, required: true }
  born: { type: datetime }
  zip: { type: string, length: 5 }
"""

PEOPLE_LUA = """
function transform(doc)
  if doc.refuse then return ctx.reject(doc.name) end
  doc.seen = true
  return doc
end
""".replace("(doc)", "(doc, ctx)", 1)


def people(stand, n=30):
    for name, text in (("people.yaml", PEOPLE), ("people.contract.yaml", PEOPLE_CONTRACT), ("people.lua", PEOPLE_LUA)):
        stand.write(name, text)
    stand.write("in/p.ndjson", "".join(
        '{"id":"u%03d","name":"Rosa %s-Íñigo %d","mail":"rosa%d@example.com","born":"1987-0%d-12T08:30:00.250Z","zip":"0%04d",'
        '"balance":%d.50,"none":null,"list":[{"phone":"+49 30 %07d","n":%d}]%s}\n'
        % (i, chr(65 + i % 3), i % 4, i % 4, 1 + i % 9, i, 1000 + i, i, i, ',"refuse":1' if i % 10 == 7 else "") for i in range(n)))


def made(stand, name="made.ndjson"):
    return [json.loads(line) for line in stand.read(name).splitlines()]


@test("try -o: fixtures of records pass at once, none stands twice, and types that JSON does not tell are told")
def _(stand):
    people(stand)
    done = stand.sluice("try", "people.yaml", "--sample", "30", "-o", "made.ndjson").ended(8)
    among("30 fixtures added to made.ndjson", done.err)
    stand.sluice("test", "people.yaml").ended(0)
    same(len([line for line in made(stand) if "rejected" in line]), 3, "refused ones")
    among("0 fixtures added to made.ndjson; 30 stood there already", stand.sluice("try", "people.yaml", "--sample", "30", "-o", "made.ndjson").ended(8).err)
    same(len(made(stand)), 30, "lines")
    stand.sluice("run", "people.yaml", "--yes").ended(8)
    stand.write("live.yaml", PEOPLE.replace("name: people", "name: live").replace('store: "file:in", dataset: "*.ndjson", key: id',
                'store: "rocksdb:live", dataset: people').replace("made.ndjson", "live.ndjson"))
    stand.sluice("try", "live.yaml", "--sample", "5", "--json", "-o", "live.ndjson").ended(0).lines()
    same([line["types"] for line in made(stand, "live.ndjson")], [{"born": "datetime"}] * 5, "types")
    must(all(line["ctx"]["key"] == line["in"]["id"] for line in made(stand, "live.ndjson")), "keys")
    stand.sluice("test", "live.yaml").ended(0)
    stand.write("text", "not fixtures\n")
    among("fixtures are added to a file of fixtures only", stand.sluice("try", "live.yaml", "--sample", "5", "-o", "text").ended(2).err)
    same(stand.read("text"), "not fixtures\n", "the file")


def shape(text):
    return "".join("9" if c.isdigit() else "A" if c.isupper() else "a" if c.islower() else c for c in text)


@test("try --mask: shape and type stay, equal values stay equal, nothing else changes, no value stays; each export has its own key")
def _(stand):
    people(stand)
    fields = "name,mail,born,zip,balance,list.phone,none"
    stand.sluice("try", "people.yaml", "--sample", "30", "-o", "plain.ndjson").ended(8)
    stand.sluice("try", "people.yaml", "--sample", "30", "-o", "made.ndjson", "--mask", fields).ended(8)
    stand.sluice("test", "people.yaml").ended(0)
    plain, masked = made(stand, "plain.ndjson"), made(stand)
    same(len(masked), 30, "fixtures")
    maps = {}
    for before, after in zip(plain, masked):
        a, b = before["in"], after["in"]
        same(list(a), list(b), "fields")
        same((a["id"], a["none"], a["list"][0]["n"]), (b["id"], b["none"], b["list"][0]["n"]), "what is not masked")
        for field in ("name", "mail", "zip", "born"):
            same(shape(b[field]), shape(a[field]), field)
            must(a[field] != b[field], field, "stays")
            same(maps.setdefault((field, a[field]), b[field]), b[field], "equal values")
        same(b["born"][:4], "1987", "the year")
        same((len(str(int(b["balance"]))), b["balance"] != a["balance"]), (4, True), "balance")
        same(shape(b["list"][0]["phone"]), shape(a["list"][0]["phone"]), "phone")
        same({k for k in after}, {k for k in before}, "what comes of it")
        if "rejected" in after:
            same(after["rejected"], b["name"], "the reason of the masked record")
    text = stand.read("made.ndjson")
    for before in plain:
        for secret in (before["in"]["name"], before["in"]["mail"], before["in"]["list"][0]["phone"], before["in"]["born"]):
            must(secret not in text, secret, "stands in the file")
    stand.sluice("try", "people.yaml", "--sample", "30", "-o", "other.ndjson", "--mask", fields).ended(8)
    must(made(stand, "other.ndjson") != masked, "two exports have one key")


@test("try --mask: a name that no record has, keys that hold what is masked, and outcomes that masking changes")
def _(stand):
    files(stand)
    stand.put("items", ['user:ann\t{"id":"ann","tier":"gol"}', 'user:bob\t{"id":"bob","tier":"silv"}'])
    done = stand.sluice("try", "fix.yaml", "--sample", "9", "-o", "made.ndjson", "--mask", "id,teir").ended(2)
    among("none of the records has the field 'teir'; nothing was written", done.err)
    must(not stand.path("made.ndjson").exists(), "it was written")
    stand.sluice("try", "fix.yaml", "--sample", "9", "-o", "made.ndjson", "--mask", "id").ended(0)
    for line in made(stand):
        must(line["ctx"]["key"] == "user:" + line["in"]["id"] and line["in"]["id"] not in ("ann", "bob"), line)
    done = stand.sluice("try", "fix.yaml", "--sample", "9", "-o", "tier.ndjson", "--mask", "tier,ctx.key").ended(0)
    among("masking changes what comes of 2 of them", done.err)
    for line in made(stand, "tier.ndjson"):
        must("rejected" in line and shape(line["ctx"]["key"]) == "aaaa:aaa" and not line["ctx"]["key"].startswith("user"), line)
    stand.write("fix.yaml", SPEC.replace("fix.tests", "tier"))
    stand.sluice("test", "fix.yaml").ended(0)
    among("--mask: the path", stand.sluice("try", "fix.yaml", "--sample", "9", "-o", "m", "--mask", "a..b").ended(2).err)


@test("a run that refused records prints the command that makes fixtures of them, and it works; so does one whose gate failed")
def _(stand):
    people(stand)
    stand.sluice("try", "people.yaml", "--sample", "1", "-o", "made.ndjson").ended(0)
    stand.path("made.ndjson").unlink()
    stand.write("made.ndjson", "")
    out = stand.sluice("run", "people.yaml", "--yes").ended(8).out
    command = next(line for line in out.splitlines() if line.startswith("fixtures of them: sluice ")).split()[4:]
    command = [{"FILE": "made.ndjson", "FIELD,FIELD": "name,mail"}.get(word, word) for word in command]
    done = stand.sluice(*command).ended(8)
    among("3 fixtures added to made.ndjson", done.err)
    must(all("rejected" in line and line["in"]["refuse"] == 1 for line in made(stand)), made(stand))
    stand.sluice("test", "people.yaml").ended(0)
    stand.write("people.lua", PEOPLE_LUA.replace("doc.refuse then", "false then"))
    among("expected rejected with rejected", stand.sluice("test", "people.yaml").ended(4).out)
    same(len(stand.sluice("try", "people.yaml", "--keys-from", "people.1", "--json").ended(0).lines()), 4, "the records of the run")
    stand.put("people", ["u001\t-", "u002\t-"])
    stand.write("people.lua", PEOPLE_LUA)
    stand.sluice("verify", "people.1", "--full").ended(4)
    found = stand.sluice("try", "people.yaml", "--keys-from", "people.1", "--json").ended(8).lines()
    keys = {line["key"] for line in found[:-1]}
    same(keys, {"u007", "u017", "u027", "u001", "u002"}, "refused, and found different")
    same(len(stand.sluice("try", "people.yaml", "--keys-from", "people.1", "--sample", "2", "--json").ended(8).lines()), 3, "the first two")
    stand.path("in/p.ndjson").write_text("".join(stand.read("in/p.ndjson").splitlines(True)[:20]))
    among("1 of the keys are not in the source any more", stand.sluice("try", "people.yaml", "--keys-from", "people.1").ended(8).out)
    stand.sluice("try", "people.yaml", "--keys-from", "nobody.1").ended(9)


run_all()
