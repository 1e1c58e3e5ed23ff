#!/usr/bin/env python3
"""Makes the page: copies its modules, and those that npm brought, into a folder that a browser can load as it is, and
writes the same as a table of C (src/serve/web.h), compressed once.

    build.py --dist DIR --table FILE.c

There is no bundler: a module is a file. `import … from "preact"` names a package, which a browser cannot find; an import
map could tell it, but only as a script inside the page, which its Content-Security-Policy forbids; so the names are
replaced by paths while copying. Without the packages the table is empty, and the server says so in words.
"""

import argparse
import gzip
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "docs"))
import tables # noqa: E402

# What the page loads of npm's packages: name in an import, the file in web/node_modules, its name beside our modules.
# uPlot's smallest form is a script that leaves one variable: as a module it has to hand that out.
PACKAGES = (
    ("preact", "preact/dist/preact.mjs", "preact.js", ""),
    ("preact/hooks", "preact/hooks/dist/hooks.mjs", "preact-hooks.js", ""),
    ("htm", "htm/dist/htm.mjs", "htm.js", ""),
    ("uplot", "uplot/dist/uPlot.iife.min.js", "uplot.js", "\nexport default uPlot;\n"),
)
STYLE = ("uplot/dist/uPlot.min.css", "uplot.css")

# Tables of the program that the page shows: docs/tables.py knows where each stands.
WORDS = ("outcomes", "classes", "states", "moves", "guards", "lags", "hook_events", "alerts")

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}

IMPORT = re.compile(r'(\bfrom\s*|\bimport\s*)"([^".][^"]*)"')


def pointed(text, depth):
    """Imports of packages as imports of files."""
    names = {name: "../" * depth + file if depth else "./" + file for name, _, file, _ in PACKAGES}

    def replace(match):
        if match[2] not in names:
            raise SystemExit(f"web: '{match[2]}' is imported, and is no row of PACKAGES in web/build.py")
        return f'{match[1]}"{names[match[2]]}"'
    return IMPORT.sub(replace, text)


def rows():
    """rows.js: the words of the program, for words.js."""
    found = {}
    for name in WORDS:
        table = tables.TABLES[name]
        cells = tables.rows((tables.ROOT / table.path).read_text(), table.macro)
        found[name] = [[tables.shown(row[which]) for _, which in table.columns] for row in cells]
    return "export const ROWS = " + json.dumps(found, ensure_ascii=False, separators=(",", ":")) + ";\n"


def bare(text, ending):
    """Without what only its reader needs: whole lines of comment, and indentation."""
    if ending == ".css":
        text = re.sub(r"/\*.*?\*/\n?", "", text, flags=re.DOTALL)
    if ending == ".js":
        text = re.sub(r"^\s*//.*\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"^\s*/\*\*.*?\*/\s*?\n", "", text, flags=re.MULTILINE | re.DOTALL)
    return text


def licenses():
    """What the packages ask to be told wherever they are copied to."""
    names = sorted({file.partition("/")[0] for _, file, _, _ in PACKAGES})
    return "\n".join(f"{name}\n\n{(HERE / 'node_modules' / name / 'LICENSE').read_text().strip()}\n" for name in names)


def packages_there():
    return all((HERE / "node_modules" / file).exists() for _, file, _, _ in PACKAGES)


def files():
    """{path in the page: text}."""
    found = {}
    for path in sorted((HERE / "src").rglob("*")):
        if path.suffix in TYPES:
            name = path.relative_to(HERE / "src").as_posix()
            text = path.read_text()
            found[name] = bare(pointed(text, name.count("/")) if path.suffix == ".js" else text, path.suffix)
    for _, file, name, end in PACKAGES:
        text = pointed((HERE / "node_modules" / file).read_text(), 0)
        found[name] = re.sub(r"^//# sourceMappingURL=.*\n?", "", text, flags=re.MULTILINE) + end
    found[STYLE[1]] = (HERE / "node_modules" / STYLE[0]).read_text()
    found["rows.js"] = rows()
    found["licenses.txt"] = licenses()
    return found


def table(found):
    """The C file. The bytes are gzip's, without a time, so that the same page is the same program."""
    lines = ['/* Written by web/build.py. */', '#include "serve/web.h"', ""]
    entries = []
    for number, (name, text) in enumerate(sorted(found.items())):
        packed = gzip.compress(text.encode(), 9, mtime=0)
        lines.append(f"static const uint8_t FILE_{number}[] = {{")
        lines += ["    " + ",".join(str(byte) for byte in packed[i:i + 32]) + "," for i in range(0, len(packed), 32)]
        lines.append("};")
        path = "/" if name == "index.html" else "/" + name
        entries.append(f'    {{"{path}", "{TYPES[Path(name).suffix]}", FILE_{number}, sizeof(FILE_{number})}},')
    if not entries:
        entries = ["    {0},"]
    return "\n".join(lines + ["", "const struct web_file web_files[] = {", *entries, "};",
                              f"const size_t n_web_files = {len(found)};", ""])


def put(path, text):
    """Only where it differs: what has not changed is not compiled again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dist", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    options = parser.parse_args()
    found = files() if packages_there() else {}
    if not found:
        print("web: npm's packages are not there, so this program is built without its page: "
              "`npm ci` in web/, or ./dev build, brings them", file=sys.stderr)
    for old in options.dist.rglob("*") if options.dist.exists() else ():
        if old.is_file() and old.relative_to(options.dist).as_posix() not in found:
            old.unlink()
    for name, text in found.items():
        put(options.dist / name, text)
    put(options.table, table(found))


if __name__ == "__main__":
    main()
