"""Runs a unittest class and prints TAP, as all tests here do."""

import unittest


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0
        self.bad = []

    def say(self, test, good, detail=""):
        if detail:
            print(detail)
        print(f"{'ok' if good else 'not ok'} {self.number} - {test.id().rpartition('.')[2]}", flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.number += 1
        self.bad = []

    def addError(self, test, err):
        self.bad.append(self._exc_info_to_string(err, test))

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err:
            self.addError(test, err)

    def stopTest(self, test):
        super().stopTest(test)
        self.say(test, not self.bad, "\n".join(self.bad))
        self.failures += [(test, detail) for detail in self.bad]


def run(case):
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    print(f"1..{suite.countTestCases()}", flush=True)
    result = Result()
    suite.run(result)
    return 1 if result.failures else 0
