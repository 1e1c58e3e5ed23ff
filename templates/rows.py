#!/usr/bin/env python3
"""Writes files as C texts for the table of templates: rows.py OUT FILE..."""

import sys
from pathlib import Path

ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t"}


def literal(line):
    return '"' + "".join(ESCAPES.get(char, char) for char in line) + '\\n"'


def main():
    out, *paths = sys.argv[1:]
    with open(out, "w", encoding="utf-8") as rows:
        rows.write("/* Written by templates/rows.py from the files beside it. TEMPLATE_FILE(name, text) */\n")
        for path in map(Path, paths):
            lines = path.read_text(encoding="utf-8").splitlines()
            rows.write(f'TEMPLATE_FILE("{path.name}",\n' + "\n".join("     " + literal(line) for line in lines) + ")\n")


main()
