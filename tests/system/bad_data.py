#!/usr/bin/env python3
"""Input that is broken: what can be read is written, what cannot stands in the quarantine with file, line, column and the
reason (8, or 3 where protect.rejects is passed); what cannot be read as a whole ends the call (6, 7) before a write."""

import gzip
import json
import os
import subprocess

from stand import Skip, among, must, run_all, same, test

SPEC = """\
sluice: 1
name: load
source: {{ store: "file:in", dataset: "{dataset}", key: id{more} }}
target: {{ store: "rocksdb:live", dataset: items }}
protect: {{ rejects: {rejects} }}
"""

GOOD = b'{"id":"a","n":1}\n{"id":"b","n":2}\n'
LAST = b'{"id":"z","n":26}\n'
KEYS = ["a", "b", "z"]


def spec(stand, dataset, rejects="100%", more="", rest=""):
    stand.write("load.yaml", SPEC.format(dataset=dataset, rejects=rejects, more=more) + rest)


def quarantine(stand):
    """What stands in the quarantine; the table for people names the same places."""
    rows = stand.sluice("quarantine", "list", "load", "--json").ended(0).lines()
    shown = stand.sluice("quarantine", "list", "load").ended(0).out
    for row in rows:
        place = f"{row['file']}:{row['line']}:{row['column']}"
        among([place, row["reason"]], shown, "quarantine list")
        among([place, row["reason"]], stand.sluice("quarantine", "show", "load", str(row["number"])).ended(0).out, "quarantine show")
    return rows


def runs(stand, keys, refused, dataset):
    """The whole way: run, what it wrote, what it refused, verify, cat, and back."""
    records = stand.sluice("run", "load.yaml", "--yes", "--json").ended(8 if refused else 0).lines()[-1]["status"]["records"]
    same(sorted(stand.dump("items")) if keys else [], sorted(keys), "keys written")
    same((records["written"], records["rejected"], records["listed"]), (len(keys), len(refused), len(keys) + len(refused)), "records")
    rows = quarantine(stand)
    same([(row["line"], row["column"]) for row in rows], [(line, column) for line, column, _ in refused], "places")
    for row, (_, _, words) in zip(rows, refused):
        among(words, row["reason"], "reason")
    stand.sluice("verify", "load").ended(0)
    cat = stand.sluice("cat", "file:in", dataset)
    same(len(cat.ended(0, 8).out.splitlines()), len(keys) + sum("'id' " in words or "'id'," in words for *_, words in refused), "records of cat")
    stand.sluice("rollback", "load", "--yes").ended(0)
    same(stand.dump("items") if keys else {}, {}, "records after the rollback")


def line(text):
    """A line among good ones."""
    return GOOD + text + b"\n" + LAST


# name: (file, content, keys written, [(line, column, words) refused])
RECORDS = {
    "a line that is no JSON": ("x.ndjson", line(b'{"id":"c", n:3}'), KEYS, [(3, 12, "expected a key in double quotes, at 'n:3}'")]),
    "a last line that was cut off": ("x.ndjson", GOOD + b'{"id":"c"', KEYS[:2], [(3, 10, "at the end")]),
    "lines that are no objects": ("x.ndjson", line(b'[1]\n5\n"x"\nnull'), KEYS, [(n, 1, "a record is a JSON object") for n in (3, 4, 5, 6)]),
    "invalid UTF-8": ("x.ndjson", line(b'{"id":"c","t":"caf\xe9"}'), KEYS, [(3, 19, "well-formed UTF-8")]),
    "UTF-16": ("x.ndjson", GOOD.decode().encode("utf-16"), [], [(n, 1, "a record is a JSON object") for n in (1, 2, 3)]),
    "a line of 50 MB": ("x.ndjson", line(b'{"id":"c","t":"' + b"x" * (50 << 20) + b'"}'), KEYS, [(3, 1, "52428818 bytes; a record has at most 16 MiB")]),
    "a key twice in an object": ("x.ndjson", line(b'{"id":"c","n":1,"n":2}'), KEYS, [(3, 17, "does not have yet")]),
    "nesting 100,000 deep": ("x.ndjson", line(b'{"id":"c","n":' + b"[" * 100000 + b"]" * 100000 + b"}"), KEYS, [(3, 114, "at most 100 objects and arrays")]),
    "a number of 40 digits": ("x.ndjson", line(b'{"id":"c","n":' + b"1234567890" * 4 + b"}"), KEYS, [(3, 15, "at most 34 digits")]),
    "1e6200": ("x.ndjson", line(b'{"id":"c","n":1e6200}'), KEYS, [(3, 15, "10^6111")]),
    "a NUL byte in a line": ("x.ndjson", line(b'{"id":"c","n":\0}'), KEYS, [(3, 15, "expected a value")]),
    "a line of NUL bytes, as a crash leaves them": ("x.ndjson", line(b"\0" * 8), KEYS, [(3, 1, "a record is a JSON object")]),
    "a key that is missing": ("x.ndjson", line(b'{"n":3}'), KEYS, [(3, 1, "nothing at 'id', of which the key is made")]),
    "keys that can be none": ("x.ndjson", line(b'{"id":null}\n{"id":[1]}\n{"id":{}}'), KEYS,
                              [(3, 1, "'id' is null; a key is made of"), (4, 1, "'id' is an array; a key is made of"), (5, 1, "'id' is an object; a key is made of")]),
    "an empty key": ("x.ndjson", line(b'{"id":""}'), KEYS, [(3, 1, "'id' is empty; a key has at least one byte")]),
    "empty lines": ("x.ndjson", b"\n\n" + GOOD + b"\n  \n\r\n" + LAST, KEYS, []),
    "a byte-order mark": ("x.ndjson", b"\xef\xbb\xbf" + GOOD + LAST, KEYS, []),
    "CRLF": ("x.ndjson", (GOOD + LAST).replace(b"\n", b"\r\n"), KEYS, []),
    "no newline at the end": ("x.ndjson", (GOOD + LAST)[:-1], KEYS, []),
    "an empty file": ("x.ndjson", b"", [], []),
    "a file of nothing but a byte-order mark": ("x.ndjson", b"\xef\xbb\xbf", [], []),
    "CSV rows with too few and too many cells": ("x.csv", b"id,n\na,1\nc\nd,1,2\nb,4\n", ["a", "b"], [(3, 2, "1 cells, where the header names 2"), (4, 6, "more than 2 cells")]),
    "a CSV quote that is never closed": ("x.csv", b'id,n\na,1\nc,"open\nd,2\n', ["a"], [(3, 3, "a quote that is opened here is never closed")]),
    "quotes in the middle of CSV cells": ("x.csv", b'id,n\na,1\nc,x"y\n"d"x,4\nb,5\n', ["a", "b"], [(3, 4, "a quote within a cell"), (4, 4, "after a closing quote")]),
    "a CSV header that stands again": ("x.csv", b"id,n\na,1\nid,n\nb,2\n", ["a", "b"], [(3, 1, "the header row stands here again")]),
    "invalid UTF-8 in CSV": ("x.csv", b"id,t\na,caf\xe9\nb,x\n", ["b"], [(2, 6, "invalid UTF-8")]),
    "an empty CSV file": ("x.csv", b"", [], []),
    "a CSV file of a header only": ("x.csv", b"id,n\n", [], []),
    "a broken element of a JSON array": ("x.json", b'[{"id":"a"},\n {"id":"c" x},\n {"id":"b"}]', ["a", "b"], [(2, 12, "expected ',' or '}' after a value")]),
    "a comma behind the last element": ("x.json", b'[{"id":"a"},{"id":"b"},]', ["a", "b"], [(1, 24, "expected a record after ','")]),
    "a JSON array that is not closed": ("x.json", b'[{"id":"a"},\n{"id":"b"}', ["a", "b"], [(2, 11, "not closed; has the file been cut off?")]),
    "a JSON array cut off within a record": ("x.json", b'[{"id":"a"},\n{"id":"c"', ["a"], [(2, 10, "at the end")]),
    "elements that are no objects": ("x.json", b'[1,"x",{"id":"a"},null]', ["a"], [(1, column, "a record is a JSON object") for column in (2, 4, 19)]),
    "something behind a JSON array": ("x.json", b'[{"id":"a"}] xyz', ["a"], [(1, 14, "a record is a JSON object")]),
    "an object in place of a JSON array: it is the record": ("x.json", b'{"id":"a"}', ["a"], []),
    "an object around the list, without its member": ("x.json", b'{"r":[{"id":"a"}]}', [], [(1, 1, "nothing at 'id', of which the key is made")]),
}

for name, (file, content, keys, refused) in RECORDS.items():
    @test(f"{name}: {'refused with its place, the others are written' if refused else 'read as it should be'}")
    def _(stand, file=file, content=content, keys=keys, refused=refused):
        stand.write("in/" + file, content)
        spec(stand, file)
        runs(stand, keys, refused, file)


@test("cells of CSV keep their leading zeros, in keys too")
def _(stand):
    stand.write("in/x.csv", 'id,zip\n007,00501\n7,"0"\n')
    spec(stand, "x.csv")
    runs(stand, ["007", "7"], [], "x.csv")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    same(stand.documents("items")["007"], {"id": "007", "zip": "00501"}, "record")


@test("more refused than protect.rejects allows: 3, and on in spite of it")
def _(stand):
    stand.write("in/x.ndjson", b"".join(b'{"id":"k%04d"}\n' % n for n in range(1000)) + b"broken\n" * 20)
    spec(stand, "x.ndjson", "1%")
    among(["1.96 %", "protect.rejects", "sluice resume load.1"], stand.sluice("run", "load.yaml", "--yes").ended(3).err)
    same(len(quarantine(stand)), 20, "refused")
    stand.sluice("resume", "load").ended(8)
    same(len(stand.dump("items")), 1000, "records")


# --- records within an object

MEMBER = {
    "in the middle, below another": (b'{"v":{"n":[1,{"r":2}]},"a":{"x":"r","r":[{"id":"a"},{"id":"b"}],"y":[1]},"r":5}', ["a", "b"], []),
    "with a broken element": (b'{"a":{"r":[{"id":"a"},\n{"id" x},\n{"id":"b"}]}}', ["a", "b"], [(2, 7, "expected ':'")]),
    "empty": (b'{"a":{"r":[]}}', [], []),
    "that is not closed": (b'{"a":{"r":[{"id":"a"}', ["a"], [(1, 22, "not closed; has the file been cut off?")]),
    "in an object that is not closed": (b'{"a":{"r":[{"id":"a"}],"x":1}', ["a"], [(1, 30, "the object is not closed")]),
    "that stands twice": (b'{"a":{"r":[{"id":"a"}],"r":[{"id":"b"}]}}', ["a"], [(1, 28, "stands here again; only the first was read")]),
    "in an object with something behind it": (b'{"a":{"r":[{"id":"a"}]}} {}', ["a"], [(1, 26, "something follows the object")]),
}

for name, (content, keys, refused) in MEMBER.items():
    @test(f"records in a member of an object, {name}")
    def _(stand, content=content, keys=keys, refused=refused):
        stand.write("in/x.json", content)
        spec(stand, "x.json#a.r")
        runs(stand, keys, refused, "x.json#a.r")


@test("records in a member: 200,000 of them, killed and resumed in the middle, packed too")
def _(stand):
    stand.write("in/x.json.gz", gzip.compress(json.dumps({"before": list(range(200000)), "r": [{"id": f"k{n}"} for n in range(200000)], "after": 1}).encode(), 1))
    spec(stand, "x.json.gz#r", rest="partitions: { size: 1000 }\n")
    stand.dies("checkpoint.after:20", "run", "load.yaml", "--yes")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    same(len(stand.dump("items")), 200000, "records")


# --- what cannot be read as a whole: no run, no write

def packed(how, content):
    return subprocess.run([how, "-c"], input=content, stdout=subprocess.PIPE, check=True).stdout


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:]


MANY = b"".join(b'{"id":"r%06d","t":"%x"}\n' % (n, n * 2654435761 % (1 << 64)) for n in range(20000))
GZIP, ZSTD = gzip.compress(MANY), packed("zstd", MANY)
DAMAGED = "the archive is damaged at byte"

# name: (file, content, dataset, exit, words)
WHOLES = {
    "a glob that matches nothing": ("x.txt", GOOD, "*.ndjson", 9, ["load.yaml:3:", "*.ndjson"]),
    "a name that does not tell what it holds": ("x.txt", GOOD, "x.txt", 7, ["x.txt", "expected .ndjson"]),
    "a truncated gzip file": ("x.ndjson.gz", GZIP[:-2000], "*", 6, ["x.ndjson.gz", DAMAGED, "ends in the middle", "whole copy"]),
    "a corrupt gzip file": ("x.ndjson.gz", flipped(GZIP, len(GZIP) // 2), "*", 6, ["x.ndjson.gz", DAMAGED]),
    "a gzip file whose checksum is wrong": ("x.ndjson.gz", flipped(GZIP, len(GZIP) - 8), "*", 6, [DAMAGED, "incorrect data check"]),
    "something behind a gzip file": ("x.ndjson.gz", GZIP + b"trailing", "*", 6, [DAMAGED]),
    "an empty gzip file": ("x.ndjson.gz", b"", "*", 6, [DAMAGED + " 0", "ends in the middle"]),
    "a .gz that is plain text": ("x.ndjson.gz", GOOD, "*", 6, ["x.ndjson.gz:1:1", "and it is not", '{"id":"a"', "rename it"]),
    "a truncated zstd file": ("x.ndjson.zst", ZSTD[:-2000], "*", 6, ["x.ndjson.zst", DAMAGED, "ends in the middle"]),
    "a corrupt zstd file": ("x.ndjson.zst", flipped(ZSTD, len(ZSTD) // 2), "*", 6, ["x.ndjson.zst", DAMAGED]),
    "a .zst that is gzip": ("x.ndjson.zst", GZIP, "*", 6, ["x.ndjson.zst"]),
    "a CSV header that names a column twice": ("x.csv", b"id,id\na,1\n", "*", 6, ["x.csv:1:4", "'id' stands twice"]),
    "a CSV header with a column without a name": ("x.csv", b"id,\na,1\n", "*", 6, ["x.csv:1:4", "a column has no name"]),
    "a CSV file without its header": ("x.csv", b"a,1\nb,2\n", "*", 6, ["x.csv:1:1", "no column 'id'", "header row"]),
    "a member that is not there": ("x.json", b'{"a":[],\n"b":[]}', "x.json#c", 6, ["x.json:2:8", "no such member", "'c'", "there are 'a', 'b'"]),
    "a member that is no list": ("x.json", b'{"a":{"id":"b"}}', "x.json#a", 6, ["x.json:1:6", "this is no list"]),
    "a member of a list": ("x.json", b"[]", "x.json#a", 6, ["x.json:1:1", "this is no object"]),
    "a member of NDJSON": ("x.ndjson", GOOD, "x.ndjson#a", 7, ["x.ndjson", "only a .json file"]),
    "a member without a name": ("x.json", b"{}", "x.json#", 2, ["'x.json#'", "expected a name"]),
}

for name, (file, content, dataset, code, words) in WHOLES.items():
    @test(f"{name}: {code}, with its place, and nothing is written")
    def _(stand, file=file, content=content, dataset=dataset, code=code, words=words):
        stand.write("in/" + file, content)
        spec(stand, dataset)
        nothing_done(stand, code, words)


def nothing_done(stand, code, words, **more):
    for _ in range(2):
        among(words, stand.sluice("run", "load.yaml", "--yes", **more).ended(code).err)
    same(stand.sluice("list", "--json", **more).json()["runs"], [], "runs")
    must(not stand.path("live").exists() or stand.dump("items") == {}, "something was written")


def made(stand, make):
    stand.write("in/y.ndjson", GOOD)
    make(str(stand.path("in/x.ndjson")))
    spec(stand, "*.ndjson")


@test("a directory, a FIFO, a link to nowhere, called x.ndjson: named, not passed over, and never waited for")
def _(stand):
    for make, code, words in ((os.mkdir, 7, "not a regular file"), (os.mkfifo, 7, "not a regular file"), (lambda path: os.symlink("nowhere", path), 9, "No such file")):
        made(stand, make)
        nothing_done(stand, code, ["in/x.ndjson", words], timeout=20)
        among("in/x.ndjson", stand.sluice("cat", "file:in", "x.ndjson", timeout=20).ended(code).err)
        path = stand.path("in/x.ndjson")
        path.rmdir() if path.is_dir() else path.unlink()


@test("a file that may not be read: named, and nothing is written")
def _(stand):
    made(stand, lambda path: stand.write("in/x.ndjson", LAST))
    stand.path("in/x.ndjson").chmod(0)
    user = {}
    if os.geteuid() == 0: # who may read everything
        stand.path(".").chmod(0o777)
        user = {"user": 65534, "group": 65534, "extra_groups": []}
        if stand.run(["test", "-x", stand.programs.sluice], **user).code != 0:
            raise Skip("the program lies where no other user may reach it")
    nothing_done(stand, 7, ["in/x.ndjson", "Permission denied"], **user)


@test("gzip members and zstd frames put one behind the other are one file")
def _(stand):
    stand.write("in/x.ndjson.gz", gzip.compress(GOOD) + gzip.compress(b"") + gzip.compress(LAST))
    spec(stand, "*")
    runs(stand, KEYS, [], "*")
    stand.path("in/x.ndjson.gz").unlink()
    stand.write("in/x.ndjson.zst", packed("zstd", GOOD) + packed("zstd", LAST))
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    same(sorted(stand.dump("items")), KEYS, "keys")


# --- files that move

ROWS = 4000


def seed(stand, partitions, rate):
    stand.write("in/a.ndjson", b"".join(b'{"id":"k%05d","n":%d}\n' % (n, n) for n in range(ROWS)))
    spec(stand, "*.ndjson", rest=f"partitions: {{ count: {partitions} }}\n")
    stand.write("load.yaml", stand.read("load.yaml").replace("rejects: 100%", f"rejects: 100%, rate: {{ max: {rate}/s }}"))


def change(path):
    path.write_bytes(path.read_bytes().replace(b'"n":3999', b'"n":3998'))


def grow(path):
    path.write_bytes(path.read_bytes() + LAST)


def shrink(path):
    path.write_bytes(path.read_bytes()[:-30])


def replace(path):
    other = path.with_name("other")
    other.write_bytes(path.read_bytes().replace(b'"n":3', b'"n":4'))
    other.rename(path)


def vanish(path):
    path.unlink()


MOVES = {"changes": (change, "its content has changed"), "grows": (grow, "it has become longer"),
         "becomes shorter": (shrink, "it has become shorter"), "is replaced": (replace, "its content has changed"),
         "vanishes": (vanish, "it has gone")}


def halted(stand, done, words, kept):
    among(["a.ndjson", words, "put the listed file back and resume"], done.ended(5).err)
    same(stand.status("load.1")["state"], "halted", "state")
    stand.path("in/a.ndjson").write_bytes(kept)
    stand.sluice("resume", "load.1", "--reason", "the file is back").ended(0)
    same({key: row["n"] for key, row in stand.documents("items").items()}, {f"k{n:05d}": n for n in range(ROWS)}, "records")


for what, (act, words) in MOVES.items():
    @test(f"a file that {what} between listing and scan: 5, and on when it is back")
    def _(stand, act=act, words=words):
        seed(stand, 4, 1000000)
        kept = stand.path("in/a.ndjson").read_bytes()
        stand.dies("grant.after:1", "run", "load.yaml", "--yes")
        act(stand.path("in/a.ndjson"))
        halted(stand, stand.sluice("run", "load.yaml", "--yes"), words, kept)

    @test(f"a file that {what} during the scan: 5, and on when it is back")
    def _(stand, act=act, words=words):
        seed(stand, 4, 2000)
        kept = stand.path("in/a.ndjson").read_bytes()
        process = stand.start("run", "load.yaml", "--yes", "--json")
        stand.until(process, lambda row: row["type"] == "progress" and row["text"] == "writing" and row["done"] > 0)
        act(stand.path("in/a.ndjson"))
        halted(stand, stand.finish(process), words, kept)


@test("a file replaced by one of the same content is as good")
def _(stand):
    seed(stand, 4, 1000000)
    stand.dies("grant.after:1", "run", "load.yaml", "--yes")
    path = stand.path("in/a.ndjson")
    kept = path.read_bytes()
    path.unlink()
    path.write_bytes(kept)
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    same(stand.status()["run"], "load.1", "run")


# --- several states of one key

STATES = "".join(json.dumps(row) + "\n" for row in (
    {"id": "a", "v": 1, "n": 1}, {"id": "a", "v": 2, "n": 2}, {"id": "b", "v": 1, "n": 1}, {"id": "b", "v": 1, "n": 2},
    {"id": "c", "v": 1}, {"id": "c", "v": 1}, {"id": "d", "v": "soon"}, {"id": "d", "v": 2}))


def states(stand, rule, version=", version: v"):
    stand.write("in/x.ndjson", STATES)
    spec(stand, "*.ndjson", more=f"{version}, duplicates: {rule}")


@test("duplicates: newest takes the highest version; of equal versions with other contents all are refused, each naming the other")
def _(stand):
    states(stand, "newest")
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    same({key: row.get("n") for key, row in stand.documents("items").items()}, {"a": 2, "c": None}, "records")
    rows = quarantine(stand)
    same([(row["document"]["id"], row["line"]) for row in rows], [("b", 3), ("b", 4), ("d", 7), ("d", 8)], "refused")
    for row, words in zip(rows, (["x.ndjson:4", "other content"], ["x.ndjson:3", "other content"],
                                 ["x.ndjson:8", "cannot be compared"], ["x.ndjson:7", "cannot be compared"])):
        among(words, row["reason"])
    records = stand.status()["records"]
    same((records["duplicates"], records["listed"], records["rejected"]), (2, 6, 4), "records")
    stand.sluice("verify", "load").ended(0)


@test("duplicates: error, and several states without a version: 7, each key with both places")
def _(stand):
    states(stand, "error")
    nothing_done(stand, 7, ["4 keys have several states", "x.ndjson:1:1: the key 'a' stands again at x.ndjson:2", "x.ndjson:5:1: the key 'c'"])


@test("duplicates: all takes each in its order: to fill, the first is written and the others are kept live")
def _(stand):
    states(stand, "all", "")
    records = stand.sluice("run", "load.yaml", "--yes", "--json").ended(8).lines()[-1]["status"]["records"]
    same((records["written"], records["unchanged"], records["kept_live"]), (4, 1, 3), "records")
    same({key: (row["v"], row.get("n")) for key, row in stand.documents("items").items()},
         {"a": (1, 1), "b": (1, 1), "c": (1, None), "d": ("soon", None)}, "records")


@test("cat of an undo log: what stood there before, and nothing for what the run made")
def _(stand):
    stand.write("in/x.ndjson", GOOD)
    spec(stand, "*.ndjson")
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    same(stand.sluice("cat", "undo:home/undo/load.1", "x").ended(0).out, "", "pre-images of what was made")
    stand.write("fix.lua", "function transform(doc) doc.n = doc.n + 1 return doc end\n")
    stand.write("fix.yaml", 'sluice: 1\nname: fix\nsource: { store: "rocksdb:live", dataset: items }\n'
                            'target: { store: "rocksdb:live", dataset: items }\ntransform: { lua: fix.lua }\n')
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    same(stand.sluice("cat", "undo:home/undo/fix.1", "x").ended(0).out, GOOD.decode(), "pre-images")


# --- `unique` of the contract

UNIQUE = """\
contract: 1
name: c
fields:
  id: { type: string, required: true }
  mail: { type: string, nullable: true }
  number: { type: decimal }
unique: [mail, number]
"""
LOWER = "function transform(doc, ctx)\n  if doc.mail ~= nil and doc.mail ~= null then doc.mail = doc.mail:lower() end\n  return doc\nend\n"
PEOPLE = [
    {"id": "a", "v": 1, "mail": "One@x"}, {"id": "b", "v": 2, "mail": "one@x"}, # b: the higher version
    {"id": "d", "v": 1, "mail": "two@x"}, {"id": "c", "v": 1, "mail": "TWO@x"}, # c: the smaller key
    {"id": "e", "v": 1, "number": "1.50"}, {"id": "f", "v": 1, "number": 1.5}, # equal numbers
    {"id": "g", "v": 1, "mail": None}, {"id": "h", "v": 1, "mail": None}, {"id": "i", "v": 1}, # nobody's
    {"id": "k", "v": 1, "mail": "three@x"}, {"id": "k", "v": 2, "mail": "four@x"}, {"id": "l", "v": 1, "mail": "three@x"}] # superseded
LOSERS = {"a": ["mail", "'b'", "highest", "x.ndjson:2"], "d": ["mail", "'c'", "x.ndjson:4"], "f": ["number", "'e'", "x.ndjson:5"]}
TAKEN = ["b", "c", "e", "g", "h", "i", "k", "l"]


def people(stand, rest="partitions: { size: 2 }\nworkers: 3\n"):
    stand.records("in/x.ndjson", PEOPLE)
    stand.write("c.yaml", UNIQUE)
    stand.write("lower.lua", LOWER)
    spec(stand, "*.ndjson", more=", version: v", rest="contract: c.yaml\ntransform: { lua: lower.lua }\n" + rest)


def losers(stand, places=True):
    rows = {row["key"]: row for row in stand.sluice("quarantine", "list", "load", "--json").ended(0).lines()}
    same(sorted(rows), sorted(LOSERS), "refused")
    for key, words in LOSERS.items():
        among([word for word in words if places or "ndjson" not in word], rows[key]["reason"])
        same((rows[key]["code"], rows[key]["document"]["id"]), ("contract-says", key), "row")


@test("unique, over the records as they will be: the highest version is taken, then the smallest key; the others name who was")
def _(stand):
    people(stand)
    records = stand.sluice("run", "load.yaml", "--yes", "--json").ended(8).lines()[-1]["status"]["records"]
    same((records["written"], records["rejected"], records["duplicates"], records["listed"]), (8, 3, 1, 11), "records")
    same(sorted(stand.dump("items")), TAKEN, "keys")
    losers(stand)
    stand.sluice("verify", "load").ended(0)
    stand.sluice("verify", "load.yaml").ended(0)
    stand.sluice("rollback", "load", "--yes").ended(0)
    same(stand.dump("items"), {}, "records")


@test("unique, decided once: killed after the first partition and resumed, the same records are taken")
def _(stand):
    people(stand)
    stand.dies("checkpoint.after:1", "run", "load.yaml", "--yes")
    stand.sluice("run", "load.yaml", "--yes").ended(8)
    same(sorted(stand.dump("items")), TAKEN, "keys")
    losers(stand)


@test("unique in a live source, elsewhere and in place: decided on what stands there when it is planned")
def _(stand):
    people(stand)
    lines = [f"{row['id']}\t{json.dumps(row)}" for row in PEOPLE if (row["id"], row["v"]) != ("k", 1)]
    for source, dataset in (("old", "items"), ("live", "items")):
        stand.put("items", lines, f"rocksdb:{source}")
        stand.write("load.yaml", f"""sluice: 1
name: load
source: {{ store: "rocksdb:{source}", dataset: items, version: v }}
target: {{ store: "rocksdb:live", dataset: {dataset} }}
contract: c.yaml
transform: {{ lua: lower.lua }}
partitions: {{ size: 2 }}
protect: {{ rejects: 100% }}
""")
        stand.sluice("run", "load.yaml", "--yes").ended(8)
        losers(stand, places=False)
        written = {key: row for key, row in stand.documents("items").items() if key in TAKEN}
        same({key: row.get("mail") for key, row in written.items()},
             {"b": "one@x", "c": "two@x", "e": None, "g": None, "h": None, "i": None, "k": "four@x", "l": "three@x"}, source)
        same(sorted(set(stand.dump("items")) - set(TAKEN)), [] if source == "old" else sorted(LOSERS), "not written: as they were")
        stand.sluice("verify", "load").ended(0)
        stand.sluice("rollback", "load", "--yes").ended(0)


if __name__ == "__main__":
    run_all()
