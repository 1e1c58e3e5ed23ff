"""Writes scripts.c: the scripts that servers run for sluice, as text without their comments, and the SHA-1 by which
EVALSHA names each.

usage: scripts.py OUTPUT SCRIPT.lua...
"""

import hashlib
import pathlib
import sys


def bare(text):
    """Without lines that are comments, indentation and empty lines: what is sent to every server."""
    lines = (line.split(" -- ")[0].strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("--")) + "\n"


def literal(text):
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"') for line in text.splitlines())
    return "\n".join(f'    "{line}\\n"' for line in quoted)


def main():
    output, scripts = pathlib.Path(sys.argv[1]), sys.argv[2:]
    parts = ['#include "store/valkey/script.h"']
    for path in map(pathlib.Path, scripts):
        text = bare(path.read_text(encoding="utf-8"))
        sha = hashlib.sha1(text.encode()).hexdigest()
        parts.append(f"const struct valkey_script script_{path.stem} = {{\n    \"{path.stem}\",\n    \"{sha}\",\n{literal(text)},\n}};")
    output.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
