#!/usr/bin/env python3
"""The commands that stand beside the run: gen, explain, try, init, doctor."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
from decimal import ROUND_HALF_EVEN, Decimal

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
            (["customers", "--faults", "-"], "--faults -: standard output takes what --out names", 2),
            (["customers", "--out", "same", "--faults", "same"], "name another", 2),
            (["events", "--index", "same", "--faults", "same"], "--index same: that file takes what --faults names", 2),
            (["events", "--index", "-"], "--index -: standard output takes what --out names", 2),
            (["customers", "--index", "i"], "there is none of customers", 2),
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
    keys = [row for row in everything if row["kind"] in ("spec", "contract", "fixture")]
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
         {("spec", "source.version"), ("contract", "version"), ("command", "version")}, "version")
    among(["source.store", "source.version"], stand.sluice("explain", "source").ended(0).out)


@test("explain: exit codes, errors, outcomes, classes, states, capabilities")
def _(stand):
    for status in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 124):
        same([row["kind"] for row in entries(stand, "exit", str(status))], ["exit"], "kind")
    same(entries(stand, "exit", "5")[0]["errors"], ["halted", "source-moved", "shard-lost", "no-space", "sync-failed"], "errors")
    among("bad-record: the record cannot be read", stand.sluice("explain", "8").ended(0).out)
    same([(row["kind"], row["class"], row["exit"]) for row in entries(stand, "timed-out")], [("error", "transient", 6)], "error")
    same([row["kind"] for row in entries(stand, "rejected")], ["fixture", "error", "outcome"], "three meanings")
    same([row["kind"] for row in entries(stand, "class", "in_doubt")], ["class"], "one of two meanings")
    same(entries(stand, "done")[0]["next"], ["rolling-back"], "what a state leads to")
    among("over      yes", stand.sluice("explain", "done").ended(0).out)
    same({row["kind"] for row in entries(stand, "capability")}, {"capability"}, "a kind")
    same({row["kind"] for row in entries(stand, "error")}, {"fixture", "error"}, "a kind that is also a key")
    among(["error contract (", "contract (a key of the contract)\n  contract  "], stand.sluice("explain", "contract").ended(0).out)
    for kind in ("spec", "contract", "fixture", "exit", "error", "outcome", "class", "state", "capability", "fault", "command", "option"):
        among("\n" + kind + " (", "\n" + stand.sluice("explain", kind).ended(0).out)


@test("explain: what there is not is refused with 9, and the nearest is named")
def _(stand):
    for words, near in ((["conflct"], "'conflict'"), (["target.conflct"], "'target.conflict'"), (["exits"], "'exit'"),
                        (["kept_alive"], "'kept_live'"), (["contract", "rules[].exrp"], "'rules[].expr'"),
                        (["spec", "nullable"], "there is no spec 'nullable'"), (["exit", "11"], "`sluice explain exit` lists"),
                        (["12345678"], "`sluice explain` lists"), (["frob", "x"], "there is no frob 'x'"), ([""], "`sluice explain` lists")):
        done = stand.sluice("explain", *words).ended(9)
        among(near, done.err)
        same(done.out, "", "standard output")
        same(stand.sluice("explain", *words, "--json").ended(9).json()["error"], "not-found", "in JSON")
    among("usage: sluice explain", stand.sluice("explain", "a", "b", "c").ended(2).err)


# --- diff


def between(stand, *arguments):
    return stand.sluice("diff", *arguments, "--json").ended(0).json()


@test("diff: texts line by line, the plan figure by figure, stages, outcomes, and the keys that ended otherwise")
def _(stand):
    items(stand)
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    stand.sluice("run", "fix.yaml", "--yes").ended(8)
    stand.sluice("rollback", "fix.1", "--yes").ended(0)
    stand.write("fix.lua", FIX_LUA.replace('if doc.v % 5 == 3 then return doc end', 'if doc.v % 5 == 3 then return nil end'))
    stand.write("fix.yaml", FIX + "workers: 3\n")
    stand.put("items", ['zz\t{"id":"zz","n":1,"v":4}'])
    stand.sluice("run", "fix.yaml", "--yes").ended(8)
    found = between(stand, "fix.1", "fix.2")
    same((found["type"], found["a"]["run"], found["b"]["run"], found["b"]["state"]), ("diff", "fix.1", "fix.2", "done"), "runs")
    texts = {text["what"]: text for text in found["texts"]}
    same({what: text["same"] for what, text in texts.items()}, {"spec": False, "contract": True, "transform": False}, "texts")
    same([(line["op"], line["text"]) for line in texts["spec"]["files"][0]["lines"]], [("+", "workers: 3")], "the spec's lines")
    same([(line["op"], line["line"]) for line in texts["transform"]["files"][0]["lines"]], [("-", 6), ("+", 6)], "the transform's")
    same({row["key"]: (row["a"], row["b"]) for row in found["plan"] if row["key"] in ("limits.workers", "counts.listed")},
         {"limits.workers": (2, 3), "counts.listed": (397, 398)}, "the plan")
    records = {row["outcome"]: (row["a"], row["b"]) for row in found["records"]}
    before, after = stand.status("fix.1")["records"], stand.status("fix.2")["records"]
    for word in ("filtered", "unchanged", "listed", "restored"):
        same(records[word], (before[word], after[word]), word)
    keys = found["keys"]
    same((keys["both"], keys["only_a"], keys["only_b"]), (397, 0, 1), "keys")
    same([(move["a"], move["b"], move["keys"]) for move in keys["moves"]], [("unchanged", "filtered", keys["other_outcome"])], "moves")
    must(keys["other_outcome"] == before["unchanged"] and len(keys["examples"]) == 10, keys)
    must(all(int(row["key"][1:]) % 5 == 3 for row in keys["examples"]), keys["examples"])
    same(len(between(stand, "fix.1", "fix.2", "--limit", "3")["keys"]["examples"]), 3, "examples")
    words = stand.sluice("diff", "fix.1", "fix.2").ended(0).out
    among(["fix.1 (rolled-back", "+    8  workers: 3", "contract   the same", "limits.workers", "2 -> 3", "unchanged -> filtered", "k0003"], words)


@test("diff: a run and itself differ in nothing; other specs, no listing, no texts, no run")
def _(stand):
    items(stand)
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    stand.sluice("run", "fix.yaml", "--yes").ended(8)
    itself = between(stand, "fix.1", "fix")
    same((itself["plan"], itself["records"], itself["stages"], itself["keys"]["other_outcome"], itself["keys"]["both"]), ([], [], [], 0, 397), "itself")
    must(all(text["same"] and text["files"] == [] for text in itself["texts"]), itself["texts"])
    other = between(stand, "load", "fix")
    same(other["keys"], None, "keys of files")
    must(all(row["a"] != row["b"] for row in other["plan"]), f"no difference at all: {other['plan']}")
    stand.write("fix.yaml", FIX + "hooks: [{ on: any, run: 'true' }]\nstages: [{ name: full, scope: 100% }]\n")
    stand.sluice("run", "fix.yaml", "--yes", "--supersede", "fix.1").ended(8)
    changes = {row["key"]: (row["a"], row["b"]) for row in between(stand, "fix.1", "fix.2")["plan"]}
    same((changes["hooks[0]"][0], len(changes["hooks[0]"][1]["on"]) > 10), (None, True), "what only one has is told as a whole")
    among("not compared", stand.sluice("diff", "load", "fix").ended(0).out)
    for path in stand.path("home/texts").iterdir():
        path.unlink()
    old = between(stand, "load", "fix")
    same([text["files"] for text in old["texts"]], [None] * 3, "texts that were not kept")
    among("its text was not kept", stand.sluice("diff", "load", "fix").ended(0).out)
    stand.sluice("diff", "load", "none.1").ended(9)
    stand.sluice("diff", "load").ended(2)


# --- try

LOAD = """
sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id, version: v }
contract: item.contract.yaml
target: { store: "rocksdb:live", dataset: items }
protect: { rejects: 100%, kept_live: 100% }
"""

ITEM = """
contract: 1
name: item
version: 3
fields:
  id: { type: string, required: true }
  n: { type: decimal, min: 0 }
  v: { type: int, required: true }
"""

FIX = """
sluice: 1
name: fix
source: { store: "rocksdb:live", dataset: items }
transform: { lua: fix.lua }
target: { store: "rocksdb:live", dataset: items }
protect: { rejects: 100% }
"""

FIX_LUA = """
function transform(doc, ctx)
  if doc.v % 5 == 0 then return nil end
  if doc.v % 5 == 1 then return ctx.delete() end
  if doc.v % 5 == 2 then return ctx.reject("two") end
  if doc.v % 5 == 3 then return doc end
  doc.n = doc.n * 2
  doc.tag = { deep = { er = "x" } }
  return doc
end
"""


def items(stand, rows=400):
    stand.records("in/a.ndjson", ({"id": f"k{n:04d}", "n": n - 3, "v": n} for n in range(rows // 2)))
    stand.records("in/b.ndjson", ({"id": f"k{n:04d}", "n": n - 3, "v": n} for n in range(rows // 2, rows)))
    for name, text in (("load.yaml", LOAD), ("item.contract.yaml", ITEM), ("fix.yaml", FIX), ("fix.lua", FIX_LUA)):
        stand.write(name, text)


def snapshot(stand):
    """All that is there, but what RocksDB says of its own opening, its lock (whoever closes it lets go of a lock of his
    own), and what SQLite's readers share memory by."""
    return {str(path.relative_to(stand.dir)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(stand.dir.rglob("*"))
            if path.is_file() and not path.name.startswith(("LOG", "LOCK")) and not path.name.endswith(("-shm", "-wal"))}


def untouched(stand, before):
    after = snapshot(stand)
    same([name for name in before | after if before.get(name) != after.get(name)], [], "what was changed")


def tried(stand, spec, *arguments):
    """{key: object} and the end of a try that leaves everything as it is."""
    before = snapshot(stand)
    lines = stand.sluice("try", spec, *arguments, "--json").ended(0, 8).lines()
    words = stand.sluice("try", spec, *arguments).ended(0, 8).out
    untouched(stand, before)
    end = lines.pop()
    same((end["type"], end["records"]["read"]), ("end", len(lines)), "the end")
    same({line["type"] for line in lines} - {"tried"}, set(), "types")
    same(end["exit"], 8 if end["records"]["rejected"] else 0, "exit")
    for line in lines:
        among("would be " + line["outcome"], words)
    return {line["key"]: line for line in lines}, end


def as_run(stand, spec, end, codes=(0, 8)):
    """The run that follows does what was foretold."""
    run = stand.sluice("run", spec, "--yes", "--json").ended(*codes).lines()[-1]
    for word in ("written", "unchanged", "kept_live", "rejected", "filtered", "deleted"):
        same(run["status"]["records"][word], end["records"][word], word)


@test("try: what it foretells of every record is what the run does: into an empty target, over a live one, in place")
def _(stand):
    items(stand)
    records, end = tried(stand, "load.yaml", "--sample", "1000")
    same((len(records), end["policy"], end["target_present"], end["spread"]), (400, "fill", False, True), "the sample")
    as_run(stand, "load.yaml", end)
    wanted = {key: row["items"][0]["wanted"] for key, row in records.items() if row["items"]}
    same(stand.documents("items"), wanted, "what stands in the target")

    stand.put("items", ['k0010\t{"id":"k0010","n":1,"v":5}', 'k0011\t{"id":"k0011","n":1,"v":99}', 'k0012\t{"id":"k0012","n":1}'])
    stand.write("over.yaml", LOAD.replace("name: load", "name: over").replace("items }", "items, write: in-place }"))
    records, end = tried(stand, "over.yaml", "--sample", "1000")
    same(end["policy"], "newer-wins", "policy")
    for key, outcome in (("k0010", "written"), ("k0011", "kept_live"), ("k0012", "kept_live"), ("k0013", "unchanged"), ("k0001", "rejected")):
        same(records[key]["outcome"], outcome, key)
    same([(change["field"], change["before"], change["after"]) for change in records["k0010"]["items"][0]["changes"]],
         [("n", 1, 7), ("v", 5, 10)], "changes")
    as_run(stand, "over.yaml", end)

    records, end = tried(stand, "fix.yaml", "--sample", "1000")
    same((len(records), end["policy"]), (397, "in-place"), "the sample")
    same({row["outcome"] for row in records.values()}, {"written", "unchanged", "rejected", "filtered", "deleted"}, "outcomes")
    live = stand.documents("items")
    as_run(stand, "fix.yaml", end)
    for key, row in records.items():
        live[key] = row["items"][0]["wanted"] if row["items"] else live[key]
    same(stand.documents("items"), {key: row for key, row in live.items() if row}, "what stands in the target")


@test("try: before and after by field, the decision, the contract's verdict")
def _(stand):
    items(stand)
    row = tried(stand, "load.yaml", "--key", "k0100")[0]["k0100"]
    same((row["outcome"], row["contract"], row["file"], row["line"]), ("written", "passes", "a.ndjson", 101), "the record")
    among(["k0100  would be written  a.ndjson:101", "contract item 3 passes"], stand.sluice("try", "load.yaml", "--key", "k0100").ended(0).out)
    row = tried(stand, "load.yaml", "--key", "k0001")[0]["k0001"]
    same((row["outcome"], row["error"], row["contract"], row["items"]), ("rejected", "contract-says", "refuses", []), "the record")
    among("n: -2 is below", row["reason"])
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    among("fill: there is a live record", stand.sluice("try", "load.yaml", "--key", "k0100").ended(0).out)
    out = stand.sluice("try", "fix.yaml", "--key", "k0104").ended(0).out
    among(["k0104  would be written", "  n  101 -> 202\n", '  tag  (none) -> {"deep":{"er":"x"}}\n', "1 written; nothing was written"], out)
    must("\x1b" not in out, "colours where there is no terminal")
    among("rejected: two", stand.sluice("try", "fix.yaml", "--key", "k0102").ended(8).out)


@test("try: of several states of a key the newest, as the run takes it")
def _(stand):
    items(stand)
    stand.records("in/c.ndjson", [{"id": "k0100", "n": 7, "v": 1000}, {"id": "k0100", "n": 8, "v": 999}])
    records, end = tried(stand, "load.yaml", "--key", "k0100")
    same((end["older_states"], records["k0100"]["source"]["v"]), (True, 1000), "the newest")
    among("older ones are left out", stand.sluice("try", "load.yaml", "--key", "k0100").ended(0).out)


@test("try: a sample comes from all over the source, and has as many records as there are")
def _(stand):
    items(stand)
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    for spec in ("load.yaml", "fix.yaml"):
        for n in (1, 2, 7, 64, 399):
            records, _ = tried(stand, spec, "--sample", str(n))
            same(len(records), min(n, 397 if spec == "fix.yaml" else 400), f"records of --sample {n}")
            if n == 7:
                thirds = {int(key[1:]) // 134 for key in records}
                same(thirds, {0, 1, 2}, "thirds of the source")


@test("try: into files, and out of them")
def _(stand):
    items(stand)
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    stand.write("out.yaml", FIX.replace("name: fix", "name: out").replace('target: { store: "rocksdb:live", dataset: items }',
                                                                        'target: { store: "file:out", dataset: "o-*.ndjson" }'))
    records, end = tried(stand, "out.yaml", "--sample", "1000")
    same((len(records), end["policy"]), (397, "append"), "the sample")
    must(not stand.path("out").exists(), "a folder was made")
    as_run(stand, "out.yaml", end, codes=(0, 7, 8)) # whatever its verification says of files: this is about what it wrote


@test("try: what is wrong is named: options, specs, files, keys, stores")
def _(stand):
    items(stand)
    stand.write("junk.yaml", b"\x00\x01\x02")
    stand.write("nostore.yaml", LOAD.replace("file:in", "file:nowhere"))
    stand.write("nolua.yaml", FIX.replace("fix.lua", "none.lua"))
    stand.write("badlua.yaml", FIX.replace("fix.lua", "bad.lua"))
    stand.write("bad.lua", "function transform(doc\n")
    stand.write("crash.yaml", LOAD + "transform: { lua: crash.lua }\n")
    stand.write("crash.lua", "function transform(doc) return doc.none.at.all end\n")
    for arguments, words, code in (
            (["load.yaml"], "Either --key K, or --sample N", 2), (["load.yaml", "--sample", "2", "--mask", "a"], "name their file with -o", 2), (["load.yaml", "--key", "a", "--sample", "2"], "Either --key K", 2),
            (["load.yaml", "--sample", "0"], "a number from 1 to 100000", 2), (["load.yaml", "--sample", "100001"], "from 1 to 100000", 2),
            (["load.yaml", "--sample", "few"], "a number was expected", 2), (["load.yaml", "--key", ""], "a key was expected", 2),
            (["load.yaml", "--smaple", "2"], "did you mean '--sample'?", 2), ([], "usage: sluice try", 2),
            (["none.yaml", "--sample", "2"], "none.yaml", 2), (["junk.yaml", "--sample", "2"], "junk.yaml:1:1", 2),
            (["in", "--sample", "2"], "in", 2), (["load.yaml", "--key", "nobody"], "the key 'nobody' is not in file:in", 9),
            (["nostore.yaml", "--sample", "2"], "nowhere", 9), (["fix.yaml", "--sample", "2"], "there is no RocksDB in", 9),
            (["nolua.yaml", "--sample", "2"], "nolua.yaml:5", 2), (["badlua.yaml", "--sample", "2"], "bad.lua:2", 2)):
        done = stand.sluice("try", *arguments).ended(code)
        among(words, done.err)
        same(stand.sluice("try", *arguments, "--json").ended(code).lines()[-1]["type"], "error", "in JSON")
    among("lua: ", stand.sluice("try", "crash.yaml", "--sample", "3").ended(8).out)
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    among("the key 'nobody' is not in rocksdb:live", stand.sluice("try", "fix.yaml", "--key", "nobody").ended(9).err)


# --- init

TEMPLATES = {"repair": ["repair.yaml", "repair.lua", "repair.tests.ndjson", "customer.contract.yaml"],
             "recompute": ["recompute.yaml", "recompute.lua", "recompute.tests.ndjson", "fee.contract.yaml"],
             "migrate": ["migrate.yaml", "migrate.lua", "migrate.tests.ndjson", "customer-flat.contract.yaml"],
             "rehydrate": ["rehydrate.yaml", "rehydrate.lua", "rehydrate.tests.ndjson", "archive.contract.yaml"],
             "gap": ["gap.yaml", "gap.lua", "gap.tests.ndjson", "gap.contract.yaml"]}


def shell(stand, command, folder):
    """A printed command, pasted into a shell."""
    sluice = str(stand.programs.sluice.parent)
    environment = dict(stand.environment(), PATH=sluice + ":" + stand.environment()["PATH"])
    return stand.run(["sh", "-c", f"cd {folder} && {command}"], env=environment)


def made_up(stand, template):
    """A folder with the template, its commands up to the made-up records run; and the faults that were planted."""
    told = stand.sluice("init", template, "--template", template, "--json").ended(0).json()
    same((told["type"], told["template"], told["dir"], told["files"]), ("init", template, template, TEMPLATES[template]), "what it says")
    for command in told["made_up"]:
        shell(stand, command + (" --faults faults.ndjson" if " gen " in command else ""), template).ended(0, 8)
    faults = [json.loads(line) for line in stand.read(template + "/faults.ndjson").splitlines()]
    return told["next"], faults


def finish(stand, template, commands):
    """What is printed as the next steps, in their order; all but try and run end with 0."""
    same([command.split()[1] for command in commands], ["test", "doctor", "try", "plan", "run"], "the next steps")
    for command in commands:
        may = (0, 8) if command.split()[1] in ("try", "run") else (0,)
        done = shell(stand, command + (" --yes" if " run " in command else ""), template).ended(*may)
        if " doctor " in command:
            must(not any(line.startswith("fail") for line in done.out.splitlines()), done.out)
            among(" all green", done.out)
    name = re.search("^name: (.*)$", stand.read(f"{template}/{TEMPLATES[template][0]}"), re.MULTILINE)[1]
    status = shell(stand, f"sluice status {name} --json", template).ended(0).json()
    same(status["state"], "done", template)
    return status["records"]


def customers(stand, template, store="live"):
    return stand.documents("customers", f"rocksdb:{template}/{store}")


@test("init: the repair's commands, as they are printed, mend every fault that they say they mend")
def _(stand):
    commands, faults = made_up(stand, "repair")
    before = customers(stand, "repair")
    records = finish(stand, "repair", commands)
    after = customers(stand, "repair")
    met = {"mended": 0, "converted": 0, "refused": 0}
    same(after.keys(), before.keys(), "keys")
    broken = {row["key"]: row for row in faults if row["ends"] != "superseded"}
    for key, record in after.items():
        row = broken.get(key)
        if row is None:
            same(record, before[key], "a record without a fault")
            continue
        met[row["ends"]] += 1
        if row["ends"] == "mended":
            same(found_at(record, row["field"]), row["right"], row["fault"])
        elif row["ends"] == "refused":
            same(record, before[key], row["fault"])
        elif row["fault"] == "tier-missing":
            same(record["tier"], "bronze", "the default")
        else:
            same(str(record["balance"]).rstrip("0").rstrip("."), row["right"].rstrip("0").rstrip("."), "the balance")
    must(met["mended"] > 300 and met["converted"] > 100 and met["refused"] > 2, met)
    same((records["written"], records["rejected"]), (met["mended"] + met["converted"], met["refused"]), "as counted")


@test("init: the rehydration's commands fill the dataset with the newest states of those who are active")
def _(stand):
    commands, faults = made_up(stand, "rehydrate")
    finish(stand, "rehydrate", commands)
    newest = {}
    for line in stand.read("rehydrate/archive/customers.ndjson").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue # cut: refused
        if "updated_at" in record and record["updated_at"] > newest.get(record["username"], {"updated_at": ""})["updated_at"]:
            newest[record["username"]] = record
    wanted = {key: record for key, record in newest.items() if record["active"]}
    must(any(row["fault"] == "older-state" for row in faults) and len(wanted) > 17000, len(wanted))
    same(customers(stand, "rehydrate"), wanted, "what stands there")


@test("init: the recomputation's commands derive every fee of the range anew, over a wrong one too, and no other")
def _(stand):
    commands, _ = made_up(stand, "recompute")
    finish(stand, "recompute", commands)
    rates = {"EUR": "0.012", "USD": "0.019", "GBP": "0.015", "CHF": "0.015", "JPY": "0.021"}
    newest = {}
    for line in stand.path("recompute/archive/events.ndjson").read_bytes().splitlines():
        try:
            event = json.loads(line, parse_float=Decimal)
        except ValueError:
            continue
        if "event" in event and event["received_at"] >= newest.get(event["event"], {"received_at": ""})["received_at"]:
            newest[event["event"]] = event
    wanted = {}
    for key, event in newest.items():
        money = event.get("money", event)
        if event["kind"] == "payment" and "2026-06-15" <= event["received_at"] < "2026-07-01" and money["amount"] != "n/a":
            wanted[key] = (money["amount"] * Decimal(rates[money["currency"]])).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    fees = stand.documents("fees", "rocksdb:recompute/live")
    same({key: Decimal(str(row["fee"])) for key, row in fees.items()}, wanted, "the fees")
    must(len(wanted) > 8000, len(wanted))
    one = next(iter(wanted))
    stand.put("fees", [f"{one}\t{json.dumps(dict(fees[one], fee=1))}"], "rocksdb:recompute/live")
    shell(stand, "sluice run recompute.yaml --yes", "recompute").ended(0, 8)
    same(Decimal(str(stand.documents("fees", "rocksdb:recompute/live")[one]["fee"])), wanted[one], "what was derived wrongly")


@test("init: the migration's commands bring every record over, in its new shape, and leave the old dataset as it is")
def _(stand):
    commands, _ = made_up(stand, "migrate")
    before = stand.dump("customers", "rocksdb:migrate/live")
    finish(stand, "migrate", commands)
    same(stand.dump("customers", "rocksdb:migrate/live"), before, "the old dataset")
    wanted = {}
    for key, record in customers(stand, "migrate").items():
        address = record.pop("address")
        wanted[key] = dict(record, **address)
        wanted[key]["balance"] = float(wanted[key]["balance"]) if "balance" in record else None
    found = customers(stand, "migrate", "next")
    for record in found.values():
        record["balance"] = record.get("balance")
    same(found, wanted, "the new dataset")


@test("init: the gap's commands put back what the stretch of time has lost, and nothing else")
def _(stand):
    commands, _ = made_up(stand, "gap")
    before, rows = customers(stand, "gap"), {}
    for line in stand.path("gap/archive/customers.ndjson").read_bytes().splitlines():
        with contextlib.suppress(ValueError, KeyError):
            row = json.loads(line)
            rows[row["username"]] = max(row, rows.get(row["username"], row), key=lambda one: one.get("updated_at", ""))
    inside = {key for key, row in rows.items() if "2026-06-01" <= row.get("updated_at", "") < "2026-06-03" and row.get("active")}
    beside = [key for key, row in before.items() if row["updated_at"][:10] in ("2026-05-31", "2026-06-03")]
    newer = sorted(inside)[0]
    changed = dict(rows[newer], updated_at="2026-11-01T00:00:00.000Z", visits=-1)
    stand.put("customers", [f"{key}\t-" for key in beside] + [f"{newer}\t{json.dumps(changed)}"], "rocksdb:gap/live")
    records = finish(stand, "gap", commands)
    after = customers(stand, "gap")
    put = inside & after.keys() - {newer}
    must(len(put) > 20 and beside and not put & before.keys(), f"{len(put)} lost inside, {len(beside)} beside")
    same((inside - after.keys(), records["written"]), (set(), len(put)), "what was lost inside")
    same({key: after[key]["visits"] for key in {newer} | put}, {newer: -1} | {key: rows[key]["visits"] for key in put}, "what stands there now")
    same([key for key in beside if key in after], [], "what was lost beside it")


@test("init: every choice that stands behind # is one that the program takes")
def _(stand):
    for template, files in TEMPLATES.items():
        stand.sluice("init", template, "--template", template, "--quiet").ended(0)
        text, n = re.subn(r"^( *)# ((?: *- \{|[a-z_]+:).*)$", r"\1\2", stand.read(f"{template}/{files[0]}"), flags=re.MULTILINE)
        must(n >= 7, template, n)
        stand.write(f"{template}/{files[0]}", text)
        for check in stand.sluice("doctor", f"{template}/{files[0]}", "--json").ended(0, 6).json()["checks"][:3]:
            same(check["level"], "ok", f"{template}: {check['text']}\n{text}")


@test("init: replaces nothing, and says which file is there")
def _(stand):
    for template, files in TEMPLATES.items():
        for name in files:
            folder = f"{template}-{name}"
            stand.write(f"{folder}/{name}", "mine")
            done = stand.sluice("init", folder, "--template", template).ended(7)
            among([f"{folder}/{name} is there already", "replaces nothing"], done.err)
            same([path.name for path in stand.path(folder).iterdir()], [name], "files")
            same(stand.read(f"{folder}/{name}"), "mine", "the file")
    stand.sluice("init").ended(0)
    must(all(stand.path(name).exists() for name in TEMPLATES["repair"]), "the default is repair, here")
    among("repair.yaml is there already", stand.sluice("init", ".").ended(7).err)


@test("init: what it prints is what it wrote and what to do next; --quiet prints nothing")
def _(stand):
    out = stand.sluice("init", "a/b", "--template", "gap").ended(0).out
    among(["wrote a/b/gap.yaml\n", "cd a/b\n", "sluice gen customers", "sluice test gap.yaml\n", "sluice doctor gap.yaml\n", "sluice try gap.yaml --sample 20\n", "sluice run gap.yaml\n"], out)
    same(stand.sluice("init", "c", "--quiet").ended(0).out, "", "standard output")


@test("init: the schemas are those of the tables")
def _(stand):
    schemas = stand.sluice("init", "--schema", "--json").ended(0).json()
    same(json.loads(stand.sluice("init", "--schema").ended(0).out), schemas, "in both forms")
    for name, key in (("spec", "target"), ("contract", "fields")):
        among("json-schema.org", schemas[name]["$schema"])
        must(key in schemas[name]["properties"] and key in schemas[name]["required"], schemas[name]["required"])
    same(list(stand.dir.iterdir()), [], "files")


@test("init: what is wrong is named: templates, folders, options")
def _(stand):
    stand.write("file", "x")
    for arguments, words, code in (
            (["--template", "repiar"], "did you mean 'repair'?", 2), (["--template", "frob"], "rehydrate (fill a lost dataset", 2),
            (["--template"], "a value was expected", 2), (["a", "b"], "usage: sluice init", 2), (["file"], "file", 7),
            (["x", "--schema"], "neither a folder nor a template", 2), (["--schema", "--template", "gap"], "neither a folder", 2),
            (["--shcema"], "did you mean '--schema'?", 2)):
        among(words, stand.sluice("init", *arguments).ended(code).err)
    same([path.name for path in stand.dir.iterdir()], ["file"], "files")


# --- doctor

CHECKS = ["spec", "contract", "transform", "tests", "source", "target", "servers", "lock", "plan", "clock", "live", "guards", "home", "key", "runs", "records", "space", "approvals", "environment", "hooks", "protect"]


def examined(stand, spec, status, **more):
    """{check: what was found}, of an examination that leaves everything as it is."""
    before = snapshot(stand)
    told = stand.sluice("doctor", spec, "--json", **more).ended(status).json()
    words = stand.sluice("doctor", spec, **more).ended(status).out
    untouched(stand, before)
    same((told["type"], told["spec"], told["exit"]), ("doctor", spec, status), "what it says of itself")
    same([row["check"] for row in told["checks"]], CHECKS, "the checks")
    for row in told["checks"]:
        first = re.split(r"[\d.]+ (?:.iB (?:are )?free|ms$)", row["text"].splitlines()[0])[0] # others write between the two looks, which take their time
        among([f"{row['level']:5} {row['check']}", first], words)
        must(row["todo"] or row["level"] in ("ok", "skip"), row)
        must(row["exit"] == 0 or row["level"] == "fail", row)
    failed = [row["exit"] for row in told["checks"] if row["level"] == "fail"]
    same(status, failed[0] if failed else 0, "exit")
    return {row["check"]: row for row in told["checks"]}


def levels(found, level):
    return [check for check in CHECKS if found[check]["level"] == level]


@test("doctor: what is fit to run has no failure, before the first run and after it")
def _(stand):
    items(stand)
    found = examined(stand, "load.yaml", 0)
    same((levels(found, "fail"), levels(found, "skip"), levels(found, "warn")), ([], [], ["protect"]), "levels")
    for check, words in (("source", "file:in#*.ndjson"), ("target", "will be made"), ("plan", "fill"), ("home", "will be made"),
                         ("records", "of 400 records: 397 written, 3 rejected (3 contract-says: n)"), ("protect", "protect.live")):
        among(words, found[check]["text"], check)
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    found = examined(stand, "fix.yaml", 0)
    same(levels(found, "warn"), ["contract", "protect"], "warnings")
    for check, words in (("plan", "the same dataset"), ("lock", "free"), ("runs", "no run's writes"), ("transform", "exactly once")):
        among(words, found[check]["text"], check)
    same(stand.sluice("doctor", "fix.yaml", "--quiet").ended(0).out.count("ok "), 0, "quiet")


@test("doctor: what is wrong fails with its code, the rest is looked at all the same, and what cannot be is named")
def _(stand):
    items(stand)
    stand.write("bad.contract.yaml", ITEM.replace("decimal", "decimel"))
    stand.write("bad.lua", "function transform(doc\n")
    table = (
        ("sluice: 1\n", "spec", 2, ["'name' is missing", "'source' is missing"]),
        (LOAD.replace("item.contract", "none"), "contract", 2, ["no such file"]),
        (LOAD.replace("item.contract", "bad.contract"), "contract", 2, ["did you mean 'decimal'?"]),
        (LOAD + "transform: { lua: bad.lua }\n", "transform", 2, ["bad.lua:2"]),
        (LOAD + "transform: { lua: none.lua }\n", "transform", 2, ["none.lua"]),
        (LOAD.replace("key: id, version: v", 'key: id, version: v, where: "doc.n =="'), "transform", 2, ["where"]),
        (LOAD.replace('"*.ndjson"', '"*.csv"'), "source", 6, ["there is no dataset '*.csv'"]),
        (LOAD.replace("file:in", "file:nowhere"), "source", 6, ["nowhere"]),
        (LOAD.replace("file:in", "rocksdb:none"), "source", 6, ["there is no RocksDB in"]),
        (LOAD.replace("rocksdb:live", "rocksdb:in"), "target", 7, ["is not a RocksDB directory"]),
        (LOAD.replace(", key: id", ""), "plan", 2, ["source.key"]))
    for text, check, status, words in table:
        stand.write("x.yaml", text)
        found = examined(stand, "x.yaml", status)
        same((levels(found, "fail")[0], found[check]["exit"]), (check, status), text)
        among(words, found[check]["text"], check)
        must("home" in levels(found, "ok") and "records" in levels(found, "skip"), found)
    examined(stand, "nothing.yaml", 2)
    stand.write("dir/y", "")
    examined(stand, "dir", 2)
    among("usage: sluice doctor", stand.sluice("doctor").ended(2).err)
    stand.write("file", "")
    found = examined(stand, "load.yaml", 6, env=dict(stand.environment(), SLUICE_HOME="file/home"))
    same(levels(found, "fail")[0], "home", "the first failure")


@test("doctor: an embedded store that another process has open, by its number")
def _(stand):
    items(stand)
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    with open(stand.path("live/LOCK"), "r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        found = examined(stand, "fix.yaml", 7)
        same(levels(found, "fail"), ["target"], "failures")
        among(f"process {os.getpid()} has it open", found["target"]["text"])
    same(levels(examined(stand, "fix.yaml", 0), "fail"), [], "failures afterwards")


@test("doctor: an approval that nobody may give")
def _(stand):
    items(stand)
    gates = """
owner: { may: { approve: [WHO, root], pause: [PAUSER] } }
stages:
  - { name: first, scope: 50%, gate: { verify: full, approve: WHO } }
  - { name: full, scope: 100%, gate: { verify: full } }
"""
    for who, pauser, words in (("no-such-people", "root", "approve stage first ('no-such-people')"), ("root", "nobody-like-it", "pause ('nobody-like-it')")):
        stand.write("x.yaml", LOAD + gates.replace("WHO", who).replace("PAUSER", pauser))
        found = examined(stand, "x.yaml", 7)
        same(levels(found, "fail"), ["approvals"], "failures")
        among(words, found["approvals"]["text"])
    stand.write("x.yaml", LOAD + gates.replace("WHO", "root").replace("PAUSER", "root"))
    among("1 stage waits for an approval", examined(stand, "x.yaml", 0)["approvals"]["text"])


@test("doctor: a sample that the contract refuses, a policy that overwrites, a rate")
def _(stand):
    items(stand)
    stand.write("x.yaml", LOAD.replace("rejects: 100%", "rejects: 0.1%, rate: { max: 100/s }").replace(
        "items }", "items, write: in-place, conflict: overwrite }"))
    found = examined(stand, "x.yaml", 0)
    same(levels(found, "warn"), ["plan", "records"], "warnings")
    among(["more are refused than protect.rejects allows (0.1 %)", "3 contract-says: n"], found["records"]["text"])
    among("overwritten", found["plan"]["text"])
    among("held to 100 records a second", found["protect"]["text"])
    stand.write("x.yaml", LOAD.replace("items }", "items, write: in-place }"))
    among("newer-wins: as good as the application's v is", examined(stand, "x.yaml", 0)["plan"]["text"])


@test("doctor: an unfinished run of the same plan is no obstacle; one of another plan is, and so is another home's lock")
def _(stand):
    items(stand)
    stand.dies("cas.after:1", "run", "load.yaml", "--yes")
    found = examined(stand, "load.yaml", 0)
    among("load.1, an earlier run of this spec", found["lock"]["text"])
    among("load.1 is running: `sluice run` goes on with it", found["runs"]["text"])
    stand.write("load.yaml", LOAD + "workers: 3\n")
    found = examined(stand, "load.yaml", 7)
    same(levels(found, "fail"), ["runs"], "failures")
    among("load.1", found["runs"]["text"])
    among(["sluice rollback load.1", "sluice abort load.1"], found["runs"]["todo"])
    found = examined(stand, "load.yaml", 7, env=dict(stand.environment(), SLUICE_HOME="other"))
    same(levels(found, "fail"), ["lock"], "failures")
    among(["held by run load.1 of home", "/home on "], found["lock"]["text"])


run_all()
