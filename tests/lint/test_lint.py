#!/usr/bin/env python3
"""Each rule of lint.py finds a planted fault, and lets pass what is right. Prints TAP."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import lint  # noqa: E402
import tap  # noqa: E402

ROWS = """modules = [
  ['base', [], []],
  ['store', ['base'], []],
  ['run', ['base', 'store'], []],
]
"""
LONG = "void f(void)\n{\n" + "    g();\n" * 60 + "}\n"


class Rules(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.write("src/meson.build", ROWS)
        self.write("src/base/poison.h", "#pragma once\n#pragma GCC poison strcpy\n#pragma GCC poison atoi gets\n")

    def tearDown(self):
        self.dir.cleanup()

    def write(self, path, text):
        file = Path(self.dir.name) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def faults(self, rule, **files):
        """Of the rule, after the files are written; in their names `__` is a slash and the last `_` the dot."""
        for name, text in files.items():
            path = name.replace("__", "/")
            stem, _, ending = path.rpartition("_")
            self.write(f"{stem}.{ending}", text)
        return list(rule(lint.Tree(self.dir.name)))

    def finds(self, rule, part, **files):
        faults = self.faults(rule, **files)
        self.assertEqual(len(faults), 1, faults)
        self.assertIn(part, faults[0].text)
        return faults[0]

    def passes(self, rule, **files):
        self.assertEqual(self.faults(rule, **files), [])

    def test_function_length(self):
        fault = self.finds(lint.function_length, "f has 61 lines", src__base__a_c="int a;\n\n" + LONG)
        self.assertEqual((fault.place, fault.line), ("src/base/a.c:f", 3))
        self.passes(lint.function_length, src__base__a_c=LONG.replace("    g();\n", "", 1))

    def test_function_length_with_a_head_of_two_lines(self):
        self.finds(lint.function_length, "f has 61", src__base__a_c=LONG.replace("void f(void)", "static bool f(int a,\n    int b)"))

    def test_function_median(self):
        self.finds(lint.function_median, "median", src__base__a_c=LONG)
        self.passes(lint.function_median, src__base__a_c=LONG + "void g(void)\n{\n}\n" * 2)

    def test_file_length(self):
        self.finds(lint.file_length, "801 lines", tests__a_py="\n" * 801)
        self.passes(lint.file_length, tests__a_py="\n" * 800)

    def test_parameters_of_a_function(self):
        seven = "static bool f(int a, int b, int c,\n              int d, int e, int g, GError **error)\n{\n}\n"
        self.finds(lint.parameter_count, "f takes 7", src__base__a_c=seven)
        self.passes(lint.parameter_count, src__base__a_c=seven.replace("int g, ", "").replace("**error", "**error, ..."))

    def test_parameters_of_a_prototype_and_a_pointer(self):
        seven = "#pragma once\nstruct t {\n    bool (*open)(int a, int b, int c, int d, int e, int g, int h);\n};\n"
        self.finds(lint.parameter_count, "open takes 7", src__base__a_h=seven)
        six = "#pragma once\nvoid f(int a, int b, int c, int d, int e, void (*each)(void *self, int i));\n"
        self.passes(lint.parameter_count, src__base__a_h=six)
        self.finds(lint.parameter_count, "f takes 7", src__base__a_h=six.replace("int e,", "int e, int g,"))

    def test_layout(self):
        self.write(".clang-format", "BasedOnStyle: LLVM\n")
        self.finds(lint.layout, "./dev format", src__base__a_c="int  a;\n\n\nint b ;\n")
        self.passes(lint.layout, src__base__a_c="int a;\n")

    def test_banned_calls(self):
        fault = self.finds(lint.banned_calls, "strcpy", src__base__a_c="void f(void)\n{\n    strcpy(a, b);\n}\n")
        self.assertEqual(fault.line, 3)
        self.finds(lint.banned_calls, "gets", src__base__a_c="", tests__unit__t_c="int i = gets(b);\n")
        self.passes(lint.banned_calls, tests__unit__t_c='/* strcpy */ // gets\nchar *s = "atoi(\\"";\nint my_strcpy;\n')

    def test_one_door(self):
        self.finds(lint.one_door, "fopen", src__run__a_c='    file = fopen("x", "r");\n')
        self.finds(lint.one_door, "time", src__run__a_c="    now = time(NULL);\n")
        self.finds(lint.one_door, "pthread_create", src__run__a_c="    if (pthread_create(&t, NULL, f, NULL))\n")
        self.passes(lint.one_door, src__base__a_c="    now = time(NULL);\n",
                    src__run__a_c="    driver->open(ret);\n    world.time(now);\n    bool (*open)(struct store **ret);\n")

    def test_library_prints(self):
        self.finds(lint.library_prints, "g_warning", src__run__a_c='    g_warning("x");\n')
        self.passes(lint.library_prints, src__run__a_c='    snprintf(into, len, "x");\n', src__cli__a_c='    printf("x");\n')

    def test_tests_sleep(self):
        self.finds(lint.tests_sleep, "usleep", tests__unit__t_c="    usleep(5);\n")
        self.passes(lint.tests_sleep, tests__unit__t_c="    world_sleep_us(world, 5, NULL);\n")

    def test_includes(self):
        self.finds(lint.includes, "store/ may not include run/", src__store__a_c='#include "run/b.h"\n')
        self.finds(lint.includes, "names its folder", src__store__a_c='#include "b.h"\n')
        self.finds(lint.includes, "has no row", src__store__a_c="", src__other__a_c="")

    def test_includes_that_the_table_allows(self):
        self.passes(lint.includes, src__run__a_c='#include "store/a.h"\n#include "run/b.h"\n#include <stdio.h>\n',
                    src__main_c='#include "run/b.h"\n')

    def test_floors(self):
        self.passes(lint.floors)
        self.finds(lint.floors, "base may call run", src__meson_build=ROWS.replace("'base', []", "'base', ['run']"))

    def test_prefixes(self):
        text = "#pragma once\nstruct thing {\n    int a;\n};\nvoid thing_do(struct thing *t);\nbool store_x(void);\nint a_b(void);\n"
        self.passes(lint.prefixes, src__store__a_h=text)
        fault = self.finds(lint.prefixes, "do_it", src__store__a_h=text + "void do_it(void);\n")
        self.assertEqual(fault.line, 8)

    def test_prefixes_of_a_folder_in_a_folder(self):
        self.passes(lint.prefixes, src__store__mem__a_h="void mem_put(void);\nvoid store_get(void);\n")
        self.finds(lint.prefixes, "mem_put", src__store__mem__a_h="", src__store__b_h="void mem_put(void);\n")

    def test_typedef_struct(self):
        self.finds(lint.typedef_struct, "no typedef struct", src__base__a_h="typedef struct a a;\n")
        self.passes(lint.typedef_struct, src__base__a_h="typedef bool (*each)(struct a *a);\n")

    def test_file_names(self):
        for name in ("src__base__util_c", "tests__helpers__a_c", "src__base__string-utils_h"):
            with self.subTest(name):
                self.finds(lint.file_names, "says nothing", **{name: ""})
                (Path(self.dir.name) / (name.replace("__", "/")[:-2] + "." + name[-1])).unlink()
        self.passes(lint.file_names, src__base__futile_c="")

    def test_header_guards(self):
        self.finds(lint.header_guards, "#pragma once", src__base__a_h="int a;\n")
        self.passes(lint.header_guards, src__base__a_h="#pragma once\n", src__base__error_rows_h="ROW(A)\n")

    def test_open_ends(self):
        self.finds(lint.open_ends, "TO" + "DO", src__base__a_c="/* TO" "DO: the rest */\n")
        self.finds(lint.open_ends, "for" + " now", src__base__a_c="", docs__a_md="enough for" " now\n")
        self.passes(lint.open_ends, docs__a_md="for nowhere\n")

    def test_machine_paths(self):
        self.finds(lint.machine_paths, "/wo" + "rk/", docs__a_md="see /wo" "rk/x\n")
        self.finds(lint.machine_paths, "crates", docs__a_md="from https://crates" ".io/x\n")
        self.passes(lint.machine_paths, docs__a_md="../home/x and /tmp/x and a.root/x and src/work/x\n")

    def test_excused_branches(self):
        rows = {"src/a.c: f: return h()  # why": "no such line", "src/a.c: k: return g()  # why": "in k()",
                "src/b.c: f: return g()  # why": "src/b.c has", "src/a.c: f: return g()  #": "a row is", "src/a.c: return g()  # why": "a row is",
                "# why\n\nsrc/a.c: f: return g()  # it is\nsrc/a.c: *: g()  # so": None}
        for row, part in rows.items():
            with self.subTest(row):
                self.write("tests/coverage/excused", row + "\n")
                line = "static int f(void)\n{\n    return g() ? 1 : 2;\n}\n"
                if part:
                    self.finds(lint.excused_branches, part, src__a_c=line)
                else:
                    self.passes(lint.excused_branches, src__a_c=line)

    def build(self, name, text):
        """The library of a folder, with the one source."""
        source = Path(self.dir.name) / "src" / f"{name}.c"
        archive = source.with_name(f"libsluice_{name}.a")
        archive.unlink(missing_ok=True)
        source.write_text(text)
        subprocess.run(["gcc", "-c", "-fPIC", source, "-o", source.with_suffix(".o")], check=True)
        subprocess.run(["ar", "rc", archive, source.with_suffix(".o")], check=True)
        os.environ["SLUICE_BUILD"] = self.dir.name

    def test_reach(self):
        self.build("base", "int base_f(void) { return 1; }\n")
        self.build("run", "int base_f(void);\nint run_f(void) { return base_f(); }\n")
        self.build("store", "int base_f(void);\nint store_f(void) { return base_f(); }\n")
        self.passes(lint.reach)
        self.build("store", "int run_f(void);\nint store_f(void) { return run_f(); }\n")
        self.finds(lint.reach, "store calls run_f of run")

    def test_mutable_globals(self):
        table = "static const char *const names[] = {\"a\"};\nconst char *name(int i) { return names[i]; }\n"
        for bad, text in ((False, table), (True, "static int counter;\nint next(void) { return ++counter; }\n"),
                          (True, "int counter = 7;\n"), (True, "int f(void) { static _Thread_local int n; return n++; }\n")):
            self.build("a", text)
            faults = self.faults(lint.mutable_globals)
            self.assertEqual(len(faults), int(bad), (text, faults))

    def test_shell_scripts(self):
        self.finds(lint.shell_scripts, "SC2086", bench__run_sh="#!/bin/sh\nrm $1\n")
        self.passes(lint.shell_scripts, bench__run_sh='#!/bin/sh\nrm "$1"\n')

    def test_docs_equal_tables(self):
        self.write("docs/tables.py", "print('docs/a.md: not as its tables say')\nraise SystemExit(1)\n")
        fault = self.finds(lint.docs_equal_tables, "not as its tables say")
        self.assertEqual(fault.place, "docs/a.md")
        self.write("docs/tables.py", "")
        self.passes(lint.docs_equal_tables)

    def test_allowed_rows_excuse_and_go_stale(self):
        self.write("tests/lint/allowed", "# rows\ntypedef_struct src/base/a.h # the API of a library\n"
                                         "typedef_struct src/base/b.h  # gone\ntypedef_struct src/base/c.h\n")
        self.write("src/base/a.h", "typedef struct a a;\n")
        self.write("src/base/c.h", "typedef struct c c;\n")
        tree = lint.Tree(self.dir.name)
        faults = lint.check(tree, lint.typedef_struct, lint.allowed_rows(tree))
        self.assertEqual([fault.place for fault in faults], ["src/base/c.h", "tests/lint/allowed"]) # c.h: no reason given

    def test_what_is_far_too_long_cannot_be_excused(self):
        self.write("tests/lint/allowed", "function_length src/base/*.c:f  # a table\n")
        for lines, left in ((61, 0), (100, 0), (101, 1)):
            self.write("src/base/a.c", "void f(void)\n{\n" + "    g();\n" * (lines - 1) + "}\n")
            tree = lint.Tree(self.dir.name)
            self.assertEqual(len(lint.check(tree, lint.function_length, lint.allowed_rows(tree))), left, lines)

    def test_a_git_tree_is_what_git_knows(self):
        subprocess.run(["git", "init", "-q", self.dir.name], check=True)
        self.write(".gitignore", "ignored/\n")
        self.write("ignored/a.c", "")
        self.write("new/a.c", "")
        paths = lint.Tree(self.dir.name).paths
        self.assertIn("new/a.c", paths)
        self.assertNotIn("ignored/a.c", paths)

    def test_every_rule_is_tried_here(self):
        names = " ".join(name for name in dir(self) if name.startswith("test_"))
        for rule in lint.RULES:
            self.assertIn(rule.__name__.removesuffix("_count").removesuffix("s"), names)


if __name__ == "__main__":
    sys.exit(tap.run(Rules))
