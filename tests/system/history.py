"""A history of what clients did to registers, counters and sets, and whether a store could have answered so: each operation
takes effect at one moment between its call and its answer, on what the clients alone have written. Whoever else writes
these keys must leave no trace in it: a write that he lost or took back makes the history impossible.

    history = History()
    with history.op("write", "r:1", "a7") as op:    # its call; a value is written once
        client.hset(…)
        op.answer()                                  # heard; left without: nobody knows whether it took effect
    for what in history.faults(): …

Registers: P. B. Gibbons and E. Korach, Testing shared memories, SIAM Journal on Computing 26 (1997): where values are
unique, a write and the reads that saw it have a zone, and zones alone tell. Counters and sets (whose members are each added
once, and perhaps removed once) need no search either."""

import contextlib
import threading
import time
from bisect import bisect_left
from collections import defaultdict

NEVER = float("inf")


class Op:
    """`end` NEVER: no answer was heard. An operation that surely did nothing is not kept."""

    def __init__(self, kind, key, value, begin=0.0, end=NEVER):
        self.kind, self.key, self.value, self.begin, self.end = kind, key, value, begin, end

    def answer(self, value=None):
        self.end = time.monotonic()
        if value is not None:
            self.value = value

    def __repr__(self):
        return f"{self.kind} {self.key} {self.value!r} [{self.begin:.6f} {self.end:.6f}]"


class History:
    def __init__(self):
        self.ops, self.lock = [], threading.Lock()

    def add(self, *ops):
        with self.lock:
            self.ops.extend(ops)

    @contextlib.contextmanager
    def op(self, kind, key, value=None):
        op = Op(kind, key, value, time.monotonic())
        try:
            yield op
        finally:
            if op.end != NEVER or kind not in READS: # a read that nobody heard says nothing
                self.add(op)

    def faults(self):
        """In words; none: it is possible."""
        by_key = defaultdict(list)
        for op in self.ops:
            by_key[op.key].append(op)
        for key, ops in sorted(by_key.items()):
            kinds = {op.kind for op in ops}
            judge = register if kinds & {"write", "read"} else counter if kinds & {"count", "look"} else members
            yield from judge(key, ops)

    def counts(self):
        found = defaultdict(int)
        for op in self.ops:
            found[op.kind if op.end != NEVER else op.kind + ", unheard"] += 1
        return dict(found)


READS = {"read", "look", "members"}

# --- registers -------------------------------------------------------------------------------------------------------


def zones(ops):
    """(first end, last begin) of each value's operations, and the write of each."""
    groups, writes = defaultdict(list), {}
    for op in ops:
        if op.kind == "write":
            writes[op.value] = op
        groups[op.value].append(op)
    return {value: (min(op.end for op in group), max(op.begin for op in group), group) for value, group in groups.items()}, writes


def register(key, ops):
    """A write and its reads end first at `end` and begin last at `begin`. Forward zone, end < begin: the value stood all
    that time, and nothing else did."""
    found, writes = zones(ops)
    for value, (_, _, group) in found.items():
        if value not in writes:
            yield f"{key}: {group[0]} saw what nobody wrote"
        else:
            yield from (f"{key}: {op} saw what was written later: {writes[value]}" for op in group if op.end < writes[value].begin)
    forward = sorted((end, begin, value) for value, (end, begin, _) in found.items() if end < begin)
    for (_, begin, value), (end, _, other) in zip(forward, forward[1:]):
        if end < begin:
            yield f"{key}: {value!r} stood before {other!r} and behind it"
    for value, (end, begin, _) in found.items():
        if begin <= end and end != NEVER:
            for first, last, other in forward:
                if first < begin and end < last:
                    yield f"{key}: {value!r} was written, and its place was taken by the older {other!r}"


# --- counters --------------------------------------------------------------------------------------------------------


def counter(key, ops):
    """count: one more; its answer is what stands then. look: what stands. The first operation is a look that begins at
    what the counter began with."""
    counts = [op for op in ops if op.kind == "count"]
    first = min((op for op in ops if op.kind == "look"), key=lambda op: op.begin)
    heard = [op for op in ops if op.end != NEVER]
    begins, ends = sorted(op.begin for op in counts), sorted(op.end for op in counts)
    for op in heard:
        least = first.value + bisect_left(ends, op.begin)
        most = first.value + bisect_left(begins, op.end)
        if not least <= op.value <= most:
            yield f"{key}: {op}: at least {least} and at most {most} were counted"
    seen = {}
    for op in heard:
        if op.kind == "count":
            if op.value in seen:
                yield f"{key}: {op} and {seen[op.value]}: counted twice to the same number"
            seen[op.value] = op
    latest = None
    for op in sorted(heard, key=lambda op: op.begin):
        before = [each for each in (latest,) if each and each.end < op.begin]
        if before and op.value < before[0].value:
            yield f"{key}: {op} behind {before[0]}: it went backwards"
        if not latest or op.value > latest.value and op.end != NEVER:
            latest = op


# --- sets ------------------------------------------------------------------------------------------------------------


def members(key, ops):
    """add and remove: of one member, each once at most, a remove behind its add. members: a set of all."""
    adds = {op.value: op for op in ops if op.kind == "add"}
    removes = {op.value: op for op in ops if op.kind == "remove"}
    looks = sorted((op for op in ops if op.kind == "members"), key=lambda op: op.begin)
    seen = {} # member: the first look that has it
    gone = {} # … and behind that, the first that has it not
    for look in looks:
        for member in look.value:
            if member not in adds:
                yield f"{key}: {member!r} was seen, and nobody added it"
            elif look.end < adds[member].begin:
                yield f"{key}: {member!r} was seen before it was added"
            elif member in removes and removes[member].end < look.begin:
                yield f"{key}: {member!r} was removed, and is back"
            elif member in gone and gone[member].end < look.begin:
                yield f"{key}: {member!r} was gone, and is back"
            seen.setdefault(member, look)
        for member, add in adds.items():
            if member in look.value:
                continue
            may_be_removed = member in removes and removes[member].begin < look.end
            if add.end < look.begin and not may_be_removed:
                yield f"{key}: {member!r} was added, and is lost"
            elif member in seen and seen[member].end < look.begin and not may_be_removed:
                yield f"{key}: {member!r} was seen, and is lost"
            if member in seen and seen[member].end < look.begin:
                gone.setdefault(member, look)
