#!/usr/bin/env python3
"""The rules of this tree that a tool can check; each is one test. Prints TAP.

A rule is a function of a Tree that yields faults; RULES at the end lists them. What is unavoidable stands, with its
reason, in tests/lint/allowed, one `rule place  # why` a line; a place may end in a star.
"""

import os
import re
import statistics
import subprocess
import sys
from collections import namedtuple
from fnmatch import fnmatch
from pathlib import Path

# What is wrong where. `place` is what the allow list names: a path, or path:name.
Fault = namedtuple("Fault", "place line text")

LONGEST_FUNCTION, LONGEST_EXCUSED_FUNCTION, MEDIAN_FUNCTION = 60, 100, 15
LONGEST_FILE, LONGEST_EXCUSED_FILE = 800, 1000
NEVER = "; nothing excuses this"
MOST_PARAMETERS = 6
TEXT_FILES = (".c", ".h", ".py", ".sh", ".lua", ".js", ".ts", ".css", ".md", ".yaml", ".yml", ".build", ".sql", ".txt")
CODE_FILES = (".c", ".h", ".py", ".sh", ".lua", ".js", ".ts")

# Where the outside world begins, and where things are printed.
DOOR = "src/base/"
PRINTERS = ("src/main.c", "src/cli/", "src/serve/", "src/worker/")


def blanked(source):
    """The C source without what stands in comments and literals; every line and column stays where it was."""
    def blank(match):
        text = match.group(0)
        if text[0] in "\"'":
            return text[0] + re.sub(r"[^\n]", " ", text[1:-1]) + text[-1]
        return re.sub(r"[^\n]", " ", text)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, source, flags=re.DOTALL)


class Tree:
    """The files under a root: those that git knows or would, else all but what builds leave."""

    def __init__(self, root):
        self.root = Path(root)
        self.paths = sorted(path for path in self.listed() if (self.root / path).is_file())
        self.texts = {}

    def listed(self):
        if (self.root / ".git").exists():
            git = subprocess.run(["git", "-C", self.root, "-c", "safe.directory=*", "ls-files", "-co",
                                  "--exclude-standard", "-z"], capture_output=True, text=True, check=False)
            if git.returncode == 0:
                return [path for path in git.stdout.split("\0") if path]
        found = []
        for directory, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if not re.match(r"build(-|$)|\.git$|\.sluice$|node_modules$", name)]
            found += [os.path.relpath(os.path.join(directory, name), self.root) for name in files]
        return found

    def under(self, folders, endings):
        return [path for path in self.paths if path.startswith(folders) and path.endswith(endings)]

    def read(self, path):
        if path not in self.texts:
            self.texts[path] = (self.root / path).read_text(errors="replace")
        return self.texts[path]

    def c_files(self, *folders):
        """(path, blanked text) of all C files in the folders."""
        return [(path, blanked(self.read(path))) for path in self.under(folders or ("",), (".c", ".h"))]


Function = namedtuple("Function", "name line head length")

FUNCTION_HEAD = re.compile(r"^[A-Za-z_][^;{}=#]*?\b(\w+)\(([^;{}]*)\)\s*$", re.DOTALL)


def functions_of(text):
    """clang-format puts the braces of a function, and of nothing else that follows a parenthesis, in the first column."""
    lines = text.split("\n")
    found, begin = [], 0
    for number, line in enumerate(lines):
        if line == "{":
            head = "\n".join(lines[begin:number])
            match = FUNCTION_HEAD.match(head.strip())
            end = next((i for i in range(number, len(lines)) if lines[i].startswith("}")), len(lines) - 1)
            if match:
                first = begin + next(i for i, text in enumerate(lines[begin:number]) if text.strip())
                found.append(Function(match[1], first + 1, match[0], end - number))
        if not line.strip() or line.startswith(("}", "#")) or line.endswith(";"):
            begin = number + 1
    return found


def parameters(text):
    """How many stand between the parentheses; `void` is none, `...` is not one."""
    depth, count = 0, 1
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        count += char == "," and depth == 0
    last = text.rpartition(",")[2].strip()
    return 0 if text.strip() in ("", "void") else count - (last == "...")


def function_length(tree):
    for path, text in tree.c_files():
        for function in functions_of(text):
            if function.length > LONGEST_FUNCTION:
                yield Fault(f"{path}:{function.name}", function.line,
                            f"{function.name} has {function.length} lines; {LONGEST_FUNCTION} is the most" +
                            (NEVER if function.length > LONGEST_EXCUSED_FUNCTION else ""))


def function_median(tree):
    lengths = [function.length for _, text in tree.c_files("src/") for function in functions_of(text)]
    if lengths and statistics.median(lengths) > MEDIAN_FUNCTION:
        yield Fault("src", 0, f"the median function has {statistics.median(lengths)} lines; {MEDIAN_FUNCTION} is the most")


def file_length(tree):
    for path in tree.under("", CODE_FILES) + [path for path in ("dev",) if path in tree.paths]:
        lines = tree.read(path).count("\n")
        if lines > LONGEST_FILE:
            yield Fault(path, lines, f"{lines} lines; {LONGEST_FILE} is the most" +
                        (NEVER if lines > LONGEST_EXCUSED_FILE else ""))


def parameter_count(tree):
    prototype = re.compile(r"\b(\w+)\)?\(([^;{}()]*(?:\([^()]*\)[^;{}()]*)*)\)[^;{}(),]*;")
    for path, text in tree.c_files():
        heads = [(function.name, function.line, function.head[function.head.index(function.name + "(") +
                                                               len(function.name) + 1:].rstrip()[:-1])
                 for function in functions_of(text)]
        if path.endswith(".h"): # function pointers too: `bool (*open)(…);`
            heads += [(match[1], text.count("\n", 0, match.start()) + 1, match[2]) for match in prototype.finditer(text)]
        for name, line, inside in heads:
            if parameters(inside) > MOST_PARAMETERS:
                yield Fault(f"{path}:{name}", line,
                            f"{name} takes {parameters(inside)} parameters; {MOST_PARAMETERS} is the most")


def words_in(tree, words, folders, but=()):
    """Faults for each of the words ({word: what instead}) as an identifier in C files."""
    pattern = re.compile(r"\b(" + "|".join(words) + r")\b")
    for path, text in tree.c_files(*folders):
        if path.startswith(tuple(but)):
            continue
        for match in pattern.finditer(text):
            yield Fault(f"{path}:{match[1]}", text.count("\n", 0, match.start()) + 1, f"{match[1]}: {words[match[1]]}")


def poisoned(tree):
    """The words of src/base/poison.h: what the compiler refuses, this list refuses."""
    found = re.findall(r"^#pragma GCC poison (.*)$", tree.read("src/base/poison.h"), flags=re.MULTILINE)
    return " ".join(found).split()


def banned_calls(tree):
    words = {word: "banned; see src/base/poison.h" for word in poisoned(tree)}
    return words_in(tree, words, ("",), but=("src/base/poison.h",))


def one_door(tree):
    why = "only base/ opens files, asks the time, rolls dice or starts threads; take it from struct world"
    words = {word: why for word in (
        "fopen", "freopen", "open", "openat", "creat", "opendir", "mkdir", "unlink", "rename", "rmdir", "stat", "lstat",
        "time", "clock_gettime", "gettimeofday", "g_get_real_time", "g_get_monotonic_time", "g_date_time_new_now_utc",
        "g_date_time_new_now_local", "rand", "random", "srand", "getrandom", "randombytes_buf", "g_random_int",
        "g_file_get_contents", "g_file_set_contents", "g_fopen", "g_open", "g_mkdir_with_parents", "g_unlink",
        "g_dir_open", "thrd_create", "pthread_create", "g_thread_new", "sleep", "usleep", "nanosleep", "g_usleep")}
    call = re.compile(r"(?<![\w.>])(" + "|".join(words) + r")\((?!\*)")
    member = re.compile(r"\(\*\w+\)|^\s*(?:static\s|struct\s|bool\s|int\s|void\s)")
    for path, text in tree.c_files("src/"):
        if path.startswith(DOOR):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for match in call.finditer(line):
                if not member.search(line[:match.start()] + "("): # not a declaration of a function of that name
                    yield Fault(f"{path}:{match[1]}", number, f"{match[1]}: {words[match[1]]}")


def library_prints(tree):
    why = "library code returns errors and events; only cli/, serve/ and worker/ print"
    words = {word: why for word in ("printf", "fprintf", "vprintf", "vfprintf", "puts", "fputs", "putchar", "perror",
                                    "syslog", "g_print", "g_printerr", "g_message", "g_warning", "g_critical", "g_info",
                                    "g_debug", "g_log")}
    return words_in(tree, words, ("src/",), but=PRINTERS)


def tests_sleep(tree):
    words = {word: "a test that sleeps is wrong: turn the clock, or wait for an event"
             for word in ("sleep", "usleep", "nanosleep", "g_usleep")}
    return words_in(tree, words, ("tests/", "fuzz/"))


def module_rows(tree):
    """{folder: folders it may call} of the table in src/meson.build."""
    rows = re.findall(r"^\s*\['(\w+)',\s*\[([^\]]*)\]", tree.read("src/meson.build"), flags=re.MULTILINE)
    return {name: set(re.findall(r"'(\w+)'", below)) for name, below in rows}


def includes(tree):
    rows = module_rows(tree)
    for path in tree.under("src/", (".c", ".h")):
        folder = path.split("/")[1] if path.count("/") > 1 else None
        if folder and folder not in rows:
            yield Fault(path, 1, f"the folder {folder} has no row in src/meson.build")
        if folder not in rows:
            continue
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            other = match[1].split("/")[0]
            if "/" not in match[1] or other not in rows:
                yield Fault(path, number, f'"{match[1]}": an include of ours names its folder: "folder/header.h"')
            elif other != folder and other not in rows[folder]:
                yield Fault(path, number, f"{folder}/ may not include {other}/: it is not in its row of src/meson.build")


def floors(tree):
    """The rows stand in the order of the floors: a folder reaches only what stands above it in the table."""
    seen = set()
    for name, below in module_rows(tree).items():
        for other in sorted(below - seen):
            yield Fault("src/meson.build", 0, f"{name} may call {other}, which does not stand before it")
        seen.add(name)


def typedef_struct(tree):
    for path, text in tree.c_files():
        for match in re.finditer(r"\btypedef\s+(struct|union)\b", text):
            yield Fault(path, text.count("\n", 0, match.start()) + 1, f"no typedef {match[1]}: say struct where it is one")


def file_names(tree):
    bad = {"util", "utils", "common", "misc", "helper", "helpers"}
    for path in tree.paths:
        words = set(re.split(r"[/._-]", path.lower()))
        for word in sorted(words & bad):
            yield Fault(path, 0, f"'{word}' says nothing: name it for what it does")


def header_guards(tree):
    for path, text in tree.c_files():
        table = re.search(r"^[A-Z]+\(", text, flags=re.MULTILINE) # rows to be included more than once
        if path.endswith(".h") and not table and "#pragma once" not in text:
            yield Fault(path, 1, "a header begins with #pragma once, unless it is a table of rows")


def open_ends(tree):
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|\bnot (?:yet )?implemented\b|\bfor now\b")
    for path in tree.under("", TEXT_FILES):
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            match = words.search(line)
            if match and path != "tests/lint/lint.py":
                yield Fault(path, number, f"'{match[0]}': do it, or say in the docs what is not done")


def machine_paths(tree):
    """Package-registry hosts, and paths that exist on one machine only."""
    hosts = r"deb[.]debian[.]org|registry[.]npmjs|pypi[.]org|proxy[.]golang|crates[.]io|repo1?[.]maven"
    paths = r"(?<![\w.])/(?:work|farm|tmp/h|home/\w+|root)/"
    pattern = re.compile(hosts + "|" + paths)
    for path in tree.paths:
        if b"\0" in (tree.root / path).read_bytes()[:8000]:
            continue
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            match = pattern.search(line)
            if match:
                yield Fault(path, number, f"'{match[0]}': no registry host and no path of one machine is committed")


def excused_branches(tree):
    """What tests/coverage/excused says of a line is of one that stands, and says why."""
    path = "tests/coverage/excused"
    rows = tree.read(path).split("\n") if path in tree.paths else []
    for number, row in enumerate(rows, 1):
        if not row.strip() or row.startswith("#"):
            continue
        place, _, why = row.rpartition("#")
        parts = [part.strip() for part in place.split(": ", 2)]
        if len(parts) != 3 or not why.strip():
            yield Fault(path, number, "a row is 'file: function: a part of the line  # why'")
            continue
        text = tree.read(parts[0]) if parts[0] in tree.paths else ""
        if not any(parts[2] in line for line in text.split("\n")) or not (parts[1] == "*" or re.search(rf"\b{parts[1]}\(", text)):
            yield Fault(path, number, f"{parts[0]} has no such line in {parts[1]}()")


def layout(tree):
    paths = [path for path, _ in tree.c_files()]
    for i in range(0, len(paths), 50):
        run = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths[i:i + 50]], cwd=tree.root,
                             capture_output=True, text=True, check=False)
        first = {}
        for match in re.finditer(r"^(\S+?):(\d+):\d+: error: ", run.stderr, flags=re.MULTILINE):
            first.setdefault(match[1], int(match[2]))
        for path, line in first.items():
            yield Fault(path, line, "not as clang-format lays it out: ./dev format")
        if run.returncode and not first:
            yield Fault("clang-format", 0, run.stderr.strip())


def prefixes(tree):
    """What a header offers begins with the name of a folder it is in, of a file there, or of a struct that it can see."""
    name = re.compile(r"^(?!static|typedef|#|extern)[A-Za-z_][\w \*]*?\b(\w+)\(", re.MULTILINE)
    places, structs = {}, {}
    for path, text in tree.c_files("src/"):
        folders = path.split("/")[1:-1]
        for depth in range(len(folders)):
            words = places.setdefault("/".join(folders[:depth + 1]), set(folders[:depth + 1]))
            words.add(Path(path).stem)
        structs.setdefault("".join(folders[:1]), set()).update(re.findall(r"\b(?:struct|enum)\s+(\w+)\s*[{;]", text))
    rows = module_rows(tree)
    for path, text in tree.c_files("src/"):
        folder = path.split("/")[1]
        if not path.endswith(".h") or path.count("/") < 2:
            continue
        words = places["/".join(path.split("/")[1:-1])].union(
            *(structs.get(below, ()) for below in rows.get(folder, set()) | {folder}))
        for match in name.finditer(text):
            if not match[1].isupper() and not any(f"{match[1]}_".startswith(word + "_") for word in words):
                yield Fault(f"{path}:{match[1]}", text.count("\n", 0, match.start()) + 1,
                            f"{match[1]}: begin with the folder, the file, or a struct that it is for")


def mutable_globals(tree):
    """In what was built: no object of ours stands in a section that can be written."""
    for library in sorted(Path(os.environ["SLUICE_BUILD"]).glob("src/libsluice_*.a")):
        dump = subprocess.run(["objdump", "-t", library], capture_output=True, text=True, check=False)
        for match in re.finditer(r"^[0-9a-f]+ .{7}\s*(\.(?:t?data|t?bss)\S*|\*COM\*)\s+([0-9a-f]+)\s+(?:\.hidden )?(\S+)$",
                                 dump.stdout, flags=re.MULTILINE):
            if int(match[2], 16) and not match[1].startswith(".data.rel.ro"):
                yield Fault(f"{library.name}:{match[3]}", 0, f"{match[3]} can be written, and belongs to nobody: {match[1]}")


def symbols(library):
    """(defined, undefined) names of an archive of ours."""
    dump = subprocess.run(["nm", "-g", library], capture_output=True, text=True, check=False).stdout
    return (set(re.findall(r"^[0-9a-f]+ [A-TV-Z] (\S+)$", dump, flags=re.MULTILINE)),
            set(re.findall(r"^ +U (\S+)$", dump, flags=re.MULTILINE)))


def reach(tree):
    """What linkcheck_* cannot see: a folder that calls one which only a folder of its row may call."""
    built = Path(os.environ["SLUICE_BUILD"])
    found = {name: symbols(built / f"src/libsluice_{name}.a") for name in module_rows(tree)}
    for name, below in module_rows(tree).items():
        for other in found.keys() - below - {name}:
            for symbol in sorted(found[name][1] & found[other][0]):
                yield Fault("src/meson.build", 0, f"{name} calls {symbol} of {other}, which is not in its row")


def shell_scripts(tree):
    """What shellcheck finds in the files that begin as shell scripts do."""
    paths = [path for path in tree.paths if path.endswith(".sh") or "." not in Path(path).name]
    paths = [path for path in paths if re.match(r"#!.*\b(ba)?sh\b", tree.read(path))]
    run = subprocess.run(["shellcheck", "-f", "gcc", *paths], cwd=tree.root, capture_output=True, text=True, check=False)
    for match in re.finditer(r"^(\S+?):(\d+):\d+: (.*)$", run.stdout if paths else "", flags=re.MULTILINE):
        yield Fault(match[1], int(match[2]), match[3])


def docs_equal_tables(tree):
    writer = tree.root / "docs" / "tables.py"
    if not writer.exists():
        return
    run = subprocess.run([sys.executable, writer], capture_output=True, text=True, check=False)
    for line in (run.stdout + run.stderr).splitlines() if run.returncode else ():
        path, _, text = line.partition(": ")
        yield Fault(path, 0, text)


def allowed_rows(tree):
    if "tests/lint/allowed" not in tree.paths:
        return []
    rows = [line.partition("#") for line in tree.read("tests/lint/allowed").split("\n") if line.strip()]
    return [(*row[0].split(), row[2].strip()) for row in rows if row[0].strip()]


def check(tree, rule, allowed):
    """The faults of a rule that nobody has excused; a row that excuses nothing is a fault itself."""
    mine = [row[1] for row in allowed if row[0] == rule.__name__ and row[-1]]
    faults = list(rule(tree))
    stale = [place for place in mine if not any(fnmatch(fault.place, place) for fault in faults)]
    left = [fault for fault in faults
            if fault.text.endswith(NEVER) or not any(fnmatch(fault.place, place) for place in mine)]
    return left + [Fault("tests/lint/allowed", 0, f"{rule.__name__} {place} excuses nothing any more") for place in stale]


RULES = (function_length, function_median, file_length, parameter_count, layout, banned_calls, one_door, library_prints,
         tests_sleep, includes, floors, prefixes, typedef_struct, file_names, header_guards, mutable_globals, reach, open_ends,
         machine_paths, excused_branches, shell_scripts, docs_equal_tables)
BUILT = (mutable_globals, reach)


def main():
    tree = Tree(Path(__file__).resolve().parent.parent.parent)
    allowed = allowed_rows(tree)
    bad = 0
    print(f"1..{len(RULES)}")
    for number, rule in enumerate(RULES, 1):
        if rule in BUILT and "SLUICE_BUILD" not in os.environ:
            print(f"ok {number} - {rule.__name__} # SKIP looks at what ./dev test builds")
            continue
        faults = check(tree, rule, allowed)
        for fault in faults:
            path = fault.place.partition(":")[0]
            print(f"{path}:{fault.line}: {fault.text}" if fault.line else f"{path}: {fault.text}")
        print(f"{'not ok' if faults else 'ok'} {number} - {rule.__name__}", flush=True)
        bad += bool(faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
