#!/usr/bin/env python3
"""A shadow and its promotion on the embedded store: nothing shows before it, all of it after, what changed meanwhile stands; and
a wrong one is mended in both ways."""

import json

from stand import among, must, run_all, same, test

ROWS = 400
WRONG = "function transform(doc, ctx) if doc.n == 40 then return ctx.delete() end doc.n = doc.n * 1000 + 7 return doc end\n"
RIGHT = "function transform(doc, ctx) if doc.n == 80 then return ctx.delete() end doc.n = doc.n * 2 + 1 return doc end\n"
SPEC = """
sluice: 1
name: fix
source: {{ store: "rocksdb:live", dataset: items{version} }}
transform: {{ lua: fix.lua }}
target: {{ store: "rocksdb:live", dataset: items, write: shadow{more} }}
partitions: {{ count: 3 }}
protect: {{ kept_live: 100% }}
"""
YEARS = 4102444800000


def key(n):
    return f"k{n:05d}"


def row(n, value, expires=0):
    return f'{key(n)}\t{json.dumps({"id": key(n), "n": value})}\t{expires}'


def ready(stand, lua=RIGHT, more="", version=""):
    stand.write("fix.lua", lua)
    stand.write("fix.yaml", SPEC.format(more=more, version=version))
    stand.put("items", [row(n, n, YEARS if n % 10 == 0 else 0) for n in range(ROWS)])
    return stand.dump("items")


def values(stand):
    return {name: document["n"] for name, document in stand.documents("items").items()}


def right(but=()):
    return {key(n): n * 2 + 1 for n in range(ROWS) if n != 80 and n not in but}


def loaded(stand, *arguments):
    end = stand.sluice("run", "fix.yaml", "--yes", "--json", *arguments).ended(3).lines()[-1]
    same(end["state"], "waiting", "state")
    return end


@test("until it is promoted nothing shows; then all of it does, with expiries as they were; rollback takes it back byte for byte")
def _(stand):
    before = ready(stand)
    loaded(stand)
    same(stand.dump("items"), before, "before the promotion")
    among("sluice promote fix.1", stand.status("fix")["reason"], "reason")
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    same(stand.sluice("verify", "fix").ended(0).code, 0, "verify")
    plan = stand.sluice("promote", "fix", "--dry-run", "--json").ended(0).json()
    same((plan["run"], plan["keys"]), ("fix.1", ROWS), "a dry run")
    stand.sluice("promote", "fix").ended(2) # nobody is there to be asked
    lines = stand.sluice("promote", "fix", "--yes", "--json").ended(0).lines()
    same((lines[-1]["state"], lines[-1]["status"]["records"]["promoted"]), ("done", ROWS), "how it ended")
    same(values(stand), right(), "records")
    same({name: expires for name, (_, expires) in stand.dump("items").items()},
         {name: expires for name, (_, expires) in before.items() if name != key(80)}, "expiries")
    stand.sluice("verify", "fix").ended(0)
    stand.sluice("promote", "fix", "--yes").ended(0)
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), before, "taken back")
    stand.sluice("promote", "fix", "--yes").ended(7)


@test("rollback and abort before it drop the shadow, and leave nothing of it in the store")
def _(stand):
    for command in (["rollback", "fix", "--yes"], ["abort", "fix"]):
        before = ready(stand)
        loaded(stand)
        must(b"sluice.shadow" in b"".join(path.read_bytes() for path in stand.path("live").glob("MANIFEST*")), "there is no shadow")
        stand.sluice(*command).ended(0)
        same(stand.dump("items"), before, "records")
        stand.sluice("promote", "fix", "--yes").ended(7)


@test("what the application wrote, deleted and let expire since is passed over and listed; what it did not is live; 8")
def _(stand):
    ready(stand)
    loaded(stand)
    stand.put("items", [row(3, 5000), f"{key(4)}\t-\t0", row(5, 5, 1000), row(6, 6, YEARS)])
    end = stand.sluice("promote", "fix", "--yes", "--json").ended(8).lines()[-1]
    same((end["status"]["records"]["passed_over"], end["status"]["records"]["promoted"]), (4, ROWS - 4), "counts")
    found = values(stand)
    same((found[key(3)], key(4) in found, key(5) in found, found[key(6)]), (5000, False, False, 6), "what the application did")
    same({name: n for name, n in found.items() if name not in (key(3), key(6))}, right((3, 4, 5, 6)), "the rest")
    notes = [json.loads(line) for line in stand.read("home/reports/fix.1/notes.ndjson").splitlines()[1:]]
    same(sorted(note["key"] for note in notes if note["code"] == "passed-over"), [key(n) for n in (3, 4, 5, 6)], "notes")


@test("with overwrite the shadow goes live over what changed, but brings back nothing that was deleted")
def _(stand):
    ready(stand, more=", conflict: overwrite")
    loaded(stand)
    stand.put("items", [row(3, 5000), f"{key(4)}\t-\t0"])
    among(["notes.ndjson", "sluice verify fix.1", "sluice repair fix.1"], stand.sluice("promote", "fix", "--yes").ended(8).out)
    records = stand.status("fix")["records"]
    same((records["passed_over"], records["promoted"]), (1, ROWS - 1), "counts")
    same(values(stand), right((4,)), "records")


def wrong_one(stand):
    """fix.1 is promoted, and wrong; the application has written one key since."""
    before = ready(stand, lua=WRONG)
    loaded(stand)
    said = stand.sluice("promote", "fix", "--yes").ended(0).out
    must("passed over" not in said, said)
    same(values(stand)[key(7)], 7007, "the wrong one")
    stand.put("items", [row(9, 9)])
    stand.write("fix.lua", RIGHT)
    return before


@test("fix-forward by rollback, then run: the transform is applied once to each key")
def _(stand):
    wrong_one(stand)
    stand.sluice("rollback", "fix.1", "--yes").ended(8)
    loaded(stand)
    stand.sluice("promote", "fix", "--yes").ended(0)
    same(values(stand), right(), "records")


@test("fix-forward by --supersede: the same, and what the application wrote since is left alone; one rollback takes back both")
def _(stand):
    before = wrong_one(stand)
    same(loaded(stand, "--supersede", "fix.1")["run"], "fix.2", "run")
    same(values(stand)[key(7)], 7, "taken back before it")
    stand.sluice("promote", "fix.2", "--yes").ended(8)
    same(values(stand), {**right((9,)), key(9): 9}, "records")
    stand.sluice("rollback", "fix.2", "--yes").ended(0)
    same({name: row for name, row in stand.dump("items").items() if name != key(9)},
         {name: row for name, row in before.items() if name != key(9)}, "before both")


@test("a promotion is paused, resumed and taken back in its middle")
def _(stand):
    before = ready(stand)
    loaded(stand)
    stand.sluice("set", "fix", "protect.rate.max=100/s").ended(0)
    process = stand.start("promote", "fix", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "promoting")
    stand.sluice("pause", "fix").ended(0)
    stand.finish(process).ended(3)
    same(stand.status("fix")["state"], "paused", "state")
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(stand.dump("items"), before, "taken back")


@test("only a shadow whose gates are passed is promoted; a store without one is refused by its place in the spec")
def _(stand):
    ready(stand)
    stand.write("fix.yaml", stand.read("fix.yaml") + "stages: [{ name: a, scope: 1 partitions }, { name: b, scope: 100%, gate: "
                "{ approve: daemon } }]\n")
    stand.sluice("run", "fix.yaml", "--yes").ended(3)
    among("stage b is waiting", stand.sluice("promote", "fix", "--yes").ended(7).err)
    stand.sluice("abort", "fix").ended(0)
    stand.write("out.yaml", 'sluice: 1\nname: out\nsource: { store: "rocksdb:live", dataset: items }\n'
                'target: { store: "file:out", dataset: "a-*.ndjson", write: shadow }\n')
    among(["out.yaml:4", "can keep no shadow"], stand.sluice("plan", "out.yaml").ended(2).err)


if __name__ == "__main__":
    run_all()
