#!/usr/bin/env python3
"""The application ends at a SIGTERM, wherever in its waiting that comes: each line in turn."""

import os
import signal
import sys
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lint"))

import tap
from application import Application

LIMIT_S = 60
LATE = 1e9 # operations a second: each is late, so that it never waits for its time


class AtLine:
    """A SIGTERM at the nth line of Python that is run once the first operation has been."""

    def __init__(self, nth):
        self.nth, self.lines = nth, 0

    def __call__(self, _frame, event, _more):
        if event == "line":
            self.lines += 1
            if self.lines == self.nth:
                os.kill(os.getpid(), signal.SIGTERM)
        return self


class Idle(Application):
    """Does nothing, at its rate."""

    def connect(self):
        return None

    def one(self, n, due):
        sys.settrace(self.at_line)


def ended(application, nth):
    """How a process ends that is told there; what comes to no end is ended by its alarm."""
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT_S)
        application.at_line = AtLine(nth)
        application.run()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Ends(unittest.TestCase):
    def test_wherever_in_its_loop_it_is_told_to(self):
        with TemporaryDirectory() as folder:
            for rate in (LATE, 1000):
                application = Idle({"me": 0, "of": 1, "prefix": "", "seed": 1, "rate": rate, "log": f"{folder}/log", "ready": f"{folder}/ready"})
                for nth in range(1, 31):
                    self.assertEqual(ended(application, nth), 0, f"{rate} a second, at line {nth}")
                application.log.close()


if __name__ == "__main__":
    sys.exit(tap.run(Ends))
