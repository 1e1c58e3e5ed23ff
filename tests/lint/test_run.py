#!/usr/bin/env python3
"""tests/run.py counts what ran, and nothing that did not run as passed. Prints TAP."""

import contextlib
import io
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from unittest import mock

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import run  # noqa: E402
import tap  # noqa: E402


def outcomes(stdout, result="OK", returncode=0, stderr=""):
    entry = {"name": "base/x", "stdout": stdout, "stderr": stderr, "result": result, "returncode": returncode}
    return [(case.name.removeprefix("gcc base/x").removeprefix(": "), case.outcome, case.detail)
            for case in run.cases_of(entry, "gcc")]


def chosen(script, *words):
    """A script of tests that is told to run what it does not have."""
    script = Path(__file__).resolve().parent.parent / script
    programs = [word for name in ("app", "dies") for word in (f"--{name}", sys.executable)]
    return subprocess.run([sys.executable, script, *programs, *words], capture_output=True, text=True, check=False)


class Counting(unittest.TestCase):
    def test_nothing_that_was_chosen_is_no_success(self):
        for script, more in (("system/permits.py", ("--sluice", sys.executable)), ("crash/crash.py", ())):
            done = chosen(script, *more, "--only", "no such thing")
            self.assertEqual(done.returncode, 2, f"{script}: {done.stdout}")
            self.assertIn("'no such thing'", done.stderr)

    def test_what_cmocka_prints(self):
        printed = "1..3\nok 1 - a_holds\nnoise\nnot ok 2 - b_holds t.c:7: error: Failure!\n# reason: no server\nnot ok 3 # SKIP c_holds\n# not ok - tests\n"
        self.assertEqual(outcomes(printed, "FAIL", 1), [
            ("a_holds", "passed", ""),
            ("b_holds", "failed", "noise\nt.c:7: error: Failure!"),
            ("c_holds", "skipped", "no server")])

    def test_what_a_failed_one_says_on_the_other_stream(self):
        printed = "1..2\nok 1 - a_holds\nnot ok 2 - b_holds\n# t.c:7: error: Failure!\n"
        self.assertEqual(outcomes(printed, "FAIL", 1, "ERROR: row 27 ended with 0\nDirect leak of 24 bytes\n"), [
            ("a_holds", "passed", ""),
            ("b_holds", "failed", "ERROR: row 27 ended with 0\n# t.c:7: error: Failure!")])

    def test_what_others_print(self):
        printed = "1..2\nok 1 - name of several words\nok 2 - other # SKIP no docker\n"
        self.assertEqual(outcomes(printed), [
            ("name of several words", "passed", ""), ("other", "skipped", "no docker")])

    def test_a_plan_that_skips_all(self):
        self.assertEqual(outcomes("1..0 # SKIP no data\n"), [("all", "skipped", "no data")])

    def test_a_crash_counts_what_was_not_reached(self):
        found = outcomes("1..3\nok 1 - a\n", "ERROR", -11, "Segmentation fault")
        self.assertEqual(found[0][1], "passed")
        self.assertEqual(found[1][0], "2 of 3 tests were not reached")
        self.assertEqual(found[1][1], "failed")
        self.assertIn("Segmentation fault", found[1][2])

    def test_a_leak_after_all_tests_is_a_failure(self):
        found = outcomes("1..1\nok 1 - a\n", "FAIL", 23, "LeakSanitizer: detected memory leaks")
        self.assertEqual([outcome for _, outcome, _ in found], ["passed", "failed"])

    def test_a_time_out_is_a_failure(self):
        self.assertEqual([outcome for _, outcome, _ in outcomes("1..1\nok 1 - a\n", "TIMEOUT")], ["passed", "failed"])

    def test_a_program_that_says_nothing_is_one_test(self):
        self.assertEqual([outcome for _, outcome, _ in outcomes("")], ["passed"])
        self.assertEqual([outcome for _, outcome, _ in outcomes("", "FAIL", 1)], ["failed"])
        self.assertEqual([outcome for _, outcome, _ in outcomes("ok 1 - a\n")], ["passed", "failed"]) # TAP without a plan

    def test_which_tests_a_build_runs(self):
        unit, lint = {"suite": ["sluice:unit", "sluice:promise3"]}, {"suite": ["sluice:lint"]}
        self.assertTrue(run.chosen(unit, "all,-lint", set()))
        self.assertFalse(run.chosen(lint, "all,-lint", set()))
        self.assertFalse(run.chosen(unit, "threads", set()))
        self.assertTrue(run.chosen(unit, "all", {"promise3"}))
        self.assertFalse(run.chosen(unit, "all", {"promise30", "lint"}))

    def said(self, cases):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            good = run.report(cases)
        return bool(good), out.getvalue().splitlines()

    def test_the_last_line_and_the_verdict(self):
        passed, failed = run.Case("a", "passed", ""), run.Case("b", "failed", "why")
        skipped = run.Case("c", "skipped", "no server")
        good, lines = self.said([passed, passed, skipped])
        self.assertTrue(good)
        self.assertEqual(lines[-1], "2 passed, 0 failed, 1 skipped")
        self.assertIn("c: no server", lines)
        good, lines = self.said([passed, failed])
        self.assertFalse(good)
        self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")
        good, lines = self.said([skipped])
        self.assertFalse(good, "a run in which nothing passed is not green")

    def second(self, name, printed, others=()):
        """What a test that failed is after a second try that printed this, and which programs ran again."""
        ran = []

        def again(build, names, lane):
            ran.append((build, *names, lane.at_once))
            return [{"name": names[0], "stdout": printed, "stderr": "", "result": "OK", "returncode": 0}]
        cases = [run.Case(name, "failed", "why"), run.Case("gcc base/x: a", "passed", ""), *others]
        with contextlib.redirect_stdout(io.StringIO()):
            return run.try_again(cases, again)[0].outcome, ran

    def test_what_waits_has_a_second_try(self):
        alone = [("gcc", "system/stages", 1)]
        self.assertEqual(self.second("gcc system/stages: b", "1..2\nok 1 - a\nok 2 - b\n"), ("unsteady", alone))
        self.assertEqual(self.second("gcc system/stages: b", "1..2\nok 1 - a\nnot ok 2 - b\n"), ("failed", alone))
        self.assertEqual(self.second("gcc system/stages: b", "1..2\nnot ok 1 - a\nok 2 - b\n"), ("failed", alone))
        self.assertEqual(self.second("gcc system/stages: b", "1..2\nok 1 - a\nok 2 - b # SKIP no server\n"), ("failed", alone))
        self.assertEqual(self.second("gcc system/stages: b", "1..3\nok 1 - a\nok 2 - b\n"), ("failed", alone), "a crash")
        self.assertEqual(self.second("gcc system/stages: 2 of 4 tests were not reached", "1..1\nok 1 - a\n"), ("unsteady", alone))

    def test_what_says_its_seed_or_fails_often_has_none(self):
        for name in ("gcc model/mem: 5", "asan unit/base: x", "gcc crash/repair: x", "gcc: build"):
            self.assertEqual(self.second(name, "1..1\nok 1 - 5\n"), ("failed", []))
        more = [run.Case(f"gcc system/{name}: x", "failed", "") for name in "abcde"]
        self.assertEqual(self.second("gcc system/stages: b", "1..1\nok 1 - b\n", more), ("failed", []))

    def test_what_is_unsteady_is_told_and_does_not_fail(self):
        good, lines = self.said([run.Case("a", "passed", ""), run.Case("b", "unsteady", "why")])
        self.assertTrue(good)
        self.assertEqual(lines[-1], "2 passed, 0 failed, 0 skipped")
        self.assertTrue(any(line.startswith("== unsteady") for line in lines) and "    why" in lines)

    def test_a_reason_behind_the_line_is_told_with_it(self):
        self.assertEqual(outcomes("1..2\nnot ok 1 - a\n#   why\n#   more\nok 2 - b\n", "FAIL", 1),
                         [("a", "failed", "#   why\n#   more"), ("b", "passed", "")])

    def run_builds(self, rows, names, broken=()):
        """What ran where, and the cases, of builds that all have these tests."""
        ran = []

        def make(build, row, asked, lane):
            return ([], [run.Case(f"{build}: build", "failed", "")]) if build in broken else \
                ([name for name in names if run.lane_of(name) is lane], [])

        def run_programs(build, these, lane):
            ran.append((build, lane.name, these))
            return [run.Case(f"{build} {name}", "passed", "") for name in these]
        with mock.patch.multiple(run, make=make, run_programs=run_programs):
            cases = run.run_builds(rows, set())
        return ran, cases

    def test_what_waits_and_what_computes_have_lanes_of_their_own(self):
        names = ["base/x", "system/stages", "model/many", "conformance/mem", "crash/fill", "page/chromium", "demo", "demo/paste"]
        ran, cases = self.run_builds([("gcc", "all"), ("asan", "all")], names)
        for build in ("gcc", "asan"):
            self.assertIn((build, "computing", ["base/x", "model/many", "crash/fill"]), ran)
            self.assertIn((build, "waiting", ["system/stages", "conformance/mem", "page/chromium", "demo", "demo/paste"]), ran)
        self.assertEqual(len(cases), 2 * len(names), "each runs once in each build")

    def test_what_is_built_runs_beside_what_is_not_yet(self):
        runs = {key: threading.Event() for key in (("gcc", "waiting"), ("gcc", "computing"), ("asan", "waiting"))}
        before = {("gcc", "computing"): [("gcc", "waiting")], ("asan", "waiting"): [("gcc", "computing")],
                  ("asan", "computing"): [("gcc", "computing"), ("asan", "waiting")]}
        seen = []

        def make(build, row, asked, lane):
            seen.extend(runs[key].wait(20) for key in before.get((build, lane.name), []))
            return ["system/y" if lane is run.WAITS else "base/x"], []

        def run_programs(build, names, lane):
            runs.setdefault((build, lane.name), threading.Event()).set()
            return []
        with mock.patch.multiple(run, make=make, run_programs=run_programs):
            run.run_builds([("gcc", "all"), ("asan", "all")], set())
        self.assertEqual(seen, [True] * 4)

    def test_a_build_that_is_broken_does_not_hold_up_the_next(self):
        ran, cases = self.run_builds([("gcc", "all"), ("asan", "all")], ["base/x", "system/y"], broken=("gcc",))
        self.assertEqual({build for build, _, _ in ran}, {"asan"})
        self.assertEqual(sorted((case.name, case.outcome) for case in cases),
                         [("asan base/x", "passed"), ("asan system/y", "passed"), ("gcc: build", "failed")])

    def test_what_a_lane_did_not_run_is_a_failure(self):
        entry = {"name": "base/x", "stdout": "1..1\nok 1 - a\n", "stderr": "", "result": "OK", "returncode": 0}
        for entries, outcomes in ((None, ["failed"]), ([entry], ["passed", "failed"])):
            with mock.patch.object(run, "entries_of", return_value=entries):
                self.assertEqual([case.outcome for case in run.run_programs("gcc", ["base/x", "base/y"], run.COMPUTES)], outcomes)

    def test_what_is_not_built_is_a_failure(self):
        names, cases = run.make("nonexistent", "all", set(), run.COMPUTES)
        self.assertEqual((names, [case.outcome for case in cases]), ([], ["failed"]))


if __name__ == "__main__":
    sys.exit(tap.run(Counting))
