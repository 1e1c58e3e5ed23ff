#!/usr/bin/env python3
"""Which branches of the code that keeps the promises no test takes: `./dev coverage [FOLDER...]`, by hand.

Builds the folders (policy, undo, run, catalog, verify) with gcov's counters, the rest as always; runs their unit tests, the
interleavings, some random lives and the sweep; prints each branch that was never taken, by function and line, unless
tests/coverage/excused says why it need not be: `file: function: a part of the line  # why`, one a line. Asserts are for
faults of the program: their other branch is never taken.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build-coverage"
EXCUSED = Path(__file__).resolve().parent / "excused"
FOLDERS = ("policy", "undo", "run", "catalog", "verify")
SUITES = {"policy": ["policy/", "interleavings/policy", "interleavings/source"],
          "undo": ["undo/", "interleavings/rollback", "interleavings/order", "interleavings/fence", "interleavings/shadow"],
          "run": ["run/", "interleavings/", "fault/sweep"], "catalog": ["catalog/", "interleavings/"],
          "verify": ["verify/", "interleavings/", "fault/sweep"]}
LIVES = "60"


def call(command, **more):
    run = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                         check=False, **more)
    return run.returncode == 0, run.stdout + run.stderr


def build(folders):
    options = ["--werror", "-Dbuildtype=debugoptimized", "-Dcoverage=" + ",".join(folders)]
    command = ["meson", "configure", BUILD, options[-1]] if (BUILD / "build.ninja").exists() else ["meson", "setup", BUILD, *options]
    good, said = call(command, cwd=ROOT, env=dict(os.environ, CC="gcc"))
    if not good:
        sys.exit(said)


def tests_of(folders):
    """{name: its row of meson's}"""
    good, said = call(["meson", "introspect", "--tests", BUILD])
    wanted = tuple(prefix for folder in folders for prefix in SUITES[folder])
    return {test["name"]: test for test in json.loads(said) if good and (test["name"].startswith(wanted) or test["name"] == "model/many")}


def run(tests):
    """Whether all passed: what fails counts nothing."""
    programs = sorted({os.path.relpath(test["cmd"][0], BUILD) for test in tests.values()})
    good, said = call(["ninja", "-C", BUILD, *programs])
    if not good:
        sys.exit(said[-3000:])
    for path in BUILD.rglob("*.gcda"):
        path.unlink()
    bad = []
    for name, test in sorted(tests.items()):
        passed, said = call(test["cmd"], env=dict(os.environ, **test["env"], SLUICE_LIVES=LIVES), cwd=BUILD)
        print(f"# {name}: {'passed' if passed else 'FAILED'}", flush=True)
        if not passed:
            bad.append(name)
            print(said[-1500:])
    return bad


def branches(folder):
    """{(file, function, line): [times each branch was taken]}"""
    found = defaultdict(list)
    for data in sorted(BUILD.rglob(f"libsluice_{folder}.a.p/*.gcda")):
        good, said = call(["gcov", "--json-format", "--branch-probabilities", "--stdout", data], cwd=BUILD)
        for text in said.splitlines() if good else []:
            for file in json.loads(text)["files"] if text.startswith("{") else []:
                path = os.path.relpath(BUILD / file["file"], ROOT)
                if path.startswith(f"src/{folder}/") and path.endswith(".c"):
                    for line in file["lines"]:
                        key = path, line.get("function_name", ""), line["line_number"]
                        counts = [branch["count"] for branch in line["branches"]]
                        if not counts and line["count"] == 0:
                            continue
                        found[key] = [a + b for a, b in zip(found[key], counts)] if found[key] else counts
    return {key: counts for key, counts in found.items() if counts}


def excuses():
    """(file, function, part of the line)"""
    rows = []
    for row in EXCUSED.read_text().splitlines() if EXCUSED.exists() else []:
        if row.strip() and not row.startswith("#"):
            rows.append([part.strip() for part in row.rpartition("#")[0].split(": ", 2)])
    return rows


def report(folder):
    """How many are neither taken nor excused."""
    taken = total = excused = 0
    open_ones, rows, lines = [], excuses(), {}
    for (path, function, number), counts in sorted(branches(folder).items()):
        if path not in lines:
            lines[path] = (ROOT / path).read_text().splitlines()
        line = lines[path][number - 1].strip()
        if "g_assert" in line:
            continue
        missing = sum(count == 0 for count in counts)
        total += len(counts)
        taken += len(counts) - missing
        if missing and any(path == file and name in ("*", function) and part in line for file, name, part in rows):
            excused += missing
        elif missing:
            open_ones.append(f"{path}:{number}: {function}: {missing} of {len(counts)}: {line}")
    print("\n".join(open_ones))
    share = 100 * taken / total if total else 0.0
    print(f"== {folder}: {taken} of {total} branches taken ({share:.1f} %), {excused} excused, {total - taken - excused} neither", flush=True)
    return total - taken - excused


def main():
    parser = argparse.ArgumentParser(prog="./dev coverage")
    parser.add_argument("--only-report", action="store_true", help="of what was run before")
    parser.add_argument("folders", nargs="*", choices=[[], *FOLDERS])
    options = parser.parse_args()
    folders = options.folders or list(FOLDERS)
    bad = []
    if not options.only_report:
        build(folders)
        bad = run(tests_of(folders))
    left = sum(report(folder) for folder in folders)
    return 1 if bad or left else 0


if __name__ == "__main__":
    sys.exit(main())
