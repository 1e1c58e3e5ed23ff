#!/usr/bin/env python3
"""Runs the suites in every build and counts single test functions. `./dev test` calls it; the last line it prints is

    N passed, N failed, N skipped

What does not build, crashes, times out, or ends without having run all it planned counts as failed. Skipped tests are
listed with their reasons. What waits for servers, processes and the wall clock has a second try, alone, and is told as
unsteady where that is well.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter, namedtuple
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# One test function: outcome is "passed", "failed", "skipped" or "unsteady" (it failed beside others and passed alone); detail
# what it printed, or why it was skipped.
Case = namedtuple("Case", "name outcome detail")

TAP_PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*SKIP\b\s*(.*))?", re.IGNORECASE)
TAP_CASE = re.compile(r"^(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*)$")
TAP_SKIP = re.compile(r"^(.*?)\s*#\s*SKIP\b\s*(.*)$", re.IGNORECASE)
SAID = re.compile(r"^(\w+) (\S+:\d+: .*)$") # cmocka: the test, then where and what
REASON = re.compile(r"^#\s*reason:\s*(.*)$")


class Tap:
    """Reads what one program printed. cmocka writes a skipped test as `not ok N # SKIP name`, and the reason before it
    as `# reason: …` (kit_skip())."""

    def __init__(self, program):
        self.program = program
        self.cases = []
        self.planned = None
        self.printed = []
        self.reason = ""

    def line(self, line):
        plan, case, reason = TAP_PLAN.match(line), TAP_CASE.match(line), REASON.match(line)
        if plan:
            self.planned = int(plan[1])
            if plan[2] is not None:
                self.add("all", "skipped", plan[2])
                self.planned = 1
        elif case:
            self.case(bool(case[1]), case[3])
        elif reason:
            self.reason = reason[1]
        elif line.startswith("#") and self.cases and self.cases[-1].outcome == "failed" and not self.printed:
            self.told(line)
        else:
            self.printed.append(line)

    def case(self, failed, text):
        skip = TAP_SKIP.match(text)
        if skip:
            # TAP says `ok 1 - name # SKIP reason`, cmocka `not ok 1 # SKIP name`.
            name = skip[1] or skip[2]
            self.add(name, "skipped", self.reason or (skip[2] if skip[1] else "no reason given"))
            return
        said = SAID.match(text) if failed else None
        if said:
            self.printed.append(said[2])
        self.add(said[1] if said else text, "failed" if failed else "passed", "\n".join(self.printed))

    def told(self, line):
        """What follows `not ok` as comments says why."""
        last = self.cases[-1]
        self.cases[-1] = last._replace(detail=f"{last.detail}\n{line}".lstrip("\n"))

    def add(self, name, outcome, detail):
        self.cases.append(Case(f"{self.program}: {name}", outcome, detail))
        self.printed = []
        self.reason = ""


def cases_of(entry, build):
    """The cases of one entry of meson's testlog.json."""
    program = f"{build} {entry['name'].rpartition(' / ')[2]}" # meson writes `project:suites / name`
    tap = Tap(program)
    for line in entry.get("stdout", "").splitlines():
        tap.line(line)
    status, result = entry.get("returncode", 0), entry.get("result", "")
    said = "\n".join(tap.printed + [entry.get("stderr", "")]).strip()
    if tap.planned is None:
        good = result == "OK" and not tap.cases
        return tap.cases + [Case(program, "passed" if good else "failed", said or f"ended as {result}")]
    if len(tap.cases) < tap.planned:
        tap.add(f"{tap.planned - len(tap.cases)} of {tap.planned} tests were not reached", "failed",
                f"ended as {result}, status {status}\n{said}")
    elif (status != 0 or result == "TIMEOUT") and not any(case.outcome == "failed" for case in tap.cases):
        tap.add("the program failed after its tests", "failed", f"ended as {result}, status {status}\n{said}")
    return with_words(tap.cases, entry.get("stderr", ""))


def with_words(cases, stderr):
    """cmocka's fail_msg() says what is wrong on the other stream: the first that failed gets it all."""
    words = "\n".join(line for line in stderr.splitlines() if line.startswith("ERROR: "))
    first = next((i for i, case in enumerate(cases) if case.outcome == "failed"), None)
    if words and first is not None and words not in cases[first].detail:
        cases[first] = cases[first]._replace(detail=f"{words}\n{cases[first].detail}")
    return cases


def suites_of(test):
    """meson writes `project:suite`."""
    return {name.partition(":")[2] or name for name in test["suite"]}


def chosen(test, row, wanted):
    """Whether the build runs the test (row: all, NAME, -NAME), and whether it was asked for."""
    have = suites_of(test)
    words = row.split(",")
    if any(word[1:] in have for word in words if word.startswith("-")):
        return False
    return ("all" in words or have & set(words)) and (not wanted or bool(have & wanted))


MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 << 30


def surroundings():
    """The environment of the tests. Their folders stand in memory where there is room for them: what they wait for is mostly
    the disk's syncs. What a sync is worth is proved by tests with a disk of their own making (kit/fake_disk.h), and a process
    that is killed leaves the same behind in memory as on a disk."""
    asked, room = os.environ.get("TMPDIR"), 0
    if not asked and os.access(MEMORY, os.W_OK) and os.path.ismount(MEMORY):
        found = os.statvfs(MEMORY)
        room = found.f_bavail * found.f_frsize
    return dict(os.environ, TMPDIR=str(MEMORY)) if room >= ROOM_BYTES else None


CORES = os.cpu_count() or 1

# The suites whose tests wait for servers, processes and the wall clock. The others say the same each time, or tell their
# seed: what fails there once has failed.
WAITING = ("system", "conformance", "page", "demo")

# Tests run in two lanes, side by side, and beside the compilers of the builds that come next. What waits leaves most of the
# processors to others, and is run by few at once, for much waits at a time. What computes takes what that leaves, and gives way:
# who holds a stopwatch is not kept waiting by it, and the threads that work of a sluice that waits (they give way, too) not for
# long. Compilers give way to both.
Lane = namedtuple("Lane", "name at_once give_way")
WAITS = Lane("waiting", CORES + 1, ())
COMPUTES = Lane("computing", CORES, ("nice", "-n", "15"))
COMPILES = ("nice", "-n", "19", "ninja", "-j", str(CORES + 1), "-k", "0")
ALONE = Lane("alone", 1, ())


def lane_of(name):
    return WAITS if name.partition("/")[0] in WAITING else COMPUTES


def told(command, **more):
    """Runs it, and hands on what it says line by line: two lanes do so at once."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **more) as process:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
    return process.returncode


def entries_of(build, names, lane):
    """Runs the programs, which are built; meson's entry of each, or None where meson came to none."""
    directory = ROOT / f"build-{build}"
    log = directory / "meson-logs" / f"testlog-{lane.name}.json"
    log.unlink(missing_ok=True)
    told([*lane.give_way, "meson", "test", "--no-rebuild", "-C", directory, "--logbase", f"testlog-{lane.name}",
          "--num-processes", str(lane.at_once), "--timeout-multiplier", "4", *names], env=surroundings())
    if not log.exists():
        return None
    return [json.loads(line) for line in log.read_text(errors="replace").splitlines()]


SECOND_TRIES = 5 # more at once are no accident


def try_again(cases, run=entries_of):
    """The cases, those unsteady that failed beside others and pass alone. A program runs again whole: nothing of it may fail
    then, and what failed may not be skipped."""
    programs = {}
    for case in cases:
        name = case.name.split(": ")[0]
        if case.outcome == "failed" and lane_of(name.partition(" ")[2]) is WAITS:
            programs.setdefault(name, []).append(case)
    if len(programs) > SECOND_TRIES:
        return cases
    well = set()
    for name, failed in programs.items():
        build, _, test = name.partition(" ")
        print(f"\n== {name}: a second try, alone", flush=True)
        again = {case.name: case.outcome for entry in run(build, [test], ALONE) or [] for case in cases_of(entry, build)}
        if again and "failed" not in again.values(): # what has no name of its own is the program's end
            well |= {case.name for case in failed if again.get(case.name, "passed") == "passed"}
    return [case._replace(outcome="unsteady") if case.outcome == "failed" and case.name in well else case for case in cases]


def introspected(build, what):
    listed = subprocess.run(["meson", "introspect", what, ROOT / f"build-{build}"], capture_output=True, text=True, check=True)
    return json.loads(listed.stdout)


def files_of(build, tests):
    """What the tests need, by the names that ninja has for it."""
    needed = {name for test in tests for name in test["depends"]}
    files = [file for target in introspected(build, "--targets") if target["id"] in needed for file in target["filename"]]
    return [os.path.relpath(file, ROOT / f"build-{build}") for file in files]


def make(build, row, wanted, lane):
    """Builds what is chosen of a lane and returns the names of its tests, or a case that says why not. All of a build is built
    with what computes where all of it is asked for, so that nothing that has no test escapes the compiler."""
    directory = ROOT / f"build-{build}"
    listed = subprocess.run(["ninja", "-C", directory, "build.ninja"], capture_output=True, text=True, check=False)
    if listed.returncode != 0: # else meson has read the meson.build files as they are now
        return [], [Case(f"{build}: build", "failed", listed.stdout + listed.stderr)]
    tests = [test for test in introspected(build, "--tests") if chosen(test, row, wanted) and lane_of(test["name"]) is lane]
    if not tests:
        return [], []
    print(f"\n== {build}: {len(tests)} programs, {lane.name}", flush=True)
    whole = not wanted and "all" in row.split(",") and lane is COMPUTES
    files = [] if whole else files_of(build, tests)
    if (whole or files) and told([*COMPILES, "-C", directory, *files]) != 0:
        return [], [Case(f"{build}: build", "failed", "see the compiler's messages above")]
    return [test["name"] for test in tests], []


def run_programs(build, names, lane):
    """The cases of what one lane runs of a build."""
    if not names:
        return []
    entries = entries_of(build, names, lane)
    if entries is None:
        return [Case(f"{build}: {lane.name} tests", "failed", "meson ran none of them; see its messages above")]
    cases = [case for entry in entries for case in cases_of(entry, build)]
    lost = len(names) - len(entries)
    if lost:
        cases.append(Case(f"{build}: {lost} programs were not run", "failed", "interrupted"))
    return cases


def run_builds(rows, wanted):
    """Builds one after the other, of each first what waits, for that takes longest; what is built runs beside the next, in the
    two lanes."""
    cases, running = [], []
    with ExitStack() as lanes:
        beside = {lane: lanes.enter_context(ThreadPoolExecutor(1)) for lane in (WAITS, COMPUTES)}
        for build, row in rows:
            for lane, pool in beside.items():
                names, failed = make(build, row, wanted, lane)
                cases += failed
                if failed:
                    break
                running.append(pool.submit(run_programs, build, names, lane))
    return cases + [case for programs in running for case in programs.result()]


BY_HAND = "by hand, with "


def report(cases):
    """Prints what was skipped, what failed and the counts: last what is to be acted upon, for those who see only the end.
    What runs by hand alone is a number here; a test's own output names it. Returns whether all is well."""
    count = {outcome: [case for case in cases if case.outcome == outcome] for outcome in ("passed", "failed", "skipped", "unsteady")}
    by_hand = [case for case in count["skipped"] if case.detail.startswith(BY_HAND)]
    if count["skipped"]:
        print("\n== skipped")
    for case in count["skipped"]:
        if case not in by_hand:
            print(f"{case.name}: {case.detail}")
    for switch, number in Counter(case.detail[len(BY_HAND):].split(":")[0] for case in by_hand).items():
        print(f"{number} that run by hand, with {switch}")
    for outcome, said in (("unsteady", "unsteady: failed beside others, passed alone; a defect of the test or of the program"), ("failed", "failed")):
        if count[outcome]:
            print(f"\n== {said}")
        for case in count[outcome]:
            print(f"{case.name}\n" + "".join(f"    {line}\n" for line in case.detail.splitlines()[-60:]), end="")
    if len(count["failed"]) > 1:
        print("\nfailed: " + "\nfailed: ".join(case.name for case in count["failed"]))
    print(f"\n{len(count['passed']) + len(count['unsteady'])} passed, {len(count['failed'])} failed, {len(count['skipped'])} skipped", flush=True)
    return count["passed"] and not count["failed"]


def main():
    parser = argparse.ArgumentParser(prog="./dev test")
    parser.add_argument("--build", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--broken", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--promise", action="append", type=int, default=[], help="the tests that try to break promise N")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="a suite (unit, lint, fuzz …) or a folder of src/")
    options = parser.parse_args()
    wanted = set(options.suites) | {f"promise{number}" for number in options.promise}
    cases = [Case(f"{build}: meson setup", "failed", "see its messages above") for build in options.broken]
    rows = [(build, suites) for build, _, suites in (row.partition(":") for row in options.build)]
    cases += run_builds([row for row in rows if row[0] not in options.broken], wanted)
    if wanted and not cases:
        print(f"dev: no test is in any of these suites: {' '.join(sorted(wanted))}", file=sys.stderr)
    return 0 if report(try_again(cases)) else 1


if __name__ == "__main__":
    sys.exit(main())
