"""A server of a home, who asks it, and who listens: for the scripts that look at `sluice serve` from outside."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress

from stand import Failed, alive, must, same

ALL = bool(os.environ.get("SLUICE_LIVE_ALL"))
API = "/api/v1"
ROLES = {"viewer": {"read"}, "operator": {"read", "records", "operate"}, "approver": {"read", "records", "approve"},
         "admin": {"read", "records", "operate", "approve", "prune"}}

SPEC = """
sluice: 1
name: NAME
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live-NAME", dataset: items }
contract: items.contract.yaml
partitions: { count: 4 }
protect: { rejects: 50% }
stages:
  - { name: canary, scope: 25%, gate: { GATE } }
  - { name: full, scope: 100% }
hooks: [ { on: run.done, url: "http://127.0.0.1:9/x", secret: "${env:HOOK_SECRET}", tries: 1 } ]
"""
CONTRACT = "contract: 1\nname: items\nversion: 1\nfields: { id: { type: string }, n: { type: int, min: 0 } }\n"
SECRET = "hunter-2-hunter-2"


def seed(stand, *names, gate="soak: 1h"):
    stand.records("in/a.ndjson", ({"id": f"k{n}", "n": -1 if n % 50 == 0 else n} for n in range(200)))
    stand.write("items.contract.yaml", CONTRACT)
    for name in names:
        stand.write(f"{name}.yaml", SPEC.replace("NAME", name).replace("GATE", gate))


def token(stand, who, role, *more):
    return stand.sluice("token", "create", who, "--role", role, *more, "--json").ended(0).json()["token"]


class Answer:
    def __init__(self, reply):
        self.status, self.headers, self.bytes = reply.status, reply.headers, reply.read()

    def json(self):
        return json.loads(self.bytes)

    def ended(self, *statuses):
        must(self.status in statuses, f"{self.status}, not {statuses}: {self.bytes[:400]!r}")
        return self


class Server:
    def __init__(self, stand, *options, listen="127.0.0.1:0", tls=None):
        self.stand, self.tls, self.seen = stand, tls, []
        env = dict(stand.environment(), HOOK_SECRET=SECRET)
        self.process = stand.start("serve", "--listen", listen, "--json", *options, env=env)
        line = self.process.stdout.readline()
        must(line, "the server ended: ", self.process.stderr.read() if not line else "")
        self.take(json.loads(line)["url"])

    def take(self, url):
        self.url = url
        self.host, self.port = url.split("://")[1].rsplit(":", 1)

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection("localhost", int(self.port), timeout=20, context=self.tls)
        return http.client.HTTPConnection(self.host, int(self.port), timeout=20)

    def ask(self, method, path, body=None, *, who=None, headers=None, connection=None):
        given = {"Authorization": f"Bearer {who}"} if who else {}
        if isinstance(body, dict):
            body, given["Content-Type"] = json.dumps(body), "application/json"
        connection = connection or self.connect()
        connection.request(method, path, body, {**given, **(headers or {})})
        answer = Answer(connection.getresponse())
        self.seen.append((path, answer))
        return answer

    def get(self, path, who=None, **more):
        return self.ask("GET", API + path, who=who, **more)

    def act(self, run, verb, who=None, headers=None, **fields):
        return self.ask("POST", f"{API}/runs/{run}/{verb}" if run else f"{API}/{verb}", fields, who=who, headers=headers)

    def until(self, run, *states, who=None):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            status = self.get(f"/runs/{run}", who).ended(200).json()
            if status["state"] in states:
                return status
        raise Failed(f"{run} is {status['state']}, not {states}")

    def raw(self, text, wait=True):
        """What comes back for these bytes, until the server closes; wait=False: we go away at once."""
        with socket.create_connection((self.host, int(self.port)), timeout=50) as line:
            found = b""
            try:
                line.sendall(text)
                while wait and (more := line.recv(65536)):
                    found += more
            except ConnectionError: # it has had enough
                pass
            return found

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.stand.finish(self.process)


def until(holds):
    end = time.monotonic() + 20
    while not holds():
        must(time.monotonic() < end, "in vain")


@contextmanager
def server(stand, *options, **more):
    running = Server(stand, *options, **more)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end()
        kill_holders(stand)


class Events:
    """A stream of events, read by a thread, as EventSource would."""

    def __init__(self, server, query="", who=None, last=None):
        self.events, self.more, self.over, self.last = [], threading.Condition(), False, last
        self.connection = server.connect()
        headers = {"Authorization": f"Bearer {who}"} if who else {}
        self.connection.request("GET", f"{API}/events{query}", headers=dict(headers, **({"Last-Event-ID": str(last)} if last is not None else {})))
        self.reply = self.connection.getresponse()
        same(self.reply.status, 200, "the stream")
        self.socket = self.connection.sock
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        event = {}
        try:
            for line in self.reply:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                    continue
                with self.more:
                    self.last = event.get("id", self.last)
                    if "event" in event:
                        self.events.append((event["event"], json.loads(event["data"]), time.monotonic()))
                    self.more.notify_all()
                event = {}
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass
        with self.more:
            self.over = True
            self.more.notify_all()

    def wait(self, wanted, timeout=20):
        with self.more:
            must(self.more.wait_for(lambda: self.over or any(wanted(*event[:2]) for event in self.events), timeout),
                 f"in vain: {[(kind, data.get('action'), data.get('state')) for kind, data, _ in self.events][-12:]}")
            found = [event for event in self.events if wanted(*event[:2])]
        must(found, f"the stream ended before that: {self.events[-3:]}")
        return found[0]

    def ended(self, timeout=60):
        with self.more:
            must(self.more.wait_for(lambda: self.over, timeout), "it goes on")

    def ledger(self):
        with self.more:
            return [data["number"] for kind, data, _ in self.events if kind == "ledger"]

    def close(self):
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()


def ledger(stand):
    return stand.sluice("audit", "log", "--json").ended(0).lines()


def soaking(stand, name="fix"):
    """A run that waits in its soak, held by a process of its own."""
    stand.sluice("run", f"{name}.yaml", "--yes", "--detach", "--json", env=dict(stand.environment(), HOOK_SECRET=SECRET)).ended(0)
    stand.sluice("wait", f"{name}.1", "--for=waiting", "--timeout=60s").ended(0)


def stopped(stand, name="fix"):
    """The same, and nobody holds it."""
    stand.sluice("run", f"{name}.yaml", "--yes", "--exit-on-pause", env=dict(stand.environment(), HOOK_SECRET=SECRET)).ended(3)


def two_stopped(stand):
    """Two runs that wait, of fix and of two; the token of who may all."""
    seed(stand, "fix", "two")
    stopped(stand)
    stopped(stand, "two")
    return token(stand, "ann", "admin")


def one_stopped(stand):
    """One of fix, likewise."""
    seed(stand, "fix")
    stopped(stand)
    return token(stand, "ann", "admin")


def kill_holders(stand):
    """Runs that go on by themselves end with the test."""
    for lock in (stand.dir / "home" / "runs").glob("*.lock"):
        text = lock.read_text() # empty where a process died as it took it
        if text and alive(pid := json.loads(text)["pid"]):
            os.kill(pid, 9)
            until(lambda pid=pid: not alive(pid))
