#!/usr/bin/env python3
"""The JSON Schemas of spec and contract say what the parser says: python3-jsonschema is the judge of the schemas, PyYAML
reads for it. What the parser takes the schema takes; what it refuses by its shape the schema refuses."""

import copy
import json
import os
import re
from pathlib import Path

import jsonschema
import yaml
from stand import SOURCE, among, must, run_all, same, test


class Core(yaml.SafeLoader):
    """YAML 1.2's core schema, as the parser reads scalars."""
    yaml_implicit_resolvers = {}


for tag, pattern, first in (("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
                            ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
                            ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
                            ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789"))):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)
Core.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))

# What the parser refuses and no schema can: what its message holds, and why.
EXCEPTIONS = (
    (r"contradicts", "two keys that exclude each other"),
    (r"' needs '", "a key that means nothing without another one"),
    (r"does not reach 100%", "the last of a list differs from the others"),
    (r"a stage '", "names that stand once in a list"),
    (r"reaches no further than", "scopes grow from stage to stage"),
    (r"'owner.may.approve' does not name", "a name in one place that another place has to hold"),
    (r"the key 'source.dataset' is missing", "required but for stores that are one dataset themselves"),
    (r"a password stands in it", "what is a password depends on the rest of the URI"),
    (r"an unknown kind of secret", "secrets in a store: what is known between the braces"),
    (r"a hook (is|needs|with)|is for a hook with a url", "a hook is a program or an address, and its other keys go with that"),
    (r"a signal (needs|of|')|is what a signal of|is for a signal with", "a signal is one of three kinds, and its other keys go with that"),
    (r"an expectation (is|of|'|needs)|is an expectation of", "an expectation is about one thing, and its other keys go with that"),
    (r"a measure (is|of|')|is for a measure of", "a measure is of one thing, and its other keys go with that"),
    (r"'(measures|buckets)' are of the live dataset", "keys that contradict each other"),
    (r"'cause' needs a contract", "a key that another one needs"),
    (r"a switch is|is for a switch with", "a switch is one of three kinds, and its other keys go with that"),
    (r"'protect\.[a-z_.]+: .*: say .*`none`", "which limits of a guard say something depends on what it watches"),
    (r"'0\.3ms'", "a duration that is no whole number of milliseconds"),
    (r"' is not for ", "which options a field has depends on its type"),
    (r"is required and has a default", "two keys that exclude each other"),
    (r"has no meaning for what stands in an array", "the same field means less in an array"),
    (r"there is no param '", "a name in one place that another place has to hold"),
    (r"has no default: give it with --param", "a value that the command line gives"),
    (r"(--param |default of )\S+=.*: expected", "a value is of its param's type"),
    (r"is not after 'from: ", "two times in their order"),
    (r"is this spec itself", "a name in one place that another place must not have"),
    (r"ends before it begins", "two numbers in their order"),
    (r"stands in it twice", "numbers that stand once in a list"),
    (r"holds no key: its end", "two keys in their order"),
    (r"two open ends", "two keys of which one is given"),
    (r"a number such as 7, or two", "numbers of 32 bits"),
    (r"expected a time such as", "the calendar, and the units of a duration"),
    (r"expected an? (string|bool|int|double|decimal|datetime|uuid), found", "literals are of the field's type"),
    (r"is not a point in time", "literals are of the field's type"),
    (r"is refused by the field itself", "literals pass the field's other options"),
    (r"stands twice in 'one_of'", "1 and 1.0 are one value or two by the field's type"),
    (r"is above 'max: ", "two numbers in their order"),
    (r"is above the greatest", "two numbers in their order"),
    (r"the pattern does not compile", "regular expressions"),
    (r"the name of a time zone", "zones are those of the machine"),
    (r"the format '", "letters behind % that mean something"),
    (r"is not among the fields", "a name in one place that another place has to hold"),
    (r"cannot be unique", "the type of a field named elsewhere"),
    (r": r:1: ", "Lua that does not compile"),
)


def excuses(said):
    """Those of a message, if each of its lines has one."""
    found = [{words for words, _ in EXCEPTIONS if re.search(words, line)} for line in said.splitlines()]
    return set.union(*found) if all(found) else set()


class Shapes:
    """Parser and schemas side by side."""

    def __init__(self, stand):
        self.stand = stand
        self.schemas = {}
        for kind in ("spec", "contract"):
            schema = json.loads(stand.sluice("explain", "--schema", kind).ended(0).out)
            jsonschema.Draft202012Validator.check_schema(schema)
            self.schemas[kind] = jsonschema.Draft202012Validator(schema)

    def parsed(self, asked):
        """What the parser says of each (kind, text): None, or why it refuses."""
        lines = "".join(json.dumps({"kind": kind, "text": text}) + "\n" for kind, text in asked)
        return self.stand.run([self.stand.programs.shapes], stdin=lines).ended(0).lines()

    def taken(self, kind, document):
        return self.schemas[kind].is_valid(document)


def agree(shapes, cases):
    """Each (kind, document or None, text, what it is) is judged alike; returns the exceptions met and how many were taken."""
    met, taken, faults = set(), 0, []
    for (kind, document, text, what), said in zip(cases, shapes.parsed([(case[0], case[2]) for case in cases])):
        valid = shapes.taken(kind, document)
        taken += said is None
        excused = excuses(said) if said and valid else set()
        met |= excused
        if valid != (said is None) and not (valid and excused):
            faults.append(f"{what}: parser: {said or 'takes it'}; schema: {'takes it' if valid else 'refuses it'}")
    same(faults[:20], [], f"{len(faults)} disagreements")
    return met, taken


# --- the files of the tree

FENCE = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r'"""\n?((?:sluice|contract): 1\n.*?)"""', re.DOTALL)


def files_of_the_tree():
    for folder, below, names in os.walk(SOURCE):
        if Path(folder) == SOURCE:
            below[:] = [name for name in below if not name.startswith(("build", ".git", "fuzz"))]
        below[:] = [name for name in below if name != "node_modules"]
        yield from (Path(folder, name) for name in names)


def corpus():
    """(place, text) of every spec and contract that the tree has."""
    for path in sorted(files_of_the_tree()):
        place = path.relative_to(SOURCE)
        if path.suffix in (".yaml", ".yml"):
            yield place, path.read_text()
        elif path.suffix in (".md", ".py"):
            for match in (FENCE if path.suffix == ".md" else QUOTED).finditer(path.read_text()):
                yield place, match[1]


@test("every spec and contract of docs, templates, examples and tests: the schema takes what the parser takes")
def _(stand):
    shapes, cases = Shapes(stand), []
    for place, text in corpus():
        kind = re.search(r"^(sluice|contract): 1$", text, re.MULTILINE)
        if not kind:
            continue
        try:
            document = yaml.load(text, Core)
        except yaml.YAMLError:
            document = None # wrong before any shape: both refuse it
        cases.append(("spec" if kind[1] == "sluice" else "contract", document, text, str(place)))
    taken = agree(shapes, cases)[1]
    must(taken > 30, len(cases), taken)


# --- mutations

VALUES = (None, True, 0, 1, -1, 7, 1.5, 5000000000, "", "x", "true", "1", "a.b", "a..b", "a\\b", "a b", "A-b", "-x", "x" * 64, "${day}", "%Y %z",
          "0%", "1%", "99.9%", "100%", "101%", "1.%", "5", "10m", "1h30m", "30m1h", "0.3ms", "0s", "10 m", "20000/s", "0/s", "1/w", "5 partitions",
          "0 records", "1000 records", "full", "keep", "never", "file:in", "file:", "file:${no:x}", "undo:x.1", "valkey://u:secret@h:1", "1 +", [], [""], ["x"],
          ["x", "x"], [1], [{}], ["a..b"], ["x"] * 1001, {}, {"x": 1}, {"from": "a.b"}, {"from": 1}, {"keys": "k.txt"}, {"min": 1, "max": 2},
          {"min": 3, "max": 2}, {"confidence": "99.9%", "below": "0.01%"}, {"confidence": "100%", "below": "0%"}, {"x": {"type": "string"}})


def rows_of(stand, kind):
    return [row for row in stand.sluice("explain", kind, "--json").ended(0).json()["entries"] if row["kind"] == kind]


def base_of(kind):
    """As little as there may be."""
    if kind == "contract":
        return {"contract": 1, "name": "c", "fields": {"f": {"type": "string"}}}
    return {"sluice": 1, "name": "s", "source": {"store": "file:in", "dataset": "*.ndjson"}, "target": {"store": "rocksdb:live", "dataset": "d"}}


# What a map needs so that one key more can be looked at.
AROUND = {"transform": {"lua": "x.lua"}, "stages[]": {"name": "full", "scope": "100%"}, "rules[]": {"name": "r", "expr": "true"}, "expect[]": {"name": "x", "count": 1},
          "measures[]": {"name": "x", "count": True}, "buckets[]": {"name": "x", "field": "at"}, "verify": {"command": "./check"}, "cause": {"id": "x", "probe": {"field": "at"}}, "cause.probe": {"field": "at"},
          "stages[].gate.verify": {"confidence": "99.9%", "below": "0.01%"}, "target.expires": {"from": "a.b"}}


def placed(kind, key, value):
    """The least document in which the key has the value."""
    document = base_of(kind)
    at, parts, path = document, key.split("."), ""
    for i, part in enumerate(parts):
        name = "f" if part == "*" else part.removesuffix("[]")
        path += ("." if path else "") + part
        if i == len(parts) - 1:
            at[name] = copy.deepcopy(value)
        elif part.endswith("[]"):
            at[name] = [copy.deepcopy(AROUND.get(path, {}))]
            at = at[name][0]
        else:
            if not isinstance(at.get(name), dict):
                at[name] = copy.deepcopy(AROUND.get(path, {}))
            at = at[name]
    return document


def mutations(stand, kind):
    rows = rows_of(stand, kind)
    for row in rows:
        key = row["key"] if "key" in row else row["name"]
        words = [choice["word"] for choice in row["choices"]]
        for value in [yaml.load(row["example"], Core), *words, *(VALUES if row["acts"] else VALUES[:12])]:
            yield placed(kind, key, value), f"{key}: {value!r}"
        if row["required"]:
            document = placed(kind, key, "x")
            at = document
            for part in key.split(".")[:-1]:
                at = at["f" if part == "*" else part.removesuffix("[]")]
                at = at[0] if isinstance(at, list) else at
            at.pop(key.split(".")[-1], None)
            yield document, f"without {key}"
    for key in {row["name"].rpartition(".")[0] for row in rows if row["acts"] and "." in row["name"]} | {""}:
        yield placed(kind, f"{key}.wrong" if key else "wrong", 1), f"{key}.wrong"
    for kind_of in ("bool", "int", "double", "decimal", "datetime", "binary", "uuid", "object", "array") if kind == "contract" else ():
        for option in ("default", "one_of", "pattern", "min", "max", "length", "zone", "format", "items", "fields"):
            document = base_of(kind)
            document["fields"]["f"] = {"type": kind_of, option: yaml.load(
                next(row["example"] for row in rows if row["name"] == "fields.*." + option), Core)}
            yield document, f"{kind_of} with {option}"


# Several keys at once, and what only files can get wrong.
BESIDES = (
    ("spec", {"source": {"store": "file:in", "dataset": None}}), # None: left out
    ("spec", {"target": {"write": "fill", "conflict": "overwrite"}}), ("spec", {"target": {"conflict": "newer-wins"}}),
    ("spec", {"stages": [{"name": "a", "scope": "50%"}, {"name": "a", "scope": "100%"}]}),
    ("spec", {"stages": [{"name": "a", "scope": "50%"}, {"name": "b", "scope": "20%"}, {"name": "c", "scope": "100%"}]}),
    ("spec", {"owner": {"may": {"approve": ["x"]}}, "stages": [{"name": "a", "scope": "100%", "gate": {"approve": "y"}}]}),
    ("spec", {"target": {"write": "shadow"}, "measures": [{"name": "x", "count": True}]}),
    ("spec", {"target": {"write": "shadow"}, "buckets": [{"name": "x", "field": "at"}]}),
    ("spec", {"after": ["s"]}), ("spec", {"source": {"only": {"slots": "9-3"}}}), ("spec", {"source": {"only": {"slots": [1, "1-2"]}}}),
    ("spec", {"source": {"only": {"key_range": ["b", "a"]}}}), ("spec", {"source": {"only": {"key_range": [None, None]}}}),
    ("spec", {"source": {"only": {"slots": "99999999999"}}}), ("spec", {"source": {"only": {"keys": "a", "slots": 3}}}), ("spec", {"source": {"only": {}}}),
    ("spec", {"source": {"range": {"field": "a", "from": "2026-02-30"}}}),
    ("spec", {"source": {"range": {"field": "a", "from": "2026-07-11", "to": "2026-07-10"}}}),
    ("spec", {"source": {"range": {"field": "a", "from": "2026-07-11 Europe/Berlin + 1h", "to": "${day}"}}, "params": {"day": {"default": "2026-08-10"}}}),
    ("contract", {"fields": {"f": {"type": "string", "required": True, "default": "x"}}}),
    ("contract", {"fields": {"f": {"type": "array", "items": {"type": "string", "required": True}}}}),
    ("contract", {"fields": {"f": {"type": "int", "min": 3, "max": 2}}}), ("contract", {"fields": {"f": {"type": "int", "one_of": [1, 1]}}}),
    ("contract", {"fields": {"f": {"type": "int", "default": "x"}}}), ("contract", {"fields": {"f": {"type": "int", "min": 3, "default": 2}}}),
    ("contract", {"fields": {"f": {"type": "string", "pattern": "("}}}), ("contract", {"fields": {"f": {"type": "object"}}, "unique": ["f"]}),
    ("contract", {"fields": {"f": {"type": "datetime", "zone": "Mars/Base"}}}), ("contract", {"fields": {"f": {"type": "datetime", "format": "%Q"}}}),
    ("contract", {"fields": {"a..b": {"type": "string"}}}), ("contract", {"fields": {"f": {"type": "object", "fields": {"a..b": {"type": "string"}}}}}),
)


@test("every key with every kind of value, without what it needs, beside what is unknown: what is refused by its shape, both refuse")
def _(stand):
    shapes, cases = Shapes(stand), []
    for kind in ("spec", "contract"):
        for document, what in mutations(stand, kind):
            cases.append((kind, document, json.dumps(document), what))
    for kind, more in BESIDES:
        document = base_of(kind)
        for key, value in more.items():
            document[key] = {**document[key], **value} if kind == "spec" and isinstance(document.get(key), dict) else value
        document.get("source", {}).pop(None if document.get("source", {}).get("dataset") else "dataset", None)
        cases.append((kind, document, json.dumps(document), str(more)))
    met, taken = agree(shapes, cases)
    must(len(cases) > 3000 and taken > 400, len(cases), taken)
    same(sorted(words for words, _ in EXCEPTIONS if words not in met), [], "exceptions that nothing needs")


@test("explain --schema: spec, contract or fixture, and nothing else; init --schema has all")
def _(stand):
    both = stand.sluice("init", "--schema", "--json").ended(0).json()
    for kind in ("spec", "contract", "fixture"):
        same(stand.sluice("explain", "--schema", kind, "--json").ended(0).json(), both[kind], kind)
    for words in ([], ["weather"], ["spec", "name"]):
        among("spec, contract or fixture was expected", stand.sluice("explain", "--schema", *words).ended(2).err)


run_all("sluice", "shapes")
