#!/usr/bin/env python3
"""gen events: a reader that knows the shape of the records and nothing of how they are made finds every fault in them by
itself, and is held against the manifest; then the replay of docs/commands/gen.md, held against both, and its index, held
against what the verdict says of each entry."""

import json
import math
import re
import signal
from collections import Counter
from datetime import datetime, timedelta, timezone

from stand import SOURCE, among, must, run_all, same, test

RECORDS, SEED = 40000, 3  # of the page
BUG = (datetime(2026, 6, 20, 6, tzinfo=timezone.utc), datetime(2026, 6, 21, 18, tzinfo=timezone.utc))
CHANGE = datetime(2026, 6, 25, tzinfo=timezone.utc)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PAGE = (SOURCE / "docs" / "commands" / "gen.md").read_text()


def time_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def money_of(record):
    return record if record["schema"] == 1 else record.get("money", {})


# --- what the records say by themselves


def look_at_text(raw):
    """A line that cannot be read: what is wrong with it. Else the record."""
    try:
        return None, json.loads(raw.decode())
    except UnicodeDecodeError:
        return "utf8-broken", None
    except ValueError:
        return ("json-broken" if re.search(rb'"kind": [a-z]', raw) else "line-cut"), None


def check_shape(record, number):
    paid = record["kind"] in ("payment", "refund")
    fields = ["event", "account", "kind", *(["amount", "currency"] if record["schema"] == 1 else ["money"]) * paid, "channel",
              "occurred_at", "received_at", "schema"]
    same([name for name in fields if name in record or name != "event"], list(record), f"fields of line {number}")
    must(not paid or money_of(record)["currency"] in ("EUR", "USD", "GBP", "CHF", "JPY"), record)
    same(record["schema"], 2 if time_of(record["received_at"]) >= CHANGE else 1, f"schema of line {number}")


def look_at_times(record):
    occurred, received = time_of(record["occurred_at"]), time_of(record["received_at"])
    if occurred > received:
        return "clock-ahead"
    return "late or clock-behind" if received - occurred > 10 * SECOND else None


def look_at_record(record, raw, seen):
    """seen: of each key the line and its bytes."""
    if "event" not in record:
        return "id-missing"
    if record["event"] in seen:
        same_bytes = seen[record["event"]][1] == raw
        return "duplicate" if same_bytes else "tombstone" if record["kind"] == "deleted" else "again"
    if record["kind"] == "erasure":
        return "erasure"
    if money_of(record)["amount"] == "n/a":
        return "amount-text"
    if money_of(record)["currency"] == "JPY" and BUG[0] <= time_of(record["received_at"]) < BUG[1]:
        return "currency"
    return look_at_times(record)


class Seen:
    """All lines: found: {line: fault}; of: {line: the line that it repeats}; records: {line: record}."""

    def __init__(self, lines):
        self.lines, self.found, self.of, self.records = lines, {}, {}, {}
        seen, last = {}, ""
        for number, raw in enumerate(lines, 1):
            fault, record = look_at_text(raw)
            if record:
                check_shape(record, number)
                self.records[number] = record
                fault = look_at_record(record, raw, seen)
                if fault in ("duplicate", "tombstone", "again"):
                    self.of[number] = seen[record["event"]][0]
                if fault != "duplicate":
                    must(record["received_at"] >= last, "line", number, "was received before the one above it")
                    last = record["received_at"]
                seen.setdefault(record.get("event"), (number, raw))
            if fault:
                self.found[number] = fault
        self.erase()
        self.keys = set(seen)

    def erase(self):
        gone = {self.records[number]["account"] for number, fault in self.found.items() if fault == "erasure"}
        for number, record in self.records.items():
            if record["account"] in gone and self.found.get(number) != "erasure":
                must(number not in self.found, "two faults in line", number)
                self.found[number] = "erased"
        changed = [number for number, record in self.records.items() if record["schema"] == 2 and number not in self.found]
        if changed:
            self.found[changed[0]] = "schema"


# --- what the manifest says of them


def found_at(record, field):
    for name in field.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return None if record is None else f"{record:.2f}" if isinstance(record, float) else str(record)


def check_values(row, number, seen):
    record, raw = seen.records.get(number), seen.lines[number - 1]
    if record is None:
        must(raw.startswith(b'{"event": "%s"' % row["key"].encode()), row)
        same(row["found"], None, f"found in line {number}")
        return
    if row["fault"] == "id-missing":
        must(row["key"] == row["right"] and row["key"] not in seen.keys and re.fullmatch("[0-9]{12}", row["key"]), row)
    else:
        same(record["event"], row["key"], f"key of line {number}")
    if row["field"]:
        same(found_at(record, row["field"]), row["found"], f"{row['field']} of line {number}")


def check_late(row, record):
    late = time_of(row["found"]) - time_of(row["right"])
    must(HOUR <= late <= 7 * DAY, late, row)
    must(0.05 * SECOND <= time_of(row["right"]) - time_of(record["occurred_at"]) <= 10 * SECOND, row)


def check_skew(row, record):
    skew = time_of(row["found"]) - time_of(row["right"])
    must(MINUTE <= (skew if row["fault"] == "clock-ahead" else -skew) <= DAY, skew, row)
    must(0.05 * SECOND <= time_of(record["received_at"]) - time_of(row["right"]) <= 10 * SECOND, row)


CHECKS = {"late": check_late, "clock-ahead": check_skew, "clock-behind": check_skew}


def of_index(row):
    return row["fault"].startswith("entry-")


def check_index(manifest, seen, entries):
    """The entries of what the replay ends up with, but for what the manifest has of the index; each once."""
    right = Counter(f"{account}:{key}" for key, (*_, account) in wanted(seen, manifest).items())
    rows = [row for row in manifest if of_index(row)]
    missing = {row["right"]: row["fault"] for row in rows if row["right"]}
    extra = {row["found"]: row["fault"] for row in rows if row["found"]}
    found = Counter(entries)
    same((right - found, found - right), (Counter(list(missing)), Counter(list(extra))), "entries that are missing, and that are too many")
    must(set(missing) <= set(right) and not set(extra) & set(right), "right is", missing, "and wrong is", extra)
    same(Counter((row["fault"], bool(row["right"]), bool(row["found"])) for row in rows),
         Counter((row["fault"], row["fault"] != "entry-dangling", row["fault"] != "entry-missing") for row in rows), "what is said of them")
    for row in rows:
        must(row["line"] not in seen.found and seen.records[row["line"]]["event"] == row["key"], "a record that is at fault too", row)


def check_manifest(manifest, seen):
    same([row["line"] for row in manifest if not of_index(row)], sorted(seen.found), "lines with a fault")
    for row in (row for row in manifest if not of_index(row)):
        number, fault = row["line"], row["fault"]
        found = seen.found[number]
        must(found == fault or (found.startswith("late or") and fault in ("late", "clock-behind")), number, found, row)
        check_values(row, number, seen)
        same(row.get("of"), seen.of.get(number), f"what line {number} repeats")
        must(number - row.get("of", number - 1) in range(1, 512), row)
        if fault in CHECKS:
            CHECKS[fault](row, seen.records[number])
        if fault == "currency":
            same(row["found"], row["right"] + "00", "yen")
    same(len(seen.of), len(set(seen.of.values())), "lines that are repeated once")


def generate(stand, records=RECORDS, seed=SEED):
    """What is seen in the lines, the manifest, and the index."""
    stand.sluice("gen", "events", "--records", str(records), "--seed", str(seed), "--out", "e.ndjson", "--faults", "f.ndjson",
                 "--index", "i.ndjson").ended(0)
    lines = stand.path("e.ndjson").read_bytes().split(b"\n")
    same(lines.pop(), b"", "what is behind the last line")
    same(len(lines), records, "lines")
    return Seen(lines), manifest_of(stand, "f.ndjson"), [json.loads(line)["entry"] for line in stand.read("i.ndjson").splitlines()]


def manifest_of(stand, name):
    return [json.loads(line) for line in stand.read(name).splitlines()]


@test("gen events: what a reader finds wrong in the records is what the manifest has, each in its line, and nothing else")
def _(stand):
    seen, manifest, entries = generate(stand)
    check_manifest(manifest, seen)
    check_index(manifest, seen, entries)
    met = Counter(row["fault"] for row in manifest)
    rows = [row for row in stand.sluice("explain", "fault", "--json").ended(0).json()["entries"] if row["gen"] == "events"]
    same(set(met), {row["name"] for row in rows}, "faults that were met")
    same({row["fault"]: row["ends"] for row in manifest}, {row["name"]: row["ends"] for row in rows}, "how they end")
    same((met["schema"], met["erasure"]), (1, RECORDS // 2000), "of a rule")


@test("gen events: a few records are as true as many, of any seed")
def _(stand):
    for seed in range(4):
        for records in (0, 1, 10, 1000, 2500):
            seen, manifest, entries = generate(stand, records=records, seed=seed)
            check_manifest(manifest, seen)
            check_index(manifest, seen, entries)


@test("gen events: the accounts are the customers of the same seed, by Zipf's law with the exponent 9/8")
def _(stand):
    seen, *_ = generate(stand)
    people = RECORDS // 10
    stand.sluice("gen", "customers", "--records", str(people), "--seed", str(SEED), "--out", "c.ndjson", "--faults", "cf.ndjson").ended(0)
    faults = {row["line"]: row for row in map(json.loads, stand.read("cf.ndjson").splitlines())}
    rank = {}
    for number, line in enumerate(stand.read("c.ndjson").splitlines(), 1):
        fault = faults.get(number, {"fault": ""})
        if fault["fault"] != "older-state":
            rank[fault["right"] if fault["fault"] == "name-spaced" else line.split('"', 4)[3]] = number
    kept = [rank.get(record["account"]) for number, record in seen.records.items() if seen.found.get(number) != "erasure"]
    ranks = Counter(kept)
    must(ranks.pop(None, 0) < RECORDS / 100, "events of strangers")
    # The likelihood's top, by halving: the mean of log(rank) is what the law with that exponent has.
    mean, low, high = sum(math.log(k) * n for k, n in ranks.items()) / sum(ranks.values()), 0.5, 2.0
    for _ in range(20):
        middle = (low + high) / 2
        weights = [k ** -middle for k in range(1, people + 1)]
        wanted = sum(math.log(k) * weight for k, weight in enumerate(weights, 1)) / sum(weights)
        low, high = (middle, high) if wanted > mean else (low, middle)
    must(abs(low - 1.125) < 0.02, "the exponent is", low)


@test("gen events: another seed gives other bytes, the same the same, with and without a manifest; a million, too")
def _(stand):
    def made(*more):
        return stand.sluice("gen", "events", "--records", "3000", *more).ended(0).out
    first = made()
    same(made("--seed", "1", "--faults", "f.ndjson"), first, "bytes of the same seed")
    same(made("--faults", "with.ndjson", "--index", "i.ndjson"), first, "bytes beside an index")
    same([row for row in manifest_of(stand, "with.ndjson") if not of_index(row)], manifest_of(stand, "f.ndjson"), "faults beside an index")
    must(made("--seed", "2") != first, "another seed")
    stand.sluice("gen", "events", "--records", "1000000", "--out", "e.ndjson", "--faults", "f.ndjson").ended(0)
    raw = stand.path("e.ndjson").read_bytes()
    same(raw.count(b"\n"), 1000000, "lines")
    words = Counter(re.findall('"fault": "([a-z0-9-]*)"', stand.read("f.ndjson")))
    same((words["erasure"], words["amount-text"]), (500, raw.count(b'"amount": "n/a"')), "of a million")
    must(raw.count(b'"kind": "deleted"') == words["tombstone"] and words["tombstone"] > 900, words)


@test("gen events: a full disk and a Ctrl-C are said, and what is not whole is told")
def _(stand):
    done = stand.run(["sh", "-c", f"{stand.programs.sluice} gen events --records 100000 >/dev/full"]).ended(5)
    among("standard output: ", done.err)
    process = stand.start("gen", "events", "--records", "1000000000000", "--out", "e.ndjson")
    while not stand.path("e.ndjson").exists() or stand.path("e.ndjson").stat().st_size == 0:
        must(process.poll() is None, "it ended before that")
    process.send_signal(signal.SIGINT)
    among("interrupted; what is written is not whole", stand.finish(process).ended(3).err)


# --- the replay


def documents(stand):
    return {key: json.loads(document) for key, (document, _) in stand.dump("events").items()}


def wanted(seen, manifest):
    """What should stand in the target: from the records and the manifest alone."""
    rows = {row["line"]: row for row in manifest}
    lost = {row["of"] for row in manifest if row["fault"] in ("again", "tombstone")}
    kept = {}
    for number, record in seen.records.items():
        row = rows.get(number, {"fault": "", "ends": "written"})
        if row["ends"] not in ("written", "mended", "supersedes") or number in lost:
            continue
        money = money_of(record)
        amount = int(row["right"]) if row["fault"] == "currency" else money["amount"]
        occurred = record["received_at"] if row["fault"] == "clock-ahead" else record["occurred_at"]
        kept[record["event"]] = (amount, money["currency"], occurred, record["received_at"], record["account"])
    return kept


@test("gen events: the replay of the page ends as the manifest says: the quarantine line by line, the target record by record, "
      "the index entry by entry")
def _(stand):
    part = PAGE[PAGE.index("### A replay"):]
    for name, text in re.findall(r"```\w+\n(?:#|--) ([\w.]+)[^\n]*\n(.*?)```", part, re.S):
        stand.write(name, text)
    commands = re.findall(r"^    ((?:sluice|mkdir|sed|cat) [^\n]*)$", part, re.M)
    program = stand.programs.sluice.parent
    variables = dict(stand.environment(), PATH=f"{program}:{stand.environment()['PATH']}")
    ends = {"sluice cat file:archive": 8, "sluice run events.yaml": 8, "sluice verify events.yaml": 4}
    for command in commands: # the last one verifies
        done = stand.run(["sh", "-c", command], env=variables).ended(next((ends[words] for words in ends if command.startswith(words)), 0))
    lines = stand.path("archive/events.ndjson").read_bytes().split(b"\n")[:-1]
    seen, manifest = Seen(lines), manifest_of(stand, "faults.ndjson")
    check_quarantine(stand, manifest)
    found = {key: (row["money"]["amount"], row["money"]["currency"], row["occurred_at"], row["received_at"], row["account"])
             for key, row in documents(stand).items()}
    same(stand.status("replay-events")["records"]["written"], len(found), "written")
    must(found == wanted(seen, manifest), "the target is not what the manifest makes of the records")
    report = stand.read(re.search(r"report: (\S+)", done.out).group(1))
    check_verdict(report, [row for row in manifest_of(stand, "index-faults.ndjson") if of_index(row)])


def check_quarantine(stand, manifest):
    refused = [json.loads(line) for line in stand.sluice("quarantine", "list", "replay-events", "--json").ended(0).out.splitlines()]
    same(sorted(row["line"] for row in refused if row["type"] == "refused"),
         [row["line"] for row in manifest if row["ends"] == "refused"], "lines in the quarantine")
    ends = Counter(row["ends"] for row in manifest)
    counted = stand.status("replay-events")["records"]
    same((counted["rejected"], counted["filtered"], counted["unchanged"] + counted["deleted"], counted["duplicates"]),
         (ends["refused"], ends["filtered"], ends["deleted"], ends["superseded"] + ends["supersedes"] + ends["deleted"]), "counts")


def check_verdict(report, planted):
    """What the report has of the index: each fault that was planted, by the check that docs/verification.md names, and no more."""
    missing = {("missing_entry", row["right"], row["key"], "it is not there") for row in planted if row["right"]}
    dangling = {("dangling_entry", row["found"], row["key"] + "x", "its record is not there") for row in planted if not row["right"]}
    elsewhere = {("dangling_entry", row["found"], row["key"], "its record has another value") for row in planted if row["right"] and row["found"]}
    said = [json.loads(line) for line in report.splitlines()]
    same({(row["what"], row["entry"], row["key"], row["why"]) for row in said if row["kind"] == "rule"}, missing | dangling | elsewhere, "the report")
    by_index = set(re.findall(r"^\| `([a-z0-9-]+)` \| index:", (SOURCE / "docs" / "verification.md").read_text(), re.M))
    same(({row["fault"] for row in planted}, bool(missing and dangling and elsewhere)), (by_index, True), "faults that the index's check finds")


if __name__ == "__main__":
    run_all()
