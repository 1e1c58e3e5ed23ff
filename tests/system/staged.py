"""A repair in three stages over four partitions, and a gate that fails when a test wants it to."""

import contextlib
import json
import os
import shutil

from stand import Skip, same

ROWS = 400

LOAD = """
sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: items }
stages: [{ name: full, scope: 100% }]
"""

STAGED = """
sluice: 1
name: fix
{more}
source: {{ store: "rocksdb:live", dataset: items }}
transform: {{ lua: fix.lua }}
target: {{ store: "rocksdb:live", dataset: items }}
partitions: {{ count: 4 }}
workers: 1
{stages}
"""

THREE = """stages:
  - {{ name: canary, scope: 1 partition{canary} }}
  - {{ name: ramp, scope: 2 partitions{ramp} }}
  - {{ name: full, scope: 100%{full} }}
"""

FIX_LUA = "function transform(doc) doc.n = doc.n * 2 + 1 return doc end\n"


def three(canary="", ramp="", full=""):
    """The stages, with a gate for those that are to have one."""
    gates = {name: f", gate: {{ {gate} }}" if gate else "" for name, gate in
             (("canary", canary), ("ramp", ramp), ("full", full))}
    return THREE.format(**gates)


def before(rows=ROWS):
    return {f"k{n:05d}": {"id": f"k{n:05d}", "n": n} for n in range(rows)}


def after(rows=ROWS):
    return {key: dict(row, n=row["n"] * 2 + 1) for key, row in before(rows).items()}


def ready(stand, stages=None, more="", rows=ROWS):
    """A store with records, and a repair of them in stages; returns what the store holds."""
    stand.records("in/a.ndjson", before(rows).values())
    stand.write("load.yaml", LOAD)
    stand.write("fix.lua", FIX_LUA)
    write(stand, stages, more)
    stand.sluice("run", "load.yaml", "--yes").ended(0)
    return stand.dump("items")


def write(stand, stages=None, more=""):
    stand.write("fix.yaml", STAGED.format(stages=three() if stages is None else stages, more=more))


def run(stand, *codes, command=("run", "fix.yaml", "--yes")):
    return stand.sluice(*command, "--json").ended(*codes).lines()[-1]


def states(stand, name="fix"):
    status = stand.status(name)
    return status["state"], [stage["state"] for stage in status["stages"]]


def stands_so(stand, state, *stages):
    same(states(stand), (state, list(stages)), "states")


def written(stand):
    return {key for key, row in stand.documents("items").items() if row == after()[key]}


def fails_at(stand, stage):
    """The run dies where the stage (0: the first) is to be judged; a record that it wrote is then as it was before, so that
    the gate fails."""
    if stage:
        stand.dies(f"stage.moved:{3 * stage}", "run", "fix.yaml", "--yes")
    stood = written(stand)
    stand.dies("stage.moved:2", "run", "fix.yaml", "--yes")
    key = min(written(stand) - stood)
    stand.put("items", [f"{key}\t{json.dumps(before()[key])}\t0"])
    return key


def open_to_all(stand):
    """A process that is at work, or just ends, may take a file away meanwhile."""
    for folder, _, files in os.walk(stand.dir):
        for name in [folder, *(os.path.join(folder, name) for name in files)]:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(name, 0o777 if name == folder else 0o666)


def others(stand, *users):
    """For tests in which several users command one run: root alone can be them all."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv, to be other users")
    open_to_all(stand)


def as_user(stand, user, *arguments, group=None):
    command = ["setpriv", "--reuid", user, "--regid", group or user, "--clear-groups", stand.programs.sluice, *arguments]
    done = stand.run(command)
    open_to_all(stand)
    return done
