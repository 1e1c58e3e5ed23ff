#!/usr/bin/env python3
"""Records of which no batch of the usual number fits into memory: written, verified, taken back."""

import hashlib
import json
import re

from repair import FIX, FIX_LUA, LOAD, key
from stand import among, must, run_all, same, test

ROWS, BYTES = 600, 400 << 10 # 234 MiB; a batch of a run has 192, of a verification 256


def seen(stand):
    """Of the dataset: a digest of all, and the number that each record has."""
    found, digest = sorted(stand.dump("items").items()), hashlib.sha256()
    for name, (document, expires) in found:
        digest.update(f"{name} {expires} {len(document)} ".encode())
        digest.update(document.encode())
    return digest.hexdigest(), [int(re.search(r'"n": ?(\d+)', document)[1]) for _, (document, _) in found]


@test("records of 400 KiB, more than fit into a batch: loaded, mended where they lie, verified, taken back byte for byte, and the load, too")
def _(stand):
    stand.records("in/a.ndjson", ({"id": key(n), "n": n, "text": chr(97 + n % 26) * BYTES} for n in range(ROWS)))
    stand.write("load.yaml", LOAD.format(rate=1000000).replace("count: 2", "count: 1"))
    stand.write("fix.yaml", FIX.format(rate=1000000).replace("count: 2", "count: 1"))
    stand.write("fix.lua", FIX_LUA)
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    before, numbers = seen(stand)
    same(numbers, list(range(ROWS)), "loaded")
    done = stand.sluice("run", "fix.yaml", "--yes").ended(0)
    must("compared in full: 0 of 600 differ" in done.out + done.err, done.out + done.err)
    same(seen(stand)[1], [n * 2 + 1 for n in range(ROWS)], "mended")
    stand.sluice("rollback", "fix.1", "--yes").ended(0)
    same(seen(stand)[0], before, "taken back")
    stand.dies("cas.after:2", "rollback", "load.1", "--yes")
    stand.sluice("rollback", "load.1", "--yes").ended(0)
    same((seen(stand)[1], stand.status("load.1")["records"]["restored"]), ([], ROWS), "the load taken back, by one who died and another")


MANY = 670 # 262 MiB
BESIDE = """
sluice: 1
name: {name}
source: {{ store: "file:{name}", dataset: "*.ndjson", key: id }}
target: {{ store: "rocksdb:live", dataset: {into} }}
"""
LINKED = """expect:
  - { name: refs, refers: ref, to: items }
  - { name: records, index: items, entry: "{key}" }
"""
POINTS = 'expect:\n  - { name: entries, index: entries, entry: "e:{key}" }\n'


def verified(stand, name, rows, into, expect, code, *more):
    stand.records(f"{name}/a.ndjson", rows)
    stand.write(f"{name}.yaml", BESIDE.format(name=name, into=into) + expect)
    return stand.sluice("verify", f"{name}.yaml", *more).ended(code).out


@test("records that have become larger than a verification's memory: compared, referred to, pointed at by an index, beyond the source")
def _(stand):
    small = [{"id": key(n), "ref": key(n)} for n in range(MANY)]
    for dataset in ("items", "links"):
        stand.put(dataset, [f"{key(n)}\t" + json.dumps(small[n]) + "\t0" for n in range(MANY)])
    stand.put("entries", [f"e:{key(n)}\t{{}}\t0" for n in range(MANY)])
    stand.write("fix.yaml", FIX.format(rate=1000000).replace("count: 2", "count: 1"))
    stand.write("fix.lua", "function transform(doc) return doc end\n")
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    large = chr(98) * BYTES
    stand.put("items", [f'{key(n)}\t{{"id": "{key(n)}", "text": "{large}"}}\t0' for n in range(MANY)])
    among("0 of 670 differ, 670 equal", stand.sluice("verify", "fix.1", "--full").ended(0).out)
    among("2 of 2 expectations hold", verified(stand, "links", small, "links", LINKED, 0))
    found = verified(stand, "one", small[:1], "items", POINTS, 4, "--extra")
    among(["1 of 1 differ, 1 differing, 669 extra", "1 of 1 expectations hold"], found)


run_all()
