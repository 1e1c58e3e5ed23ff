#!/usr/bin/env python3
"""Stages and gates: which states a run goes through, who may let it on, and the ways back."""

import json
import signal

from staged import ROWS, after, as_user, before, fails_at, others, ready, run, stands_so, states, three, write, written
from stand import among, must, run_all, same, stand_still, test

BACK = "rolled-back"


def back(stand, *more, codes=(0,)):
    return run(stand, *codes, command=("rollback", "fix", *more, "--yes"))


def actions(stand):
    return [entry["action"] for entry in stand.sluice("audit", "log", "--json").ended(0).lines()]


def whole(stand):
    stand.sluice("audit", "verify").ended(0)


# --- forwards


@test("three stages, each verified before the next begins; the records are repaired once; started again it is done already")
def _(stand):
    ready(stand)
    for _ in range(2):
        same(run(stand, 0)["state"], "done", "state")
        stands_so(stand, "done", "passed", "passed", "passed")
        same(stand.documents("items"), after(), "records")
    stages = [action for action in actions(stand) if action.startswith("stage.")]
    same(stages[3:], ["stage.running", "stage.verifying", "stage.passed"] * 3, "the ledger's stages")
    whole(stand)


@test("a plan says how long a rate limit makes it at least, a begun second for one, and the soaks with it")
def _(stand):
    ready(stand, three(canary="soak: 2s"), f"protect: {{ rate: {{ max: {ROWS}/s }} }}", rows=ROWS + 1)
    among("takes at least 4s, at", stand.sluice("plan", "fix.yaml").ended(0).out)


@test("a soak: --exit-on-pause leaves with 3 and the moment; what was verified is not read again; then the run goes on")
def _(stand):
    ready(stand, three(canary="soak: 2s"))
    for _ in range(2):
        end = run(stand, 3, command=("run", "fix.yaml", "--yes", "--exit-on-pause"))
        among(["canary soaks until", "the same command goes on"], end["message"])
        stands_so(stand, "waiting", "waiting", "pending", "pending")
    same(actions(stand).count("stage.verifying"), 2, "stages judged, that of the load included")
    end = run(stand, 0)
    same(end["state"], "done", "without it, it waits the rest and goes on")
    same(stand.documents("items"), after(), "records")


@test("a pause, a signal, an abort and a rollback are heard during a soak; what was verified stays so")
def _(stand):
    was = ready(stand, three(canary="soak: 1h"))

    def soaking():
        process = stand.start("run", "fix.yaml", "--yes", "--json")
        stand.until(process, lambda line: line["type"] == "state" and line["state"] == "waiting")
        return process

    process = soaking()
    stand.sluice("pause", "fix", "--reason", "lunch").ended(0)
    stand.finish(process).ended(3)
    stands_so(stand, "paused", "waiting", "pending", "pending")
    among("lunch", stand.sluice("run", "fix.yaml", "--yes").ended(3).err)
    run(stand, 3, command=("resume", "fix", "--exit-on-pause"))
    stands_so(stand, "waiting", "waiting", "pending", "pending")
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and "soaks" in line["text"])
    process.send_signal(signal.SIGTERM)
    stand.finish(process).ended(3)
    stands_so(stand, "interrupted", "waiting", "pending", "pending")
    process = soaking()
    wish = stand.sluice("rollback", "fix", "--yes", "--json").ended(0).lines()[-1]
    same(wish["taken"], True, "taken")
    stand.finish(process).ended(3)
    stands_so(stand, BACK, BACK, BACK, BACK)
    same(stand.dump("items"), was, "records")
    process = soaking()
    stand.sluice("abort", "fix").ended(0)
    stand.finish(process).ended(3)
    stands_so(stand, "aborted", "waiting", "pending", "pending")
    whole(stand)


# --- a gate that fails


@test("a gate that fails: 4, the run pauses and names both ways out; resume judges again, and mends nothing by itself")
def _(stand):
    ready(stand)
    key = fails_at(stand, 0)
    end = run(stand, 4)
    among(["the gate of stage canary failed", "sluice rollback fix.1", "--supersede fix.1", "1 missing"], end["message"])
    differences = [json.loads(line) for line in stand.read(end["report"]).splitlines()]
    same([line["key"] for line in differences if line.get("kind") == "missing"], [key], "differences")
    stands_so(stand, "paused", "failed", "pending", "pending")
    same(stand.status("fix")["watchdog"]["by"], "the gate of stage canary", "who paused it")
    run(stand, 3)
    run(stand, 4, command=("resume", "fix"))
    stands_so(stand, "paused", "failed", "pending", "pending")
    stand.put("items", [f"{key}\t{json.dumps(after()[key], separators=(',', ':'))}\t0"])
    run(stand, 0, command=("resume", "fix"))
    same(stand.documents("items"), after(), "records")
    same(back(stand)["status"]["records"]["left"], 0, "left: what was mended by hand is byte for byte what was written")
    whole(stand)


@test("on_failure: rollback-stage takes back the stage alone, exit 4; then rollback takes back the rest, and no run goes on")
def _(stand):
    was = ready(stand, more="on_failure: rollback-stage")
    fails_at(stand, 1)
    end = run(stand, 4)
    among(["from ramp on", "sluice rollback fix.1", "sluice abort fix.1"], end["message"])
    stands_so(stand, "paused", "passed", BACK, BACK)
    rows = stand.documents("items")
    same(len([key for key in rows if rows[key] == after()[key]]), ROWS // 4, "records of the canary stand")
    same(stand.status("fix")["records"]["left"], 1, "left, the record that made the gate fail")
    for command in (("run", "fix.yaml", "--yes"), ("resume", "fix")):
        among("sluice rollback fix.1", stand.sluice(*command).ended(7).err)
    same(back(stand, codes=(8,))["status"]["records"]["left"], 1, "left, of both rollbacks")
    stands_so(stand, BACK, BACK, BACK, BACK)
    same(stand.dump("items"), was, "records")
    whole(stand)


@test("on_failure: rollback takes back the run, exit 4; the next run is a new one")
def _(stand):
    was = ready(stand, more="on_failure: rollback")
    fails_at(stand, 1)
    run(stand, 4)
    stands_so(stand, BACK, BACK, BACK, BACK)
    same(stand.dump("items"), was, "records")
    same(run(stand, 0)["run"], "fix.2", "run")


for policy in ("rollback-stage", "rollback"):
    @test(f"on_failure: {policy}, killed while it takes back: the same command goes on taking back, and ends as if it had not died")
    def _(stand, policy=policy):
        was = ready(stand, more=f"on_failure: {policy}")
        fails_at(stand, 1)
        stand.copy("live", "kept-live")
        stand.copy("home", "kept-home")
        for point in ("stage.move:3", "stage.moved:3", "cas.before:1", "cas.after:1", "parts.move:1", "parts.moved:1",
                      "stage.moved:4", "stage.moved:5", "run.move:3", "run.moved:3", "run.move:4"):
            for name in ("live", "home"):
                stand.copy(f"kept-{name}", name)
            stand.dies(point, "run", "fix.yaml", "--yes")
            run(stand, 4)
            stands_so(stand, *(("paused", "passed", BACK, BACK) if policy == "rollback-stage" else (BACK, BACK, BACK, BACK)))
            if policy == "rollback-stage":
                back(stand, codes=(8,))
            same(stand.status("fix")["records"]["left"], 1, "left, the record that made the gate fail")
            same(stand.dump("items"), was, f"records after {point}")
            whole(stand)


# --- back, by stage


@test("rollback --stage, then of the stage before, then of the rest: what was there, byte for byte, and nothing left alone")
def _(stand):
    was = ready(stand)
    run(stand, 0)
    for stage, now in (("full", ("passed", "passed", BACK)), ("ramp", ("passed", BACK, BACK))):
        for _ in range(2):
            back(stand, "--stage", stage)
            stands_so(stand, "paused", *now)
    same(back(stand)["status"]["records"]["left"], 0, "left")
    stands_so(stand, BACK, BACK, BACK, BACK)
    same(stand.dump("items"), was, "records")
    whole(stand)


@test("rollback --stage killed at each of its moves, and then asked for again, or for all of the run: both come to their end")
def _(stand):
    was = ready(stand)
    run(stand, 0)
    stand.copy("live", "kept-live")
    stand.copy("home", "kept-home")
    for point in ("run.move:1", "run.moved:1", "parts.move:1", "parts.moved:1", "stage.move:1", "stage.moved:1",
                  "stage.move:2", "stage.moved:2", "run.move:2", "run.moved:2"):
        for again in (("--stage", "ramp"), ()):
            for name in ("live", "home"):
                stand.copy(f"kept-{name}", name)
            stand.dies(point, "rollback", "fix", "--stage", "ramp", "--yes")
            back(stand, *again)
            if again:
                stands_so(stand, "paused", "passed", BACK, BACK)
                back(stand)
            stands_so(stand, BACK, BACK, BACK, BACK)
            same(stand.dump("items"), was, f"records after {point}")
            whole(stand)


@test("a stage that there is not: 9, the nearest is named; --dry-run counts the stage's keys alone")
def _(stand):
    ready(stand)
    run(stand, 0)
    among(["no stage 'rampe'", "did you mean 'ramp'?", "canary, ramp, full"],
          stand.sluice("rollback", "fix", "--stage", "rampe", "--yes").ended(9).err)
    for stage, keys in (("full", ROWS // 2), ("ramp", 3 * ROWS // 4), ("canary", ROWS)):
        plan = stand.sluice("rollback", "fix", "--stage", stage, "--dry-run", "--json").ended(0).json()
        same(plan["keys"], keys, stage)
    stands_so(stand, "done", "passed", "passed", "passed")


@test("a rollback that is under way is refused another one, and an abort, with 7; a pause holds it; then it goes on")
def _(stand):
    was = ready(stand, rows=30000)
    run(stand, 0)
    process = stand.start("rollback", "fix", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "rolling-back")
    stand_still(process)
    for command in (("rollback", "fix", "--yes"), ("rollback", "fix", "--stage", "ramp", "--yes"), ("abort", "fix")):
        among("is being taken back", stand.sluice(*command).ended(7).err)
    pause = stand.start("pause", "fix", "--reason", "too loud", "--json")
    while not [entry for entry in stand.sluice("audit", "log", "--json").lines() if entry["reason"] == "too loud"]:
        if pause.poll() is None:
            continue
        process.send_signal(signal.SIGCONT) # it was stopped while it held the catalog
        pause = stand.start("pause", "fix", "--reason", "too loud", "--json")
        stand_still(process)
    process.send_signal(signal.SIGCONT)
    stand.finish(pause).ended(0)
    stand.finish(process).ended(0, 3)
    if states(stand)[0] != BACK:
        stands_so(stand, "paused", "passed", "passed", "passed")
        among("sluice rollback fix.1", stand.sluice("run", "fix.yaml", "--yes").ended(7).err)
        back(stand)
    same(stand.dump("items"), was, "records")
    whole(stand)


# --- a person's pause


@test("a person's pause holds a run that died, and one that failed, against run: 3, who and why; only resume lifts it")
def _(stand):
    ready(stand)
    mended = stand.read("fix.lua")
    stand.dies("run.moved:1", "run", "fix.yaml", "--yes")

    def paused(codes):
        stand.sluice("pause", "fix", "--reason", "not now").ended(0)
        among("paused already", stand.sluice("pause", "fix").ended(7).err)
        for _ in range(2):
            among(["not now", stand.status("fix")["actor"], f"sluice resume {stand.status('fix')['run']}"],
                  stand.sluice("run", "fix.yaml", "--yes").ended(3).err)
        run(stand, *codes, command=("resume", "fix"))

    paused((0,))
    same(stand.documents("items"), after(), "records")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    stand.write("fix.lua", "function transform(doc) while doc.n == 50 do end return doc end\n") # not among the probed
    run(stand, 2)
    stands_so(stand, "failed", "running", "pending", "pending")
    paused((2,))
    stand.write("fix.lua", mended)
    among("the transform has changed", stand.sluice("resume", "fix").ended(7).err)


@test("a pause that nobody has heard is lifted by resume, and does not hold it up again")
def _(stand):
    ready(stand, three(canary="soak: 1h"))
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and "soaks" in line["text"])
    stand_still(process)
    stand.sluice("pause", "fix", "--reason", "unheard").ended(0)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    among("unheard", stand.finish(process).ended(3).out)
    stands_so(stand, "paused", "waiting", "pending", "pending")
    for _ in range(2):
        run(stand, 3, command=("resume", "fix", "--exit-on-pause"))
        stands_so(stand, "waiting", "waiting", "pending", "pending")


# --- approvals


def waits(stand, gate="approve: daemon", more=""):
    others(stand)
    was = ready(stand, three(canary=gate), more)
    others(stand)
    end = as_user(stand, "bin", "run", "fix.yaml", "--yes", "--json").ended(3).lines()[-1]
    among(["waits for the approval of daemon", "sluice approve fix.1", "sluice deny fix.1"], end["message"])
    stands_so(stand, "waiting", "waiting", "pending", "pending")
    return was


@test("an approval: not by a stranger, nor by who planned the run; by a user or anyone of a group; then run goes on")
def _(stand):
    waits(stand)
    among(["canary", "daemon", "nobody is neither"], as_user(stand, "nobody", "approve", "fix", group="nogroup").ended(7).err)
    among("bin is neither", as_user(stand, "bin", "approve", "fix").ended(7).err)
    among(["bin planned this run", "somebody else"], as_user(stand, "bin", "approve", "fix", group="daemon").ended(7).err)
    as_user(stand, "bin", "run", "fix.yaml", "--yes").ended(3)
    among("recorded", as_user(stand, "nobody", "approve", "fix", "--reason", "looks well", group="daemon").ended(0).out)
    as_user(stand, "bin", "run", "fix.yaml", "--yes").ended(0)
    same(stand.documents("items"), after(), "records")
    given = [entry for entry in stand.sluice("audit", "log", "--json").lines() if entry["action"] == "approved"]
    same([(entry["actor"].split("@")[0], entry["reason"]) for entry in given], [("nobody", "looks well")], "ledger")
    same(sorted(json.loads(given[0]["details"]) if isinstance(given[0]["details"], str) else given[0]["details"]),
         ["attempt", "report", "stage"], "details")
    among("no stage of it waits", as_user(stand, "daemon", "approve", "fix").ended(7).err)


@test("a denial: the run pauses, 4 or at once; resume judges all of the stage again and asks again; an old word does not count")
def _(stand):
    waits(stand)
    as_user(stand, "nobody", "deny", "fix", "--reason", "not on a Friday", group="nogroup").ended(0)
    stands_so(stand, "paused", "failed", "pending", "pending")
    same(stand.status("fix")["watchdog"]["by"], stand.status("fix")["actor"], "who paused it")
    among("not on a Friday", as_user(stand, "bin", "run", "fix.yaml", "--yes").ended(3).err)
    among("no stage of it waits", as_user(stand, "daemon", "approve", "fix").ended(7).err)
    judged = actions(stand).count("stage.verifying")
    as_user(stand, "bin", "resume", "fix").ended(3)
    stands_so(stand, "waiting", "waiting", "pending", "pending")
    same(actions(stand).count("stage.verifying"), judged + 1, "judged again")
    as_user(stand, "bin", "run", "fix.yaml", "--yes").ended(3)
    as_user(stand, "daemon", "approve", "fix").ended(0)
    as_user(stand, "bin", "run", "fix.yaml", "--yes").ended(0)
    same(stand.documents("items"), after(), "records")


@test("an approval of an older attempt does not count for a stage that is judged again")
def _(stand):
    waits(stand)
    as_user(stand, "daemon", "approve", "fix").ended(0)
    as_user(stand, "daemon", "deny", "fix", "--reason", "wait").ended(0)
    stands_so(stand, "paused", "failed", "pending", "pending")
    as_user(stand, "bin", "resume", "fix").ended(3)
    as_user(stand, "bin", "run", "fix.yaml", "--yes").ended(3)
    stands_so(stand, "waiting", "waiting", "pending", "pending")


@test("an approval that names the report somebody looked at is refused with 7 once the stage was judged again; the new one is named")
def _(stand):
    waits(stand)
    seen, other = (stage["report"] for stage in stand.status("fix")["stages"][:2])
    same((len(seen), other), (64, None), "reports of a stage that was judged, and of one that was not")
    among(f"sluice approve fix.1 --report {seen[:12]}`", as_user(stand, "bin", "run", "fix.yaml", "--yes").ended(3).err)
    as_user(stand, "daemon", "deny", "fix", "--report", seen, "--reason", "look again").ended(0)
    key = min(written(stand))
    stand.put("items", [f"{key}\t{json.dumps(dict(after()[key], mine=True))}\t0"]) # the report has something to tell
    others(stand)
    as_user(stand, "bin", "resume", "fix").ended(3)
    now = stand.status("fix")["stages"][0]["report"]
    must(now != seen, "the same report")
    said = len(actions(stand))
    for verb in ("approve", "deny"):
        for report, code, words in ((seen, 7, [f"the report of stage canary is {now[:12]}", "judged again since"]), (seen[:8], 7, now[:12]),
                                    (now[:7], 2, "8 to 64 hex digits"), (now + "0", 2, "8 to 64"), ("the-last-one", 2, "8 to 64")):
            among(words, as_user(stand, "daemon", verb, "fix", "--report", report).ended(code).err)
    same((states(stand), len(actions(stand))), (("waiting", ["waiting", "pending", "pending"]), said), "what stands")
    as_user(stand, "daemon", "approve", "fix", "--report", now[:8].upper()).ended(0)
    as_user(stand, "bin", "run", "fix.yaml", "--yes").ended(0)
    same(stand.documents("items"), {**after(), key: dict(after()[key], mine=True)}, "records")
    whole(stand)


@test("a denial of a run that a person has paused meanwhile: it stays paused, the stage has failed")
def _(stand):
    waits(stand)
    as_user(stand, "bin", "pause", "fix", "--reason", "lunch").ended(0)
    as_user(stand, "daemon", "deny", "fix").ended(0)
    stands_so(stand, "paused", "failed", "pending", "pending")
    as_user(stand, "bin", "resume", "fix").ended(3)
    stands_so(stand, "waiting", "waiting", "pending", "pending")


@test("approved during the soak: heard by the process that waits, which goes on when it has soaked")
def _(stand):
    others(stand)
    ready(stand, three(canary="soak: 3s, approve: daemon"))
    others(stand)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and "soaks" in line["text"])
    among("it goes on when it has soaked", as_user(stand, "daemon", "approve", "fix").ended(0).out)
    stand.finish(process).ended(0)
    same(stand.documents("items"), after(), "records")


@test("denied during the soak: the process that waits ends with 4 at once")
def _(stand):
    others(stand)
    ready(stand, three(canary="soak: 1h, approve: daemon"))
    others(stand)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and "soaks" in line["text"])
    as_user(stand, "daemon", "deny", "fix", "--reason", "no").ended(0)
    stand.finish(process).ended(4)
    stands_so(stand, "paused", "failed", "pending", "pending")


MAY = {
    "approve": (("approve", "fix"), ()),
    "deny": (("deny", "fix"), ()),
    "pause": (("pause", "fix"), ()),
    "resume": (("resume", "fix"), (("pause", "fix"),)),
    "set": (("set", "fix", "workers=2"), ()),
    "abort": (("abort", "fix"), ()),
    "rollback": (("rollback", "fix", "--yes"), ()),
}

for verb in MAY:
    @test(f"owner.may.{verb}: who is not named is refused with 7, nothing has changed, and who may is named")
    def _(stand, verb=verb):
        command, first = MAY[verb]
        waits(stand, more=f"owner: {{ may: {{ {verb}: [daemon] }} }}")
        for before_it in first:
            as_user(stand, "daemon", *before_it).ended(0)
        was, entries = states(stand), len(actions(stand))
        if verb != "approve": # of a group that may, but it is not asked for
            among([f"nobody may not {verb} it", f"owner.may.{verb}: [daemon]"],
                  as_user(stand, "nobody", *command, group="nogroup").ended(7).err)
        else:
            as_user(stand, "nobody", *command, group="nogroup").ended(7)
        same((states(stand), actions(stand)[entries:]), (was, ["refused"]), "what stands, and what is on record")
        as_user(stand, "daemon", *command).ended(0, 3)


# --- wait, watch, set


@test("wait --for: 0 in that state, 8 for done with records kept, 3 where it cannot come by itself, 124 on a time-out")
def _(stand):
    ready(stand, three(canary="soak: 1h"))
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and "soaks" in line["text"])
    stand.sluice("wait", "fix", "--for=waiting").ended(0)
    among("timed out", stand.sluice("wait", "fix", "--for=done", "--timeout", "200ms").ended(124).out)
    waiter = stand.start("wait", "fix", "--for=paused", "--json")
    stand.sluice("pause", "fix").ended(0)
    stand.finish(process).ended(3)
    same(stand.finish(waiter).ended(0).json()["state"], "paused", "state")
    among("will not change by itself", stand.sluice("wait", "fix", "--for=done").ended(3).out)
    among("sleeping is no state of a run", stand.sluice("wait", "fix", "--for=sleeping").ended(2).err)
    among("--for is missing", stand.sluice("wait", "fix").ended(2).err)
    stand.sluice("wait", "fix", "--for=done", "--timeout", "soon").ended(2)
    stand.sluice("abort", "fix").ended(0)
    stand.sluice("wait", "fix", "--for=done").ended(3)
    among("did you mean 'fix.1'", stand.sluice("wait", "fxi.1", "--for=done").ended(9).err)
    stand.put("items", [f"k00000\t{json.dumps(dict(before()['k00000'], n=5))}\t0"])
    run(stand, 8, command=("run", "load.yaml", "--yes", "--again"))
    stand.sluice("wait", "load", "--for=done").ended(8)


@test("watch, not on a terminal: the stage and the first reason, a line at each move; --json a status a line; ends where a person is needed")
def _(stand):
    ready(stand, three(canary="soak: 1h"))
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and "soaks" in line["text"])
    text, lines = stand.start("watch", "fix"), stand.start("watch", "--json")
    stand.until(lines, lambda line: line["state"] == "waiting")
    first = text.stdout.readline()
    stand.sluice("pause", "fix", "--reason", "enough").ended(0)
    stand.finish(process).ended(3)
    last = stand.finish(lines).ended(0).lines()[-1]
    same((last["state"], [stage["state"] for stage in last["stages"]]), ("paused", ["waiting", "pending", "pending"]), "last")
    out = first + stand.finish(text).ended(0).out
    among(["fix.1 waiting: stage canary waiting, 100 of 400 records; because: stage canary soaks until",
           "fix.1 paused: stage canary waiting, 100 of 400 records; no process holds it; because: enough"], out)
    must("\x1b" not in out, out)
    stand.sluice("watch", "fix.9").ended(9)


@test("set: each key is read and changed, at once and recorded; a wrong key names the nearest, a wrong value what is expected")
def _(stand):
    ready(stand)
    stand.sluice("run", "fix.yaml").ended(2)
    for key, value, read in (("protect.rate.max", "5000/s", "5000/s"), ("rate.max", "700", "700/s"), ("protect.rate.max", "none", "none"),
                             ("protect.errors", "2%", "2%"), ("protect.rejects", "3%", "3%"),
                             ("protect.kept_live", "100%", "100%"), ("workers", "3", "3")):
        stand.sluice("set", "fix", f"{key}={value}", "--reason", "why").ended(0)
        same(stand.sluice("set", "fix", f"{key}=?", "--json").ended(0).json()["value"], read, key)
    for pairs, code in ((("rate.max=900", "protect.errors=7%"), 0), (("rate.max=1", "errors=lots"), 2), (("errors=1%", "workers=?"), 2)):
        stand.sluice("set", "fix", *pairs).ended(code)
    for key, read in (("protect.rate.max", "900/s"), ("errors", "7%")): # all or none
        same(stand.sluice("set", "fix", f"{key}=?", "--json").ended(0).json()["value"], read, key)
    for pair, words in (("protect.rate=5/s", "did you mean 'protect.rate.max'"), ("wrokers=3", "did you mean 'workers'"),
                        ("workers=0", "a number from 1 to 64"), ("workers=65", "a number from 1 to 64"), ("workers=two", "1 to 64"),
                        ("protect.rejects=101%", "at most 100%"), ("protect.rejects=-1%", "a share"),
                        ("protect.rate.max=0/s", "a rate such as"), ("protect.rate.max=fast", "a rate such as"),
                        ("workers", "expected KEY=VALUE"), ("=3", "expected KEY=VALUE"), ("workers=", "expected KEY=VALUE"),
                        ("stages=?", "cannot be set")):
        among(words, stand.sluice("set", "fix", pair).ended(2).err)
    same(len([action for action in actions(stand) if action == "set"]), 9, "recorded")
    stand.sluice("set", "fx.1", "workers=2").ended(9)
    run(stand, 0)
    among("nothing is left to limit", stand.sluice("set", "fix", "workers=2").ended(7).err)


@test("set protect.rate.max is heeded at once by the process that writes, and by the next one")
def _(stand):
    ready(stand, "stages: [{ name: full, scope: 100% }]", "protect: { rate: { max: 100/s } }", rows=4000)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "writing")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.finish(process, timeout=20).ended(0) # 40 seconds at the old rate
    same(stand.documents("items"), after(4000), "records")


# --- what a user writes by mistake


SCOPES = {
    "-1 partitions": "expected a share", "1.5 partitions": "expected a share", "0 records": "expected a share", "1e3%": "expected a share",
    "{ keys: keys.txt }": "a file of keys: keys.txt", "0%": "expected a share", "300%": "expected a share", "-5%": "expected a share", "0 partitions": "expected a share",
    "5 stages": "expected a share", '""': "expected a share", "all": "expected a share",
}
GATES = {
    "soak: -1s": "expected a duration", "soak: soon": "expected a duration", 'approve: ""': "found an empty one", "verify: none": "expected full", "sok: 3s": "did you mean 'soak'",
    "verify: { confidence: 100%, below: 1% }": "no sample is surer", "approve: [a, b]": "found a list",
}
LISTS = {
    "stages: [{ name: a, scope: 50% }, { name: b, scope: 20% }, { name: c, scope: 100% }]": "reaches no further than 'a'",
    "stages: [{ name: a, scope: 50% }, { name: b, scope: 50% }, { name: c, scope: 100% }]": "reaches no further than 'a'",
    "stages: [{ name: a, scope: 2 partitions }, { name: b, scope: 1 partition }, { name: c, scope: 100% }]": "reaches no further than 'a'",
    "stages: [{ name: a, scope: 300 records }, { name: b, scope: 200 records }, { name: c, scope: 100% }]": "reaches no further than 'a'",
    "stages: [{ name: a, scope: 100% }, { name: b, scope: 100% }]": "reaches no further than 'a'",
    "stages: [{ name: a, scope: 50% }, { name: a, scope: 100% }]": "a stage 'a' was there already",
    "stages: [{ name: a, scope: 50% }]": "does not reach 100%",
    "stages: []": "expected a list of stages",
    "stages: [{ scope: 100% }]": "name",
    "stages: [{ name: a, scope: 3 partitions }, { name: b, scope: 50% }, { name: c, scope: 100% }]": "'b' would hold no partition",
    "stages: [{ name: a, scope: 1% }, { name: b, scope: 2% }, { name: c, scope: 100% }]": "'b' would hold no partition",
    "on_failure: halt": "known are pause, rollback-stage, rollback",
    "on_failure: rolback": "did you mean 'rollback'",
    "owner: { may: { aprove: [daemon] } }": "did you mean 'approve'",
    "stages: [{ name: full, scope: 100%, gate: { approve: bin } }]\nowner: { may: { approve: [daemon] } }": "does not name",
}
for stages, words in [(f"stages: [{{ name: a, scope: {scope} }}, {{ name: b, scope: 100% }}]", words) for scope, words in SCOPES.items()] + \
        [(f"stages: [{{ name: a, scope: 100%, gate: {{ {gate} }} }}]", words) for gate, words in GATES.items()] + list(LISTS.items()):
    @test(f"{stages!r}: 2, with the place and what was expected")
    def _(stand, stages=stages, words=words):
        stand.records("in/a.ndjson", before().values())
        stand.write("load.yaml", __import__("staged").LOAD)
        stand.write("fix.lua", "function transform(doc) return doc end\n")
        stand.sluice("run", "load.yaml", "--yes").ended(0)
        write(stand, stages)
        done = stand.sluice("run", "fix.yaml", "--yes").ended(2)
        among(["fix.yaml:", words], done.err)
        same(stand.sluice("list", "--json").json()["runs"][0]["run"], "load.1", "no run was planned")


@test("a wrong run name: 9 for every command, and the nearest is named")
def _(stand):
    ready(stand)
    stand.sluice("run", "fix.yaml").ended(2)
    for command in (("pause", "fxi"), ("resume", "fxi"), ("approve", "fxi"), ("deny", "fxi"), ("abort", "fxi"), ("status", "fxi"),
                    ("watch", "fxi"), ("wait", "fxi", "--for=done"), ("set", "fxi", "workers=1"), ("rollback", "fxi", "--yes")):
        among("did you mean 'fix'?", stand.sluice(*command).ended(9).err)


if __name__ == "__main__":
    run_all()
