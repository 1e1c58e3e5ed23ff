#!/usr/bin/env python3
"""README.md, followed to the letter in an empty directory: its files, its commands, and what they say of themselves."""

import os
import re
from decimal import ROUND_HALF_EVEN, Decimal

from stand import SOURCE, must, run_all, same, test

TEXT = (SOURCE / "README.md").read_text()
PART = TEXT[TEXT.index("## A backfill"):]
CENTS = Decimal("0.01")


def with_interest(balance):
    return (Decimal(str(balance)) * Decimal("1.19")).quantize(CENTS, rounding=ROUND_HALF_EVEN)


@test("README: its commands do what stands behind them, one after the other, in an empty directory")
def _(stand):
    for name, text in re.findall(r"```\w+\n(?:#|--) ([\w.]+)[^\n]*\n(.*?)```", PART, re.S):
        stand.write(name, text)
    commands = re.findall(r"^    ((?:sluice|mkdir) [^#\n]*?) *(?:#.*)?$", PART, re.M)
    same(len(commands), 12, "commands")
    program = stand.programs.sluice.parent
    variables = dict(stand.environment(), PATH=f"{program}:{os.environ['PATH']}")
    del variables["SLUICE_HOME"]
    taken = {}
    for command in commands:
        done = stand.run(["bash", "-c", command], env=variables)
        must(done.code in (0, 8), f"{command} ended with {done.code}: {done.err}\n{done.out[-500:]}")
        if command.startswith(("sluice doctor", "sluice run --plan", "sluice rollback")):
            taken[command.split()[1]] = stand.documents("customers")
    before, after, back = taken["doctor"], taken["run"], taken["rollback"]
    same(back, before, "records once they are taken back")
    wrong = [key for key, row in before.items()
             if row.get("balance") is not None and Decimal(str(after[key]["balance"])) != with_interest(row["balance"])]
    same(wrong, [], "balances that are not 19 % more")
    must(len(before) > 10000, len(before))


if __name__ == "__main__":
    run_all()
