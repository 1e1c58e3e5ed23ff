#!/usr/bin/env python3
"""What a Valkey or Redis can be that is not as it should be: each is told by its name with what to do, ends with its exit
code and in time, and no password stands in a message, in the home or in `ps`."""

import os
import socket
import threading

from livedata import FIX_LUA, rows, seed
from servers import each_kind
from stand import among, must, run_all, same, test

SPEC = """
sluice: 1
name: fix
source: {{ store: "{uri}", dataset: "{dataset}", as: hash }}
transform: {{ lua: fix.lua }}
target: {{ store: "{uri}", dataset: "{dataset}", as: hash }}
protect: {{ rejects: 100%, errors: 50% }}
"""
PASSWORD = "geheim-7781"


def spec(stand, uri, dataset="c:{id}"):
    stand.write("fix.lua", FIX_LUA)
    stand.write("fix.yaml", SPEC.format(uri=uri, dataset=dataset))


def doctor_and_run(stand, uri, code, words, env=None, run_code=None):
    """Both say it."""
    spec(stand, uri)
    for command, wanted in ((("doctor", "fix.yaml"), code), (("run", "fix.yaml", "--yes"), run_code or code)):
        done = stand.sluice(*command, env=env, timeout=60).ended(wanted)
        among(words, done.out + done.err)
        must(PASSWORD not in done.out + done.err, "the password is shown:", done.out, done.err)


def nothing_kept(stand):
    for path, _, names in os.walk(stand.dir):
        for name in names:
            if "servers-" not in path:
                must(PASSWORD.encode() not in (stand.dir / path / name).read_bytes(), "the password stands in", path, name)


@each_kind("a password that is missing, wrong or written into the spec; a right one stands nowhere afterwards")
def _(stand, servers):
    server = servers.standalone(requirepass=f'"{PASSWORD}"')
    seed(server, rows(100))
    uri = f"valkey://:${{env:PW}}@{server.address}"
    doctor_and_run(stand, f"valkey://{server.address}", 7, ["NOAUTH", "user and a password", server.address])
    doctor_and_run(stand, uri, 7, ["check user and password", server.address], stand.environment(PW="wrong"))
    doctor_and_run(stand, f"valkey://:{PASSWORD}@{server.address}", 2, ["${env:NAME}"])
    spec(stand, uri)
    env = stand.environment(PW=PASSWORD)
    process = stand.start("run", "fix.yaml", "--yes", "--json", env=env)
    among("sluice", stand.run(["ps", "-o", "args=", "-p", str(process.pid)]).out)
    must(PASSWORD not in stand.run(["ps", "-o", "args=", "-p", str(process.pid)]).out, "ps shows it")
    done = stand.finish(process).ended(0)
    must(PASSWORD not in done.out + done.err, "the password is shown")
    nothing_kept_but_spec(stand)


def nothing_kept_but_spec(stand):
    stand.write("fix.yaml", "")
    nothing_kept(stand)


@each_kind("a right that the user lacks is named, with the command that gives it")
def _(stand, servers):
    server = servers.standalone()
    seed(server, rows(50))
    env = stand.environment(PW=PASSWORD)
    for command in ("hgetall", "evalsha", "scan", "hset", "unlink", "pexpireat", "pexpiretime", "info"):
        server.call("ACL", "SETUSER", "worker", "reset", "on", ">" + PASSWORD, "~*", "+@all", "-" + command)
        spec(stand, f"valkey://worker:${{env:PW}}@{server.address}")
        gives = {"info": "give the user this right, and look again", "evalsha": "allow EVALSHA"}.get(command, f"worker +{command}")
        among([command, gives], stand.sluice("doctor", "fix.yaml", env=env).ended(7).out)
    server.call("ACL", "SETUSER", "worker", "reset", "on", ">" + PASSWORD, "~c:*", "+@all")
    among("sluice:*", stand.sluice("doctor", "fix.yaml", env=env).ended(7).out, "keys")
    stand.write("fix.yaml", stand.read("fix.yaml") + 'expect: [{ name: by-n, index: "idx:{n}" }]\n')
    for lacks, code, words in (("-zscan", 7, ["'worker' lacks rights to read the index 'idx:*'", "SETUSER worker +zscan ~idx:*"]), ("+ping", 0, ["every right that is needed"])):
        server.call("ACL", "SETUSER", "worker", "reset", "on", ">" + PASSWORD, "~c:*", "~sluice:*", "~idx:*", "+@all", lacks)
        among(words, stand.sluice("doctor", "fix.yaml", env=env).ended(code).out)
    nothing_kept(stand)


@each_kind("other types and other people's keys below the dataset's names are refused by name, and stay as they are; a rollback leaves and lists them")
def _(stand, servers):
    server = servers.standalone()
    seed(server, rows(200))
    server.call("SET", "c:text", "x")
    server.call("RPUSH", "c:list", "1", "2")
    server.call("HSET", "c:0000007:orders", "theirs", "1")
    server.call("HSET", "order:1", "theirs", "1")
    spec(stand, f"valkey://{server.address}")
    stand.sluice("run", "fix.yaml", "--yes").ended(8)
    refused = {row["key"]: row["code"] for row in stand.sluice("quarantine", "list", "fix", "--json").ended(0).lines()}
    same(refused, {"text": "bad-record", "list": "bad-record", "0000007:orders": "lua"}, "refused")
    same((server.call("GET", "c:text"), server.call("LRANGE", "c:list", 0, -1)), (b"x", [b"1", b"2"]), "other types")
    same(server.client().hgetall("order:1"), {b"theirs": b"1"}, "a key of no dataset")
    same(server.client().hget("c:0000199", "times"), b"1", "the others")
    server.call("DEL", "c:0000199")
    server.call("RPUSH", "c:0000199", "mine")
    stand.sluice("rollback", "fix.1", "--yes").ended(8)
    same((server.call("LRANGE", "c:0000199", 0, -1), server.client().hget("c:0000198", "times")), ([b"mine"], b"0"), "left, and taken back")


@each_kind("a replica, a server that evicts, one that hangs, TLS where there is none and none where there is")
def _(stand, servers):
    server = servers.standalone(maxmemory="100mb")
    seed(server, rows(50))
    replica = servers.replica_of(server)
    doctor_and_run(stand, f"valkey://{replica.address}", 7, [replica.address, "is a replica", "takes no writes"], run_code=6)
    server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    doctor_and_run(stand, f"valkey://{server.address}", 7, ["evicts any key", "fences could go"])
    server.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    doctor_and_run(stand, f"valkeys://{server.address}?timeout=1s", 6, ["TLS handshake"])
    server.freeze()
    doctor_and_run(stand, f"valkey://{server.address}?timeout=1s", 6, ["no answer in time", server.address, "stopped, or busy"])
    server.thaw()
    doctor_and_run(stand, f"valkey://{servers.standalone(tls=True).address}?timeout=1s", 6, ["127.0.0.1", "valkeys://"])


KEPT = """
sluice: 1
name: kept
source: {{ store: "file:in", dataset: "*.ndjson", key: id }}
target: {{ store: "valkey://{address}", dataset: "k:{{id}}", as: hash }}
expect:
  - {{ name: stays, evicts: false }}
  - {{ name: cache, evicts: true }}
measures: [{{ name: evicted, evicted: true, change: 0% }}, {{ name: shown, evicted: true }}]
"""


def fill_up(server, keys):
    """So that the server has to make room, by keys of nobody's dataset that are to expire."""
    pipe = server.client().pipeline(transaction=False)
    for n in range(keys):
        pipe.set(f"junk:{n}", "x" * 2000, ex=3600)
    pipe.execute()
    used = server.client().info("memory")["used_memory"]
    server.call("CONFIG", "SET", "maxmemory", used - keys * 1000)
    while server.client().info("stats")["evicted_keys"] == 0:
        server.client().set("junk:more", "x", ex=3600)
    server.call("CONFIG", "SET", "maxmemory", "100mb")


@each_kind("a gate says whether records may be evicted, by policy and expiry, and which; keys evicted during a run are a figure with a limit")
def _(stand, servers):
    server = servers.standalone(maxmemory="100mb", maxmemory_policy="volatile-lru")
    stand.records("in/a.ndjson", [{"id": f"{n:03d}", "v": n} for n in range(40)])
    stand.write("kept.yaml", KEPT.format(address=server.address))

    def judged(code=4):
        done = stand.sluice("verify", "kept.1", "--json").ended(code).json()
        return {one["name"]: (one["holds"], one["found"]) for one in done["expect"]}, {one["name"]: (one["before"], one["after"], one["holds"]) for one in done["measures"]}

    done = stand.sluice("run", "kept.yaml", "--yes").ended(4)
    among(["1 of 2 expectations do not hold", "cache: 40 of 40 records do not: '", "it has no expiry, and only what has one may go", "2 of 2 measures are"], done.out + done.err)
    server.client().expire("k:007", 3600)
    expects, _ = judged()
    same((expects["stays"][0], expects["stays"][1]), (False, "1 of 40 records do not: '007': it has an expiry, and what has one may go"), "one that expires")
    server.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    expects, _ = judged()
    same((expects["stays"][0], expects["cache"][0]), (True, False), "nothing is evicted")
    among("nothing may go", expects["cache"][1])
    server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    expects, figures = judged()
    same((expects["stays"][0], expects["cache"][0]), (False, True), "anything may go")
    same(figures, {"evicted": ("0", "0", True), "shown": ("0", "0", True)}, "figures")
    server.call("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    server.client().persist("k:007")
    fill_up(server, 1000)
    expects, figures = judged()
    same((expects["stays"][0], figures["evicted"][2], figures["shown"][2]), (True, False, True), "keys were evicted since")
    must(int(figures["evicted"][1]) > 0, f"{figures}")


@each_kind("a server that takes no writes, full or without its replicas, fails doctor where the job writes there, and warns where it reads")
def _(stand, servers):
    server = servers.standalone(maxmemory="100mb")
    seed(server, rows(50))
    uri = f"valkey://{server.address}"
    spec(stand, uri)
    server.call("CONFIG", "SET", "maxmemory", "1mb")
    among(["it is full", "takes no writes", "give it more memory", server.address], stand.sluice("doctor", "fix.yaml").ended(7).out)
    stand.write("read.yaml", f'sluice: 1\nname: read\nsource: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}\n'
                             f'target: {{ store: "file:out", dataset: "*.ndjson" }}\n')
    among(["it is full"], stand.sluice("doctor", "read.yaml").ended(0).out)
    server.call("CONFIG", "SET", "maxmemory", "0")
    server.call("CONFIG", "SET", "min-replicas-to-write", "1")
    among(["takes no writes while too few replicas", "bring its replicas back"], stand.sluice("doctor", "fix.yaml").ended(7).out)
    server.call("CONFIG", "SET", "min-replicas-to-write", "0")
    stand.sluice("doctor", "fix.yaml").ended(0)


class Fake:
    """A server that answers each connection with these bytes, and no more."""

    def __init__(self, answer):
        self.answer, self.socket = answer, socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
                with client:
                    client.recv(4096)
                    client.sendall(self.answer)
            except OSError:
                return


WRONG = (("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Valkey or Redis: check host and port"), ("noise", bytes(range(255, 0, -1)) * 20, "not the protocol"),
         ("half an answer", b"*3\r\n$4\r\nab", "closed the connection"), ("a length without measure", b"$99999999999999\r\n", "more than"),
         ("an answer without bottom", b"*1\r\n" * 50000, "levels"))
for NAME, ANSWER, WORDS in WRONG:
    @test(f"what answers with {NAME} is told by its address: 6")
    def _(stand, answer=ANSWER, words=WORDS):
        fake = Fake(answer)
        try:
            doctor_and_run(stand, f"valkey://{fake.address}", 6, [fake.address, words])
        finally:
            fake.socket.close()


@test("a host that is not there and a port where nobody listens are told as such: 6")
def _(stand):
    doctor_and_run(stand, "valkey://nowhere.invalid:6379", 6, ["nowhere.invalid:6379", "not found"])
    doctor_and_run(stand, "valkey://127.0.0.1:1", 6, ["127.0.0.1:1", "refused"])


if __name__ == "__main__":
    run_all()
