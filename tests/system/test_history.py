#!/usr/bin/env python3
"""What history.py finds: planted violations, and nothing where there are none."""

import random
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lint"))

import tap
from history import NEVER, READS, History, Op


def faults(*ops):
    history = History()
    history.add(*(Op(*op) for op in ops))
    return list(history.faults())


class Histories(unittest.TestCase):
    def one(self, words, *ops):
        found = faults(*ops)
        self.assertTrue(found)
        self.assertIn(words, found[0])

    def none(self, *ops):
        self.assertEqual(faults(*ops), [])

    # --- registers

    def test_a_register_that_shows_what_was_written_last_is_possible(self):
        self.none(("write", "r", "a", 0, 1), ("read", "r", "a", 2, 3), ("write", "r", "b", 4, 5), ("read", "r", "b", 6, 7))

    def test_a_read_beside_a_write_may_see_either(self):
        self.none(("write", "r", "a", 0, 1), ("write", "r", "b", 2, 9), ("read", "r", "b", 3, 4), ("read", "r", "b", 5, 6))
        self.none(("write", "r", "a", 0, 1), ("write", "r", "b", 2, 9), ("read", "r", "a", 3, 4), ("read", "r", "b", 5, 6))

    def test_a_write_that_is_overwritten_by_an_older_value_is_found(self):
        self.one("older", ("write", "r", "a", 0, 1), ("write", "r", "b", 2, 3), ("read", "r", "a", 4, 5))

    def test_a_value_that_comes_back_after_another_was_seen_is_found(self):
        self.one("behind it", ("write", "r", "a", 0, 1), ("read", "r", "a", 2, 3), ("write", "r", "b", 4, 5), ("read", "r", "b", 6, 7),
                 ("read", "r", "a", 8, 9))

    def test_two_reads_beside_a_write_do_not_see_it_come_and_go(self):
        self.one("b", ("write", "r", "a", 0, 1), ("write", "r", "b", 2, 99), ("read", "r", "b", 3, 4), ("read", "r", "a", 5, 6))

    def test_what_nobody_wrote_is_found(self):
        self.one("nobody wrote", ("write", "r", "a", 0, 1), ("read", "r", "z", 2, 3))

    def test_what_is_seen_before_it_is_written_is_found(self):
        self.one("later", ("read", "r", "a", 0, 1), ("write", "r", "a", 2, 3))

    def test_a_write_that_nobody_heard_of_may_be_seen_late_or_never(self):
        self.none(("write", "r", "a", 0, 1), ("write", "r", "b", 2, NEVER), ("read", "r", "a", 4, 5), ("read", "r", "b", 6, 7))
        self.none(("write", "r", "a", 0, 1), ("write", "r", "b", 2, NEVER), ("read", "r", "a", 4, 5))

    # --- counters

    def test_a_counter_that_counts_is_possible(self):
        self.none(("look", "c", 3, 0, 1), ("count", "c", 4, 2, 5), ("count", "c", 5, 3, 4), ("look", "c", 5, 6, 7))

    def test_a_lost_count_is_found(self):
        self.one("at least 5", ("look", "c", 3, 0, 1), ("count", "c", 4, 2, 3), ("count", "c", 5, 4, 5), ("look", "c", 4, 6, 7))

    def test_a_number_that_is_given_twice_is_found(self):
        self.one("twice", ("look", "c", 3, 0, 1), ("count", "c", 4, 2, 9), ("count", "c", 4, 3, 8))

    def test_a_count_that_nobody_made_is_found(self):
        self.one("at most 4", ("look", "c", 3, 0, 1), ("count", "c", 4, 2, 3), ("look", "c", 5, 6, 7))

    def test_a_counter_that_goes_backwards_beside_counts_that_nobody_heard_of_is_found(self):
        self.one("backwards", ("look", "c", 0, 0, 1), ("count", "c", None, 2, NEVER), ("look", "c", 1, 3, 4), ("look", "c", 0, 5, 6))

    def test_a_count_that_nobody_heard_of_may_have_been_made_or_not(self):
        self.none(("look", "c", 0, 0, 1), ("count", "c", None, 2, NEVER), ("look", "c", 1, 3, 4))
        self.none(("look", "c", 0, 0, 1), ("count", "c", None, 2, NEVER), ("look", "c", 0, 3, 4))

    # --- sets

    def test_a_set_that_has_what_was_added_and_not_removed_is_possible(self):
        self.none(("add", "s", "a", 0, 1), ("add", "s", "b", 2, 3), ("members", "s", {"a", "b"}, 4, 5), ("remove", "s", "a", 6, 7),
                  ("members", "s", {"b"}, 8, 9))

    def test_a_member_that_is_lost_is_found(self):
        self.one("lost", ("add", "s", "a", 0, 1), ("members", "s", set(), 2, 3))

    def test_a_member_that_was_removed_and_is_back_is_found(self):
        self.one("back", ("add", "s", "a", 0, 1), ("remove", "s", "a", 2, 3), ("members", "s", {"a"}, 4, 5))

    def test_a_member_that_goes_and_comes_beside_its_removal_is_found(self):
        self.one("gone, and is back", ("add", "s", "a", 0, 1), ("remove", "s", "a", 2, NEVER), ("members", "s", {"a"}, 3, 4),
                 ("members", "s", set(), 5, 6), ("members", "s", {"a"}, 7, 8))

    def test_a_member_that_was_seen_and_whose_adding_nobody_heard_of_does_not_go_by_itself(self):
        self.one("seen, and is lost", ("add", "s", "a", 0, NEVER), ("members", "s", {"a"}, 1, 2), ("members", "s", set(), 3, 4))

    def test_a_member_that_nobody_added_is_found(self):
        self.one("nobody added", ("members", "s", {"z"}, 0, 1))

    # --- all of them

    def test_histories_of_a_store_that_keeps_its_word_are_possible_and_those_of_one_that_reverts_a_write_are_not(self):
        spoiled = 0
        for seed in range(300):
            history, kept = random_history(seed)
            self.assertEqual(list(history.faults()), [], f"seed {seed}")
            if spoil(history, kept, seed):
                spoiled += 1
                self.assertTrue(list(history.faults()), f"seed {seed}")
        self.assertGreater(spoiled, 200)


def random_history(seed):
    """Operations of a register that take effect at a moment each has drawn; some are not heard of."""
    dice, ops = random.Random(seed), []
    for i in range(20):
        at = i + dice.random() * 0.5
        begin, end = at - dice.random(), at + dice.random()
        ops.append((at, dice.choice(("write", "read")) if i else "write", begin, end))
    value, history, kept = None, History(), []
    for i, (_, kind, begin, end) in enumerate(sorted(ops)):
        value = f"v{i}" if kind == "write" else value
        unheard = kind == "write" and i and dice.random() < 0.1
        history.add(Op(kind, "r", value, begin, NEVER if unheard else end))
        kept.append(value)
    return history, kept


def spoil(history, kept, seed):
    """The store goes back to an older value, behind everything, and a read sees it."""
    dice = random.Random(seed)
    older = [op for op in history.ops if op.kind == "write" and op.value != kept[-1]]
    surely = [op for op in history.ops if op.kind not in READS and op.value == kept[-1] and op.end != NEVER]
    if not older or not surely:
        return False
    chosen = dice.choice(older)
    if chosen.end > surely[0].begin:
        return False
    history.add(Op("read", "r", chosen.value, 100, 101))
    return True


if __name__ == "__main__":
    sys.exit(tap.run(Histories))
