#!/usr/bin/env python3
"""Records of which no batch of the usual number fits into memory: written, verified, taken back."""

import hashlib
import re

from repair import FIX, FIX_LUA, LOAD, key
from stand import must, run_all, same, test

ROWS, BYTES = 600, 400 << 10 # 234 MiB; a batch of a run has 192, of a verification 256


def seen(stand):
    """Of the dataset: a digest of all, and the number that each record has."""
    found = sorted(stand.dump("items").items())
    return hashlib.sha256(repr(found).encode()).hexdigest(), [int(re.search(r'"n": ?(\d+)', document)[1]) for _, (document, _) in found]


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


run_all()
