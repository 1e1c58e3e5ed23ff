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
import re
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build-coverage"
EXCUSED = Path(__file__).resolve().parent / "excused"
FOLDERS = ("policy", "undo", "run", "catalog", "verify")
WHOLE = ["interleavings/", "fault/sweep", "fault/commands", "sim/days", "crash/", "demo", "system/"]
SUITES = {"policy": ["policy/", "interleavings/policy", "interleavings/source"],
          "undo": ["undo/", "interleavings/rollback", "interleavings/order", "interleavings/fence", "interleavings/shadow"],
          "run": ["run/", *WHOLE], "catalog": ["catalog/", "interleavings/"], "verify": ["verify/", *WHOLE]}
# What is not about runs, or about a store's own files.
NOT = re.compile(r"system/(valkey_(router|history)|wire|examples|history|package|shells|metrics|terminal|serve|comfort|events)|crash/power")
LIVES, STRIDE = "60", "3"
AT_ONCE = 2


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
    return {test["name"]: test for test in json.loads(said) if good and (test["name"].startswith(wanted) or test["name"] == "model/many")
            and not NOT.match(test["name"])}


def run_one(named):
    name, test = named
    passed, said = call(test["cmd"], env=dict(os.environ, **test["env"], SLUICE_LIVES=LIVES, SLUICE_STRIDE=STRIDE), cwd=BUILD)
    print(f"# {name}: passed" if passed else f"# {name}: FAILED\n{said[-1500:]}", flush=True)
    return name, passed


def programs_of(tests):
    """What they are built of, also what no command of theirs names."""
    good, said = call(["meson", "introspect", "--targets", BUILD])
    files = {target["id"]: target["filename"] for target in json.loads(said)} if good else {}
    wanted = [word for test in tests.values() for target in test["depends"] for word in files.get(target, [])]
    wanted += [word for test in tests.values() for word in test["cmd"] if re.match(rf"{BUILD}/(?!\.\.)", word)]
    return sorted({os.path.relpath(word, BUILD) for word in wanted})


def run(tests, keep):
    """Whether all passed: what fails counts nothing."""
    programs = programs_of(tests)
    good, said = call(["ninja", "-C", BUILD, *programs])
    if not good:
        sys.exit(said[-3000:])
    for path in [] if keep else BUILD.rglob("*.gcda"):
        path.unlink()
    with ThreadPoolExecutor(AT_ONCE) as at_once:
        return [name for name, passed in at_once.map(run_one, sorted(tests.items(), key=lambda row: (row[0].startswith(("system", "crash", "demo")), row[0]))) if not passed]


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


COMMENT = re.compile(r"/\*.*?\*/")
STRING = re.compile(r'"(?:\\.|[^"\\])*"')
WRITTEN = re.compile(r"\b(if|while|for|switch|case|MIN|MAX|CLAMP)\b|&&|\|\||\?")
HANDS_ON = re.compile(r"(return\b|(\} )?while \(|for \(|(bool |enum \w+ )?\*?\w+(\.\w+|->\w+)* = )")
ONLY_RETURNS = re.compile(r"(return [-\w]+|return error_add\(error, .*\)|ok = false|break);$")
SPLIT = re.compile(r"&&|\|\||(?<!\?) \? |; ")
# What an operand is that need not be taken both ways.
KINDS = {
    "handed": re.compile(r"\berror\)+$"),
    "ok": re.compile(r"^((if |(\} )?while |return |ok = )?[(!]*(\w+->|reader\.|\*ret_)?(ok|sound)|!\w+->error)\)*$"),
    "memory": re.compile(r"^[(!]*arena_(copy|printf|alloc)\w*\("),
    "sound": re.compile(r"^(if |while |return |bool \w+ = )?[(!]*(document_view|bson_iter_init|document_to_json|digest_canonical)\((?!.*\berror\))"),
}
# `if (!a || !b)`, of what has just been asked for.
ABSENT = re.compile(r"^(?:\} )?(?:else )?if \((!\w+(?:(?:\.|->)\w+)*(?: \|\| !\w+(?:(?:\.|->)\w+)*)*)\)(?: \{)?$")
GIVEN = {"memory": r"\b{}\s*=[^;]*\b(?:arena_(?:alloc|copy|text|grow)\w*|rows_add)\(", "handed": r"\b{}\s*=[^;]*\berror\);"}
WORDS = re.compile(r'\? "(?:\\.|[^"\\])*" : "(?:\\.|[^"\\])*"|([\w.>-]+) \? \1 : "')
TOO_BIG = re.compile(r"(error_set\(error, SLUICE_ERROR_TOO_BIG|too_big\(error\)|does_not_fit\(error\))")
SETS = re.compile(r"error_(set|add)(_errno)?\(")
EACH = re.compile(r"\bjson_(array|object)_foreach\(")
BOUND = re.compile(r"\bMIN\([^()]*(\([^()]*\)[^()]*)*, \(?(\w+\))?(U?INT\d+_MAX|SIZE_MAX|G_MAX\w+)\)")


class Source:
    """A file, by lines and by statements."""

    def __init__(self, lines):
        self.lines = lines
        self.sets = None

    def is_refusal(self, operand):
        self.sets = self.refusals() if self.sets is None else self.sets
        return operand.startswith(self.sets) or bool(SETS.match(operand))

    def line(self, number):
        return self.lines[number - 1].strip() if number <= len(self.lines) else ""

    def statement(self, number):
        """Its first line and its last, by what statements end with."""
        first = last = number
        while first > 1 and not self.is_condition(first - 1) and not re.search(r"([;{}]|\*/|:|\belse|^\s*|^[^()]*\bfor \(.*\))$", self.lines[first - 2].split(" /*")[0].rstrip()):
            first -= 1
        while last < len(self.lines) and not re.search(r"([;{}])$", self.lines[last - 1].split(" /*")[0].rstrip()) \
                and not self.is_whole(first, last):
            last += 1
        return first, last

    def is_whole(self, first, last):
        text = self.text(first, last)
        return text.startswith(("if (", "else if (", "} else if", "while (", "for (")) and text.count("(") == text.count(")")

    def is_condition(self, last):
        """Whether one ends with that line, and nothing else."""
        first = last
        while first > 1 and self.text(first, last).count(")") > self.text(first, last).count("("):
            first -= 1
        return self.is_whole(first, last)

    def text(self, first, last):
        return " ".join(self.line(number) for number in range(first, last + 1))

    def nobody_wrote(self, number):
        """Whether the statement has branches only of macros: of an assert, a cleanup, g_clear_pointer()."""
        return "g_assert" in self.line(number) or not WRITTEN.search(STRING.sub("", self.text(*self.statement(number))))

    def has_no_other_value(self, number):
        """Whether the line is a switch over all values of an enum: gcc counts the way to none of them."""
        line = self.lines[number - 1]
        if not line.strip().startswith("switch ("):
            return False
        end = line[:len(line) - len(line.lstrip())] + "}"
        inside = self.lines[number:self.lines.index(end, number)]
        return not any(row.strip().startswith("default:") for row in inside)

    def only_hands_on(self, number):
        """Whether nothing is done where the statement fails but that it says so."""
        first, last = self.statement(number)
        text = self.text(first, last).removeprefix("} else ").removeprefix("else ")
        return not text.endswith("{") and bool(ONLY_RETURNS.match(self.line(last + 1))) if text.startswith("if (") else bool(HANDS_ON.match(text))

    def operands(self, number, n):
        """The n operands that the line begins; gcc takes those of the lines behind it to it, if they belong to one expression.
        None: it does not say which they are."""
        last, found = self.statement(number)[1], []
        if loop := re.search(r"\bfor \([^;]*; (.*); [^;]*\) ?\{?$", self.line(number)):
            found = [part.strip() for part in SPLIT.split(loop[1])]
            return found if len(found) == n else None
        text = ""
        for at in range(number, last + 1):
            text += " " + COMMENT.sub("", STRING.sub('""', self.line(at)))
            found = [part.strip(" ;{") for part in SPLIT.split(text) if part.strip(" ;{")]
            if len(found) >= n and not text.endswith((",", "(")):
                return found[:n] if len(found) == n or at > number else None
        return None

    def refusals(self):
        """What only sets an error, and so is false: error_set(), and the functions of the file that do nothing else."""
        own = re.findall(r"^(?:static )?bool (\w+)\([^{}]*\)\n\{\n(?:    [^{}\n]*\n)*?    return error_(?:set|add)\w*\([^{}]*\);\n\}$", "\n".join(self.lines), re.M)
        return tuple(name + "(" for name in own)

    def is_free_of_nothing(self, function, number):
        return function.endswith(("_free", "_close")) and bool(re.match(r"if \(!?\w+(->\w+)?\)$", self.line(number)))


class Sums:
    """What is said of a folder's branches."""

    def __init__(self):
        self.total = self.taken = self.excused = 0
        self.by_rule = dict.fromkeys(RULES, 0)
        self.open_ones = []

    def left(self):
        return self.total - self.taken - sum(self.by_rule.values()) - self.excused

    def words(self, folder):
        rules = ", ".join(f"{n} {RULES[rule]}" for rule, n in self.by_rule.items() if n)
        return (f"== {folder}: {self.taken} of {self.total} branches taken ({100 * self.taken / max(self.total, 1):.1f} %); {rules}; "
                f"{self.excused} excused by name, {self.left()} neither")


RULES = {"handed": "hand an error on and do nothing else", "ok": "are behind a call that failed", "memory": "have no memory for a record", "sound": "are a document that is none",
         "freed": "have nothing to free",
         "refusal": "are the yes of what says no", "words": "choose a word of a sentence", "bound": "are a number beyond 2^63", "each": "are an element of an array that is not there"}


def memory(source, number, counts):
    """How many because what is to be kept of a record does not fit into memory."""
    if len(counts) == 2 and counts[0] != counts[1]:
        return int(bool(re.match("return " + TOO_BIG.pattern, source.line(source.statement(number)[1] + 1))))
    there = re.search(r"\|\| " + TOO_BIG.pattern, source.text(number, source.statement(number)[1]))
    return 3 if there and len(counts) == 4 and sum(count == 0 for count in counts) == 3 else 0


def given(source, number, n):
    """The rule of what n operands ask for, all of them: whether it was given by the statements just before."""
    first, last = source.statement(number)
    asked = ABSENT.match(source.text(first, last))
    names = [re.split(r"\.|->", name.strip(" !"))[-1] for name in asked[1].split("||")] if asked else []
    before = source.text(max(first - 6, 1), first - 1)
    for rule, pattern in GIVEN.items() if names and len(names) == n else ():
        if all(re.search(pattern.format(re.escape(name)), before) for name in names) and (rule == "memory" or source.only_hands_on(number)):
            return rule
    return None


def by_rule(source, function, number, counts):
    """{rule: how many}: of operands that were taken one way."""
    line, halves = source.line(number), [(counts[i] == 0) != (counts[i + 1] == 0) for i in range(0, len(counts) - 1, 2)]
    if any(halves) and (rule := given(source, number, len(halves))):
        return {rule: sum(halves)}
    if len(counts) == 2 and halves[0] and source.is_free_of_nothing(function, number):
        return {"freed": 1}
    if n := memory(source, number, counts):
        return {"memory": n}
    found = {}
    for rule, pattern in (("words", WORDS), ("bound", BOUND)):
        texts = (line, source.text(number, source.statement(number)[1])) if line.endswith((",", "(")) else (line,)
        if n := next((n for n in (len(pattern.findall(text)) for text in texts) if 0 < n and len(counts) == 2 * n), 0):
            found[rule] = min(sum(halves), n)
    if EACH.search(line) and len(halves) > 1 and halves[1]: # up to the length of the array
        found["each"], halves[1] = 1, False
    hands_on = source.only_hands_on(number)
    operands = (None if found else source.operands(number, len(halves))) or []
    for n, operand in enumerate(operands[1:], 1):
        if source.is_refusal(operand) and 0 in counts[2 * n:2 * n + 2]:
            found["refusal"] = found.get("refusal", 0) + counts[2 * n:2 * n + 2].count(0)
            halves[n] = False
    for half, operand in zip(halves, operands):
        rule = next((rule for rule, pattern in KINDS.items() if half and (hands_on or rule in ("ok", "sound")) and pattern.search(operand)), None)
        if rule:
            found[rule] = found.get(rule, 0) + 1
    return found


def add(sums, source, place, counts, rows):
    path, function, number = place
    line = source.line(number)
    missing = sum(count == 0 for count in counts)
    if source.has_no_other_value(number) and missing:
        counts, missing = counts[1:], missing - 1
    sums.total += len(counts)
    sums.taken += len(counts) - missing
    for rule, n in (by_rule(source, function, number, counts) if missing else {}).items():
        sums.by_rule[rule] += n
        missing -= n
    if missing and any(path == file and name in ("*", function) and part in line for file, name, part in rows):
        sums.excused += missing
    elif missing:
        sums.open_ones.append(f"{path}:{number}: {function}: {missing} of {len(counts)}: {line}")


def report(folder):
    """How many are neither taken nor excused."""
    sums, rows, sources = Sums(), excuses(), {}
    for place, counts in sorted(branches(folder).items()):
        source = sources[place[0]] = sources.get(place[0]) or Source((ROOT / place[0]).read_text().splitlines())
        if not source.nobody_wrote(place[2]):
            add(sums, source, place, counts, rows)
    print("\n".join(sums.open_ones))
    print(sums.words(folder), flush=True)
    return sums.left()


def main():
    parser = argparse.ArgumentParser(prog="./dev coverage")
    parser.add_argument("--only-report", action="store_true", help="of what was run before")
    parser.add_argument("--also", metavar="PATTERN", help="of what was run before, and of the tests with such names")
    parser.add_argument("folders", nargs="*", choices=[[], *FOLDERS])
    options = parser.parse_args()
    folders = options.folders or list(FOLDERS)
    bad = []
    if not options.only_report:
        build(folders)
        tests = tests_of(folders)
        bad = run({name: test for name, test in tests.items() if re.match(options.also or "", name)}, options.also)
    left = sum(report(folder) for folder in folders)
    return 1 if bad or left else 0


if __name__ == "__main__":
    sys.exit(main())
