#!/usr/bin/env python3
"""Tests of the tests: small deliberate faults in the code that keeps the promises, each built and run against the suites
that cover it. `./dev mutants [N]`: the first N of tests/mutants/list.txt (all of them); docs/proof.md.

    mutants.py --sample 100 --seed 1      writes the list anew: so many, over all lines of FOLDERS
    mutants.py --more 15 --seed 2         so many more of them, behind those that are listed
    mutants.py --more 15 --since COMMIT   only of lines that stand there since
    mutants.py --renew --seed 3           another for each whose line is gone, in its place
    mutants.py --only 17 --only 23        these alone
    mutants.py [N] --jobs 2               two at a time, each in a copy of the tree of its own
    mutants.py [N] --fast                 without the suites that run the program itself, which take minutes for each
    mutants.py [N] --brief                without random lives, sweep and days either: units and interleavings
    mutants.py --only 17 --suite NAME     against this suite alone (system/stages), or several
    mutants.py --only 71 --build asan     in another build of ./dev test: what is not given back, and (tsan) not locked
    mutants.py [N] --tree 2               in copies from number 2 on, beside a run that has others

A fault is one line of one file, before and after. What does not compile is none. What no suite notices has survived, and
is printed with its line. Nothing in the tree itself is changed: copies lie in build-mutants/.
"""

import argparse
import json
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIST = Path(__file__).resolve().parent / "list.txt"
HOME = ROOT / "build-mutants"
FOLDERS = ("policy", "undo", "run", "catalog", "verify")

# A fault: the file, the function, which of its lines of this text, how it is called, and what stands there instead. What
# moves within a file, or has a like beside it that is new, is the same fault; where the function has another name it is gone.
Fault = namedtuple("Fault", "path function nth kind before after")

# --- which faults there are ------------------------------------------------------------------------------------------

COMPARED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
COMPARISON = re.compile(r" (<=|>=|==|!=|<|>) ")
LOGIC = re.compile(r" (&&|\|\|) ")
CALL = re.compile(r"^( +)[a-z]\w*\(.*\);$")
DURABLE = re.compile(r"\b\w*(?:durable|sync|settle)\w*\((?:[^()]|\([^()]*\))*\)")
FALLIBLE = re.compile(r"\b[a-z]\w*\((?:[^()]|\([^()]*\))*, error\)")
CONDITION = re.compile(r"^( +(?:else )?if \()(.*)\)( \{)?$")
OFF = re.compile(r" ([+-]) 1\b")
NAMED = re.compile(r"^[A-Za-z_][^=]*?\b(\w+)(?:\(|\[| =)")
SKIPPED = re.compile(r"^\s*(?:#|/?\*|//|ROW\(|SQL\()|^\s*(?:static|const|struct|enum)\b.*\($")


def balanced(text):
    return text.count("(") == text.count(")")


def compared(line):
    for match in COMPARISON.finditer(line):
        yield "comparison", line[:match.start(1)] + COMPARED[match[1]] + line[match.end(1):]


def negated(line):
    match = CONDITION.match(line)
    if match and balanced(match[2]):
        yield "negation", f"{match[1]}!({match[2]})){match[3] or ''}"


def joined(line):
    for match in LOGIC.finditer(line):
        yield "logic", line[:match.start(1)] + ("||" if match[1] == "&&" else "&&") + line[match.end(1):]


def dropped(line):
    match = CALL.match(line)
    if match and balanced(line):
        yield "dropped", match[1] + "(void)0;"
    for match in DURABLE.finditer(line):
        yield "not durable", line[:match.start()] + "true" + line[match.end():]


def swallowed(line):
    if line.strip() in ("return false;", "return true;"):
        yield "swallowed", line.replace("false", "\0").replace("true", "false").replace("\0", "true")
    for match in FALLIBLE.finditer(line):
        if line.startswith(" ") and not match[0].startswith(("error_set", "error_add", "sizeof")):
            yield "swallowed", f"{line[:match.start()]}({match[0]}, true){line[match.end():]}"


def off_by_one(line):
    for match in OFF.finditer(line):
        yield "off by one", line[:match.start()] + line[match.end():]


KINDS = (compared, negated, joined, dropped, swallowed, off_by_one)


def placed(lines):
    """Each line with the function (or the table) that it stands in, and which line there of its text it is."""
    function, seen = "", {}
    for line in lines:
        named = NAMED.match(line)
        function = named[1] if named else function
        nth = seen[function, line] = seen.get((function, line), 0) + 1
        yield function, nth, line


def faults_of(path):
    """Every fault of a file: of lines that are indented, and so stand in a function."""
    for function, nth, line in placed((ROOT / path).read_text().splitlines()):
        if not line.startswith("    ") or SKIPPED.match(line) or '"' in line and "error_set" in line:
            continue
        for kind in KINDS:
            for name, after in kind(line):
                yield Fault(path, function, nth, name, line, after)


def all_faults():
    for folder in FOLDERS:
        for path in sorted((ROOT / "src" / folder).glob("*.c")):
            yield from faults_of(str(path.relative_to(ROOT)))


# --- the list --------------------------------------------------------------------------------------------------------

def put(number, fault):
    return f"{number}\t{fault.path}\t{fault.function}\t{fault.nth}\t{fault.kind}\n-{fault.before}\n+{fault.after}\n"


def sample(count, seed):
    """As many of each folder as it has lines that can be wrong, but of `policy`, which is one page, six at least."""
    dice = random.Random(seed)
    faults = sorted(set(all_faults()))
    policy = dice.sample([fault for fault in faults if "/policy/" in fault.path], 6)
    rest = dice.sample([fault for fault in faults if "/policy/" not in fault.path], count - len(policy))
    chosen = policy + rest
    dice.shuffle(chosen)
    LIST.write_text(f"# {count} of {len(faults)} faults, by seed {seed}: number, file, function, which such line, kind; before, after.\n"
                    + "".join(put(number, fault) for number, fault in enumerate(chosen, 1)))


def lines_since(commit):
    """{(path, line)}: what a commit did not have yet."""
    said = subprocess.run(["git", "-C", str(ROOT), "diff", "-U0", commit, "--", "src"], capture_output=True, text=True, check=True)
    found, path = set(), None
    for line in said.stdout.splitlines():
        if line.startswith("+++ "):
            path = line[len("+++ b/"):]
        elif line.startswith("+"):
            found.add((path, line[1:]))
    return found


def unlisted(since):
    """Those that may be drawn."""
    wanted = lines_since(since) if since else None
    had = set(listed()[0].values())
    return sorted(fault for fault in set(all_faults()) - had if wanted is None or (fault.path, fault.before) in wanted)


def draw_more(count, seed, since):
    """Behind what the list has: as many again, over all lines or the newest. For those that do not compile, or that nothing can
    notice, and for what is new."""
    first = max(listed()[0]) + 1
    chosen = random.Random(seed).sample(unlisted(since), count)
    with LIST.open("a") as file:
        file.writelines(put(number, fault) for number, fault in enumerate(chosen, first))


def is_gone(fault):
    path = ROOT / fault.path
    return not path.exists() or with_fault(fault, path.read_text()) is None


def renew(seed):
    """Where a line is gone: another of all lines, under the same number."""
    text, gone = LIST.read_text(), {number: fault for number, fault in listed()[0].items() if is_gone(fault)}
    for (number, fault), other in zip(gone.items(), random.Random(seed).sample(unlisted(None), len(gone))):
        text = text.replace(put(number, fault), put(number, other))
    LIST.write_text(text)


def listed():
    """{number: fault}, {number: why nothing can notice it}. A line `= WHY` behind a fault excuses it."""
    faults, excused, head, before = {}, {}, None, None
    for line in LIST.read_text().splitlines()[1:]:
        if line.startswith("= "):
            excused[int(head[0])] = line[2:]
        elif line.startswith("-"):
            before = line[1:]
        elif line.startswith("+"):
            faults[int(head[0])] = Fault(head[1], head[2], int(head[3]), head[4], before, line[1:])
        else:
            head = line.split("\t")
    return faults, excused


def with_fault(fault, text):
    """The file's text with it; None: the line is not there any more."""
    lines = text.split("\n")
    wanted = fault.function, fault.nth, fault.before
    place = next((i for i, placing in enumerate(placed(lines)) if placing == wanted), None)
    if place is None:
        return None
    lines[place] = fault.after
    return QUIET + "\n".join(lines)


# What a fault leaves unused is not what the compiler is asked about.
QUIET = "".join(f'#pragma GCC diagnostic ignored "-W{name}"\n' for name in (
    "pragmas", "unknown-warning-option", # what the other compiler alone knows
    "unused-variable", "unused-function", "unused-but-set-variable", "unused-value", "unused-result", "parentheses",
    "type-limits", "maybe-uninitialized", "bool-compare", "address", "return-type", "null-dereference", "unused-label"))

# --- which suites cover it -------------------------------------------------------------------------------------------

# Programs of tests/system that look at a part of run/ or catalog/, by the name of the file.
SYSTEM = {
    "after": ["after"], "again": ["valkey_lost"], "begin": ["commands", "plan", "retry"], "budget": ["budget"], "check": ["stages"],
    "control": ["control"], "crew": ["lives", "control"], "drive": ["stages"], "earlier": ["baseline"], "ending": ["stages", "control"],
    "exec": ["lives"], "expiry": ["prune"], "feed": ["scope", "lives"], "forecast": ["plan"], "forward": ["real_data", "sink"],
    "gate": ["stages"], "gates": ["stages"], "govern": ["guards"], "guarding": ["guards"], "hold": ["commands", "lives", "sealed"],
    "holder": ["lives"], "hook_try": ["hooks"], "hooks": ["hooks"], "ledger": ["commands"], "limits": ["control", "budget"],
    "lock": ["bad_home", "lives"], "lookout": ["partitions"], "lost": ["valkey_lost"], "promote": ["shadow"],
    "promotion": ["shadow"], "prune": ["prune"], "repair": ["repaired"], "retain": ["prune"], "retry": ["retry"], "rights": ["stages", "control"],
    "runs": ["commands"], "sharing": ["partitions"], "stragglers": ["partitions"], "supersede": ["mending"],
    "takeback": ["stages", "mending"], "try": ["fixtures"], "watch": ["control"], "watchdog": ["detached"],
    "wishes": ["control"],
    # of verify/
    "aggregate": ["measures", "buckets"], "cause": ["cause"], "chosen": ["samples"], "expect": ["expect", "indexes"], "extras": ["extra"],
    "index": ["indexes"], "index_look": ["indexes"], "index_walk": ["indexes"], "judge": ["indexes", "stages"], "measures": ["measures"],
    "page": ["evidence", "baseline"], "past": ["baseline"], "plots": ["baseline"], "report": ["indexes", "repaired"], "rules": ["rows", "caught"],
    "sample": ["samples"], "sampling": ["samples"], "shift": ["baseline"], "strata": ["samples", "valkey_samples"], "theirs": ["judges"],
    "times": ["buckets"], "verify": ["stages", "indexes"],
}
BY_FOLDER = {"policy": ["unit/policy", "interleavings/policy", "interleavings/source", "model/some"],
             "undo": ["unit/undo", "interleavings/rollback", "interleavings/order", "model/some", "fault/some"],
             "run": ["unit/run", "interleavings", "model/some", "fault/some", "sim/some"],
             "catalog": ["unit/catalog", "interleavings", "unit/run", "fault/some"],
             "verify": ["unit/verify", "interleavings/verify", "unit/run", "fault/some", "model/some"]}
LAST = ["fault/sweep", "crash/in-place", "crash/in-place-back"]


def suites(fault, tests, options):
    """Names of meson's tests, the likeliest first; `fast`: none that runs the program itself; `brief`: none of some()."""
    if options.suite:
        return options.suite
    folder, name = fault.path.split("/")[1], Path(fault.path).stem
    names = []

    def take(words):
        for word in words:
            found = [test for test in tests if test == word or test.startswith(word + "/")
                     or "unit/" + test == word or ("unit/" + test).startswith(word + "/")]
            names.extend(test for test in sorted(found, key=lambda each: (each.split("/")[-1] != name, each)) if test not in names)
    take(each for each in BY_FOLDER[folder] if not (options.brief and each.endswith("/some")))
    if not options.fast and not options.brief:
        take("system/" + each for each in SYSTEM.get(name, ["lives"]))
        take(LAST)
    return names


# What ends in a second or a few, and with a fault may never end: so many seconds are long enough, beside other work too.
LONGEST = {"unit": 60, "interleavings": 90, "policy": 60, "undo": 60, "run": 60, "catalog": 60, "model": 200, "sim": 200, "fault": 300}

TOO_LONG = "\ntook too long" # what is said of it: on a machine that is busy it may have been that

# --- building and running --------------------------------------------------------------------------------------------

def build_row(name):
    """(compiler, meson's options) of a build of `./dev test`."""
    row = re.search(rf"^{name} +(\S+) +\S+ +(-.*)$", (ROOT / "dev").read_text(), re.M)
    return row[1], row[2].split()


class Tree:
    """A copy of what git knows of the tree, with a build of its own."""

    def __init__(self, number, build):
        self.dir = HOME / f"tree{number}"
        self.build = self.dir / f"build-{build}"
        self.sound = {} # suite: whether it passes without a fault
        self.dir.mkdir(parents=True, exist_ok=True)
        self.copy()
        if not (self.build / "build.ninja").exists():
            compiler, words = build_row(build)
            self.call(["meson", "setup", self.build, "--werror", *words], 600, env=dict(os.environ, CC=compiler))
        self.call(["ninja", "-C", self.build, "build.ninja"], 600)
        found = json.loads(self.call(["meson", "introspect", "--tests", self.build], 60)[1])
        self.slower = 1 if build == "gcc" else 5 # that a sanitizer makes of a test
        self.tests = {test["name"]: test for test in found}
        targets = json.loads(self.call(["meson", "introspect", "--targets", self.build], 60)[1])
        self.files = {target["id"]: [os.path.relpath(path, self.build) for path in target["filename"]] for target in targets}

    def copy(self):
        """Only what differs is written: what is as it was is not built again."""
        names = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        for name in names:
            here, there = ROOT / name, self.dir / name
            if not here.is_file() or there.exists() and there.read_bytes() == here.read_bytes():
                continue
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here, there)
            shutil.copymode(here, there)

    def call(self, command, limit, **more):
        """(whether it ended well, what it printed). Past the limit it has failed, with all that it started."""
        more.setdefault("cwd", self.dir)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", stdin=subprocess.DEVNULL, start_new_session=True, **more)
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            said, _ = process.communicate()
            return False, said + TOO_LONG
        return process.returncode == 0, said

    def build_of(self, name):
        test = self.tests[name]
        paths = [path for each in test["depends"] for path in self.files.get(each, [])]
        program = os.path.relpath(test["cmd"][0], self.build)
        return self.call(["ninja", "-C", self.build, *paths, *([] if program.startswith("..") else [program])], 900)

    def run(self, name):
        test = self.tests[name]
        environment = dict(os.environ, **test["env"])
        limit = min(test["timeout"], LONGEST.get(name.split("/")[0], test["timeout"]) * self.slower)
        if test["cmd"][0].endswith("python3"):
            environment["PATH"] = "/usr/bin:" + environment["PATH"]
            return self.call(["/usr/bin/python3", *test["cmd"][1:]], limit, env=environment, cwd=self.build)
        return self.call(test["cmd"], limit, env=environment, cwd=self.build)


    def is_sound(self, name, anew):
        """Whether it passes without a fault; asked when it has failed with one, with the file as it was. `anew`: what it was an hour
        ago is not asked for, since the machine may be busier now."""
        if anew or name not in self.sound:
            self.sound[name] = self.build_of(name)[0] and self.run(name)[0]
            if not self.sound[name]:
                print(f"# {name} fails without any fault: what it says counts nothing", flush=True)
        return self.sound[name]


def some(tests):
    """Of what takes long, as much as takes some seconds: random lives, the sweep of failing calls, a day of operation."""
    for name, whole, more in (("model/some", "model/many", {"SLUICE_LIVES": "80"}), ("fault/some", "fault/sweep", {"SLUICE_SPARSE": "1"}),
                              ("sim/some", "sim/days", {"SLUICE_DAYS": "1"})):
        if whole in tests: # under a sanitizer there are few as it is
            tests[name] = dict(tests[whole], env=dict(tests[whole]["env"], **more))


def try_fault(tree, fault, options):
    """'gone', 'stillborn: WHY', 'caught by NAME' or 'SURVIVED'."""
    path = tree.dir / fault.path
    was = path.read_text() if path.exists() else ""
    text = with_fault(fault, was)
    if text is None:
        return "gone"
    try:
        for name in suites(fault, tree.tests, options):
            path.write_text(text)
            built, said = tree.build_of(name)
            if not built:
                return "stillborn: " + next((line for line in said.splitlines() if "error" in line), said[-300:])
            passed, said = tree.run(name)
            path.write_text(was)
            long = said.endswith(TOO_LONG)
            if not passed and tree.is_sound(name, anew=long):
                return f"caught by {name}" + (", which took too long" if long else "")
    finally:
        path.write_text(was)
    return "SURVIVED"


def work(number, todo, results, options):
    tree = Tree(number, options.build)
    some(tree.tests)
    while True:
        try:
            index, fault = todo.get_nowait()
        except queue.Empty:
            return
        began = time.monotonic()
        results[index] = try_fault(tree, fault, options)
        print(f"{index:3} {fault.path}: {fault.kind}: {results[index]} ({time.monotonic() - began:.0f} s)", flush=True)
        if results[index] == "SURVIVED":
            print(f"    -{fault.before.strip()}\n    +{fault.after.strip()}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./dev mutants")
    parser.add_argument("count", nargs="?", type=int, default=0)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--more", type=int, help="so many more behind those that are listed")
    parser.add_argument("--since", metavar="COMMIT", help="with --more: of lines that it did not have")
    parser.add_argument("--renew", action="store_true", help="another in the place of each whose line is gone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, action="append", default=[])
    parser.add_argument("--from", type=int, dest="first", default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--tree", type=int, default=0, help="number of the first copy: not that of a run that is under way")
    parser.add_argument("--build", default="gcc", choices=("gcc", "asan", "tsan"), help="of ./dev test")
    parser.add_argument("--brief", action="store_true", help="units and interleavings alone")
    parser.add_argument("--suite", action="append", default=[], help="this one alone, or several")
    parser.add_argument("--fast", action="store_true", help="without the suites that run the program itself")
    options = parser.parse_args()
    if options.more:
        draw_more(options.more, options.seed, options.since)
        return 0
    if options.renew:
        renew(options.seed)
        return 0
    if options.sample:
        sample(options.sample, options.seed)
        return 0
    every, excused = listed()
    faults = {index: fault for index, fault in every.items() if index >= options.first and index not in excused}
    if options.only:
        faults = {index: every[index] for index in options.only}
    elif options.count:
        faults = dict(list(faults.items())[:options.count])
    for index in sorted(set(excused) - set(faults)) if not options.only else ():
        print(f"{index:3} {every[index].path}: {every[index].kind}: excused: {excused[index]}", flush=True)
    todo, results = queue.Queue(), {}
    for item in faults.items():
        todo.put(item)
    threads = [threading.Thread(target=work, args=(options.tree + number, todo, results, options))
               for number in range(options.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    survived = sorted(index for index, result in results.items() if result == "SURVIVED")
    caught = sum(result.startswith("caught") for result in results.values())
    print(f"{caught} of {caught + len(survived)} caught; {len(results) - caught - len(survived)} stillborn or gone; "
          f"survived: {' '.join(map(str, survived)) or 'none'}")
    return 1 if survived or len(results) < len(faults) else 0


if __name__ == "__main__":
    sys.exit(main())
