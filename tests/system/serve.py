#!/usr/bin/env python3
"""sluice serve: what it answers is what the command line says, and what it does is what the command line does.

A thousand listeners and a million partitions are tried where SLUICE_LIVE_ALL is set; here it is a hundred and some ten thousand.
"""

import base64
import collections
import contextlib
import io
import json
import re
import shlex
import signal
import socket
import sqlite3
import sys
import tarfile
import time

from server import ALL, API, SECRET, Events, Server, ledger, one_stopped, seed, server, soaking, stopped, token, two_stopped, until
from stand import SOURCE, alive, among, must, run_all, same, test

# --- looking


@test("every address of the OpenAPI document is answered, by each method that it names and by no other; the page of the docs has the same ones")
def _(stand):
    seed(stand, "fix", "two")
    stopped(stand)
    stopped(stand, "two")
    stand.sluice("verify", "fix.1").ended(0, 4)
    admin = token(stand, "ann", "admin")
    with server(stand) as http_server:
        document = http_server.get("/openapi.json").ended(200).json()
        rows = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
        page = (SOURCE / "docs" / "api.md").read_text()
        same(rows, set(re.findall(r"^\| ((?:GET|POST|DELETE) /\S+) \|", page, re.MULTILINE)), "the addresses of the docs")
        told = re.findall(r"^\| (`[a-z`, ]+`) \|(.*?)\|(.*?)\|$", page[page.index("## What each command is here"):page.index("## Who asks")], re.MULTILINE)
        commands = stand.sluice("completion", "words", "--", "").ended(0).out.split()
        same(sorted(name for names, _, _ in told for name in re.findall(r"\w+", names)), sorted(commands), "commands whose place here the docs tell")
        must(all(addresses.strip() or why.strip() for _, addresses, why in told), "one that is not here, without a reason")
        among(set(address for _, addresses, _ in told for address in re.findall(r"`(.*?)`", addresses)), rows)
        number = http_server.get("/runs/fix.1/reports", admin).json()["reports"][0]["number"]
        for path, item in document["paths"].items():
            real = path.replace("{run}", "fix.1").replace("{other}", "two.1").replace("{board}", "debug").replace("/reports/{number}", f"/reports/{number}").replace("{number}", "1")
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
                if path.endswith("/events") and method == "GET":
                    continue
                answer = http_server.ask(method, real, {} if method == "POST" else None, who=admin)
                if method.lower() in item:
                    must(answer.status != 404 and answer.status != 405, method, real, answer.status, answer.bytes[:200])
                    if method == "GET":
                        answer.ended(200)
                        content, = item["get"]["responses"]["200"]["content"]
                        same(answer.headers["Content-Type"].split(";")[0], content, f"the type of {path}")
                else:
                    same((answer.status, answer.json()["error"], method in answer.headers["Allow"]), (405, "usage", False), f"{method} {real}")
        for path in ("/api", "/api/v1", "/api/v1/runs/", "/api/v1/runs/fix.1/", "/api/v2/runs", "/api/v1/runs/fix.1/partitions/1/x", "/nothing"):
            same(http_server.ask("GET", path).status, 404, path)
        head = http_server.ask("HEAD", f"{API}/runs/fix.1")
        same((head.status, head.bytes), (200, b""), "HEAD")


@test("a page of refused records ends where it has some MiB, however many more were asked for; the next one goes on there")
def _(stand):
    seed(stand, "fix")
    stand.records("in/a.ndjson", ({"id": f"k{n}", "n": -1 if n < 4 else n, "text": "x" * (3 << 20 if n < 4 else 1)} for n in range(12)))
    stand.sluice("run", "fix.yaml", "--yes").ended(3, 8)
    admin = token(stand, "ann", "admin")
    with server(stand) as http_server:
        pages, after = [], 0
        while after is not None:
            page = http_server.get(f"/runs/fix.1/quarantine?limit=500&after={after}", admin).ended(200).json()
            pages.append([row["number"] for row in page["rows"]])
            after = page["next"]
    same(pages, [[1, 2], [3, 4]], "pages of rows of 3 MiB")


@test("a run, the list, a difference, the ledger and what hooks were told are what the command line prints")
def _(stand):
    admin = two_stopped(stand)
    with server(stand) as http_server:
        status = http_server.get("/runs/fix").ended(200).json()
        waits, home = status.pop("waits_for"), status.pop("home")
        same((waits, home), (None, str(stand.path("home"))), "what the server adds")
        same(status, stand.sluice("status", "fix", "--json").json(), "status")
        same(http_server.get("/runs/fix.1/stages").json()["stages"], status["stages"], "stages")
        same(http_server.get("/runs").json(), dict(stand.sluice("list", "--json").json(), next=None), "the list")
        same(http_server.get("/runs/fix.1/diff/two.1", admin).json(), stand.sluice("diff", "fix.1", "two.1", "--json").json(), "diff")
        same(http_server.get("/runs/fix.1/hooks").json(), stand.sluice("hooks", "fix.1", "--json").json(), "hooks")
        metrics = http_server.ask("GET", "/metrics").ended(200)
        among("version=0.0.4", metrics.headers["Content-Type"])
        names = set(re.findall(r"^# TYPE (\S+)", metrics.bytes.decode(), re.MULTILINE))
        shown = set(re.findall(r"^# TYPE (\S+)", stand.sluice("export", "metrics").ended(0).out, re.MULTILINE))
        must(shown and shown <= names, "of the metrics it lacks", shown - names)
        same(http_server.get("/ledger/verification").json(), stand.sluice("audit", "verify", "--json").json(), "audit")
        same(http_server.get("/ledger?after=0&limit=500").json()["entries"], ledger(stand), "the ledger")
        refused = stand.sluice("quarantine", "list", "fix.1", "--json").lines()
        same(http_server.get("/runs/fix.1/quarantine", admin).json()["rows"], refused, "refused records")
        group, = http_server.get("/runs/fix.1/failures", admin).json()["groups"]
        same((group["error"], group["rows"]), ("contract-says", len(refused)), "failures")
        parts = collections.Counter(row["part"] for row in refused)
        same((group["field"], group["key"], group["partitions"]), (refused[0]["reason"].partition(":")[0], refused[0]["key"], len(parts)), "what they have in common")
        same(group["worst"], {"partition": min(parts, key=lambda part: (-parts[part], part)), "rows": max(parts.values())}, "the worst partition")
        stand.run(shlex.split(group["next"].replace("sluice", str(stand.programs.sluice), 1))).ended(0)
        limits = {limit["key"]: limit["value"] for limit in http_server.get("/runs/fix.1/limits").json()["limits"]}
        same(f"protect.rejects={limits['protect.rejects']}", stand.sluice("set", "fix.1", "protect.rejects=?").out.strip(), "a limit")


@test("dashboards, alert rules, runbook and numbers of a run are what the command line exports; the spec is that of the run, whatever its file says by now")
def _(stand):
    seed(stand, "fix", "two")
    stopped(stand, "two")
    stand.write("fix.yaml", stand.read("fix.yaml") + "owner: { team: data, contact: oncall@example.com }\n")
    stopped(stand)
    exported = {words: stand.sluice("export", *words).ended(0).out
                for words in (("grafana", "overview"), ("grafana", "on-call"), ("grafana", "debug"), ("alerts",), ("alerts", "fix.1"), ("runbook", "fix.1"),
                              ("alerts", "fix.1", "--runbook", "https://w/?a=1&b=2"))}
    stand.write("fix.yaml", "sluice: 1\n")
    with server(stand) as http_server:
        for path, words in (("/grafana/overview", ("grafana", "overview")), ("/grafana/on-call", ("grafana", "on-call")), ("/grafana/debug", ("grafana", "debug")),
                            ("/alerts", ("alerts",)), ("/runs/fix/alerts", ("alerts", "fix.1")), ("/runs/fix.1/runbook", ("runbook", "fix.1")),
                            ("/runs/fix.1/alerts?runbook=https%3A%2F%2Fw%2F%3Fa%3D1%26b%3D2", ("alerts", "fix.1", "--runbook", "https://w/?a=1&b=2"))):
            same(http_server.get(path).ended(200).bytes.decode(), exported[words], path)
        among("oncall@example.com", http_server.get("/runs/fix.1/runbook").bytes.decode())
        same(http_server.get("/grafana/weather").ended(400).json()["error"], "usage", "no dashboard")
        numbers = http_server.get("/runs/fix.1/metrics").ended(200).bytes.decode()
        printed = stand.sluice("export", "metrics", "fix.1").ended(0).out

        def stable(text):
            return [line for line in text.splitlines() if not line.startswith("sluice_run_exposed_timestamp_seconds")]

        same(stable(numbers), stable(printed), "the numbers of a run, and of no other")
        among("process_cpu_seconds_total", http_server.ask("GET", "/metrics").ended(200).bytes.decode())
        stand.path("home/texts").rename(stand.path("texts"))
        same(http_server.get("/runs/fix.1/runbook").ended(404).json()["error"], "not-found", "no copy of the spec")


@test("a home that has no run yet is served: empty lists, and ready says so; then its first run is there")
def _(stand):
    seed(stand, "fix")
    with server(stand) as http_server:
        same(http_server.ask("GET", "/readyz").ended(200).json(), {"type": "ready", "ready": True, "empty": True}, "ready")
        same((http_server.get("/runs").ended(200).json()["runs"], http_server.get("/ledger").ended(200).json()["entries"]), ([], []), "lists")
        same(http_server.ask("GET", "/metrics").ended(200).status, 200, "metrics")
        stopped(stand)
        until(lambda: [run["run"] for run in http_server.get("/runs").json()["runs"]] == ["fix.1"])
        until(lambda: http_server.ask("GET", "/readyz").json()["empty"] is False)


@test("partitions with errors, the worst first, and of one its pace and last checkpoint; a report that is sealed is told as it was written")
def _(stand):
    seed(stand, "fix", gate="verify: full")
    stand.write("key", base64.b64encode(b"k" * 32))
    stand.write("fix.yaml", stand.read("fix.yaml") + 'retain: { key: "${file:key}" }\n')
    stand.sluice("run", "fix.yaml", "--yes", env=dict(stand.environment(), HOOK_SECRET=SECRET)).ended(8)
    stand.put("items", ["k3\t-"], store="rocksdb:live-fix")
    stand.sluice("verify", "fix.1", "--full").ended(4)
    admin = token(stand, "ann", "admin")
    with server(stand) as http_server:
        troubles = http_server.get("/runs/fix/troubles").ended(200).json()["partitions"]
        same(sum(row["rejected"] for row in troubles), 4, "refused records")
        same([row["rejected"] for row in troubles], sorted((row["rejected"] for row in troubles), reverse=True), "in their order")
        must(all(row["rejected"] + row["in_doubt"] + row["retried"] > 0 for row in troubles), "one without an error")
        same(len(http_server.get("/runs/fix/troubles?limit=1").json()["partitions"]), 1, "no more than asked for")
        one = http_server.get(f"/runs/fix.1/partitions/{troubles[0]['partition']}").ended(200).json()
        same((one["checkpointed_at"], one["outcomes"]["rejected"]), (troubles[0]["checkpointed_at"], troubles[0]["rejected"]), "one of them")
        must(one["records_per_s"] is None or one["records_per_s"] > 0, one)
        history = http_server.get("/runs/fix.1/history").ended(200).json()
        with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"))) as home:
            took, = home.execute("SELECT max(took_ms) FROM checkpoint WHERE run = 1").fetchone()
        columns = list(zip(*history["points"]))
        same((history["columns"][1], sum(columns[1]), history["columns"][6], max(columns[6])), ("done", 200, "slowest_ms", took), "how it went on")
        reports = http_server.get("/runs/fix.1/reports", admin).json()["reports"]
        texts = [http_server.get(f"/runs/fix.1/reports/{row['number']}", admin).ended(200).bytes.decode() for row in reports]
        missing = [line["key"] for line in map(json.loads, "".join(texts).splitlines()) if line.get("kind") == "missing"]
        same(missing, ["k3"], "what is missing, in the clear")


@test("what was refused is retried, what stands is verified and repaired, hooks are told again: as the commands do it, by who may")
def _(stand):
    seed(stand, "fix", gate="verify: full")
    receiver = stand.start(SOURCE / "tests/system/receiver.py", "heard", SECRET, "fail:1", program=sys.executable)
    stand.write("fix.yaml", stand.read("fix.yaml").replace("127.0.0.1:9/", f"127.0.0.1:{receiver.stdout.readline().strip()}/"))
    env = dict(stand.environment(), HOOK_SECRET=SECRET)
    stand.sluice("run", "fix.yaml", "--yes", env=env).ended(8)
    operator, viewer = token(stand, "olga", "operator"), token(stand, "vic", "viewer")
    with server(stand) as http_server:
        for verb in ("verify", "retry", "repair", "tell"):
            http_server.act("fix.1", verb, viewer).ended(403)
            effect = http_server.act("fix.1", verb, operator, dry_run=True).ended(200).json()
            must(effect["words"] and effect["command"].startswith("sluice "), effect)
        same(len(http_server.get("/runs").json()["runs"]), 1, "a look ahead makes no run")
        same(http_server.act("fix.1", "verify", operator, reason="x").status, 400, "a verification has no reason")
        stand.put("items", [f"k{n}\t-" for n in (3, 61, 111, 161)], store="rocksdb:live-fix")
        verified = http_server.act("fix.1", "verify", operator, full=True).ended(200).json()
        same(verified["command"], "sluice verify fix.1 --full", "the command")
        until(lambda: any(entry["action"] == "report" and entry["actor"] == "olga@token" for entry in ledger(stand)))
        until(lambda: not alive(verified.get("pid", 0))) # the embedded store is one process's
        repaired = http_server.act("fix.1", "repair", operator, reason="put right").ended(200).json()
        same(repaired["command"], "sluice repair fix.1 --yes '--reason=put right'", "the command")
        http_server.until("fix.2", "done")
        until(lambda: not alive(repaired.get("pid", 0)))
        same(json.loads(stand.dump("items", store="rocksdb:live-fix").get("k3", ["null"])[0]), {"id": "k3", "n": 3}, "what it put right")
        stand.write("items.contract.yaml", stand.read("items.contract.yaml").replace(", min: 0", ""))
        again = http_server.act("fix.1", "retry", operator, reason="mended").ended(200).json()
        same(again["command"], "sluice quarantine retry fix.1 --yes --reason=mended", "the command")
        http_server.until("fix.3", "done")
        until(lambda: not alive(again.get("pid", 0)))
        same(stand.status("fix.3")["records"]["written"], 4, "what was refused")
        for run, reason in (("fix.2", "put right"), ("fix.3", "mended")):
            planned = next(entry for entry in ledger(stand) if entry["run"] == run)
            same((planned["actor"], planned["reason"]), ("olga@token", reason), f"who asked for {run}")
        def told(run):
            return [(row["event"], row["state"]) for row in http_server.get(f"/runs/{run}/hooks").ended(200).json()["deliveries"]]

        same(told("fix.1"), [("run.done", "failed")], "who was told in vain")
        again = http_server.act("fix.1", "tell", operator).ended(200).json()
        same(again["command"], "sluice hooks fix.1 --retry", "the command")
        until(lambda: told("fix.1") != [("run.done", "failed")] and not alive(again.get("pid", 0)))
        same(told("fix.1"), [("run.done", "delivered")], "told again")


@test("long lists come in pages that together are the whole, whichever way one reads")
def _(stand):
    seed(stand, "fix")
    for _ in range(5):
        stand.sluice("run", "fix.yaml", "--yes", "--exit-on-pause").ended(3)
        stand.sluice("abort", "fix").ended(0)
    admin = token(stand, "ann", "admin")
    with server(stand) as http_server:
        def pages(path, rows, way):
            found, mark = [], ""
            while mark is not None:
                answer = http_server.get(f"{path}limit=3{f'&{way}={mark}' if mark else ''}", admin).ended(200).json()
                must(len(answer[rows]) <= 3, "a page is too long")
                found += answer[rows]
                mark = answer["next"]
            return found

        same([run["run"] for run in pages("/runs?", "runs", "before")], [f"fix.{n}" for n in range(5, 0, -1)], "the runs")
        down = [entry["number"] for entry in pages("/ledger?", "entries", "before")]
        same(down, list(range(len(down), 0, -1)), "the ledger, downwards")
        up = http_server.get("/ledger?after=0&limit=500").json()["entries"]
        same([entry["number"] for entry in up], down[::-1], "and upwards")
        same({entry["run"] for entry in pages("/ledger?run=fix.2&", "entries", "before")}, {"fix.2"}, "of one run")
        rows = [row["number"] for row in pages("/runs/fix.1/quarantine?", "rows", "after")]
        same(rows, sorted(set(rows)), "refused records")
        for last in (2**63 - 1, 2**64 - 1):
            same(http_server.get(f"/ledger?after={last}").ended(200).json()["entries"], [], "behind the last")
        same(http_server.get("/runs?state=done,paused").json()["runs"], [], "by state")
        same(len(http_server.get("/runs?state=aborted&spec=fix").json()["runs"]), 5, "by state and spec")
        for bad in ("/runs?limit=x", "/runs?nothing=1", "/runs/fix.1/partitions?kind=x", "/ledger?before=1&after=1", "/ledger/verification?head=zz",
                    "/runs/fix.1/partitions/x", "/runs/fix.1/partitions?spans=0"):
            same(http_server.get(bad, admin).json()["error"], "usage", bad)


def many_parts(stand, n):
    """The catalog of a run with so many partitions, every third of them in another state."""
    home = sqlite3.connect(stand.path("home/catalog.db"))
    home.execute("DELETE FROM part WHERE run = 1 AND part >= 0 AND part NOT IN (SELECT part FROM checkpoint WHERE run = 1)")
    begin = home.execute("SELECT coalesce(max(part), -1) + 1 FROM part WHERE run = 1").fetchone()[0]
    home.executemany("INSERT INTO part (run, part, stage, state, records, bounds) VALUES (1, ?, 1, ?, 10, x'')",
                     ((k, ("pending", "written", "verified")[k % 3] if k < n // 2 else "pending") for k in range(begin, n)))
    home.commit()
    home.close()


@test("partitions are spans that cover all of them; where they would be many, blocks tell what in them needs a look most; a stretch is exact")
def _(stand):
    n = 1_000_000 if ALL else 30_000
    seed(stand, "fix")
    stopped(stand)
    many_parts(stand, n)
    with server(stand) as http_server:
        answer = http_server.get("/runs/fix.1/partitions?spans=2000").ended(200)
        whole = answer.json()
        spans, step = whole["spans"], whole["step"]
        same((whole["total"], spans[0][0], spans[-1][0] + spans[-1][1]), (n, 0, n), "what is covered")
        must(all(a[0] + a[1] == b[0] and a[2:] != b[2:] for a, b in zip(spans, spans[1:])), "they do not follow each other")
        must(1 < step and len(spans) <= 2000 and len(answer.bytes) < 60_000, step, len(spans), len(answer.bytes))
        same(whole["states"][spans[-1][2]], "pending", "the end")
        middle = n // 4 // step * step
        stretch = http_server.get(f"/runs/fix.1/partitions?from={middle}&to={middle + 300}").json()
        exact = [state for first, count, state, _ in stretch["spans"] for _ in range(count)]
        same((stretch["step"], len(exact)), (1, 300), "a stretch")
        same([whole["states"][state] for state in exact], [("pending", "written", "verified")[k % 3] for k in range(middle, middle + 300)], "exactly")
        span = next(span for span in spans if span[0] <= middle < span[0] + span[1])
        same(whole["states"][span[2]], "pending", "of pending, written and verified that which needs a look")
        one = http_server.get("/runs/fix.1/partitions/0").json()
        same((one["state"], one["done"], one["verified"] is not None), ("verified", one["records"], True), "one of them")


# --- doing


@test("a run is paused, goes on, gets another limit, is approved and taken back; the answers name the commands, and the ledger who it was")
def _(stand):
    seed(stand, "fix", gate="approve: daemon")
    admin = token(stand, "bea", "admin", "--groups", "daemon")
    stand.sluice("run", "fix.yaml", "--yes", "--exit-on-pause", env=dict(stand.environment(), HOOK_SECRET=SECRET)).ended(3)
    with server(stand) as http_server:
        gate = http_server.get("/runs/fix.1/gate").json()
        same((gate["stage"], gate["approver"], http_server.get("/runs/fix.1").json()["waits_for"]["report"]), ("canary", "daemon", gate["report"]), "the gate")
        effect = http_server.act("fix.1", "pause", admin, dry_run=True, reason="it's me").ended(200).json()
        same((effect["type"], effect["state"], effect["command"]), ("effect", "waiting", "sluice pause fix.1 '--reason=it'\\''s me'"), "before it")
        same(http_server.get("/runs/fix.1").json()["state"], "waiting", "a look ahead does nothing")
        paused = http_server.act("fix.1", "pause", admin, reason="it's me").ended(200).json()
        same((paused["type"], paused["state"], paused["taken"]), ("wish", "paused", True), "the pause")
        same(shlex.split(paused["command"]), ["sluice", "pause", "fix.1", "--reason=it's me"], "its command")
        set_to = http_server.act("fix.1", "set", admin, key="protect.rate.max", value="500/s").ended(200).json()
        same(set_to["command"], "sluice set fix.1 protect.rate.max=500/s", "its command")
        limit = next(row for row in http_server.get("/runs/fix.1/limits").json()["limits"] if row["key"] == "protect.rate.max")
        same((limit["value"], limit["set_by"]), ("500/s", "bea@token"), "the limit")
        both = http_server.act("fix.1", "set", admin, limits={"rate.max": "400", "memory": "85%"}).ended(200).json()
        same(both["command"], "sluice set fix.1 rate.max=400 memory=85%", "its command")
        for wrong in ({"limits": {}}, {"limits": {"memory": 1}}, {"limits": {"memory": "85%"}, "key": "memory"}, {"limits": {"memory": "80%", "rate.max": "much"}}):
            http_server.act("fix.1", "set", admin, **wrong).ended(400)
        now = {row["key"]: row["value"] for row in http_server.get("/runs/fix.1/limits").json()["limits"]}
        same((now["protect.rate.max"], now["protect.memory"]), ("400/s", "85%"), "several limits, all or none")
        gone_on = http_server.act("fix.1", "resume", admin).ended(200).json()
        must(gone_on["type"] in ("detached", "ended"), gone_on)
        http_server.until("fix.1", "waiting")
        same(http_server.act("fix.1", "approve", admin, report="00000000").ended(409).json()["error"], "refused", "another report")
        http_server.act("fix.1", "approve", admin, report=gate["report"], reason="looks well").ended(200)
        status = http_server.until("fix.1", "waiting", "done", "failed")
        if status["state"] == "waiting" and not status["held"]:
            http_server.act("fix.1", "resume", admin).ended(200)
        http_server.until("fix.1", "done")
        effect = http_server.act("fix.1", "rollback", admin, dry_run=True).ended(200).json()
        same((effect["keys"], effect["records"]["left"]), (effect["records"]["written"], 0), "what a rollback would do")
        back = http_server.act("fix.1", "rollback", admin, reason="enough").ended(200).json()
        among("--yes", back["command"])
        http_server.until("fix.1", "rolled-back")
        for entry in ledger(stand):
            if entry["number"] > gate_number(stand):
                same(entry["actor"], "bea@token", entry["action"])
        done = [entry["action"] for entry in ledger(stand) if entry["actor"] == "bea@token"]
        must({"paused", "approved", "running", "done", "rolling-back", "rolled-back"} <= set(done), done)


def gate_number(stand):
    """The last entry before anybody asked the server."""
    return next(entry["number"] for entry in ledger(stand) if entry["actor"] == "bea@token") - 1


@test("a run that another process holds hears of it there: pause, and a rollback of what it wrote; the flag stops and lifts")
def _(stand):
    seed(stand, "fix")
    admin = token(stand, "ann", "admin")
    with server(stand) as http_server:
        soaking(stand)
        same(http_server.get("/runs/fix.1").json()["held"], True, "held")
        back = http_server.act("fix.1", "rollback", admin, reason="enough").ended(200).json()
        same((back["type"], back["taken"]), ("wish", True), "heard by its holder")
        http_server.until("fix.1", "rolled-back")
        stop = http_server.act(None, "stop", admin, reason="incident").ended(200).json()
        same((stop["stands"], stop["command"]), (True, "sluice pause --all --hold --reason=incident"), "the flag")
        same(http_server.get("/stop").json()["actor"], "ann@token", "who set it")
        same(http_server.act(None, "go", admin).ended(200).json()["stands"], False, "lifted")
        same(http_server.act(None, "go", admin).ended(409).json()["error"], "refused", "it does not stand")


@test("the same key does an action once, also across the server's death; another request under it is refused, and so is one at work")
def _(stand):
    seed(stand, "fix")
    stopped(stand)
    admin, other = token(stand, "ann", "admin"), token(stand, "bob", "admin")
    key = {"Idempotency-Key": "one-1"}

    def sets():
        return sum(1 for entry in ledger(stand) if entry["action"] == "set" or (entry["details"] or {}).get("wish") == "set")

    with server(stand) as http_server:
        first = http_server.act("fix.1", "set", admin, key, key="protect.rate.max", value="500/s").ended(200)
        before = sets()
        must(before > 0, "nothing in the ledger")
        again = http_server.act("fix.1", "set", admin, key, key="protect.rate.max", value="500/s").ended(200)
        same((again.bytes, again.headers["Idempotency-Replayed"], first.headers["Idempotency-Replayed"], sets()), (first.bytes, "true", None, before), "once")
        same(http_server.act("fix.1", "set", admin, key, key="protect.rate.max", value="9/s").ended(409).json()["error"], "refused", "another request")
        http_server.end(signal.SIGKILL)
    with server(stand) as http_server:
        again = http_server.act("fix.1", "set", admin, key, key="protect.rate.max", value="500/s").ended(200)
        same((again.headers["Idempotency-Replayed"], sets()), ("true", before), "after its death")
        http_server.act("fix.1", "set", other, key, key="protect.rate.max", value="9/s").ended(200)
        same(sets() > before, True, "somebody else's key is another")
        for bad in ("", "x" * 65, "a b", "é"):
            same(http_server.ask("POST", f"{API}/runs/fix.1/pause", {}, who=admin, headers={"Idempotency-Key": bad.encode()}).status, 400, repr(bad))


@test("the record of a run is given out as an archive that holds by itself, to who may see records; the ledger says who took it and why, once a request")
def _(stand):
    seed(stand, "fix")
    stopped(stand)
    operator, viewer, only = token(stand, "olga", "operator"), token(stand, "vic", "viewer"), token(stand, "tim", "admin", "--only", "fix")
    with server(stand) as http_server:
        http_server.act("fix.1", "bundle", viewer).ended(403)
        among("the ledger is of all runs", http_server.act("fix.1", "bundle", only).ended(403).json()["message"])
        same(http_server.act("fix.1", "bundle", operator, full=True).status, 400, "a field that it has not")
        effect = http_server.act("fix.1", "bundle", operator, dry_run=True, reason="audit 2026").ended(200).json()
        same(effect["command"], "sluice audit bundle fix.1 --out=record '--reason=audit 2026'", "the command")
        until(lambda: sum(entry["action"] == "refused" for entry in ledger(stand)) == 2) # they are in the record too
        taken = [http_server.act("fix.1", "bundle", operator, {"Idempotency-Key": "a"}, reason="audit 2026").ended(200) for _ in range(2)]
        same([(one.headers["Content-Type"], one.headers["Idempotency-Replayed"]) for one in taken], [("application/x-tar", None)] * 2, "archives, each made anew")
        with tarfile.open(fileobj=io.BytesIO(taken[0].bytes)) as archive:
            same({(member.isfile(), member.mode) for member in archive}, {(True, 0o644)}, "what is in it")
            archive.extractall(stand.path("given"))
        stand.write("record.tar", taken[1].bytes)
        same(stand.run(["tar", "-tf", "record.tar"]).ended(0).out.splitlines()[-1], "fix.1/manifest.json", "its last file, for tar")
    exports = [entry for entry in ledger(stand) if entry["action"] == "export"]
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"))) as home:
        named = home.execute("SELECT DISTINCT plan_digest FROM ledger WHERE run = 'fix.1'").fetchall()
    same(len(named), 1, "plans that the entries of the run name, what was refused too")
    same([(entry["actor"], entry["reason"], entry["run"]) for entry in exports], [("olga@token", "audit 2026", "fix.1")] * 2, "the ledger")
    verdict = stand.sluice("audit", "verify", "--bundle", "given/fix.1", "--json").ended(0).json()
    same((verdict["ok"], verdict["manifest"]), (True, exports[0]["details"]["manifest"]), "what checks it")
    stand.sluice("audit", "bundle", "fix.1", "-o", "record").ended(0)
    names = {str(path.relative_to(stand.path("record"))) for path in stand.path("record").rglob("*")}
    same({str(path.relative_to(stand.path("given/fix.1"))) for path in stand.path("given/fix.1").rglob("*")}, names, "its files")
    for name in ("plan.json", "run.json"):
        same(stand.read(f"given/fix.1/{name}"), stand.read(f"record/{name}"), name)


@test("what has expired is removed by who may and nobody else, and told before as it is told afterwards; the same key removes once")
def _(stand):
    seed(stand, "fix", gate="verify: full")
    stand.write("fix.yaml", stand.read("fix.yaml") + "retain: { undo: 1ms, quarantine: 1ms, reports: 1ms }\n")
    stand.sluice("run", "fix.yaml", "--yes", env=dict(stand.environment(), HOOK_SECRET=SECRET)).ended(8)
    admin, operator, only = token(stand, "ann", "admin"), token(stand, "olga", "operator"), token(stand, "tim", "admin", "--only", "fix")
    with server(stand) as http_server:
        for who in (operator, only):
            same(http_server.act(None, "prune", who).ended(403).json()["error"], "not-permitted", "who may not")
        told = stand.sluice("prune", "--dry-run", "--json").ended(0).json()["expired"]
        must({item["what"] for item in told} >= {"undo", "quarantine"}, told)
        effect = http_server.act(None, "prune", admin, dry_run=True).ended(200).json()
        same((effect["expired"], effect["command"]), (told, "sluice prune"), "before")
        same(stand.sluice("prune", "--dry-run", "--json").ended(0).json()["expired"], told, "a look ahead removes nothing")
        done = http_server.act(None, "prune", admin, {"Idempotency-Key": "p"}, reason="full").ended(200)
        removed = done.json()
        same((removed["type"], removed["dry_run"], removed["command"], removed["expired"]), ("prune", False, "sluice prune --reason=full", told), "afterwards")
        again = http_server.act(None, "prune", admin, {"Idempotency-Key": "p"}, reason="full").ended(200)
        same((again.bytes, again.headers["Idempotency-Replayed"]), (done.bytes, "true"), "once")
        same(http_server.act(None, "prune", admin).ended(200).json()["expired"], [], "nothing is left")
        same(http_server.act("fix.1", "rollback", admin).status, 409, "what is gone cannot be taken back")
        until(lambda: {entry["actor"] for entry in ledger(stand) if entry["action"] == "refused"} >= {"olga@token", "tim@token"})
    pruned = [entry for entry in ledger(stand) if entry["action"].startswith("prune") or entry["action"] == "expired"]
    same({(entry["actor"], entry["reason"]) for entry in pruned}, {("ann@token", "full")}, "who removed it, and why")


@test("what it starts outlives it: killed at any moment, it leaves a run at work that the next server shows")
def _(stand):
    admin = one_stopped(stand)
    with server(stand) as http_server:
        left = http_server.act("fix.1", "resume", admin).ended(200).json()
        same((left["type"], left["command"]), ("detached", "sluice resume fix.1"), "the answer")
        http_server.end(signal.SIGKILL)
        must(alive(left["pid"]), "it died with the server")
        with server(stand) as next_server:
            status = next_server.get("/runs/fix.1").json()
            same((status["held"], status["state"]), (True, "waiting"), "the run")
            same(next_server.act("fix.1", "abort", admin).ended(200).json()["taken"], True, "it hears")
            until(lambda: not alive(left["pid"]))
            same(next_server.get("/runs/fix.1").json()["state"], "aborted", "its end")


@test("run --serve answers for as long as the run is at work, and what is asked there is heard by this very run")
def _(stand):
    seed(stand, "fix")
    admin = token(stand, "ann", "admin")
    process = stand.start("run", "fix.yaml", "--yes", "--serve", "--listen", "127.0.0.1:0", "--json", env=dict(stand.environment(), HOOK_SECRET=SECRET))
    http_server = Server.__new__(Server)
    http_server.tls, http_server.seen = None, []
    http_server.take(stand.until(process, lambda line: line["type"] == "serving")[-1]["url"])
    http_server.until("fix.1", "waiting")
    same(http_server.act("fix.1", "pause", admin, reason="enough").ended(200).json()["taken"], True, "heard")
    done = stand.finish(process)
    same((done.code, stand.sluice("status", "fix", "--json").json()["actor"]), (3, "ann@token"), "its end")


# --- events


@test("a change is told within half a second; who comes back with the last number misses nothing and hears nothing twice, also after the server was killed")
def _(stand):
    admin = two_stopped(stand)
    with server(stand) as http_server:
        at_once = Events(http_server, who=admin)
        http_server.act(None, "stop", admin).ended(200)
        http_server.act(None, "go", admin).ended(200)
        at_once.wait(lambda kind, data: kind == "ledger" and data["action"] == "stop-all")
        at_once.wait(lambda kind, data: kind == "ledger" and data["action"] == "go-all")
        at_once.close()
        both, one = Events(http_server, who=admin), Events(http_server, "?run=two", who=admin)
        both.wait(lambda kind, data: kind == "status" and data["run"] == "two.1")
        one.wait(lambda kind, data: kind == "stop")
        began = time.monotonic()
        http_server.act("fix.1", "pause", admin).ended(200)
        answered = time.monotonic()
        told = both.wait(lambda kind, data: kind == "ledger" and data["action"] == "paused")
        seen = both.wait(lambda kind, data: kind == "status" and data["run"] == "fix.1" and data["state"] == "paused")
        must(told[2] - answered < 0.5 and seen[2] - answered < 0.5, told[2] - began, seen[2] - began)
        must(all(data.get("run") in (None, "two.1") for kind, data, _ in one.events), "of one run alone")
        last = both.ledger()[-1]
        both.close()
        http_server.act("two.1", "pause", admin).ended(200)
        http_server.end(signal.SIGKILL)
    stand.sluice("abort", "two.1").ended(0)
    with server(stand) as http_server:
        again = Events(http_server, who=admin, last=last)
        again.wait(lambda kind, data: kind == "ledger" and data["action"] == "aborted")
        stand.sluice("abort", "fix.1").ended(0)
        again.wait(lambda kind, data: kind == "ledger" and data["action"] == "aborted" and data["run"] == "fix.1")
        again.wait(lambda kind, data: kind == "status" and data["run"] == "fix.1" and data["state"] == "aborted")
        same(again.ledger(), [entry["number"] for entry in ledger(stand) if entry["number"] > last], "what was missed, and then what came")
        again.close()
        same(http_server.get("/events?run=nothing.1").status, 404, "of no run")
        same(http_server.get("/events", headers={"Last-Event-ID": "x"}).status, 400, "a number that is none")


@test("who comes back for one run, and behind a thousand entries of others, gets on: the stream ends with how far it has looked")
def _(stand):
    admin = two_stopped(stand)
    with server(stand) as http_server:
        limits = {row["key"]: row["value"] for row in http_server.get("/runs/fix.1/limits").json()["limits"]}
        first = ledger(stand)[-1]["number"]
        for _ in range(1000 // len(limits) + 1):
            http_server.act("fix.1", "set", admin, limits=limits).ended(200)
        http_server.act("two.1", "pause", admin, reason="hear this").ended(200)
        far = Events(http_server, "?run=two", who=admin, last=first)
        far.ended()
        same((far.ledger(), int(far.last)), ([], first + 1000), "of others, and how far it has looked")
        near = Events(http_server, "?run=two", who=admin, last=far.last)
        near.wait(lambda kind, data: kind == "ledger" and data["reason"] == "hear this")
        near.close()


@test("many listen at once: each hears of a change; those that go away and those that read nothing keep nobody from it")
def _(stand):
    n = 1000 if ALL else 100
    admin = one_stopped(stand)
    with server(stand) as http_server:
        request = f"GET {API}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

        def called():
            return socket.create_connection((http_server.host, int(http_server.port)), timeout=60)

        def heard(line):
            """A stream that has begun: who comes with so many others may be told to come again."""
            while line.recv(65536).startswith(b"HTTP/1.1 503 "):
                line.close()
                time.sleep(0.05)
                line = called()
                line.sendall(request)
            return line
        lines = [called() for _ in range(n)]
        for line in lines:
            line.sendall(request)
        gone, deaf, listening = lines[:n // 4], lines[n // 4:n // 2], [heard(line) for line in lines[n // 2:]]
        for line in gone:
            line.close()
        http_server.act("fix.1", "pause", admin, reason="hear this").ended(200)
        for line in listening:
            found = b""
            while b"hear this" not in found:
                more = line.recv(65536)
                must(more, "a stream ended: ", found[-1500:])
                found += more
        same(http_server.get("/runs/fix.1").json()["state"], "paused", "and it answers")
        for line in deaf + listening:
            line.close()
        same(http_server.end().code, 0, "the server's end")


run_all("sluice", "app", "dies")
