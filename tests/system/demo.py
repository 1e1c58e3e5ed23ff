#!/usr/bin/env python3
"""sluice demo: the story runs to its end with nothing but the program, and what it made is left to look at."""

import signal

from stand import among, must, run_all, same, test


def command(stand, *arguments, **more):
    kept = {name: value for name, value in stand.environment().items() if name != "SLUICE_HOME"}
    return stand.run([stand.programs.sluice, *arguments], env=kept, **more)


@test("each command is printed, run, and ends as the story says; the folder is left, and is not written over")
def _(stand):
    done = command(stand, "demo", "--records", "20000").ended(0)
    among(["$ sluice run fix.yaml --yes", "every record is as it was", "the ledger is whole", "cd sluice-demo"], done.out)
    must("@" not in "".join(line for line in done.out.splitlines() if line.startswith("$ ")), "a word of the story is not filled in")
    same(command(stand, "list", "--json", "--home", "sluice-demo/.sluice").ended(0).json()["runs"][0]["state"], "rolled-back", "state")
    among("sluice-demo is there already", command(stand, "demo").ended(7).err)


@test("--json has a line a step, the last says how it ended; too few records for a story are refused")
def _(stand):
    lines = command(stand, "demo", "there", "--records", "20000", "--json").ended(0).lines()
    same((lines[-1]["type"], lines[-1]["exit"], {line["type"] for line in lines[:-1]}), ("end", 0, {"step"}), "types")
    steps = [line for line in lines if line.get("command", "").startswith("sluice run fix.yaml --yes")]
    same([step["exit"] for step in steps], [4, 7], "the gate fails, the mended one is another plan")
    among("from 20000", command(stand, "demo", "elsewhere", "--records", "5").ended(2).err)
    must(not stand.path("elsewhere").exists(), "a folder was made")


@test("Ctrl-C ends it, and whatever it has started")
def _(stand):
    kept = {name: value for name, value in stand.environment().items() if name != "SLUICE_HOME"}
    process = stand.start("demo", env=kept)
    for line in process.stdout:
        if "sluice run load.yaml" in line:
            break
    process.send_signal(signal.SIGINT)
    done = stand.finish(process)
    must(done.code not in (0, -2), "its end", done.code)
    among(["it was stopped", "the demo ends here"], done.err)
    rest = stand.run(["pgrep", "-f", str(stand.path("sluice-demo"))])
    same(rest.out, "", "processes of the demo")


run_all()
