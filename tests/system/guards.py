#!/usr/bin/env python3
"""Guards: what is watched while a run writes slows it, pauses it by name and lets it go on by itself; what cannot be read pauses
it too; a hard one halts it; switches, the flag of a home, limits that are moved while it stands."""

import contextlib
import json
import os
import signal
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from servers import wait_for
from staged import after, before, ready, run, states, write
from stand import Skip, among, must, run_all, same, stand_still, test

RUN = ("run", "fix.yaml", "--yes", "--json")
ONE = "stages: [{ name: full, scope: 100% }]"
QUICK = "every: 20ms, timeout: 5s, hold: 100ms"


def protect(*parts, rate="200/s"):
    return "protect: { rate: { max: %s }, hold: 100ms, %s }" % (rate, ", ".join(parts))


def signals(*rows):
    return "signals: [%s]" % ", ".join("{ %s }" % row for row in rows)


def queue(stand, value, more="above: 10"):
    """A signal that a program prints: the number in a file."""
    set_to(stand, value)
    stand.write("queue.sh", "#!/bin/sh\ncat number\n").chmod(0o755)
    return "name: queue, run: ./queue.sh, %s, %s" % (more, QUICK)


def set_to(stand, value, name="number"):
    """As a whole: a reader never sees half of it."""
    stand.write(name + ".new", f"{value}\n").rename(stand.path(name))


def holds(line):
    return line["type"] == "progress" and line["text"].startswith("paused by a guard")


def writes(line):
    return line["type"] == "progress" and line["text"] == "writing" and 0 < line["done"] < 400


def is_repaired(stand):
    must(stand.documents("items") == after(), "it is not repaired")
    stand.sluice("audit", "verify").ended(0)


def moves(stand, name="fix.1"):
    """What the run became, in order, and the guard that did it."""
    entries = stand.sluice("audit", "log", "--json").ended(0).lines()
    return [(entry["action"], (entry["details"] or {}).get("guard")) for entry in entries
            if entry["run"] == name and "from" in (entry["details"] or {})]


class Numbers:
    """A server that answers as Prometheus does, and as an address with a number or a word."""

    def __init__(self, stand):
        numbers = self
        self.value, self.asked, self.gone = "0", [], False

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                url = urlparse(self.path)
                numbers.asked.append((url.path, parse_qs(url.query).get("query"), self.headers.get("Authorization")))
                if numbers.gone:
                    self.send_error(503)
                    return
                body = numbers.value
                if url.path.endswith("/api/v1/query"):
                    rows = [{"metric": {"shard": str(n)}, "value": [1.0, value]}
                            for n, value in enumerate(numbers.value.split())]
                    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}})
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        end = stand.end
        stand.end = lambda: (self.server.shutdown(), self.server.server_close(), end())


@test("a program's number beyond its limit pauses the run by name, before it writes; within it, it goes on by itself")
def _(stand):
    was = ready(stand, ONE, more=protect(signals(queue(stand, 11))))
    for _ in range(2):
        end = run(stand, 3, command=("run", "fix.yaml", "--yes", "--exit-on-pause"))
        among(["guard: queue: 11, above its limit of 10", "the same command goes on then"], end["message"])
        same(states(stand)[0], "paused", "state")
    must(stand.dump("items") == was, "something was written")
    process = stand.start(*RUN)
    stand.until(process, holds)
    status = stand.status("fix")
    same((status["state"], status["watchdog"]["kind"], status["watchdog"]["by"]), ("paused", "paused", "queue"), "status")
    among("guard: queue: 11", status["reason"])
    one = [row for row in status["signals"] if row["name"] == "queue"][0]
    same((one["level"], one["value"], one["limit"]), ("pause", 11, 10), "signal")
    same((one["unit"], one["source"], one["kind"]), ("number", "program", "limit"), "what it is")
    among(["paused by queue since 20", "queue", "11, limit 10: pause"], stand.sluice("status", "fix").ended(0).out)
    set_to(stand, 3)
    stand.finish(process).ended(0)
    is_repaired(stand)
    same(moves(stand)[0], ("paused", "queue"), "first move")
    same(sum(guard == "queue" for _, guard in moves(stand)), 1, "pauses by it")


def outlook_while_paused(stand):
    """It has no pace now; by when it is there is told by that of before, and of the time that has passed since."""
    status, words = stand.status("fix"), stand.sluice("status", "fix").ended(0).out
    same((status["rate"]["records_per_s"], status["eta_s"]), (0, None), "pace")
    among(["paused by queue", "at the pace so far it is there", "which is in time"], words)
    must("slowed by" not in words, words)
    return status["slo"]


@test("in the middle it slows the run, pauses it when that has held, and goes on; nothing is done twice")
def _(stand):
    ready(stand, ONE, more=protect(signals(queue(stand, 3, "above: 10, slow: 5")), rate="100/s") + "\nslo: { complete: 95% within 1h }")
    process = stand.start(*RUN)
    stand.until(process, writes)
    wait_for(lambda: (stand.status("fix")["eta_s"] or 0) > 0, "how long it will take")
    set_to(stand, 7)
    note = stand.until(process, lambda line: line["type"] == "note" and "guard" in line["text"])[-1]
    among("guard: slowed by queue: 7, above its limit of 5", note["text"])
    same(note["run"], "fix.1", "the run of a note")
    line = stand.status("fix")
    must(line["watchdog"]["kind"] == "slow" and line["rate"]["limited_by"] == "queue", line["watchdog"])
    among("; guard queue: 7, limit 10, slow from 5: slow", stand.run(["bash", "-c", f"{stand.programs.sluice} watch fix | head -n 1"]).out)
    set_to(stand, 12)
    stand.until(process, holds)
    same(states(stand)[0], "paused", "state")
    there = outlook_while_paused(stand)["there_at"]
    wait_for(lambda: outlook_while_paused(stand)["there_at"] > there, "a forecast that moves on while it stands")
    set_to(stand, 1)
    done = stand.finish(process).ended(0)
    must(any("full pace again" in line.get("text", "") for line in done.lines() if line["type"] == "note"), "not clear")
    is_repaired(stand)


@test("a query of Prometheus: the worst of its results counts; gone, it pauses the run; back, the run goes on")
def _(stand):
    numbers = Numbers(stand)
    numbers.value = "0.1 0.9 0.2"
    signal_row = f'name: db-cpu, prometheus: "{numbers.url}", query: "max by (shard) (cpu{{a=\\"b\\"}})", above: 0.8, token: "${{env:TOKEN}}", every: 50ms, timeout: 500ms'
    ready(stand, ONE, more=protect(signals(signal_row)))
    env = stand.environment(TOKEN="abc")
    process = stand.start(*RUN, env=env)
    among("db-cpu: 0.9, above its limit of 0.8", stand.until(process, holds)[-1]["text"])
    same(numbers.asked[0], ("/api/v1/query", ['max by (shard) (cpu{a="b"})'], "Bearer abc"), "asked")
    numbers.value = "0.1 0.2"
    stand.until(process, writes)
    numbers.gone = True  # noticed within twice `every` and `timeout`
    among(["db-cpu: it cannot be read: http://127.0.0.1:", ": it answered 503"], stand.until(process, holds)[-1]["text"])
    among("guard: db-cpu: it cannot be read", stand.status("fix")["reason"])
    numbers.gone, numbers.value = False, ""
    among("the query has no result", stand.until(process, lambda line: holds(line) and "no result" in line["text"])[-1]["text"])
    numbers.value = "0.1"
    stand.finish(process).ended(0)
    is_repaired(stand)


@test("an address that answers with a number; below its limit is beyond it, and text is no number")
def _(stand):
    numbers = Numbers(stand)
    numbers.value = "4"
    ready(stand, ONE, more=protect(signals(f'name: spare, url: "{numbers.url}/spare", below: 5, {QUICK}')))
    process = stand.start(*RUN)
    among("spare: 4, below its limit of 5", stand.until(process, holds)[-1]["text"])
    numbers.value = "plenty"
    stand.until(process, lambda line: holds(line) and "a number was expected, not 'plenty'" in line["text"])
    numbers.value = "50"
    stand.finish(process).ended(0)
    is_repaired(stand)


@test("a hard one halts the run, exit 5; only a person with a reason lets it go on")
def _(stand):
    ready(stand, ONE, more=protect(signals(queue(stand, 3, "above: 10, hard: true"))))
    process = stand.start(*RUN)
    stand.until(process, writes)
    set_to(stand, 11)
    end = stand.finish(process).ended(5).lines()[-1]
    among("guard: queue: 11, above its limit of 10", end["message"])
    same(states(stand)[0], "halted", "state")
    run(stand, 5)
    for more in ((), ("--reason", ""), ("--reason", "  ")):
        among("says why it may go on", stand.sluice("resume", "fix", *more).ended(2).err)
    same(states(stand)[0], "halted", "state")
    set_to(stand, 1)
    run(stand, 0, command=("resume", "fix", "--reason", "mended"))
    is_repaired(stand)


@test("what had paused a run in a process that died holds it in the next one until it is clear, and not only within its limit")
def _(stand):
    ready(stand, ONE, more=protect(signals(queue(stand, 11))))

    def taken_up():
        process = stand.start(*RUN)
        stand.until(process, holds)
        process.kill()
        process.wait()
        set_to(stand, 9.5)
        return stand.start(*RUN)

    process = taken_up()
    among("queue: 9.5 now; its limit is 10, within which it must stay for 100ms", stand.until(process, holds)[-1]["text"])
    process.kill()
    process.wait()
    among("guard: queue: ", run(stand, 3, command=("run", "fix.yaml", "--yes", "--exit-on-pause"))["message"])
    set_to(stand, 1)
    run(stand, 0, command=("run", "fix.yaml", "--yes", "--exit-on-pause"))
    is_repaired(stand)
    stand.sluice("rollback", "fix", "--yes").ended(0)
    stand.path("number").unlink()  # which cannot be read: within its limit is enough then
    stand.finish(taken_up()).ended(0)
    is_repaired(stand)


@test("a switch in a file: false, nonsense and no file at all pause the run; true lets it go on")
def _(stand):
    ready(stand, ONE, more=protect("enabled: { file: go }"))
    process = stand.start(*RUN)
    among("enabled: it cannot be read", stand.until(process, holds)[-1]["text"])
    set_to(stand, "true", "go")
    stand.until(process, writes)
    set_to(stand, "false", "go")
    among("says that no run may write, until it says true", stand.until(process, holds)[-1]["text"])
    status = stand.status("fix")
    among("guard: enabled", status["reason"])
    same([row["value"] for row in status["signals"] if row["name"] == "enabled"], [0], "what the switch says")
    among("no, limit pause: pause", next(line for line in stand.sluice("status", "fix").ended(0).out.splitlines() if line.lstrip().startswith("guards ")))
    set_to(stand, "true\0false", "go")
    stand.until(process, lambda line: holds(line) and "true or false was expected, not NUL" in line["text"])
    set_to(stand, "perhaps", "go")
    stand.until(process, lambda line: holds(line) and "true or false was expected, not 'perhaps'" in line["text"])
    set_to(stand, "on", "go")
    must("(null)" not in stand.finish(process).ended(0).out, "words that nobody has said")
    is_repaired(stand)


@test("a switch at an address, and one that is a record of the target's store")
def _(stand):
    numbers = Numbers(stand)
    numbers.value = "off"
    ready(stand, ONE, more=protect(f'enabled: {{ url: "{numbers.url}/flag", token: "${{env:TOKEN}}" }}'))
    process = stand.start(*RUN, env=stand.environment(TOKEN="t"))
    stand.until(process, holds)
    same(numbers.asked[0][2], "Bearer t", "token")
    numbers.value = "yes"
    stand.finish(process).ended(0)
    is_repaired(stand)
    stand.put("flags", ['backfills\t{"enabled": false}\t0'])
    write(stand, ONE, more=protect("enabled: { key: backfills, dataset: flags }"))
    end = run(stand, 3, command=("run", "fix.yaml", "--yes", "--exit-on-pause"))
    among("enabled: key backfills of flags says that no run may write, until it says true", end["message"])
    among("; no process waits for that: `sluice resume fix.2` does, and goes on then", stand.sluice("status", "fix").ended(0).out)
    among("protect.enabled: key backfills of flags says that no run may write", stand.sluice("doctor", "fix.yaml").ended(0).out)
    stand.put("flags", ['backfills\t{"on": true}\t0'])
    among("enabled cannot be read: key backfills of flags: the record has no field 'enabled'", stand.sluice("doctor", "fix.yaml").ended(6).out)
    stand.put("flags", ['backfills\t{"enabled": "true\\u0000false"}\t0'])
    among("true or false was expected, not NUL", stand.sluice("doctor", "fix.yaml").ended(6).out)
    stand.put("flags", ['backfills\t{"enabled": "true"}\t0'])
    run(stand, 0)


@test("the flag of a home stops what runs and what begins, until it is lifted; both are in the ledger")
def _(stand):
    ready(stand, ONE, more=protect())
    process = stand.start(*RUN)
    stand.until(process, writes)
    stand.sluice("pause", "--all", "--hold", "--reason", "INC-7").ended(0)
    among(["stop-all", "INC-7", "`sluice resume --all`"], stand.until(process, holds)[-1]["text"])
    process.kill()
    process.wait()
    end = run(stand, 3, command=("run", "fix.yaml", "--yes", "--exit-on-pause"))
    among("guard: stop-all", end["message"])
    process = stand.start(*RUN)
    stand.until(process, holds)
    stand.sluice("resume", "--all").ended(0)
    stand.finish(process).ended(0)
    is_repaired(stand)
    stand.sluice("resume", "--all").ended(7)
    stand.sluice("resume").ended(2)
    stand.sluice("resume", "--all", "fix").ended(2)
    stand.sluice("pause", "--hold", "fix").ended(2)
    said = [entry["action"] for entry in stand.sluice("audit", "log", "--json").ended(0).lines()]
    same((said.count("stop-all"), said.count("go-all")), (1, 1), "entries")


@test("the flag of a home stops reading too: what is to be planned waits before it lists anything, and says so")
def _(stand):
    ready(stand, ONE, more=protect())
    stand.sluice("pause", "--all", "--hold", "--reason", "INC-8").ended(0)
    end = run(stand, 3, command=("run", "fix.yaml", "--yes", "--exit-on-pause"))
    among(["nothing was planned", "INC-8", "`sluice resume --all`"], end["message"])
    for command in (("plan", "fix.yaml"), RUN):
        process = stand.start(*command)
        time.sleep(1)
        must(process.poll() is None, f"{command[0]} did not wait")
        must(all(row["spec"] != "fix" for row in stand.sluice("list", "--json").json()["runs"]), "it was planned under the flag")
        stand.sluice("resume", "--all").ended(0)
        said = stand.finish(process).ended(0)
        among(["planning is held: ", "INC-8"], said.out + said.err)
        stand.sluice("pause", "--all", "--hold", "--reason", "INC-8").ended(0)
    is_repaired(stand)


@test("a limit that is moved lets a paused run go on at once, and stands in the ledger")
def _(stand):
    ready(stand, ONE, more=protect(signals(queue(stand, 11))))
    process = stand.start(*RUN)
    stand.until(process, holds)
    same(stand.sluice("set", "fix", "protect.signals.queue=?").ended(0).out.strip().split("=")[-1].strip(), "10", "limit")
    among("a number such as", stand.sluice("set", "fix", "protect.signals.queue=lots").ended(2).err)
    among("cannot be set", stand.sluice("set", "fix", "protect.signals.queues=3").ended(2).err)
    stand.sluice("set", "fix", "protect.signals.queue=20", "--reason", "it is fine").ended(0)
    stand.finish(process).ended(0)
    is_repaired(stand)
    entries = stand.sluice("audit", "log", "--json").ended(0).lines()
    must(any("protect.signals.queue" in json.dumps(entry["details"]) for entry in entries), "no entry")


@test("an answer whose end is cut off or cannot be seen is no number, whatever is left of it says")
def _(stand):
    numbers = Numbers(stand)
    stand.write("long.sh", "#!/bin/sh\necho 99; printf '%300s' 3\n").chmod(0o755)
    stand.write("digits.sh", "#!/bin/sh\nprintf '1%0299d' 0\n").chmod(0o755) # 1e299, of which the last 256 digits are 0
    ready(stand, ONE)
    for row, value, words in ((f'url: "{numbers.url}/"', "3" + " " * 300_000 + "999", "300004 bytes: more than 256 KiB"),
                              (f'url: "{numbers.url}/"', "3\0999", "5 bytes: no text"),
                              ("run: ./long.sh", "", "a number was expected, and it printed 303 bytes"),
                              ("run: ./digits.sh", "", "it printed 300 bytes"),
                              (f'prometheus: "{numbers.url}", query: up', "1 NaN", "a value that is no number, not one")):
        numbers.value = value
        write(stand, ONE, more=protect(signals(f"name: queue, {row}, above: 6, {QUICK}")))
        [check] = [check for check in stand.sluice("doctor", "fix.yaml", "--json").json()["checks"] if check["check"] == "guards"]
        among(["queue cannot be read", words], check["text"])


@test("a limit that is moved counts at once, however seldom a signal is read; one that cannot be read any more is given up")
def _(stand):
    ready(stand, ONE, more=protect(signals(queue(stand, 11).replace("every: 20ms", "every: 10m"))))
    process = stand.start(*RUN)
    stand.until(process, holds)
    stand.sluice("set", "fix", "protect.signals.queue=20").ended(0)
    stand.until(process, writes)
    stand.sluice("set", "fix", "protect.signals.queue=5").ended(0)
    stand.until(process, holds)
    among("or none", stand.sluice("set", "fix", "protect.signals.queue=lots").ended(2).err)
    stand.sluice("set", "fix", "protect.signals.queue=none").ended(0)
    stand.finish(process).ended(0)
    same(stand.sluice("set", "fix", "protect.signals.queue=?").ended(0).out.strip().split("=")[-1].strip(), "none", "limit")
    is_repaired(stand)


@test("while a guard has it: a person's pause holds, a signal interrupts, a death is taken up, a rollback takes it back")
def _(stand):
    was = ready(stand, ONE, more=protect(signals(queue(stand, 3)), rate="200/s"))
    process = stand.start(*RUN)
    stand.until(process, writes)
    set_to(stand, 11)
    stand.until(process, holds)
    stand.sluice("pause", "fix", "--reason", "mine").ended(0)
    stand.finish(process).ended(3)
    end = run(stand, 3)
    among("mine", end["message"])
    same(stand.status("fix")["watchdog"]["by"], stand.status("fix")["actor"], "by")
    process = stand.start("resume", "fix", "--json")
    stand.until(process, holds)
    process.send_signal(signal.SIGTERM)
    stand.finish(process).ended(3)
    same(states(stand)[0], "interrupted", "state")
    process = stand.start(*RUN)
    stand.until(process, holds)
    process.kill()
    process.wait()
    same(states(stand)[0], "paused", "state")
    stand.sluice("pause", "fix", "--reason", "unheld").ended(0)
    run(stand, 3)
    process = stand.start("resume", "fix", "--json")
    stand.until(process, holds)
    stand.sluice("rollback", "fix", "--yes", "--pace", "urgent", "--reason", "INC-9").ended(0)
    stand.finish(process)
    same(states(stand)[0], "rolled-back", "state")
    must(stand.dump("items") == was, "it is not as it was")
    stand.sluice("audit", "verify").ended(0)
    said = [(entry["details"], entry["reason"]) for entry in stand.sluice("audit", "log", "--json").ended(0).lines() if entry["action"] == "set"]
    same(said, [({"key": "rollback.pace", "value": "urgent"}, "INC-9")], "on record")


@test("what is taken back waits for its guards, also of a run that is over; a death meanwhile is taken up; --pace urgent does not wait")
def _(stand):
    was = ready(stand, ONE, more=protect(signals(queue(stand, 3))))
    run(stand, 0)
    set_to(stand, 11)
    for ended in (lambda process: process.kill(), lambda process: process.send_signal(signal.SIGTERM)):
        process = stand.start("rollback", "fix", "--yes", "--json")
        held = stand.until(process, holds)[-1]
        among("paused by a guard: queue: 11", held["text"])
        same((held["done"], held["of"]), (0, 0), "what was written is not what is taken back")
        same((stand.status("fix")["state"], stand.status("fix")["watchdog"]["by"]), ("paused", "queue"), "status")
        ended(process)
        process.wait()
        run(stand, 7)
        is_repaired(stand)
    process = stand.start("rollback", "fix", "--yes", "--json")
    stand.until(process, holds)
    set_to(stand, 1)
    stand.finish(process).ended(0)
    must(stand.dump("items") == was, "it is not as it was")
    run(stand, 0)
    set_to(stand, 11)
    among("steady or urgent", stand.sluice("rollback", "fix", "--yes", "--pace", "fast").ended(2).err)
    stand.sluice("rollback", "fix", "--yes", "--pace", "urgent").ended(0)
    must(stand.dump("items") == was, "it is not as it was")
    stand.sluice("audit", "verify").ended(0)


@test("a hard guard halts what is taken back; urgent takes it back in spite of it")
def _(stand):
    was = ready(stand, ONE, more=protect(signals(queue(stand, 3, "above: 10, hard: true"))))
    run(stand, 0)
    set_to(stand, 11)
    end = run(stand, 5, command=("rollback", "fix", "--yes"))
    among(["guard: queue: 11", "--pace urgent"], end["message"])
    same(states(stand)[0], "halted", "state")
    is_repaired(stand)
    run(stand, 0, command=("rollback", "fix", "--yes", "--pace", "urgent"))
    must(stand.dump("items") == was, "it is not as it was")


# Work for a while a record, so that a verification lasts longer than it takes to notice a guard.
SLOWLY = "function transform(doc) local n = 0 for i = 1, 1200000 do n = n + i % 7 end doc.n = doc.n * 2 + 1 return doc end\n"


@test("a verification stands still where it is while a guard holds it, and goes on from there")
def _(stand):
    ready(stand, ONE, rows=70)
    stand.write("fix.lua", SLOWLY)
    write(stand, ONE, more=protect(signals(queue(stand, 3)), rate="10000/s"))
    process = stand.start(*RUN)
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "verifying")
    set_to(stand, 11)
    for _ in range(7): # twice a second: longer than it would take to its end
        stand.until(process, lambda line: line["type"] == "progress" and line["text"] == "verifying, held by a guard")
    same((stand.status("fix")["state"], stand.status("fix")["watchdog"]["by"]), ("paused", "queue"), "status")
    set_to(stand, 1)
    among("0 of 70 differ", stand.finish(process).ended(0).lines()[-1]["verdict"])
    same(moves(stand)[-4:], [("paused", "queue"), ("verifying", None), ("stage.passed", None), ("done", None)], "moves")


@test("verify SPEC, where there is no run, waits while a guard is against it, or a flag stops the home")
def _(stand):
    ready(stand, ONE)
    stand.write("load.yaml", stand.read("load.yaml") + protect(signals(queue(stand, 11))) + "\n")
    stand.write("queue.sh", "#!/bin/sh\necho asked >> asked\ncat number\n")
    asked = lambda: stand.read("asked").count("asked") if stand.path("asked").exists() else 0

    def waits(process):
        before = asked()
        wait_for(lambda: asked() > before + 20, "the signal to be asked again and again")
        must(process.poll() is None, "it did not wait")

    process = stand.start("verify", "load.yaml")
    waits(process)
    set_to(stand, 1)
    must("(null)" not in stand.finish(process).ended(0).err, "a note of no run names one")
    stand.sluice("pause", "--all", "--hold", "--reason", "INC-9").ended(0)
    process, before = stand.start("verify", "load.yaml"), asked()
    time.sleep(1)
    must(process.poll() is None, "it did not wait for the flag")
    same(asked(), before, "what is not planned yet asks no signal")
    stand.sluice("resume", "--all").ended(0)
    among(["planning is held: ", "INC-9", "nothing holds the planning"], stand.finish(process).ended(0).err)
    stand.sluice("pause", "--all", "--hold", "--reason", "INC-9").ended(0)
    process = stand.start("verify", "load.yaml")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    stand.finish(process, 20).ended(3)


@test("a hard guard halts a verification, and only a person with a reason lets it go on")
def _(stand):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("takes long; SLUICE_LIVE_ALL=1 runs it")
    ready(stand, ONE, rows=70)
    stand.write("fix.lua", SLOWLY)
    write(stand, ONE, more=protect(signals(queue(stand, 3, "above: 10, hard: true")), rate="10000/s"))
    process = stand.start(*RUN)
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "verifying")
    set_to(stand, 11)
    stand.finish(process).ended(5)
    same(states(stand)[0], "halted", "state")
    set_to(stand, 1)
    run(stand, 0, command=("resume", "fix", "--reason", "mended"))


@test("a guard's pause is told to hooks as what it is, and not as one that waits for a person; doctor reads what is watched")
def _(stand):
    hooks = "\nhooks: [{ on: [guard.paused, run.paused, run.resumed], run: 'cat >> heard; echo >> heard' }]"
    ready(stand, ONE, more=protect(signals(queue(stand, 11)), "enabled: { file: go }") + hooks)
    set_to(stand, "true", "go")
    checks = [line for line in stand.sluice("doctor", "fix.yaml", "--json").ended(0).json()["checks"] if line["check"] == "guards"]
    same([line["level"] for line in checks], ["warn", "ok"], checks)
    among("queue is at 11, beyond its limit of 10", checks[0]["text"])
    stand.write("queue.sh", "#!/bin/sh\nexit 1\n")
    among("queue cannot be read", stand.sluice("doctor", "fix.yaml").ended(6).out)
    queue(stand, 11)
    process = stand.start(*RUN)
    stand.until(process, holds)
    set_to(stand, 1)
    stand.finish(process).ended(0)
    events = [json.loads(line)["event"] for line in stand.read("heard").splitlines() if line]
    same(events, ["guard.paused", "run.resumed"], "events")


@test("what nothing measures is listed as not watched, and refused where it was asked for; what RocksDB tells is watched")
def _(stand):
    ready(stand, ONE, more=protect("stalls: pause", "compaction: 64GiB", "forecast: 3", rate="100/s"))
    plan = stand.sluice("plan", "fix.yaml", "--json").ended(0).json()
    same(plan["guards"]["unwatched"], ["replication_lag", "memory", "clients", "saving"], "not watched")
    among("not watched: replication_lag, memory, clients, saving", stand.sluice("plan", "fix.yaml").ended(0).out)
    process = stand.start(*RUN)
    stand.until(process, writes)
    same({row["name"] for row in stand.status("fix")["signals"]} - {"stop-all", "priority"}, {"stalls", "compaction", "forecast"}, "signals")
    stand.finish(process).ended(0)
    write(stand, ONE, more=protect("memory: 80%"))
    among(["fix.yaml:", "protect.memory", "nothing measures it there"], stand.sluice("plan", "fix.yaml").ended(2).err)


def stand_outside_commits(process, change):
    """Stops it where it does not hold the catalog: what stands amid a commit lets nobody else write."""
    for _ in range(100):
        stand_still(process)
        try:
            return change()
        except sqlite3.OperationalError as locked:
            if "locked" not in str(locked):
                raise
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)
    raise AssertionError("it held the catalog a hundred times")


@test("a process that stands still is stuck; one that goes on is not")
def _(stand):
    ready(stand, ONE, more=protect(signals(queue(stand, 1)), rate="20/s"))
    process = stand.start(*RUN)
    stand.until(process, writes)
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"), timeout=0.1, isolation_level=None)) as catalog:
        stand_outside_commits(process, lambda: catalog.execute("UPDATE sight SET at_ms = at_ms - 60000")) # as if it had stood for a minute
    among("stuck since", stand.sluice("status", "fix").ended(0).out)
    same(stand.status("fix")["watchdog"]["kind"], "stuck", "watchdog")
    process.send_signal(signal.SIGCONT)
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    stand.finish(process).ended(0)
    is_repaired(stand)


BAD = (
    ("signals: []", "a list of signals"),
    ("signals: [{ name: a, above: 1 }]", "one of 'prometheus', 'url' and 'run'"),
    ("signals: [{ name: a, run: x, url: 'http://h/', above: 1 }]", "and only one"),
    ("signals: [{ name: a, run: x }]", "a signal needs a limit"),
    ("signals: [{ name: a, run: x, above: 1, below: 2 }]", "a signal needs a limit"),
    ("signals: [{ name: a, run: x, above: much }]", "a number such as 0.85"),
    ("signals: [{ name: a, run: x, above: 1, slow: 2 }]", "it would never count"),
    ("signals: [{ name: a, prometheus: 'http://h', above: 1 }]", "needs a 'query'"),
    ("signals: [{ name: a, url: 'http://h', query: up, above: 1 }]", "'query' is what a signal of 'prometheus' is asked"),
    ("signals: [{ name: a, run: x, above: 1, token: '${env:T}' }]", "'token' is for a signal with an address"),
    ("signals: [{ name: a, url: 'http://h', token: secret, above: 1 }]", "a secret never stands in a spec"),
    ("signals: [{ name: memory, run: x, above: 1 }]", "that of a guard of sluice's own"),
    ("signals: [{ name: a, run: x, above: 1 }, { name: a, run: y, above: 1 }]", "was there already"),
    ("memory: 101%", "a share such as 75%"),
    ("memory: [1]", "a share such as 75%"),
    ("replication_lag: 2", "a duration such as 2s"),
    ("saving: stop", "slow, pause or none"),
    ("replicas: -1", "a number, or none"),
    ("enabled: {}", "one of 'file', 'key' and 'url'"),
    ("enabled: { file: a, url: 'http://h' }", "one of 'file', 'key' and 'url'"),
    ("enabled: { file: a, dataset: b }", "'dataset' is for a switch with a key"),
    ("enabled: { key: a, token: '${env:T}' }", "'token' is for a switch with an address"),
    ("memry: 50%", "did you mean 'memory'"),
)


@test("specs of guards that cannot be are refused where they stand")
def _(stand):
    ready(stand, ONE)
    for text, words in BAD:
        write(stand, ONE, more="protect: { %s }" % text)
        among(["fix.yaml:", words], stand.sluice("plan", "fix.yaml").ended(2).err, text)


run_all()
