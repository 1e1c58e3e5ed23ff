#!/usr/bin/env python3
"""Every row of every table is known wherever people look for it: help, manual page, completion, `explain`, the schemas, the docs. The tables
are read here as the compiler reads them (docs/tables.py), so that a row that reaches none of these is found."""

import json
import re
import sys

from stand import SOURCE, must, run_all, same, test

sys.path.insert(0, str(SOURCE / "docs"))
import tables  # noqa: E402


def rows_of(path, macro):
    found = tables.rows((SOURCE / path).read_text(), macro)
    must(found, path, "has no", macro)
    return found


COMMANDS = rows_of("src/cli/command_rows.h", "COMMAND")
OPTIONS = rows_of("src/cli/option_rows.h", "OPTION")
PAGES = {path: path.read_text() for path in [*SOURCE.glob("docs/**/*.md"), SOURCE / "README.md"]}
COMMON = {row[0] for row in OPTIONS[:[row[0] for row in OPTIONS].index("NO_COLOR") + 1]} | {"HELP"}


def plain(text):
    """Of roff, and of words that are broken over lines."""
    for old, new in (("\\-", "-"), ("\\(aq", "'"), ("\\(dq", '"'), ("\\e", "\\"), ("\\&", ""), ("`", "")):
        text = text.replace(old, new)
    text = re.sub(r"\\f[BIRP]", "", text)
    return " ".join(text.split())


def documented(word):
    return [path for path, text in PAGES.items() if word in text]


def explained(stand, kind):
    return {row["name"]: row for row in stand.sluice("explain", kind, "--json").ended(0).json()["entries"] if row["kind"] == kind}


def words(stand, *typed):
    return stand.sluice("completion", "words", "--", *typed).ended(0).out.splitlines()


@test("every command: help, its own help, manual page, completion, explain, a word in the docs")
def _(stand):
    everything, manual = stand.sluice("help").ended(0).out, plain(stand.sluice("help", "--man").ended(0).out)
    known, offered = explained(stand, "command"), words(stand, "")
    same(set(known), {row[0] for row in COMMANDS}, "what explain knows")
    for name, _, _, _, about, *_ in COMMANDS:
        must(plain(about) in plain(everything), name, "is not in the help")
        must(plain(about) in plain(stand.sluice("help", name).ended(0).out), name, "has no help of its own")
        must(f"sluice {name}" in manual and plain(about) in manual, name, "is not in the manual page")
        must(name in offered, name, "is not completed")
        must(documented(f"sluice {name}"), f"no page of the docs has `sluice {name}`")


@test("every option: help of a command that takes it, manual page with its variable, completion, explain")
def _(stand):
    manual, known = plain(stand.sluice("help", "--man").ended(0).out), explained(stand, "option")
    same(set(known), {row[1] for row in OPTIONS}, "what explain knows")
    for symbol, name, value, about in OPTIONS:
        takers = [row[0] for row in COMMANDS if symbol in COMMON or f"OPTION_{symbol}" in row[7:]]
        must(takers, name, "is taken by no command")
        must(f"--{name}" in stand.sluice("help", takers[0]).ended(0).out, name, "is not in the help of", takers[0])
        must(f"--{name}" in manual and plain(about) in manual, name, "is not in the manual page")
        must(f"--{name}" in words(stand, takers[0], "--"), name, "is not completed for", takers[0])
        same(known[name]["variable"], "SLUICE_" + name.upper().replace("-", "_"), "its variable")
        same(known[name]["value"], None if value == "NULL" else value, "its value")


@test("every key of spec, contract and fixture: explain, completion, its schema, its page")
def _(stand):
    page = {"spec": "docs/spec.md", "contract": "docs/contracts.md", "fixture": "docs/fixtures.md"}
    for kind, path in page.items():
        text, schema = PAGES[SOURCE / path], json.loads(stand.sluice("explain", "--schema", kind).ended(0).out)
        keys = explained(stand, kind)
        must(len(keys) > 8, kind, keys)
        offered = words(stand, "explain", "")
        for key, row in keys.items():
            last = re.split(r"[.\[]", key.rstrip("]"))[-1] or key
            must(key in offered, key, "is not completed")
            must(f"`{key}`" in text or f"`{last}`" in text or f"{last}:" in text or f"`{last}[]`" in text or "*" in last, key, "is not in", path)
            here = schema
            for name in key.replace("[]", ".[]").split("."):
                here = here.get("items", {}) if name == "[]" else here.get("additionalProperties", {}) if name == "*" else here.get("properties", {}).get(name)
                if here is None or not row["acts"] or "anyOf" in here or "$ref" in here:
                    break
            must(here is not None, key, "is not in the schema")


@test("every error, exit code, outcome, class, state, check and fault: explain, and the table of a page")
def _(stand):
    written = "".join(PAGES.values())
    for name, table in tables.TABLES.items():
        must(f"<!-- table: {name} -->" in written, name, "stands on no page")
    for kind, path, macro, which in (("error", "src/base/error_rows.h", "ROW", 1), ("exit", "src/base/exit_rows.h", "ROW", 0),
                                     ("outcome", "src/record/outcome_rows.h", "ROW", 1), ("class", "src/verify/class_rows.h", "ROW", 1),
                                     ("state", "src/catalog/state_rows.h", "STATE", 1), ("capability", "src/store/capability_rows.h", "ROW", 1)):
        known = explained(stand, kind)
        for row in rows_of(path, macro):
            must(tables.shown(row[which]).replace("\\|", "|") in known or row[which] in known, kind, row[which], "is not explained")
    faults = explained(stand, "fault")
    for path in ("src/gen/customer_rows.h", "src/gen/event_rows.h"):
        for row in rows_of(path, "ROW"):
            must(row[1] in faults, row[1], "is not explained")
    doctor = stand.sluice("doctor", "none.yaml", "--json").code
    must(doctor, "a spec that is not there is fit to run")


run_all()
