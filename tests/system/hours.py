#!/usr/bin/env python3
"""A run that may write at certain hours only: it waits for them, stops when they are over, goes on when they come again, and
says so; what is asked of it meanwhile is heard, and what is taken back does not wait."""

import signal

from staged import after, before, ready, run, states, three
from stand import among, must, run_all, same, test
from wallclock import faked, jump_to

HOURS = 'hours: ["Mon-Fri 22:00-06:00 Europe/Berlin"]'
FRIDAY_NOON, FRIDAY_NIGHT, SATURDAY_NOON, MONDAY_NIGHT = (
    "2026-11-20 11:00:00", "2026-11-20 21:30:00", "2026-11-21 11:00:00", "2026-11-23 21:30:00")
NEXT = {FRIDAY_NOON: "Fri 2026-11-20 22:00 Europe/Berlin", SATURDAY_NOON: "Mon 2026-11-23 22:00 Europe/Berlin"}
RUN = ("run", "fix.yaml", "--yes", "--json")


def waits(line):
    return line["type"] == "progress" and "waits for the hours" in line["text"]


def writes(line):
    return line["type"] == "progress" and line["text"] == "writing" and 0 < line["done"] < 300


def is_repaired(stand):
    same(stand.documents("items"), after(), "records")
    stand.sluice("audit", "verify").ended(0)


@test("outside its hours it waits and says until when; --exit-on-pause leaves with 3; nothing is written before they begin")
def _(stand):
    was = ready(stand, more=HOURS)
    clock = faked(stand, FRIDAY_NOON)
    among("Mon-Fri 22:00-06:00 Europe/Berlin", stand.sluice("plan", "fix.yaml", env=clock).ended(0).out)
    for _ in range(2):
        end = stand.sluice(*RUN, "--exit-on-pause", env=clock).ended(3).lines()[-1]
        among(["stage canary waits for the hours", NEXT[FRIDAY_NOON], "the same command goes on then"], end["message"])
        among(NEXT[FRIDAY_NOON], stand.status("fix")["reason"])
        same(states(stand)[0], "waiting", "state")
    same(stand.dump("items"), was, "records")
    process = stand.start(*RUN, env=clock)
    stand.until(process, waits)
    jump_to(stand, FRIDAY_NIGHT)
    stand.finish(process).ended(0)
    is_repaired(stand)


@test("hours that are over stop it within a moment; in the next ones it goes on where it was, and nothing is done twice")
def _(stand):
    ready(stand, more=HOURS + "\nprotect: { rate: { max: 200/s } }")
    process = stand.start(*RUN, env=faked(stand, FRIDAY_NIGHT))
    stand.until(process, writes)
    jump_to(stand, SATURDAY_NOON)
    among(NEXT[SATURDAY_NOON], stand.until(process, waits)[-1]["text"])
    same(states(stand)[0], "waiting", "state")
    written = stand.documents("items")
    must(written != after() and any(written[key] != row for key, row in before().items()), "it was in the middle")
    jump_to(stand, MONDAY_NIGHT)
    done = stand.finish(process).ended(0)
    must(any(line["type"] == "state" and line["state"] == "running" for line in done.lines()), "it never said that it runs")
    is_repaired(stand)


@test("hours that are over in the middle of a partition: the same process goes on with the rest of it in the next ones")
def _(stand):
    ready(stand, stages="stages: [{ name: full, scope: 100% }]\n", more=HOURS + "\nprotect: { rate: { max: 200/s } }")
    stand.write("fix.yaml", stand.read("fix.yaml").replace("count: 4", "count: 1"))
    process = stand.start(*RUN, env=faked(stand, FRIDAY_NIGHT))
    stand.until(process, writes)
    jump_to(stand, SATURDAY_NOON)
    stand.until(process, waits)
    written = stand.status("fix")["records"]["written"]
    must(0 < written < 400, f"it was in the middle of its only partition, with {written} of 400 records")
    jump_to(stand, MONDAY_NIGHT)
    stand.finish(process).ended(0)
    is_repaired(stand)
    same(stand.status("fix")["records"]["written"], 400, "written")


@test("while it waits a pause, a signal, an abort are heard; killed it is taken up again; it is taken back without waiting")
def _(stand):
    was = ready(stand, three(canary="soak: 1ms"), more=HOURS + "\nprotect: { rate: { max: 200/s } }")
    clock = faked(stand, FRIDAY_NIGHT)

    def waiting(*command):
        process = stand.start(*command, env=clock)
        stand.until(process, waits)
        return process

    process = stand.start(*RUN, env=clock)
    stand.until(process, writes)
    jump_to(stand, SATURDAY_NOON)
    stand.until(process, waits)
    stand.sluice("pause", "fix", "--reason", "wait").ended(0)
    stand.finish(process).ended(3)
    same(states(stand)[0], "paused", "state")
    process = waiting("resume", "fix", "--reason", "on", "--json")
    process.send_signal(signal.SIGTERM)
    stand.finish(process).ended(3)
    same(states(stand)[0], "interrupted", "state")
    process = waiting(*RUN)
    process.kill()
    process.wait()
    same(states(stand)[0], "waiting", "state")
    process = waiting(*RUN)
    stand.sluice("abort", "fix").ended(0)
    stand.finish(process).ended(3)
    stand.sluice("rollback", "fix", "--yes", env=clock).ended(0)
    same(stand.dump("items"), was, "records")


def until(stand, when, more=""):
    ready(stand, stages="stages: [{ name: full, scope: 100% }]\n", more=more)
    stand.write("fix.yaml", stand.read("fix.yaml").replace("dataset: items }\ntransform", f"dataset: items, until: {when} }}\ntransform"))


@test("until when the source can be read: told by plan, doctor and status; hours that open later say so; once it has passed nothing begins")
def _(stand):
    until(stand, "2026-11-20T20:00:00Z", HOURS)
    clock = faked(stand, FRIDAY_NOON)
    readable = "its source can be read until 2026-11-20T20:00:00.000Z"
    among(f"until       {readable}: how long the run takes is not known", stand.sluice("plan", "fix.yaml", env=clock).ended(0).out)
    same(stand.sluice("plan", "fix.yaml", "--json", env=clock).ended(0).json()["source_until"], {"at": "2026-11-20T20:00:00.000Z", "late": None}, "plan")
    among("it can be read until 2026-11-20T20:00:00.000Z", stand.sluice("doctor", "fix.yaml", env=clock).ended(0).out)
    end = stand.sluice(*RUN, "--exit-on-pause", env=clock).ended(3).lines()[-1]
    among([NEXT[FRIDAY_NOON], f"; {readable}", ", and it waits for longer than that"], end["message"])
    among(readable, stand.sluice("status", "fix", env=clock).ended(0).out)
    paused = stand.sluice("pause", "fix", "--json", env=clock).ended(0).json()
    among(readable, paused["note"])
    stand.sluice("abort", "fix", env=clock).ended(0, 3)
    jump_to(stand, FRIDAY_NIGHT)
    refused = stand.sluice(*RUN, env=clock).ended(7)
    among(["fix.yaml:", "source.until", "could be read until 2026-11-20T20:00:00.000Z, which has passed"], refused.err + refused.out)
    among("which has passed", stand.sluice("doctor", "fix.yaml", env=clock).ended(7).out)
    among("that has passed, and `run` refuses", stand.sluice("plan", "fix.yaml", env=clock).ended(0).out)


@test("the time of its source passes while it writes: it pauses by name, resume alone pauses again, and set lets it go on to the end")
def _(stand):
    until(stand, "1h", "protect: { rate: { max: 40/s } }")
    clock = faked(stand, FRIDAY_NOON)
    process = stand.start(*RUN, env=clock)
    stand.until(process, writes)
    among("its source can be read until 2026-11-20T12:00:", stand.sluice("pause", "fix", env=clock).ended(0).out)
    stand.finish(process).ended(3)
    same(stand.status("fix")["source_until"]["go_on_by"] is not None, True, "by when it has to go on")
    process = stand.start("resume", "fix", "--json", env=clock)
    stand.until(process, writes)
    jump_to(stand, "2026-11-20 12:30:00")
    done = stand.finish(process).ended(3)
    among(["could be read until 2026-11-20T12:00:", "which has passed (source.until)", "sluice set fix.1 source.until=TIME"], done.lines()[-1]["message"])
    written = stand.documents("items")
    must(written != after(), "it went on to the end of what was to be written")
    among("source.until", stand.sluice("resume", "fix", "--json", env=clock).ended(3).lines()[-1]["message"])
    same(stand.documents("items"), written, "records that a resume alone has written")
    status = stand.sluice("status", "fix", "--json", env=clock).ended(0).json()
    same((status["state"], status["source_until"]["passed"], status["source_until"]["late"]), ("paused", True, True), "status")
    among("a time such as", stand.sluice("set", "fix", "source.until=7d", env=clock).ended(2).err)
    stand.sluice("set", "fix", "source.until=2026-11-20T12:31:00Z", "rate.max=none", env=clock).ended(0)
    stand.sluice("resume", "fix", "--json", env=clock).ended(0)
    is_repaired(stand)
    same(stand.status("fix")["source_until"], None, "of a run that is over")


@test("one that a person has paused, and lets go on when its source is gone, is paused by that and no longer by the person")
def _(stand):
    until(stand, "1h", "protect: { rate: { max: 40/s } }")
    process = stand.start(*RUN)
    stand.until(process, writes)
    stand.sluice("pause", "fix", "--reason", "lunch").ended(0)
    stand.finish(process).ended(3)
    stand.sluice("set", "fix", "source.until=2020-01-01T00:00:00Z").ended(0)
    same(stand.status("fix")["reason"], "lunch", "reason before anybody has let it go on")
    stand.sluice("resume", "fix").ended(3)
    status = stand.status("fix")
    among("its source could be read until 2020-01-01T00:00:00.000Z, which has passed", status["reason"])
    same(status["watchdog"]["by"], "source.until", "who has paused it")
    among("paused by source.until: its source could be read until", stand.sluice("run", "fix.yaml", "--yes").ended(3).err)


@test("a run that will not be through with its source in time says so once, in the ledger too")
def _(stand):
    until(stand, "60s", "protect: { rate: { max: 4/s } }")
    process = stand.start(*RUN)
    among(["which is too late (source.until)"], stand.until(process, lambda line: line["type"] == "note" and "its source" in line["text"])[-1]["text"])
    stand.sluice("set", "fix", "source.until=none", "rate.max=none").ended(0)
    stand.finish(process).ended(0)
    is_repaired(stand)
    said = [entry["action"] for entry in stand.sluice("audit", "log", "--json").ended(0).lines()]
    same(said.count("source-warning"), 1, "warnings")


@test("windows that are none are refused where they stand; `explain hours` says when a spec's begin")
def _(stand):
    ready(stand, more="hours: [22:00-06:00 Europe/Berlin, Mo 22:00-06:00 UTC]")
    among(["fix.yaml:", "'Mo'", "such as Mon-Fri 22:00-06:00 Europe/Berlin"], stand.sluice("plan", "fix.yaml").ended(2).err)
    ready_again = stand.read("fix.yaml").replace("hours: [22:00-06:00 Europe/Berlin, Mo 22:00-06:00 UTC]", "hours: []")
    stand.write("fix.yaml", ready_again)
    among("at least one window", stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("fix.yaml", ready_again.replace("hours: []", HOURS))
    clock = faked(stand, FRIDAY_NOON)
    said = stand.sluice("explain", "hours", "fix.yaml", "--next", "3", env=clock).ended(0).out
    among([NEXT[FRIDAY_NOON], "Sat 2026-11-21 06:00", NEXT[SATURDAY_NOON], "Tue 2026-11-24 22:00"], said)
    rows = stand.sluice("explain", "hours", "fix.yaml", "--next", "3", "--json", env=clock).ended(0).json()["next"]
    same([row["from"] for row in rows],
         ["2026-11-20T21:00:00.000Z", "2026-11-23T21:00:00.000Z", "2026-11-24T21:00:00.000Z"], "from")


run_all()
