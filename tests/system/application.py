#!/usr/bin/env python3
"""The application: a process of its own that reads, writes, deletes and expires records while sluice works on them, by
Debian's python3-redis and nothing of sluice's.

    application.py CONFIG.json

It is open-loop: an operation is due when it is due, however long the one before it took, and latencies count from then.
Each record has one writer among the processes, so that what it must be is known. Every operation is a line of the log,
written after its answer: {"n", "op", "key", "due", "begin", "end", "ok", …}; `ok` false: nobody knows whether it was done.
SIGTERM ends it after the operation that is under way.

What it writes of a record: `app` (a token, never the same twice), `updated_at` (growing). `replace` and `create` write all
fields, as the application that has the bug writes them: {"times": "0", "tier": "gol"}.
"""

import json
import random
import signal
import sys
import time
from pathlib import Path

from servers import need_client

# operation: of a hundred
SHARES = (("read", 46), ("touch", 26), ("replace", 9), ("delete", 5), ("expire", 7), ("expire_soon", 3), ("create", 4))
FAR_MS = 3_600_000
SOON_MS = 1500


class Application:
    def __init__(self, config):
        self.config, self.redis = config, need_client()
        self.me, self.of, self.prefix = config["me"], config["of"], config["prefix"]
        self.dice = random.Random(config["seed"])
        self.words = [word for word, share in SHARES for _ in range(share)]
        self.log = open(config["log"], "w", encoding="utf-8")
        self.alone, self.tokens, self.created = set(), {}, 0 # `alone`: keys that it leaves alone from now on
        self.dead = set()
        self.client = None

    def connect(self):
        config = self.config
        if config["kind"] == "cluster":
            nodes = [self.redis.cluster.ClusterNode("127.0.0.1", port) for port in config["ports"]]
            return self.redis.cluster.RedisCluster(startup_nodes=nodes, socket_timeout=5, cluster_error_retry_attempts=30)
        if config["kind"] == "sentinel":
            watching = self.redis.sentinel.Sentinel([("127.0.0.1", port) for port in config["ports"]], socket_timeout=2)
            return watching.master_for(config["name"], socket_timeout=2)
        return self.redis.Redis(host="127.0.0.1", port=config["ports"][0], socket_timeout=5)

    # --- operations: each returns what the log is to say of it

    def any_key(self):
        first, n = self.config["first"], self.config["keys"]
        at = self.dice.randrange(n // self.of) * self.of + self.me
        return f"{self.prefix}{first + at:07d}"

    def version(self, n):
        return self.config["version"] + n * 10

    def fields(self, key, n):
        return {"app": f"{self.me}.{n}", "updated_at": str(self.version(n)), "note": f"von {key} ñ {n % 7}"}

    def whole(self, key, n):
        return {"id": key[len(self.prefix):], "times": "0", "tier": "gol", **self.fields(key, n)}

    def read(self, key, n):
        found = self.client.hgetall(key)
        said = {"found": {name.decode(): text.decode("utf-8", "backslashreplace") for name, text in found.items()}}
        wanted = self.tokens.get(key)
        if wanted is not None and said["found"].get("app", "") != wanted:
            said["stale"] = wanted
        return said

    def hset(self, key, fields):
        self.client.hset(key, mapping=fields)
        self.tokens[key] = fields["app"]
        self.dead.discard(key)
        return {}

    def touch(self, key, n):
        return self.hset(key, self.fields(key, n))

    def replace(self, key, n):
        return self.hset(key, self.whole(key, n))

    create = replace

    def delete(self, key, n):
        """Says whether it had been mended before."""
        mended = self.client.hget(key, "tier") == b"gold"
        self.client.delete(key)
        self.tokens[key] = ""
        self.dead.add(key)
        if self.config["once"]: # deleted, brought and deleted again looks as if it had never been brought
            self.alone.add(key)
        return {"mended": mended}

    def expire(self, key, n):
        self.client.execute_command("PEXPIREAT", key, self.plan["expires"])
        return {}

    def expire_soon(self, key, n):
        self.tokens.pop(key, None)
        mended = self.client.hget(key, "tier") == b"gold"
        self.expire(key, n)
        return {"mended": mended}

    # --- the loop

    def choose(self, n):
        """(operation, key, what it writes): told to the log whether or not it is answered."""
        op = self.dice.choice(self.words)
        key = self.any_key()
        if op == "create":
            self.created += 1
            key = f"{self.prefix}new-{self.me}-{self.created}"
        while key in self.alone:
            key = self.any_key()
        if key in self.dead and op in ("touch", "expire", "expire_soon", "delete"):
            op = "replace"
        plan = {"op": op, "key": key}
        if op in ("touch", "replace", "create"):
            plan["fields"] = self.fields(key, n) if op == "touch" else self.whole(key, n)
        elif op.startswith("expire"):
            now = int(time.time() * 1000)
            plan["expires"] = now + (SOON_MS if op == "expire_soon" else FAR_MS + n)
            if op == "expire_soon":
                self.alone.add(key)
        return plan

    def one(self, n, due):
        self.plan = self.choose(n)
        begin = time.time()
        said = {"n": n, **self.plan, "due": due, "begin": begin}
        try:
            if not self.client:
                self.client = self.connect()
            said.update(getattr(self, self.plan["op"])(self.plan["key"], n))
            said["ok"] = True
        except Exception as error:  # pylint: disable=broad-except # the client's own faults during a failover, too
            said.update(ok=False, error=f"{type(error).__name__}: {error}")
            self.client = None
            if self.plan["op"] != "read":
                self.alone.add(self.plan["key"]) # nobody knows what it is now
        said["end"] = time.time()
        if said["ok"] and self.config["mark"] and self.plan["op"] != "read":
            self.mark(said)
        self.log.write(json.dumps(said) + "\n")

    def mark(self, said):
        """A second write behind the first, in the same slot: where a replica has the mark, it has had the write too. It
        says so only where both were so quick that no other server can have been promoted between them."""
        try:
            self.client.set(f"mark:{{{said['key']}}}", said["n"])
        except Exception:  # pylint: disable=broad-except
            self.client = None
            return
        said["marked"] = time.time() - said["begin"] < 1.0

    def run(self):
        ending = {signal.SIGTERM} # asked for, not handled: a handler that sets what its own thread is taking waits for itself
        signal.pthread_sigmask(signal.SIG_BLOCK, ending)
        self.client = self.connect()
        Path(self.config["ready"]).touch()
        start, n = time.time(), 0
        while True:
            due = start + n / self.config["rate"]
            if signal.sigtimedwait(ending, max(0.0, due - time.time())):
                break
            self.one(n, due)
            n += 1
        self.log.close()


if __name__ == "__main__":
    Application(json.loads(Path(sys.argv[1]).read_text())).run()
