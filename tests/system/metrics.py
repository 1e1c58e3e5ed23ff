#!/usr/bin/env python3
"""What others watch runs by: metrics in a file, pushed and printed; alert rules that fire and resolve; dashboards; the runbook; mails;
the record of a run as a folder."""

import contextlib
import hashlib
import http.server
import json
import os
import re
import shutil
import socket
import sqlite3
import stat
import subprocess
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import yaml
from staged import others, as_user, ready, run, stands_so, three
from stand import Skip, among, must, run_all, same, test

TOLD = Path(__file__).resolve().parents[2] / "docs/metrics.md"
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
TWO = "stages: [{ name: canary, scope: 1 partition }, { name: full, scope: 100% }]\n"
OWNER = "owner: { team: data, contact: oncall@example.com, escalate: [{ after: 15m, to: lead@example.com }] }\n"


def tool(stand, *arguments, **more):
    if not PROMTOOL:
        raise Skip("promtool is not installed")
    return stand.run([PROMTOOL, *arguments], **more)


def samples(text):
    """{name{labels}: value} of an exposition."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}


def of(name, run="fix.1", **labels):
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in {"run": run, "spec": run.partition(".")[0], **labels}.items()) + "}"


class Heard:
    """An HTTP server in a thread: what it was asked, and what it answers."""

    def __init__(self, answer):
        self.asked, self.news = [], threading.Semaphore(0)
        heard = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answered(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status, text = answer(self)
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())
                heard.asked.append((self.command, self.path, dict(self.headers), body))
                heard.news.release()

            do_GET = do_PUT = do_POST = answered

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@test("a run keeps its file from before its first write to its end; the file is whole each time, and anyone may read it")
def _(stand):
    ready(stand, TWO, more="protect: { rate: { max: 200/s } }")
    process = stand.start("run", "fix.yaml", "--yes", "--json", "--metrics-file", "m.prom")
    stand.until(process, lambda line: line["type"] == "state" and line["state"] == "running")
    first = samples(stand.read("m.prom"))
    same((first[of("sluice_run_listed_records")], sum(first[of("sluice_run_state", state=state)] for state in ("planned", "running", "waiting"))),
         (400, 1), "what is told first")
    stand.finish(process).ended(0)
    last = samples(stand.read("m.prom"))
    same((last[of("sluice_run_state", state="done")], last[of("sluice_records_total", outcome="written")], last[of("sluice_run_held")]), (1, 400, 0), "what is told last")
    same(last[of("sluice_verification_difference_ratio", stage="full")], 0, "the difference")
    with contextlib.closing(sqlite3.connect(stand.path("home/catalog.db"))) as catalog:
        took = sorted(row[0] / 1000 for row in catalog.execute("SELECT took_ms FROM checkpoint JOIN run ON run.id = checkpoint.run WHERE run.name = 'fix.1'"))
    same([last[of("sluice_end_to_end_seconds", share=share)] for share in ("0.5", "0.99", "1")], [took[(len(took) + 1) // 2 - 1], took[-1], took[-1]], "end-to-end latency")
    must("process_cpu_seconds_total" in last, "nothing of the process")
    must(os.stat(stand.path("m.prom")).st_mode & stat.S_IROTH, "others may not read it")
    same(sorted(path.name for path in stand.dir.glob("m.prom*")), ["m.prom"], "files")
    printed = samples(stand.sluice("export", "metrics", "fix").ended(0).out)
    same([name for name in printed if printed[name] != last.get(name)], [of("sluice_run_exposed_timestamp_seconds")], "what is printed otherwise")
    same({name.partition("_")[0] for name in last.keys() - printed.keys()}, {"process"}, "what only the process tells")
    must(of("sluice_run_state", run="load.1", state="done") in samples(stand.sluice("export", "metrics").ended(0).out), "the other run is not told")
    stand.sluice("export", "metrics", "-o", "own.prom").ended(0)
    for name in ("m.prom", "own.prom"):
        same(tool(stand, "check", "metrics", stdin=stand.read(name)).ended(0).err, "", "what promtool says")


@test("a file that cannot be written stops a run before it begins; a gateway that is not there stops none; what is no address is refused")
def _(stand):
    ready(stand, TWO)
    among("--metrics-file", stand.sluice("run", "fix.yaml", "--yes", "--metrics-file", "none/m.prom").ended(6, 7, 9).err)
    stands_so(stand, "planned", "pending", "pending")
    for bad in ("pushgateway:9091", "ftp://h/", "file:///etc/passwd"):
        among("--push: not an http or https address", stand.sluice("run", "fix.yaml", "--yes", "--push", bad).ended(2).err)
    stands_so(stand, "planned", "pending", "pending")
    done = stand.sluice("run", "fix.yaml", "--yes", "--push", "http://127.0.0.1:1/hush").ended(0)
    among("metrics are not told: --push: ", done.err)
    must("hush" not in done.err + done.out, "the address is shown")
    for words in (("weather",), ("grafana",), ("grafana", "weather"), ("runbook",)):
        stand.sluice("export", *words).ended(2)
    for words in (("metrics", "fix.9"), ("alerts", "fix.9"), ("runbook", "other")):
        stand.sluice("export", *words).ended(9)


@test("a run pushes to a gateway: a PUT to a group of its own, and its last state; the secret of the address is nowhere else")
def _(stand):
    ready(stand, TWO)
    with Heard(lambda request: (200, "")) as gateway:
        address = f"http://ops:${{env:PUSHED}}@127.0.0.1:{gateway.port}/base/"
        done = stand.sluice("run", "fix.yaml", "--yes", "--push", address, env=stand.environment(PUSHED="hush-hush")).ended(0)
        must("hush-hush" not in done.out + done.err, "the secret is shown")
        same({(method, path) for method, path, _, _ in gateway.asked}, {("PUT", "/base/metrics/job/sluice/run/fix.1")}, "requests")
        must(len(gateway.asked) >= 2, gateway.asked)
        _, _, headers, body = gateway.asked[-1]
        among("text/plain; version=0.0.4", headers["Content-Type"])
        must("Authorization" in headers, headers)
        same(samples(body)[of("sluice_run_state", state="done")], 1, "the last state")
        for path in stand.path("home").rglob("*"):
            must(not path.is_file() or b"hush-hush" not in path.read_bytes(), f"{path} holds the secret")
    with Heard(lambda request: (400, "bad name")) as gateway:
        done = stand.sluice("run", "fix.yaml", "--again", "--yes", "--push", f"http://127.0.0.1:{gateway.port}").ended(0)
        among("the gateway answered 400: bad name", done.err)


def datagrams(run):
    """Lines that arrive at a port while `run`, which is given it, runs."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        run(f"127.0.0.1:{port.getsockname()[1]}")
        port.setblocking(False)
        lines = []
        while True:
            try:
                packet = port.recv(65536)
            except BlockingIOError:
                return lines
            must(len(packet) <= 1400 and not packet.endswith(b"\n"), "a packet", len(packet))
            lines += packet.decode().split("\n")


def grown(lines, name):
    return sum(float(line.removeprefix(name).partition("|")[0]) for line in lines if line.startswith(name) and "|c" in line)


@test("StatsD is told gauges, and of counters what they grew; a DogStatsD has labels as tags; what is no place is refused, and nobody there stops no run")
def _(stand):
    ready(stand, three(canary="soak: 1s"))
    stand.sluice("run", "fix.yaml", "--yes", "--exit-on-pause").ended(3) # what it wrote was told to nobody, and is no growth
    plain = datagrams(lambda place: stand.sluice("run", "fix.yaml", "--yes", "--statsd", place).ended(0))
    must(all(re.fullmatch(r"[\w.-]+:-?[0-9.e+-]+\|[gc]", line) for line in plain), [line for line in plain if not re.fullmatch(r"[\w.-]+:-?[0-9.e+-]+\|[gc]", line)][:3])
    same(grown(plain, "sluice_records_total.fix_1.fix.written:"), 300, "records written since")
    same(plain.count("sluice_run_state.fix_1.fix.done:1|g"), 1, "the last state")
    tagged = datagrams(lambda place: stand.sluice("rollback", "fix", "--yes").ended(0) and stand.sluice("run", "fix.yaml", "--again", "--yes", "--dogstatsd", place).ended(0))
    tags = {line.partition("|c|")[2] for line in tagged if line.startswith("sluice_records_total:")}
    must("#run:fix.2,spec:fix,outcome:written" in tags, tags)
    same(grown([line for line in tagged if "outcome:written" in line], "sluice_records_total:"), 400, "with tags")
    for bad in ("here", ":8125", "127.0.0.1:0", "127.0.0.1:x"):
        among("HOST:PORT was expected", stand.sluice("run", "fix.yaml", "--again", "--yes", "--statsd", bad).ended(2).err)


def spans_of(heard):
    """{id: span} of all that was taken, their attributes as a map."""
    spans = {}
    for _, path, headers, body in heard:
        same((path, headers["Content-Type"]), ("/v1/traces", "application/json"), "a request")
        for resource in json.loads(body)["resourceSpans"]:
            same(resource["resource"]["attributes"][0], {"key": "service.name", "value": {"stringValue": "sluice"}}, "of whom")
            for span in resource["scopeSpans"][0]["spans"]:
                values = {pair["key"].removeprefix("sluice."): next(iter(pair["value"].values())) for pair in span["attributes"]}
                spans[span["spanId"]] = dict(span, attributes=values)
    return spans


@test("a trace: run, stage, partition, batch, each within the one above it and below the caller's; a collector that is late gets all of it")
def _(stand):
    ready(stand, TWO)
    trace = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    turns = iter([503])
    with Heard(lambda request: (next(turns, 200), "later")) as collector:
        env = stand.environment(TRACEPARENT=f"00-{trace[0]}-{trace[1]}-01")
        done = stand.sluice("run", "fix.yaml", "--yes", "--otlp", f"http://127.0.0.1:{collector.port}", env=env).ended(0)
        must("not told" not in done.err, done.err)
        spans = spans_of(collector.asked[1:]) # what was answered with 503 was not taken
    by = {name: [span for span in spans.values() if span["name"] == name] for name in ("run", "stage", "partition", "batch")}
    same([len(by[name]) for name in ("run", "stage", "partition")], [1, 2, 4], "spans")
    same({span["traceId"] for span in spans.values()}, {trace[0]}, "the trace")
    same((by["run"][0]["parentSpanId"], by["run"][0]["attributes"]), (trace[1], {"run": "fix.1", "spec": "fix", "state": "done", "sample": 1}), "the run")
    for name, above in (("stage", "run"), ("partition", "stage"), ("batch", "partition")):
        for span in by[name]:
            outer = spans[span["parentSpanId"]]
            same(outer["name"], above, f"above a {name}")
            inner = [int(of[key]) for of, key in ((outer, "startTimeUnixNano"), (span, "startTimeUnixNano"), (span, "endTimeUnixNano"))]
            must(inner[1] <= inner[2] and int(span["endTimeUnixNano"]) <= int(outer["endTimeUnixNano"]), name, inner)
            must(name == "stage" or inner[0] <= inner[1] + 2_000_000, f"a {name} begins before what it is of", inner)
    same(sum(int(span["attributes"]["written"]) for span in by["batch"]), 400, "records of the batches")
    same({span["attributes"]["stage"] for span in by["batch"]}, {"canary", "full"}, "their stages")
    same({span["status"]["code"] for span in spans.values()}, {1}, "all went well")
    among("--otlp: not an http or https address", stand.sluice("run", "fix.yaml", "--again", "--yes", "--otlp", "collector:4318").ended(2).err)
    done = stand.sluice("run", "fix.yaml", "--again", "--yes", "--otlp", "http://127.0.0.1:1").ended(0)
    among("the trace is not told: --otlp: ", done.err)


@test("a collector that asks for a token gets the secret of --otlp-header, asked for again where it is refused, and shown nowhere; what is no header or share is refused before the run")
def _(stand):
    ready(stand, TWO)
    stand.write("token", "hush-old\n")

    def answer(request):
        said = request.headers["Authorization"]
        stand.write("token", "hush-new\n")
        return (200, "") if said == "Bearer hush-new" else (401, f"{said} is nobody's")

    def quiet(done):
        must("hush" not in done.out + done.err, done.out, done.err)
        for path in stand.path("home").rglob("*"):
            must(not path.is_file() or b"hush" not in path.read_bytes(), f"{path} holds the secret")
        return done

    with Heard(answer) as collector:
        url = ("--otlp", f"http://127.0.0.1:{collector.port}")
        done = quiet(stand.sluice("run", "fix.yaml", "--yes", *url, "--otlp-header", "Authorization: Bearer ${file:token}").ended(0))
        must("not told" not in done.err, done.err)
        same([headers["Authorization"] for _, _, headers, _ in collector.asked[:2]], ["Bearer hush-old", "Bearer hush-new"], "what it was shown")
        same(sum(int(span["attributes"]["written"]) for span in spans_of(collector.asked[1:]).values() if span["name"] == "batch"), 400, "records of the batches")
        wrong = stand.environment(SLUICE_OTLP_HEADER="Authorization: Bearer ${env:HUSHED}", HUSHED="hush-wrong")
        among("the collector answered 401", quiet(stand.sluice("run", "fix.yaml", "--again", "--yes", *url, env=wrong).ended(0)).err)
        heard = len(collector.asked)
        stand.write("two", "hush\nX-Evil: 1\n")
        for bad, says in (("Authorization", "NAME: VALUE"), ("Authorization:", "NAME: VALUE"), (": x", "NAME: VALUE"), ("A B: x", "NAME: VALUE"),
                          ("authorization: Bearer hush-plain", "${env:NAME}"), ("X-Key: ${env:NOT_THERE}", "NOT_THERE"), ("X-Key: ${nope:1}", "${env:NAME}"), ("X-Key: ${file:two}", "no header holds")):
            among(["--otlp-header", says], quiet(stand.sluice("run", "fix.yaml", "--again", "--yes", *url, "--otlp-header", bad).ended(2)).err)
        for bad in ("0%", "101%", "-1%", "some", "nan%"):
            among("--otlp-sample", stand.sluice("run", "fix.yaml", "--again", "--yes", *url, "--otlp-sample", bad).ended(2).err)
        same(len(collector.asked), heard, "requests of what was refused")


@test("of a trace a share of the partitions is sent, each with all of its batches; the run and its stages always; nothing of one that the caller does not record")
def _(stand):
    ready(stand, "stages: [{ name: canary, scope: 10% }, { name: full, scope: 100% }]\n")
    stand.write("fix.yaml", re.sub(r"partitions: .*", "partitions: { size: 10 }", stand.read("fix.yaml")))
    with Heard(lambda request: (200, "")) as collector:
        url = ("--otlp", f"http://127.0.0.1:{collector.port}")
        stand.sluice("run", "fix.yaml", "--yes", *url, "--otlp-sample", "50%").ended(0)
        spans = spans_of(collector.asked).values()
        parts = [span for span in spans if span["name"] == "partition"]
        must(0 < len(parts) < 40, len(parts), "partitions of 40") # one in 2^39 has none, or all
        same(sorted(span["name"] for span in spans if span["name"] in ("run", "stage")), ["run", "stage", "stage"], "what is above them")
        run_span = next(span for span in spans if span["name"] == "run")
        same(run_span["attributes"]["sample"], 0.5, "the share is told")
        written = {}
        for span in spans:
            if span["name"] == "batch":
                written[span["parentSpanId"]] = written.get(span["parentSpanId"], 0) + int(span["attributes"]["written"])
        same(written, {span["spanId"]: 10 for span in parts}, "records of each partition's batches")
        heard = len(collector.asked)
        env = stand.environment(TRACEPARENT="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
        done = stand.sluice("run", "fix.yaml", "--again", "--yes", *url, env=env).ended(0)
        among("the trace is not told: TRACEPARENT says that it is not recorded", done.err)
        same(len(collector.asked), heard, "requests")


@test("--log-format json: every line of the log is an object with time and level; batches with run, stage and partition at the level debug; errors too")
def _(stand):
    ready(stand, TWO)

    def log(done):
        lines = [json.loads(line) for line in done.err.splitlines()]
        must(all(re.fullmatch(r"[0-9T:.-]+Z", line["time"]) and line["level"] in ("error", "warn", "info", "debug") for line in lines), lines[:3])
        return lines

    lines = log(stand.sluice("run", "fix.yaml", "--yes", "--log-format", "json", "--log-level", "debug").ended(0))
    batches = [line for line in lines if line["level"] == "debug"]
    same({(line["run"], line["stage"]) for line in batches}, {("fix.1", "canary"), ("fix.1", "full")}, "of which stages")
    same(({line["partition"] for line in batches}, sum(line["written"] for line in batches)), ({0, 1, 2, 3}, 400), "their partitions, and records")
    same(min(line["batch"] for line in batches), 1, "their numbers")
    states = [line["state"] for line in lines if line["level"] == "info" and line.get("run") == "fix.1"]
    must({"running", "verifying", "done"} <= set(states), states)
    must(not any(line["level"] == "debug" for line in log(stand.sluice("run", "fix.yaml", "--again", "--yes", "--log-format", "json").ended(0))), "batches unasked")
    last = log(stand.sluice("status", "none", "--log-format", "json").ended(9))[-1]
    same((last["level"], "none" in last["message"]), ("error", True), "an error")
    beside = stand.sluice("run", "fix.yaml", "--again", "--yes", "--json", "--log-format", "json").ended(0)
    must(log(beside) and beside.lines()[-1]["type"] == "end", "with --json both are there")
    among("text or json", stand.sluice("status", "--log-format", "xml").ended(2).err)


# What makes each alert fire, minute by minute (promtool's notation); when it does, and when it is over.
RUNNING = ("sluice_run_state", {"state": "running"}, "1x600")
REFUSING = [("sluice_records_total", {"outcome": "rejected"}, "0+2x90 180x400"), ("sluice_records_total", {"outcome": "written"}, "0+98x490")]
WRITTEN = ("sluice_records_total", {"outcome": "written"})
STAGED = {
    "SluiceDivergence": ([("sluice_verification_passed", {"stage": "full"}, "1x5 0x10 1x60")], 8, 40),
    "SluiceLiveLatency": ([("sluice_live_latency_seconds", {"server": "a"}, "0.001x5 0.01x10 0.001x60"),
                           ("sluice_live_latency_limit_seconds", {"server": "a"}, "0.005x90")], 9, 40),
    "SluiceHalted": ([("sluice_run_state", {"state": "halted"}, "0x5 1x10 0x60")], 8, 40),
    "SluiceFailed": ([("sluice_run_state", {"state": "failed"}, "0x5 1x10 0x60")], 8, 40),
    "SluiceErrorRate": ([("sluice_error_ratio", {}, "0x5 0.01x10 0x60"), RUNNING], 9, 40),
    "SluiceErrorBurnFast": (REFUSING, 80, 130),
    "SluiceErrorBurnSlow": (REFUSING, 80, 250),
    "SluiceDead": ([RUNNING, ("sluice_run_held", {}, "1x5 0x10 1x60")], 9, 40),
    "SluiceMetricsStale": ([RUNNING, ("sluice_run_exposed_timestamp_seconds", {}, "0+60x10 600x9 1260+60x60")], 16, 40),
    "SluiceAbsent": ([("sluice_build_info", None, "_x20 1x60")], 17, 40),
    "SluiceStuck": ([RUNNING, ("sluice_run_held", {}, "1x600"), (*WRITTEN, "0+100x5 500x40 600+100x60")], 30, 70),
    "SluiceLatency": ([("sluice_end_to_end_seconds", {"share": "0.99"}, "2x60 20x30 2x100"), RUNNING], 75, 120),
    "SluiceSlow": ([RUNNING, (*WRITTEN, "0+100x60 6000+10x60 6700+100x100")], 95, 170),
    "SluiceBudget": ([("sluice_budget_used_ratio", {"budget": "time"}, "0.5x5 0.9x70"), ("sluice_run_state", {"state": "done"}, "0x15 1x60")], 8, 40),
    "SluiceLate": ([("sluice_slo_late", {}, "0x5 1x30 0x60")], 25, 60),
    "SluiceSourceRunsOut": ([("sluice_source_late", {}, "0x5 1x20 0x60")], 15, 50),
    "SluiceNeedsPerson": ([("sluice_run_needs_person", {}, "0x5 1x20 0x60")], 15, 50),
    "SluiceGuardHolds": ([("sluice_guard_level", {"guard": "memory"}, "0x5 2x30 0x60")], 25, 60),
    "SluiceNodeUse": ([("sluice_guard_value", {"guard": "memory"}, "0.1x5 0.8x20 0.1x60")], 15, 50),
    "SluiceHookFailed": ([("sluice_hook_deliveries", {"state": "failed"}, "0x5 1x10 0x60")], 8, 40),
    "SluiceAudit": ([("sluice_audit_completeness_ratio", None, "1x5 0.5x10 1x60")], 8, 40),
    "SluiceEscalation": ([("sluice_run_needs_person", {}, "0x5 1x30 0x60")], 25, 60),
}
SUMMED = ("SluiceErrorBurnFast", "SluiceErrorBurnSlow", "SluiceStuck", "SluiceSlow", "SluiceEscalation") # only run and spec are left


def staged_test(rule, series, fires, over):
    """The rule's test for promtool: silent before, firing, silent again. `series` labels None: of no run."""
    name, first = rule["alert"], series[0][1]
    labels = dict(rule["labels"])
    if first is not None:
        labels.update({"run": "fix.1", "spec": "fix", **({} if name in SUMMED else first)})
    elif name == "SluiceAbsent":
        labels = dict(rule["labels"])
    if name in ("SluiceDead",):
        labels["state"] = "running"
    if name in ("SluiceMetricsStale", "SluiceErrorRate"):
        labels.pop("state", None)
    said = {key: text.replace("{{ $labels.run }}", "fix.1") for key, text in rule["annotations"].items()}
    found = [{"exp_labels": labels, "exp_annotations": said}]
    return {"interval": "1m",
            "input_series": [{"series": of(metric, **more) if more is not None else metric, "values": values} for metric, more, values in series],
            "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": expected}
                                for minute, expected in ((2, []), (fires, found), (over, []))]}


@test("every alert fires when it should and resolves (promtool check rules, test rules), leads to a section of the runbook, and names nothing that is not told")
def _(stand):
    ready(stand, TWO, more=OWNER)
    stand.sluice("export", "alerts", "fix.yaml", "-o", "rules.yaml").ended(0)
    rules = [rule for group in yaml.safe_load(stand.read("rules.yaml"))["groups"] for rule in group["rules"]]
    same(sorted(rule["alert"] for rule in rules), sorted(STAGED), "alerts that are staged here")
    same({rule["labels"].get("team") for rule in rules}, {"data"}, "teams")
    runbook = stand.sluice("export", "runbook", "fix.yaml").ended(0).out
    for rule in rules:
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        same(page, "runbook.md", "where the runbook is")
        must(re.search(rf"^### {anchor}$", runbook, re.MULTILINE | re.IGNORECASE), anchor, "is no section of the runbook")
    stand.sluice("export", "alerts", "-o", "all.yaml", "--runbook", "https://wiki.example.com/sluice").ended(0)
    among('runbook_url: "https://wiki.example.com/sluice#sluicehalted"', stand.read("all.yaml"))
    for name, n in (("rules.yaml", len(rules)), ("all.yaml", len(rules) - 1)):
        among(f"SUCCESS: {n} rules found", tool(stand, "check", "rules", name).ended(0).out)
    stand.write("tests.yaml", json.dumps({"rule_files": ["rules.yaml"], "evaluation_interval": "1m",
                                          "tests": [staged_test(rule, *STAGED[rule["alert"]]) for rule in rules]}))
    among("SUCCESS", tool(stand, "test", "rules", "tests.yaml").ended(0).out)


@test("dashboards are three files that Grafana's form fits; of one run the runbook is that of its own spec, whatever the file says by now")
def _(stand):
    ready(stand, three(full="approve: nobody"), more=OWNER)
    run(stand, 3)
    stand.sluice("export", "grafana", "-o", "boards").ended(0)
    boards = {path.name: json.loads(path.read_text()) for path in stand.path("boards").iterdir()}
    same(sorted(boards), ["sluice-debug.json", "sluice-on-call.json", "sluice-overview.json"], "files")
    titles = {panel["title"] for board in boards.values() for panel in board["panels"]}
    for title in ("Progress", "Time to completion", "Success rate", "Incidents", "Errors by class", "Resources of critical nodes", "Alerts", "Live latency", "Freshness", "End-to-end latency", "Downstream latency", "Throttle replies"):
        must(title in titles, title, "is no panel")
    bands = {panel["title"] for board in boards.values() for panel in board["panels"] if sum("earlier runs" in target["legendFormat"] for target in panel["targets"]) == 2}
    same(bands, {"Throughput", "End-to-end latency", "Error rate", "Live latency", "Effect on live latency", "Retries", "Freshness", "Time to completion over 24 hours", "Cost to complete",
                 "Cost so far", "Success rate", "Resources of critical nodes", "Reconciliation difference", "Downstream latency", "Throttle replies"}, "panels with the band of earlier runs")
    same({panel["title"] for board in boards.values() for panel in board["panels"] if panel.get("timeFrom") == "24h"}, {"Time to completion over 24 hours"}, "panels of a day")
    targets = [(panel, target) for board in boards.values() for panel in board["panels"] for target in panel["targets"]]
    same({name for _, target in targets for name in re.findall(r"sluice_\w+", target["expr"])} - set(re.findall(r"sluice_\w+", TOLD.read_text())), set(), "what is shown and nobody tells")
    for panel, target in targets:
        band = "earlier runs" in target["legendFormat"]
        whose = 'spec=~"$spec",run!~"$run"' if band else 'run=~"$run"'
        must(all(labels.startswith(whose) for labels in re.findall(r"sluice_\w+{(.*?)}", target["expr"])), f"not of {whose}: {target['expr']}")
        must(band or target["instant"] == (panel["type"] != "timeseries"), f"{panel['title']}: is it of this moment?")
    asked = sorted({target["expr"].replace("$spec", ".*").replace("$run", "fix.1") for _, target in targets})
    stand.write("asked.yaml", json.dumps({"groups": [{"name": "asked", "rules": [{"record": f"asked:{i}", "expr": expr} for i, expr in enumerate(asked)]}]}))
    among(f"SUCCESS: {len(asked)} rules found", tool(stand, "check", "rules", "asked.yaml").ended(0).out)
    same(json.loads(stand.sluice("export", "grafana", "debug").ended(0).out), boards["sluice-debug.json"], "what is printed and written")
    stand.write("fix.yaml", "sluice: 1\n")
    runbook = stand.sluice("export", "runbook", "fix.1").ended(0).out
    among(["sluice resume fix.1", "sluice approve fix.1", "waits for the approval of nobody", "oncall@example.com", "After 15m", "lead@example.com"], runbook)
    stand.sluice("export", "runbook", "fix.yaml").ended(2)


@test("people get a mail for what needs a person: a thread a run, no line of the head that the run could write, tried again where sendmail fails")
def _(stand):
    ready(stand, three(canary="approve: nobody"), more="hooks: [{ on: needs-person, tries: 2, mail: [a@example.com, b@example.com] }]")
    stand.write("bin/sendmail", "#!/bin/sh\ntest -e failed || { echo busy >failed; echo busy; exit 75; }\necho \"$@\" > words\ncat >> mails; echo %% >> mails\n").chmod(0o755)
    env = stand.environment(PATH=f"{stand.path('bin')}:{os.environ['PATH']}")
    among(["mail to a@example.com, b@example.com", "run.paused", "gate.waiting"], stand.sluice("plan", "fix.yaml").ended(0).out)
    stand.sluice("run", "fix.yaml", "--yes", env=env).ended(3)
    stand.sluice("pause", "fix", "--reason", "look\nBcc: x@example.com", env=env).ended(0, 3)
    stand.sluice("hooks", "fix", "--retry", env=env).ended(0)
    mails = [mail for mail in stand.read("mails").split("%%\n") if mail]
    same(stand.read("words"), "-t -oi\n", "what sendmail was told")
    heads = [dict(line.split(": ", 1) for line in mail.partition("\n\n")[0].splitlines()) for mail in mails]
    same([head["Subject"] for head in heads], ["[sluice] fix.1: gate.waiting", "[sluice] fix.1: run.paused"], "subjects")
    same({head["To"] for head in heads}, {"a@example.com, b@example.com"}, "people")
    same(len({head["References"] for head in heads}), 1, "threads")
    same(len({head["Message-ID"] for head in heads}), 2, "mails")
    must(not any("Bcc" in head for head in heads), heads)
    among(["reason   look Bcc: x@example.com", "sluice status fix.1"], mails[1])
    same([(row["tries"], row["state"]) for row in stand.sluice("hooks", "fix", "--json").ended(0).json()["deliveries"]], [(2, "delivered"), (1, "delivered")], "tries")
    for bad in ("a", '"a@b, c@d"', "-f@x", '"a@b\\nBcc: c@d"', "[]", "[a@b, 7]"):
        stand.write("bad.yaml", stand.read("fix.yaml").replace("[a@example.com, b@example.com]", bad))
        among("an address such as data-oncall@example.com", stand.sluice("plan", "bad.yaml").ended(2).err)


@test("a call that is part of a trace says so in every entry that it makes, and to hooks; what is no traceparent is passed over")
def _(stand):
    ready(stand, TWO, more='hooks: [{ on: run.done, run: "cat > heard" }]')
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    stand.sluice("run", "fix.yaml", "--yes", env=stand.environment(TRACEPARENT=trace)).ended(0)
    entries = [line for line in stand.sluice("audit", "log", "--json").ended(0).lines() if line["run"] == "fix.1" and not line["action"].startswith("hook")]
    must(len(entries) > 8, entries)
    same({(line["details"] or {}).get("traceparent") for line in entries}, {trace}, "traces")
    same(json.loads(stand.read("heard"))["details"]["traceparent"], trace, "what the hook heard")
    for bad in ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", trace.upper(), trace + "\n", trace.replace("b7ad6b7169203331", "0" * 16), "x", ""):
        stand.sluice("rollback", "fix", "--yes", env=stand.environment(TRACEPARENT=bad)).ended(0, 7)
    must(all("traceparent" not in (line["details"] or {}) for line in stand.sluice("audit", "log", "--json").ended(0).lines() if "roll" in line["action"]), "a bad one stands there")
    stand.sluice("audit", "verify").ended(0)


def sealed(line, **changed):
    """An entry that somebody has changed, with the digest that it would have: docs/formats/ledger.md."""
    entry = dict(json.loads(line), **changed)
    text = b"sluice ledger 1\n"
    for name in ("number", "at_ms", "actor", "action", "reason", "run", "plan_digest", "spec_digest", "contract_digest", "transform_digest", "details", "previous"):
        value = entry[name]
        value = (value.to_bytes(8, "little", signed=True) if isinstance(value, int) else None if value is None
                 else bytes.fromhex(value) if name.endswith("_digest") or name == "previous" else value.encode())
        text += b"\xff" * 4 if value is None else len(value).to_bytes(4, "little") + value
    return json.dumps(dict(entry, digest=hashlib.blake2b(text, digest_size=32).hexdigest())) + "\n"


@test("the whole ledger is taken into a file that is checked without its home; a line that is changed, moved, left out or cut off is named")
def _(stand):
    ready(stand, TWO)
    stand.sluice("run", "fix.yaml", "--yes").ended(0)
    made = stand.sluice("audit", "export", "-o", "ledger.ndjson", "--reason", "monthly", "--json").ended(0).json()
    lines = stand.read("ledger.ndjson").splitlines(keepends=True)
    same((made["entries"], len(lines)), (len(lines), made["entries"]), "entries")
    newest = stand.sluice("audit", "log", "--limit", "1", "--json").ended(0).json()
    same((newest["action"], newest["reason"], newest["details"]["head"], newest["number"]), ("export", "monthly", made["head"], len(lines) + 1), "who took it")

    def verify(text, *more):
        stand.write("else/copy.ndjson", text)
        done = stand.sluice("audit", "verify", "--bundle", "else/copy.ndjson", "--json", *more, "--home", "nowhere")
        return done.code, done.json()["broken_at"] if done.code in (0, 4) else None

    whole = "".join(lines)
    same((verify(whole), verify(whole, "--head", made["head"]), verify(whole, "--head", "0" * 64)), ((0, None), (0, None), (4, len(lines))), "the whole")
    same(verify("".join(lines[:-1]), "--head", made["head"]), (4, len(lines) - 1), "without its end, by its head")
    bad = {"changed": [*lines[:4], lines[4].replace('"actor":"', '"actor":"x'), *lines[5:]], "left out": lines[:4] + lines[5:], "moved": [*lines[:4], lines[5], lines[4], *lines[6:]],
           "cut off": [*lines[:4], lines[4][:-20]], "no entry": [*lines[:4], "{}\n"], "of another number": [*lines[:4], sealed(lines[4], number=9)],
           "written anew": [*lines[:3], sealed(lines[3], actor="somebody"), *lines[4:]]}
    same(json.loads(sealed(lines[4])), json.loads(lines[4]), "the digest by its page")
    for what, text in bad.items():
        same(verify("".join(text)), (4, 5), what)
    for text in ("", "x\n", "\0"):
        same(verify(text), (6, None), repr(text))
    stand.sluice("audit", "export").ended(2)
    must(not stand.path("ledger.ndjson.tmp").exists(), "what stood aside is left")


@test("the record of a run holds on another machine: spec, plan, approvals with their reasons, reports, ledger; and no secret is in it")
def _(stand):
    others(stand)
    ready(stand, three(canary="approve: nobody"), more='reason: "INC-7"\nhooks: [{ on: any, url: "http://127.0.0.1:1/${env:TOKEN}", secret: "${env:TOKEN}", tries: 1, timeout: 1s }]')
    env = stand.environment(TOKEN="hush-hush")
    stand.sluice("run", "fix.yaml", "--yes", env=env).ended(3)
    others(stand)
    as_user(stand, "nobody", "approve", "fix", "--reason", "looked at it", group="nogroup").ended(0)
    stand.sluice("run", "fix.yaml", "--yes", env=env).ended(0)
    made = stand.sluice("audit", "bundle", "fix", "-o", "record", "--reason", "for the auditor", "--json").ended(0).json()
    stand.sluice("audit", "bundle", "fix", "-o", "record").ended(7)
    head = [line for line in stand.sluice("audit", "log", "--json").ended(0).lines() if line["action"] == "done"][-1]["digest"]
    subprocess.run(["rm", "-rf", str(stand.path("home")), str(stand.path("fix.yaml"))], check=True)
    verdict = stand.sluice("audit", "verify", "--bundle", "record", "--head", head, "--json").ended(0).json()
    same((verdict["ok"], verdict["run"], verdict["manifest"]), (True, "fix.1", made["manifest"]), "the verdict")
    among("1, each with the report", next(check["message"] for check in verdict["checks"] if check["check"] == "approvals"))
    among(["approved", "looked at it", "done"], stand.read("record/timeline.txt"))
    among(["INC-7", "${env:TOKEN}"], stand.read("record/texts/1-spec-fix.yaml"))
    for path in stand.path("record").rglob("*"):
        must(not path.is_file() or b"hush-hush" not in path.read_bytes(), f"{path} holds a secret")
    for name in [path.relative_to(stand.path("record")) for path in stand.path("record").rglob("*") if path.is_file()]:
        stand.copy("record", "other")
        content = stand.path(f"other/{name}").read_bytes()
        stand.path(f"other/{name}").write_bytes(content.replace(b"1", b"7", 1) if b"1" in content else content + b" ")
        done = stand.sluice("audit", "verify", "--bundle", "other")
        must(done.code in (4, 6) or str(name) == "manifest.json", f"{name} was changed, and nobody saw it: {done.out}{done.err}")
    among("does not hold it", stand.sluice("audit", "verify", "--bundle", "record", "--head", "0" * 64).ended(4).out)


@test("whoever makes the manifest of a record anew is found out: by the ledger's chain, by the plan's digest, by the texts', by the report of an approval")
def _(stand):
    ready(stand, TWO)
    run(stand, 0)
    stand.sluice("audit", "bundle", "fix", "-o", "record").ended(0)

    def forged(path, change):
        import hashlib  # pylint: disable=import-outside-toplevel
        stand.copy("record", "other")
        content = change(stand.path(f"other/{path}").read_bytes())
        stand.path(f"other/{path}").write_bytes(content)
        manifest = json.loads(stand.read("other/manifest.json"))
        for file in manifest["files"]:
            if file["path"] == path:
                file.update(bytes=len(content), blake2b=hashlib.blake2b(content, digest_size=32).hexdigest())
        stand.write("other/manifest.json", json.dumps(manifest))
        return [check["check"] for check in stand.sluice("audit", "verify", "--bundle", "other", "--json").ended(4).json()["checks"] if not check["ok"]]

    same(forged("plan.json", lambda content: content + b" "), ["plan"], "a plan that was changed")
    same(forged("ledger.ndjson", lambda content: content.replace(b'"action":"done"', b'"action":"dome"')), ["ledger"], "an entry that was changed")
    same(forged("ledger.ndjson", lambda content: b"".join(content.splitlines(True)[:3] + content.splitlines(True)[4:])), ["ledger"], "an entry that is gone")
    same(forged("ledger.ndjson", lambda content: b"".join(content.splitlines(True)[:-1])), ["ledger"], "the last entry gone")
    for text in ("texts/1-spec-fix.yaml", "texts/2-transform-fix.lua"):
        same(forged(text, lambda content: content + b"\n"), ["texts"], f"{text} changed")
    manifest = json.loads(stand.read("record/manifest.json"))
    manifest["files"].append(dict(manifest["files"][0], path="../fix.yaml"))
    stand.copy("record", "other")
    stand.write("other/manifest.json", json.dumps(manifest))
    among("names it in a way that it never does", stand.sluice("audit", "verify", "--bundle", "other").ended(4).out)
    for content in ("", "{}", "[]", '{"bundle": 9}', "{" * 100):
        stand.write("other/manifest.json", content)
        stand.sluice("audit", "verify", "--bundle", "other").ended(6)


CONFIG = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [rules.yaml]
scrape_configs: [{{ job_name: sluice, static_configs: [{{ targets: ["127.0.0.1:{port}"] }}] }}]
"""


def firing(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=10) as answer:
        return {alert["labels"]["alertname"] for alert in json.load(answer)["data"]["alerts"] if alert["state"] == "firing"}


@test("a real Prometheus scrapes a home and loads its rules: an alert fires in a staged incident, and resolves when somebody acts")
def _(stand):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: it takes a minute")
    if not PROMETHEUS:
        raise Skip("prometheus is not installed")
    others(stand)
    ready(stand, three(canary="approve: nobody"), more=OWNER)
    rules = stand.sluice("export", "alerts", "fix.yaml").ended(0).out
    stand.write("rules.yaml", re.sub(r"(for|keep_firing_for): \d+m?s?\n", r"\1: 1s\n", rules))
    run(stand, 3)
    others(stand)
    with Heard(lambda request: (200, stand.sluice("export", "metrics").out)) as home:
        stand.write("prometheus.yaml", CONFIG.format(port=home.port))
        with Heard(lambda request: (200, "")) as free:
            port = free.port
        process = stand.start("--config.file=prometheus.yaml", f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.path=tsdb", program=PROMETHEUS)

        def until(wanted):
            for _ in range(120):
                home.news.acquire(timeout=10)
                must(process.poll() is None, "prometheus ended")
                try:
                    found = firing(port)
                except OSError:
                    continue
                if wanted(found):
                    return found
            raise AssertionError(f"{found} fire")

        until(lambda found: {"SluiceNeedsPerson"} <= found)
        as_user(stand, "nobody", "approve", "fix", "--reason", "ok", group="nogroup").ended(0)
        run(stand, 0)
        until(lambda found: not found)
        query = urllib.parse.urlencode({"query": 'sluice_run_state{state="done"} == 1'})
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=10) as answer:
            same([row["metric"]["run"] for row in json.load(answer)["data"]["result"] if row["metric"]["spec"] == "fix"], ["fix.1"], "what Prometheus knows")


run_all()
