#!/usr/bin/env python3
"""By which rules coverage.py counts a branch that was not taken both ways. Prints TAP."""

import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "coverage")]
import coverage  # noqa: E402
import tap  # noqa: E402


class Rules(unittest.TestCase):
    def ruled(self, text, counts, line=1, function="f"):
        return coverage.by_rule(coverage.Source(text.split("\n")), function, line, counts)

    def test_what_nobody_wrote(self):
        for text in ("    g_clear_pointer(&a->b, g_free);", "    g_autofree char *a = b(c);", "    g_assert(a || b);", '    f("a ? b : c",\n      d);'):
            self.assertTrue(coverage.Source(text.split("\n")).nobody_wrote(1), text)
        for text in ("    if (a)", "    return a && b;", "    f(a ? 1 : 2);", "    a = MIN(b, c);", "    a =\n        b || c;"):
            self.assertFalse(coverage.Source(text.split("\n")).nobody_wrote(1), text)

    def test_an_enum_has_no_other_value(self):
        self.assertTrue(coverage.Source(["    switch (a) {", "    case A:", "        break;", "    }"]).has_no_other_value(1))
        self.assertFalse(coverage.Source(["    switch (a) {", "    case A:", "        break;", "    default:", "        break;", "    }"]).has_no_other_value(1))

    def test_an_error_that_is_handed_on(self):
        self.assertEqual(self.ruled("    if (!a(b, error))\n        return false;", [0, 7]), {"handed": 1})
        self.assertEqual(self.ruled("    return a(b, error) && c(d, error);", [7, 0, 7, 0]), {"handed": 2})
        self.assertEqual(self.ruled("    return a(b, error) &&\n           c(d, error);", [7, 0, 7, 0]), {"handed": 2})
        self.assertEqual(self.ruled("    if (a || !b(c, error))\n        return false;", [0, 7, 0, 7]), {"handed": 1}, "not of a")
        self.assertEqual(self.ruled("    if (a || !b(c, error)) /* d && e */\n        return false;", [0, 7, 0, 7]), {"handed": 1}, "what is said of it")

    def test_of_several_lines_each_operand_is_whole(self):
        long = "    %sif (!a(b,\n        c, error) ||\n        !d(error))\n        return false;\n    return e;"
        for how in ("", "} else ", "else "):
            self.assertEqual(self.ruled(long % how, [0, 7]), {"handed": 1}, how)
            self.assertEqual(self.ruled(long % how, [0, 7], line=3), {"handed": 1}, how)
        self.assertEqual(self.ruled(long.replace("c, error", "c") % "", [0, 7]), {})

    def test_a_condition_is_no_part_of_what_it_decides(self):
        self.assertEqual(self.ruled("    if (a &&\n        b(c))\n        return d || e(f, error);", [7, 7, 7, 0], line=3), {"handed": 1})
        self.assertEqual(self.ruled("    if (a)\n        return d(e, error);\n    return f || g(h);", [7, 7, 7, 0], line=3), {})

    def test_an_error_to_which_words_are_added_is_handed_on(self):
        self.assertEqual(self.ruled('    if (!a(b, error))\n        return error_add(error, "c %s", d);', [0, 7]), {"handed": 1})
        self.assertEqual(self.ruled("    } while (a(b, error));", [7, 0]), {"handed": 1})

    def test_an_error_of_which_something_is_made_is_none_of_those(self):
        self.assertEqual(self.ruled("    if (!a(b, error)) {\n        c();\n        return false;", [0, 7]), {})
        self.assertEqual(self.ruled("    if (!a(b, &failed))\n        return false;", [0, 7]), {})
        self.assertEqual(self.ruled("    if (!a(b, error))\n        return c(d);", [0, 7]), {})

    def test_a_call_that_was_never_made_is_not_handed_on(self):
        self.assertEqual(self.ruled("    if (!a(b, error))\n        return false;", [0, 0]), {})
        self.assertEqual(self.ruled("    return a(b, error) && c(d, error);", [7, 0, 0, 0]), {"handed": 1})

    def test_what_is_behind_a_call_that_failed(self):
        self.assertEqual(self.ruled("    for (int i = 0; ok && i < n; i++)", [7, 0, 5, 2]), {"ok": 1})
        self.assertEqual(self.ruled("    if (ok)\n        a();", [7, 0]), {"ok": 1})
        self.assertEqual(self.ruled("    if (okay)\n        a();", [7, 0]), {})
        self.assertEqual(self.ruled("    ok = ok && a(b);", [7, 0, 7, 7]), {"ok": 1})
        self.assertEqual(self.ruled("    do {\n        a();\n    } while (ok && a(b));", [7, 0, 7, 7], 3), {"ok": 1})
        self.assertEqual(self.ruled("    for (int i = 0; i < n && !a->error; i++)", [7, 7, 7, 0]), {"ok": 1})
        self.assertEqual(self.ruled("    if (a->error)\n        b();", [7, 0]), {}, "something is done about it")

    def test_an_element_of_an_array(self):
        self.assertEqual(self.ruled("    json_array_foreach(a, i, b) c(b);", [7, 7, 7, 0]), {"each": 1})
        self.assertEqual(self.ruled("    json_array_foreach(a, i, b)\n    {", [7, 0, 7, 0]), {"each": 1}, "an empty one is another")
        self.assertEqual(self.ruled("    json_array_foreach(a, i, b) c(b);", [0, 7, 0, 0]), {}, "never come to")

    def test_memory_words_numbers_and_nothing(self):
        self.assertEqual(self.ruled("    if (!a)\n        return too_big(error);", [0, 7]), {"memory": 1})
        self.assertEqual(self.ruled("    return a || error_set(error, SLUICE_ERROR_TOO_BIG, b);", [7, 0, 0, 0]), {"memory": 3})
        self.assertEqual(self.ruled("    return a || error_set(error, SLUICE_ERROR_CORRUPT, b);", [7, 0, 0, 0]), {"refusal": 2})
        self.assertEqual(self.ruled('    f(n == 1 ? "" : "s");', [0, 7]), {"words": 1})
        self.assertEqual(self.ruled('    f(a,\n      n == 1 ? "" : "s", n == 1 ? "is" : "are");', [0, 7, 0, 7]), {"words": 2})
        self.assertEqual(self.ruled('    f(n == 1 ? "" : "s",\n      n == 1 ? "is" : "are");', [0, 7]), {"words": 1}, "those of the line")
        self.assertEqual(self.ruled("    a = (int64_t)MIN(n, INT64_MAX);", [0, 7]), {"bound": 1})
        self.assertEqual(self.ruled("    a = MIN(n, m);", [0, 7]), {})
        self.assertEqual(self.ruled("    if (!a)\n        return;", [0, 7], function="a_free"), {"freed": 1})
        self.assertEqual(self.ruled("    if (!a)\n        return;", [0, 7]), {})

    def test_what_was_asked_for_just_before(self):
        self.assertEqual(self.ruled("    a = arena_alloc0(mem, n);\n    if (!a) {\n        b();", [0, 7], line=2), {"memory": 1})
        self.assertEqual(self.ruled("    a = arena_alloc(mem, n);\n    b->c = arena_alloc(mem, n);\n    if (!a || !b->c)\n        return no_room(error);",
                                    [0, 7, 0, 7], line=3), {"memory": 2})
        self.assertEqual(self.ruled("    a = arena_alloc(mem, n);\n    if (!a || !b)\n        return false;", [0, 7, 0, 7], line=2), {}, "b is not")
        self.assertEqual(self.ruled("    a = rows_add(b, mem, error);\n    if (!a)\n        return false;", [0, 7], line=2), {"memory": 1})
        self.assertEqual(self.ruled("    a = b(c, error);\n    if (!a)\n        return false;", [0, 7], line=2), {"handed": 1})
        self.assertEqual(self.ruled("    a = b(c, error);\n    if (!a) {\n        d();\n        return false;", [0, 7], line=2), {})
        self.assertEqual(self.ruled("    a = b(c);\n    if (!a)\n        return false;", [0, 7], line=2), {})
        self.assertEqual(self.ruled("    a = arena_alloc(mem, n);\n    if (!a)\n        return false;", [0, 0], line=2), {}, "never asked")

    def test_what_was_decoded_is_a_document(self):
        self.assertEqual(self.ruled("    if (a == 0 || !document_view(b, &view) || !bson_iter_init(&iter, &view))\n        return d;", [7, 7, 0, 7, 0, 7]), {"sound": 2})
        self.assertEqual(self.ruled("    return digest_canonical(a, 0, &one, NULL) &&\n           digest_equal(one, two);", [7, 0, 5, 2]), {"sound": 1})
        self.assertEqual(self.ruled("    if (!digest_canonical(a, 0, &one, error)) {\n        b();", [0, 7]), {}, "somebody says that it is none")
        self.assertEqual(self.ruled("    if (!bson_iter_init_find(&iter, &view, a))\n        return d;", [0, 7]), {}, "a field may be missing")

    def test_comments_are_no_operands(self):
        self.assertEqual(self.ruled("    return a || error_set(error, B); /* as c; d */", [7, 7, 0, 7]), {"refusal": 1})

    def test_what_only_sets_an_error_is_never_true(self):
        self.assertEqual(self.ruled("    return a || error_set(error, B);", [7, 7, 0, 7]), {"refusal": 1})
        self.assertEqual(self.ruled("    return a || error_set(error, B);", [7, 0, 0, 0]), {"refusal": 2}, "that it was asked for is another")
        self.assertEqual(self.ruled("    return ok || error_set(error, B);", [7, 0, 0, 0]), {"ok": 1, "refusal": 2})
        self.assertEqual(self.ruled("    return a || b(c, error);", [7, 7, 0, 7]), {"handed": 1})
        self.assertEqual(self.ruled('    return a || error_set(error, "a; b && c");', [7, 7, 0, 7]), {"refusal": 1}, "what a text says")
        own = "static bool no(int a,\n               GError **error)\n{\n    return error_set(error, B);\n}\n    return a || no(1, d);"
        self.assertEqual(self.ruled(own, [7, 7, 0, 7], line=6), {"refusal": 1})
        self.assertEqual(self.ruled(own.replace("error_set(error, B)", "b(error)"), [7, 7, 0, 7], line=6), {})


if __name__ == "__main__":
    sys.exit(tap.run(Rules))
