#!/usr/bin/env python3
"""Writes the tables of the docs from the tables of the program, so that neither can say what the other does not.

A page has a table where it says `<!-- table: NAME -->`; all up to `<!-- end of table -->` is written by `./dev docs`.
Without --write, names the pages that are not as they would be written. One row of TABLES adds a table.
"""

import re
import sys
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# macro: the name of the rows in the X-macro file; columns: (heading, which argument of the row).
Table = namedtuple("Table", "path macro columns")

TABLES = {
    "exits": Table("src/base/exit_rows.h", "ROW", (("exit", 0), ("meaning", 1))),
    "errors": Table("src/base/error_rows.h", "ROW", (("error", 1), ("class", 2), ("exit", 3), ("meaning", 4))),
    "outcomes": Table("src/record/outcome_rows.h", "ROW", (("word", 1), ("counted", 2), ("meaning", 3))),
    "classes": Table("src/verify/class_rows.h", "ROW", (("word", 1), ("meaning", 2))),
    "routes": Table("src/serve/route_rows.h", "ROUTE", (("request", 0), ("right", 1), ("query", 3), ("answers", 5))),
    "rights": Table("src/serve/right_rows.h", "RIGHT", (("right", 1), ("to see or do", 2))),
    "roles": Table("src/serve/right_rows.h", "ROLE", (("role", 1), ("", 3))),
    "states": Table("src/catalog/state_rows.h", "STATE", (("state", 1), ("over", 2))),
    "hook_events": Table("src/spec/hook_rows.h", "EVENT", (("event", 1), ("", 2))),
    "guards": Table("src/spec/guard_rows.h", "GUARD", (("`protect.`", 1), ("unit", 2), ("default", 3), ("watches", 5), ("for example", 6))),
    "metrics": Table("src/metrics/metric_rows.h", "METRIC", (("metric", 1), ("type", 2), ("labels", 4), ("what it is", 5), ("formula", 6), ("starting threshold", 7))),
    "alerts": Table("src/metrics/alert_rows.h", "ALERT", (("alert", 0), ("", 1), ("for", 2), ("when", 4))),
    "moves": Table("src/catalog/state_rows.h", "MOVE", (("from", 0), ("to", 1))),
    "faults": Table("src/gen/customer_rows.h", "ROW", (("fault", 1), ("in a million", 2), ("ends", 3), ("what is wrong", 4))),
    "events": Table("src/gen/event_rows.h", "ROW", (("fault", 1), ("in a million", 2), ("ends", 3), ("what is wrong", 4))),
    "checks": Table("src/doctor/check_rows.h", "CHECK", (("check", 0), ("ok when, or what it tells", 2))),
    "valkey": Table("src/store/valkey/uri_rows.h", "ROW", (("option", 0), ("value", 1), ("meaning", 4))),
    "refusals": Table("src/store/valkey/reply_rows.h", "ROW", (("the server says", 0), ("done", 1), ("which means", 3))),
    "lags": Table("src/run/lag_rows.h", "ROW", (("cause", 1), ("said where", 2))),
    "capabilities": Table("src/store/capability_rows.h", "ROW", (("capability", 1), ("what a store can do", 3))),
}

MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
LITERAL = re.compile(r'"((?:\\.|[^"\\])*)"')


def arguments(text):
    """Of one row: split at the commas outside parentheses and literals, literals joined and unquoted."""
    parts, depth = [""], 0
    for piece in re.findall(r'"(?:\\.|[^"\\])*"|.', text, flags=re.DOTALL):
        depth += (piece == "(") - (piece == ")")
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return ["".join(LITERAL.findall(part)).replace('\\"', '"') if '"' in part else part.strip() for part in parts]


def rows(text, macro):
    """The arguments of each `macro(…)` that begins a line."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = []
    for match in re.finditer(rf"^{macro}\(", text, flags=re.MULTILINE):
        depth, at = 1, match.end()
        for piece in re.finditer(r'"(?:\\.|[^"\\])*"|[()]', text[at:]):
            depth += (piece[0] == "(") - (piece[0] == ")")
            if depth == 0:
                found.append(arguments(text[at:at + piece.start()]))
                break
    return found


def shown(cell):
    """Symbols as words; a bar would end the cell."""
    if re.fullmatch(r"[A-Z]+(?:_[A-Z]+)*", cell):
        cell = cell.removeprefix("ERROR_").lower().replace("_", "-")
    return cell.replace("|", "\\|")


def lines_of(table):
    found = rows((ROOT / table.path).read_text(), table.macro)
    if not found:
        raise SystemExit(f"docs: {table.path} has no row {table.macro}(…)")
    yield "| " + " | ".join(heading for heading, _ in table.columns) + " |"
    yield "|" + "---|" * len(table.columns)
    for cells in found:
        yield "| " + " | ".join(shown(cells[which]) for _, which in table.columns) + " |"


def written(page):
    def fill(match):
        if match[2] not in TABLES:
            raise SystemExit(f"docs: no table is called '{match[2]}'")
        return match[1] + "".join(line + "\n" for line in lines_of(TABLES[match[2]])) + match[3]
    return MARKED.sub(fill, page)


def main():
    stale = []
    for path in sorted(ROOT.glob("docs/**/*.md")):
        page = path.read_text()
        new = written(page)
        if new == page:
            continue
        stale.append(path)
        if "--write" in sys.argv[1:]:
            path.write_text(new)
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'written' if '--write' in sys.argv[1:] else 'not as its tables say: ./dev docs'}")
    return 1 if stale and "--write" not in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
