#!/usr/bin/env python3
"""docs/tables.py reads rows as the compiler does. Prints TAP."""

import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent.parent / "docs")]
import tables  # noqa: E402
import tap  # noqa: E402


class Tables(unittest.TestCase):
    def test_rows_are_split_where_c_splits_them(self):
        text = '/* ROW(NOT, "this") */\nROW(A, "a, (b) \\"c\\"",\n    f(x, y) && z, "one "\n    "two")\n  ROW(no)\nOTHER(B)\nROW(C, 7)\n'
        self.assertEqual(tables.rows(text, "ROW"), [["A", 'a, (b) "c"', "f(x, y) && z", "one two"], ["C", "7"]])

    def test_symbols_are_shown_as_words(self):
        self.assertEqual([tables.shown(cell) for cell in ("ERROR_FATAL", "ROLLING_BACK", "a|b", "kept_live")],
                         ["fatal", "rolling-back", "a\\|b", "kept_live"])

    def test_a_page_is_written_once_and_for_all(self):
        page = "# x\n<!-- table: errors -->\nold\n<!-- end of table -->\nrest\n"
        new = tables.written(page)
        self.assertIn("| internal | fatal | 1 |", new)
        self.assertNotIn("\nold\n", new)
        self.assertTrue(new.endswith("<!-- end of table -->\nrest\n"))
        self.assertEqual(tables.written(new), new)

    def test_an_unknown_table_is_refused(self):
        with self.assertRaises(SystemExit):
            tables.written("<!-- table: nothing -->\n<!-- end of table -->\n")

    def test_every_table_has_rows_and_every_row_its_columns(self):
        for name, table in tables.TABLES.items():
            with self.subTest(name):
                self.assertGreater(len(list(tables.lines_of(table))), 3)


if __name__ == "__main__":
    sys.exit(tap.run(Tables))
