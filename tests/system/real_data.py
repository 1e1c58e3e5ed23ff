#!/usr/bin/env python3
"""Whole backfills on data that nobody here wrote: films with missing and contradictory fields, 42,000 postal codes with
leading zeros, the languages and subdivisions of iso-codes. Counted by python, not by sluice."""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--sluice", required=True)
parser.add_argument("--app", required=True)
parser.add_argument("--dies")
args = parser.parse_args()
sluice, app = os.path.abspath(args.sluice), os.path.abspath(args.app)
here = Path(__file__).resolve().parent
shared = here.parent.parent.parent / "shared" / "data"
iso_codes = Path("/usr/share/iso-codes/json")
languages, subdivisions = iso_codes / "iso_639-3.json", iso_codes / "iso_3166-2.json"


def call(folder, *arguments):
    run = subprocess.run([sluice, *arguments], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return run.returncode, run.stdout, run.stderr


def dump(folder):
    run = subprocess.run([app, "dump", "rocksdb:live", "data"], cwd=folder, text=True, stdout=subprocess.PIPE, check=True)
    return {cells[0]: json.loads(cells[1]) for cells in (line.split("\t") for line in run.stdout.splitlines())}


def backfill(folder, source, dataset, key, contract, more=""):
    (Path(folder) / "load.yaml").write_text(f"""sluice: 1
name: load
source: {{ store: "file:{source}", dataset: "{dataset}", key: {key} }}
target: {{ store: "rocksdb:live", dataset: data }}
contract: {here / 'contracts' / contract}
protect: {{ rejects: 5% }}
{more}""")
    code, out, err = call(folder, "run", "load.yaml", "--yes")
    records = json.loads(call(folder, "status", "load", "--json")[1])["records"]
    return code, records, out + err


def take_back(folder):
    code, _, err = call(folder, "rollback", "load", "--yes")
    assert code == 0, err
    assert dump(folder) == {}, "something is left after the rollback"


def films(folder):
    total = sum(1 for _ in open(shared / "films.ndjson", "rb"))
    code, records, said = backfill(folder, shared, "films.ndjson", "film_id", "films.contract.yaml")
    assert code == 8, said
    stored = dump(folder)
    rows = call(folder, "quarantine", "list", "load", "--json")[1].splitlines()
    assert records["listed"] == total == len(stored) + len(rows), (records, total, len(stored), len(rows))
    assert "is not one of G, PG" in "".join(rows), "the quarantine does not say what is wrong with a rating"
    take_back(folder)


def postal_codes(folder):
    with open(shared / "postal_codes.csv", newline="", encoding="utf-8") as file:
        wanted = {row["zip_code"]: row["city"] for row in csv.DictReader(file)}
    code, records, said = backfill(folder, shared, "postal_codes.csv", "zip_code", "postal_codes.contract.yaml")
    assert code == 0, said
    stored = dump(folder)
    assert {key: value["city"] for key, value in stored.items()} == wanted
    assert all(stored[key]["zip_code"] == key for key in wanted), "a leading zero is lost"
    assert records["written"] == len(wanted)
    take_back(folder)


def language_tables(folder):
    rows = json.loads(languages.read_text(encoding="utf-8"))["639-3"]
    code, records, said = backfill(folder, iso_codes, "iso_639-3.json#639-3", "alpha_3", "languages.contract.yaml")
    assert code == 0, said
    assert dump(folder) == {row["alpha_3"]: row for row in rows}
    assert records["written"] == records["listed"] == len(rows)
    take_back(folder)


def subdivision_tables(folder):
    rows = json.loads(subdivisions.read_text(encoding="utf-8"))["3166-2"]
    transform = f"transform: {{ lua: {here / 'contracts' / 'subdivisions.lua'} }}\n"
    code, records, said = backfill(folder, iso_codes, "iso_3166-2.json#3166-2", "code", "subdivisions.contract.yaml", transform)
    stored, refused = dump(folder), call(folder, "quarantine", "list", "load", "--json")[1].splitlines()
    refused = {json.loads(line)["key"] for line in refused} if code == 8 else set()
    assert code in (0, 8), said
    assert len(rows) == records["listed"] == len(stored) + len(refused), (len(rows), len(stored), refused)
    assert all(row.get("parent", row["code"])[:2] == row["code"][:2] and "-" in row.get("parent", "-") for row in stored.values())
    assert {key: row["name"] for key, row in stored.items()} == {row["code"]: row["name"] for row in rows if row["code"] not in refused}
    take_back(folder)


TESTS = [("films: what is wrong is in the quarantine, everything else is stored, and goes back", films, shared / "films.ndjson"),
         ("postal codes: every row with its leading zeros, and back", postal_codes, shared / "postal_codes.csv"),
         ("languages: every row of the list within the file's object, and back", language_tables, languages),
         ("subdivisions: their parents completed by a transform, and back", subdivision_tables, subdivisions)]
print(f"1..{len(TESTS)}")
for number, (name, test, needs) in enumerate(TESTS, 1):
    if not needs.exists():
        print(f"ok {number} - {name} # SKIP {needs.name} is not there")
        continue
    with tempfile.TemporaryDirectory(prefix="sluice-real-") as folder:
        try:
            test(folder)
            print(f"ok {number} - {name}")
        except AssertionError as why:
            print(f"not ok {number} - {name}")
            print("\n".join("# " + line for line in str(why).splitlines()[:10]))
    sys.stdout.flush()
