#!/usr/bin/env python3
"""Hooks: who is told of what, in which order, how often; hooks that hang, fail, and are told after sluice died."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from staged import after, ready, run, stands_so, states, three, write
from stand import among, must, run_all, same, test

RECEIVER = Path(__file__).with_name("receiver.py")
NOTE = '{ on: any, run: "cat >> heard; echo >> heard" }'


def hooks(*rows):
    return "hooks: [" + ", ".join(rows) + "]"


def heard(stand, name="heard"):
    path = stand.path(name)
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()] if path.exists() else []


def events(stand, name="heard"):
    return [row["event"] for row in heard(stand, name)]


def entries(stand, action):
    return [line for line in stand.sluice("audit", "log", "--json").ended(0).lines() if line.get("action") == action]


def told(stand, run="fix"):
    return stand.sluice("hooks", run, "--json").ended(0).json()["deliveries"]


def receiver(stand, mode, *more, secret="s3cret"):
    process = subprocess.Popen([sys.executable, str(RECEIVER), str(stand.path("posts")), secret, mode, *map(str, more)],
                               stdout=subprocess.PIPE, text=True)
    stand.started.append(process)
    return int(process.stdout.readline())


WHOLE = ["run.planned", "run.started", "run.running", "stage.started", "stage.verifying", "run.verifying", "stage.passed",
         "run.running", "stage.started", "stage.verifying", "run.verifying", "stage.passed", "run.done"]
TWO = "stages: [{ name: canary, scope: 1 partition }, { name: full, scope: 100% }]\n"


@test("a program hears every move once, in order, with a key of its own; the ledger and `hooks` have each; nothing is in its environment")
def _(stand):
    ready(stand, TWO, more=hooks(NOTE, '{ on: run.done, run: [sh, -c, "env > told; pwd >> told; echo seen"] }'))
    among(["cat >> heard", "on any event", "on run.done"], stand.sluice("plan", "fix.yaml").ended(0).out)
    done = stand.sluice("run", "fix.yaml", "--yes", env=stand.environment(STORE_PASSWORD="hush")).ended(0)
    del done
    same(events(stand), WHOLE, "events")
    rows = heard(stand)
    same(len({row["key"] for row in rows}), len(rows), "keys")
    same([row["run"] for row in rows], ["fix.1"] * len(rows), "runs")
    passed = [row for row in rows if row["event"] == "stage.passed"]
    same([row["stage"] for row in passed], ["canary", "full"], "stages")
    lines = stand.path("told").read_text().splitlines()
    must("SLUICE_EVENT=run.done" in lines and "SLUICE_RUN=fix.1" in lines and str(stand.dir.resolve()) in [str(Path(line).resolve()) for line in lines if line.startswith("/")],
         f"the environment: {lines}")
    must(not any("hush" in line or line.startswith("SLUICE_HOME") for line in lines), f"the environment: {lines}")
    same(len(entries(stand, "hook-delivered")), len(WHOLE) + 1, "entries of the ledger")
    same({row["state"] for row in told(stand)}, {"delivered"}, "states")
    same([row["said"] for row in told(stand) if row["hook"] == 2], ["seen"], "what it said")
    same(stand.status("fix")["hooks"], {"waiting": 0, "failed": 0}, "status")
    stand.sluice("rollback", "fix", "--yes").ended(0)
    same(events(stand)[len(WHOLE):], ["rollback.started", "stage.rolled-back", "stage.rolled-back", "rollback.done"], "events of a rollback")
    stand.sluice("audit", "verify").ended(0)


@test("killed at each step of a delivery it is told again with the same key, and nothing is lost; once where nothing was sent")
def _(stand):
    for point, times in (("stage.moved:3", 1), ("hook.send:1", 1), ("hook.sent:1", 2), ("hook.recorded:1", 1)):
        for name in ("heard", "home", "live", "in"):
            subprocess.run(["rm", "-rf", str(stand.path(name))], check=True)
        ready(stand, TWO, more=hooks('{ on: stage.passed, must: true, run: "cat >> heard; echo >> heard" }'))
        stand.dies(point, "run", "fix.yaml", "--yes")
        run(stand, 0)
        rows = heard(stand)
        stages = [row["stage"] for row in rows]
        same((stages.count("canary"), stages.count("full")), (times, 1), f"told, after a death at {point}")
        same(len({(row["key"], json.dumps(row)) for row in rows}), 2, f"keys after a death at {point}")
        same(stand.documents("items"), after(), "records")
        stand.sluice("audit", "verify").ended(0)


@test("one that fails is tried again; one that must be heard pauses the run when all tries failed, and resume goes on once it is mended")
def _(stand):
    ready(stand, TWO, more=hooks('{ on: stage.passed, must: true, tries: 2, run: "echo tried >> tries; test -e mended || { echo broken; exit 3; }" }', NOTE))
    end = run(stand, 3)
    among(["hook 1", "must hear of stage.passed", "failed 2 times", "it ended with 3", "broken", "sluice resume fix.1"], end["message"])
    stands_so(stand, "paused", "passed", "pending")
    same(stand.path("tries").read_text().count("tried"), 2, "tries")
    same([row["event"] for row in heard(stand)][-1], "run.paused", "the last event")
    same(stand.status("fix")["hooks"], {"waiting": 0, "failed": 1}, "status")
    among("hook 1 (echo tried", stand.status("fix")["watchdog"]["by"])
    among("1 failed: `sluice hooks fix.1`", stand.sluice("status", "fix").ended(0).out)
    same(len(entries(stand, "hook-failed")), 1, "entries of the ledger")
    run(stand, 3, command=("resume", "fix"))
    stand.write("mended", "")
    run(stand, 0, command=("resume", "fix"))
    same(stand.documents("items"), after(), "records")
    same({row["state"] for row in told(stand)}, {"delivered"}, "states")


@test("one that hangs is killed with all that it started, delays no other hook and no run; its process ends all the same")
def _(stand):
    ready(stand, TWO, more=hooks('{ on: run.planned, timeout: 1s, tries: 1, run: "sleep 300 & echo $! > child; wait" }', NOTE,
                                 '{ on: run.done, timeout: 1h, run: "echo $$ > hung; exec sleep 300" }'))
    began = time.monotonic()
    run(stand, 0)
    took = time.monotonic() - began
    must(took < 40, f"it took {took} s")
    same(events(stand), WHOLE, "events")
    for name in ("child", "hung"):
        pid = int(stand.path(name).read_text())
        must(not os.path.exists(f"/proc/{pid}") or "Z" in Path(f"/proc/{pid}/stat").read_text().split(") ")[1][:1], f"{name} still runs")
    rows = {row["hook"]: row for row in told(stand) if row["state"] != "delivered"}
    same((rows[1]["state"], rows[3]["state"]), ("failed", "waiting"), "states")
    among("took too long", rows[1]["said"])
    same(stand.status("fix")["hooks"], {"waiting": 1, "failed": 1}, "status")


@test("a POST is signed, fails twice, and is heard at the third try with the same key and body; a redirect is not followed")
def _(stand):
    port = receiver(stand, "fail:2")
    stand.write("secret", "s3cret\n")
    ready(stand, TWO, more=hooks(f'{{ on: run.done, url: "http://127.0.0.1:{port}/x", secret: "${{file:secret}}" }}'))
    run(stand, 0)
    rows = heard(stand, "posts")
    same((len(rows), {row["signed"] for row in rows}, len({(row["key"], row["body"]) for row in rows})), (3, {True}, 1), "requests")
    same((rows[0]["event"], rows[0]["type"]), ("run.done", "application/json"), "headers")
    body = json.loads(rows[0]["body"])
    same((body["key"], body["event"], body["run"]), (rows[0]["key"], "run.done", "fix.1"), "body")
    same([(row["state"], row["tries"], row["said"]) for row in told(stand)], [("delivered", 3, "heard")], "deliveries")
    for mode, words in (("redirect", "it answered 302"), ("hang", "imeout")):
        os.remove(stand.path("posts"))
        port = receiver(stand, mode)
        write(stand, TWO, hooks(f'{{ on: run.planned, tries: 1, timeout: 1s, url: "http://127.0.0.1:{port}/x", secret: "${{command:echo s3cret}}" }}'))
        run(stand, 0)
        same(len(heard(stand, "posts")), 1, f"requests of {mode}")
        among(words, told(stand)[0]["said"])
    write(stand, TWO, hooks('{ on: run.planned, tries: 1, url: "http://127.0.0.1:1/${file:secret}", secret: "${file:missing}" }'))
    run(stand, 0)
    among("${file:missing}", told(stand)[0]["said"])
    everything = stand.sluice("audit", "log", "--json").ended(0).out + stand.sluice("hooks", "fix", "--json").ended(0).out
    must("s3cret" not in everything, "the secret was shown")


@test("https: its certificate is checked, against the file that the spec names")
def _(stand):
    stand.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
               "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]).ended(0)
    stand.write("both.pem", stand.read("key.pem") + stand.read("cert.pem"))
    port = receiver(stand, "ok", stand.path("both.pem"))
    hook = f'{{ on: run.done, tries: 1, url: "https://127.0.0.1:{port}/", secret: "${{env:HOOK_SECRET}}"'
    ready(stand, TWO, more=hooks(hook + ", ca: cert.pem }", hook + " }"))
    stand.sluice("run", "fix.yaml", "--yes", env=stand.environment(HOOK_SECRET="s3cret")).ended(0)
    same([row["signed"] for row in heard(stand, "posts")], [True], "requests")
    same({row["hook"]: row["state"] for row in told(stand)}, {1: "delivered", 2: "failed"}, "states")


@test("what other terminals say is told too: a pause, an approval, a denial of a run that nobody holds; --retry tells again")
def _(stand):
    ready(stand, three(canary="approve: root"), more=hooks(NOTE, '{ on: run.paused, tries: 1, run: "test -e mended" }'))
    run(stand, 3)
    among(["gate.waiting", "run.waiting"], " ".join(events(stand)))
    stand.sluice("pause", "fix").ended(0)
    same(events(stand)[-1], "run.paused", "the last event")
    same([row["state"] for row in told(stand) if row["hook"] == 2], ["failed"], "states")
    stand.write("mended", "")
    stand.sluice("hooks", "fix", "--retry").ended(0)
    same({row["state"] for row in told(stand)}, {"delivered"}, "states")
    stand.sluice("deny", "fix", "--reason", "no").ended(0)
    among(["approval.denied", "stage.failed"], " ".join(events(stand)))
    stand.sluice("abort", "fix").ended(0)
    same(events(stand)[-1], "run.aborted", "the last event")


@test("killed from outside while hooks are told, the run goes on, and every event that happened was told at least once")
def _(stand):
    ready(stand, TWO, more=hooks(NOTE) + "\nprotect: { rate: { max: 400/s } }")
    for _ in range(3):
        process = stand.start("run", "fix.yaml", "--yes", "--json")
        stand.until(process, lambda line: line["type"] == "progress")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run(stand, 0)
    same(states(stand)[0], "done", "state")
    keys = [row["key"] for row in heard(stand)]
    same(set(keys), {row["key"] for row in told(stand)}, "keys")
    same({row["state"] for row in told(stand)}, {"delivered"}, "states")
    order = [key for index, key in enumerate(keys) if key not in keys[:index]]
    same(order, [row["key"] for row in told(stand)], "order")


@test("what is no hook is refused where it stands; doctor looks whether a program is there and a secret can be had")
def _(stand):
    ready(stand, TWO, more=hooks(NOTE))
    for wrong, words in (
            ("{ on: stage.pased, run: ./x }", "did you mean 'stage.passed'"), ("{ on: [], run: ./x }", "such as stage.passed"),
            ("{ run: ./x }", "hooks[].on"), ("{ on: run.done }", "needs a program (run), an address (url) or people (mail)"),
            ('{ on: run.done, run: ./x, url: "http://h/", secret: "${env:X}" }', "one of them"),
            ('{ on: run.done, url: "http://h/" }', "needs a secret"), ('{ on: run.done, url: "http://h/", secret: hush }', "never stands in a spec"),
            ('{ on: run.done, url: "ftp://h/", secret: "${env:X}" }', "http:// or https://"), ('{ on: run.done, run: ./x, secret: "${env:X}" }', "is for a hook with a url"),
            ("{ on: run.done, run: ./x, tries: 0 }", "from 1 to 100"), ("{ on: run.done, run: ./x, timeout: 0s }", "above zero"),
            ("{ on: run.done, run: ./x, mst: true }", "did you mean 'must'"), ("{ on: run.done, run: [] }", "a list of its words")):
        write(stand, TWO, hooks(wrong))
        among(["fix.yaml:", words], stand.sluice("plan", "fix.yaml").ended(2).err)
    stand.write("there", "#!/bin/sh\n")
    for hook, words in (("{ on: run.done, run: ./missing }", "./missing: there is no such program"), ("{ on: run.done, run: [./there, x] }", "may not be run"),
                        ('{ on: run.done, url: "http://h/", secret: "${env:NO_SUCH_SECRET}" }', "NO_SUCH_SECRET"),
                        ('{ on: run.done, url: "http://h/", secret: "${command:exit 7}" }', "it ended with 7")):
        write(stand, TWO, hooks(hook))
        found = stand.sluice("doctor", "fix.yaml")
        among(["hooks", words], found.out + found.err)
        must(found.code != 0, "doctor found nothing")
    stand.path("there").chmod(0o755)
    write(stand, TWO, hooks("{ on: run.done, run: ./there }"))
    among("1 hook can be called", stand.sluice("doctor", "fix.yaml").ended(0).out)
    among("stage.passed", stand.sluice("explain", "hooks.on").ended(0).out)


run_all()
