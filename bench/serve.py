#!/usr/bin/env python3
"""What it costs a run to be watched, how much a server answers, and how soon it tells of a change.

    serve.py [--quick] [--records N] [--pairs N] [--only NAME[,NAME]] [--keep]

docs/performance.md says what the rows mean.
"""

import argparse
import contextlib
import http.client
import json
import math
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

from bench import SLUICE, Bench, asked, begun, fresh, median, used_by, working  # noqa: E402

CONNECTIONS, SECONDS, CHANGES = 16, 5, 40
OWN = {"Content-Type": "application/json", "Sluice-Request": "1"}


def sign_interval(values, sure=0.95):
    """Between which the median lies, by the sign test turned round: what is assumed of the noise is that a pair's order does not move it. None: too few."""
    n, k, below = len(values), 0, 0.0
    while (below := below + math.comb(n, k) / 2**n) <= (1 - sure) / 2:
        k += 1
    ordered = sorted(values)
    return (ordered[k - 1], ordered[n - k]) if k > 0 else None


def within(interval, limit):
    """True: all of it is; False: none of it; None: it is not shown."""
    if interval is None or interval[0] <= limit < interval[1]:
        return None
    return interval[1] <= limit


def shown(interval):
    return f"95 % between {100 * interval[0]:+.1f} % and {100 * interval[1]:+.1f} %" if interval else "fewer than 6 pairs say nothing"


class Watched:
    """Whoever watches: a stream of events as the page has one, and a scrape of the metrics every second."""

    def __init__(self, port):
        self.port, self.over, self.heard, self.scraped = port, threading.Event(), 0, 0
        self.threads = [threading.Thread(target=what, daemon=True) for what in (self.listen, self.scrape)]
        for thread in self.threads:
            thread.start()

    def listen(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/api/v1/events")
        self.socket = connection.sock
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            for line in connection.getresponse():
                self.heard += line.startswith(b"event:")

    def scrape(self):
        while not self.over.wait(1):
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", "/metrics")
                self.scraped += connection.getresponse().status == 200

    def end(self):
        self.over.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()


class Serve(Bench):
    @contextlib.contextmanager
    def server(self, *before):
        process = subprocess.Popen([*before, SLUICE, "serve", "--listen", "127.0.0.1:0", "--anonymous", "admin", "--json"], cwd=self.work,
                                   stdout=subprocess.PIPE, text=True)
        try:
            yield int(json.loads(process.stdout.readline())["url"].rpartition(":")[2]), process.pid
        finally:
            process.terminate()
            process.wait()

    def cost(self):
        """The run with a server on its home, a page that is open and a scraper, to the run alone; by turns which is first."""
        alone, watched, used, work, heard, scraped = [], [], [], ([], []), 0, 0
        for turn in self.pairs():
            for with_server in (turn % 2 == 0, turn % 2 == 1):
                fresh(self.work / "db")
                fresh(self.work / ".sluice")
                if not with_server:
                    timed = self.sluice("run", "load.yaml", "--yes")
                    alone.append(timed.at["done"])
                    work[0].append(timed.used["done"])
                    continue
                with self.server() as (port, pid):
                    watcher = Watched(port)
                    timed = self.sluice("run", "load.yaml", "--yes")
                    watched.append(timed.at["done"])
                    used.append(used_by(pid))
                    work[1].append(timed.used["done"] + used[-1])
                    watcher.end()
                    heard, scraped = heard + watcher.heard, scraped + watcher.scraped
        slower = [w / a - 1 for w, a in zip(watched, alone)]
        wall = sign_interval(slower)
        self.add("cost", "a run with server, page and scraping on, to one without", "≤ 2 % slower", f"{100 * median(slower):+.1f} %", within(wall, 0.02),
                 f"{shown(wall)}, of {len(slower)} pairs; {median(watched):.2f} s to {median(alone):.2f} s; {heard} events, {scraped} scrapes")
        more = [w / a - 1 for w, a in zip(work[1], work[0])]
        self.add("cost", "  of the processor's time, the server's included", "", f"{100 * median(more):+.1f} %", within(sign_interval(more), 0.02),
                 f"{shown(sign_interval(more))}; {median(work[1]):.2f} s to {median(work[0]):.2f} s; the server {median(used):.2f} s")

    def half_way(self):
        """A run that waits, so that there is something to tell of."""
        fresh(self.work / "db")
        fresh(self.work / ".sluice")
        text = (self.work / "load.yaml").read_text().replace("scope: 100% }", "scope: 50%, gate: { soak: 9h } }, { name: rest, scope: 100% }")
        (self.work / "waits.yaml").write_text(text.replace("name: load", "name: waits") + "partitions: { count: 10 }\n")
        self.sluice("run", "waits.yaml", "--yes", "--exit-on-pause", codes=(3,))

    def status(self):
        """`GET /runs/waits.1` over connections that stay, the server on one core and who asks on the others."""
        self.half_way()
        cores = sorted(os.sched_getaffinity(0))
        with self.server("taskset", "-c", str(cores[0])) as (port, pid):
            os.sched_setaffinity(0, cores[1:] or cores)
            began, before = time.monotonic(), used_by(pid)
            answered = asks(port, b"GET /api/v1/runs/waits.1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            seconds, used = time.monotonic() - began, used_by(pid) - before
            os.sched_setaffinity(0, cores)
        self.add("status", "status requests a second, the server on one core", "≥ 5,000/s", f"{answered / seconds:,.0f}/s", answered / seconds >= 5000,
                 f"{CONNECTIONS} connections; {1e6 * used / max(answered, 1):.0f} µs of a processor each: {answered / max(used, 0.01):,.0f} a second of one")

    def change(self):
        """From before the request that changes something to the event that tells of it."""
        self.half_way()
        took = []
        with self.server() as (port, _):
            stream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            stream.request("GET", "/api/v1/events")
            lines = iter(stream.getresponse())
            wait_for(lines, "stop", lambda data: True)
            for turn in range(CHANGES):
                began = time.monotonic()
                acts = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                acts.request("POST", f"/api/v1/{'go' if turn % 2 else 'stop'}", "{}", OWN)
                wait_for(lines, "stop", lambda data, wanted=turn % 2 == 0: data["stands"] is wanted)
                took.append(1e3 * (time.monotonic() - began))
                acts.getresponse().read()
        self.add("change", "from a request that changes something to the event that tells of it", "≤ 500 ms", f"{max(took):.0f} ms", max(took) <= 500,
                 f"the slowest of {CHANGES}; the median {median(took):.0f} ms")


def wait_for(lines, kind, wanted):
    event = None
    for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        event = value if name == "event" else event
        if name == "data" and event == kind and wanted(json.loads(value)):
            return
    raise SystemExit("bench: the stream ended")


def asks(port, request):
    """How many were answered, as fast as it goes, over so many connections at once."""
    selector, answered, end = selectors.DefaultSelector(), 0, time.monotonic() + SECONDS
    for _ in range(CONNECTIONS):
        line = socket.create_connection(("127.0.0.1", port))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(line, selectors.EVENT_READ, {"left": 0, "head": b""})
        line.sendall(request)
    while time.monotonic() < end:
        for key, _ in selector.select(1):
            state, more = key.data, key.fileobj.recv(65536)
            if not more:
                raise SystemExit("bench: the server closed a connection")
            state["head"] += more
            at = state["head"].find(b"\r\n\r\n")
            if at < 0:
                continue
            length = int(state["head"].lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(state["head"]) < at + 4 + length:
                continue
            if not state["head"].startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"bench: {state['head'][:200]}")
            answered, state["head"] = answered + 1, b""
            key.fileobj.sendall(request)
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return answered


ROWS = ["cost", "status", "change"]


def main():
    options = asked(argparse.ArgumentParser(description="What it costs to be watched."), ROWS, "100,000 records, three pairs")
    with working(options) as work:
        begun(options)
        bench = Serve(options, work)
        bench.write_specs()
        bench.make_records(options.records)
        for name in options.only.split(","):
            getattr(bench, name)()


if __name__ == "__main__":
    main()
