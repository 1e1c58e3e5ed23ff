#!/usr/bin/env python3
"""The Valkey driver's connection against real servers, redis-server and valkey-server: what it reads, who it lets in, and
how it takes it when a server is loading, full, frozen or killed. The independent client is Debian's python3-redis."""

import json
import random
import subprocess

from servers import each_kind, need_client, wait_for
from stand import among, must, run_all, same, test

def talk(stand, uri, *lines):
    """(replies, how it ended)"""
    done = stand.run([stand.programs.talk, uri], stdin="".join(line + "\n" for line in lines))
    return [json.loads(line) for line in done.out.splitlines()], done


def uri_of(server, who="", more="", scheme="valkey"):
    return f"{scheme}://{who}{server.address}{more}"


def text_of(reply):
    return bytes.fromhex(reply[1]).decode()


def flat(reply):
    """As RESP2 would have said it: what python3-redis gives where nothing is made of it."""
    if reply[0] in ("array", "map"):
        return [flat(item) for item in reply[1]]
    if reply[0] == "null":
        return None
    return reply[1] if reply[0] in ("integer", "bool") else bytes.fromhex(reply[1])


def raw_call(server, *words):
    client = server.client()
    client.response_callbacks.clear()
    try:
        return client.execute_command(*words)
    finally:
        client.close()


def spoken(word):
    return "hex:" + (word if isinstance(word, bytes) else str(word).encode()).hex()


def fill(client, dice):
    """Keys of every type, many of them binary; returns commands that read them, with and without an order."""
    def some():
        return dice.randbytes(dice.choice((0, 1, 3, 40, 200)))
    reads, unordered = [], []
    for i in range(40):
        client.set(f"s{i}", some(), px=dice.choice((None, 10**9)))
        client.rpush(f"l{i}", *[some() for _ in range(dice.randint(1, 60))])
        client.hset(f"h{i}", mapping={some(): some() for _ in range(dice.randint(1, 60))})
        client.sadd(f"t{i}", *[some() for _ in range(dice.randint(1, 60))])
        client.zadd(f"z{i}", {some(): dice.choice((1, 0.1, -7.25, 1e300)) for _ in range(dice.randint(1, 60))})
        client.xadd(f"x{i}", {some(): some()})
        reads += [("GET", f"s{i}"), ("PEXPIRETIME", f"s{i}"), ("LRANGE", f"l{i}", 0, -1), ("ZRANGE", f"z{i}", 0, -1),
                  ("XRANGE", f"x{i}", "-", "+"), ("DUMP", f"l{i}"), ("TYPE", f"z{i}"), ("GET", f"h{i}"), ("GET", f"none{i}"),
                  ("EVAL", "return {1, 'a', {false, {}}, redis.status_reply('ok')}", 0)]
        unordered += [("HGETALL", f"h{i}"), ("SMEMBERS", f"t{i}")]
    return reads, unordered


@each_kind("every type reads as the independent client reads it, in both versions of the protocol")
def every_type(stand, servers):
    server = servers.standalone()
    reads, unordered = fill(server.client(), random.Random(5))
    lines = [" ".join(spoken(word) for word in words) for words in reads + unordered]
    for version in (2, 3):
        replies, done = talk(stand, uri_of(server, more=f"?protocol={version}"), *lines)
        done.ended(0)
        same(len(replies), len(lines), "replies")
        for words, reply in zip(reads + unordered, replies):
            try:
                wanted = raw_call(server, *words)
            except need_client().ResponseError as error:
                same(reply[0], "error", words)
                among(str(error), text_of(reply), words)
                continue
            found = flat(reply) if reply[0] != "digest" else wanted
            ordered = words in reads
            same(found if ordered else sorted(found), wanted if ordered else sorted(wanted), words)


@each_kind("HELLO is spoken where the server knows it, and its own name is shown to others")
def the_handshake(stand, servers):
    server = servers.standalone()
    replies, done = talk(stand, uri_of(server), "CLIENT LIST", "HGETALL none", "HELLO")
    done.ended(0)
    among("name=sluice ", text_of(replies[0]) if replies[0][0] == "bytes" else "name=sluice ", "CLIENT LIST")
    same(replies[1][0], "map", "an empty hash in RESP3")
    old = servers.standalone(rename_command='HELLO ""')
    replies, done = talk(stand, uri_of(old), "HGETALL none", "CLIENT GETNAME")
    done.ended(0)
    same([replies[0][0], text_of(replies[1])], ["array", "sluice"], "an empty hash in RESP2, and the name")
    talk(stand, uri_of(old, more="?protocol=3"))[1].ended(6)


@each_kind("user and password let in whom the server lets in, and the message says what to check")
def who_is_let_in(stand, servers):
    server = servers.standalone()
    client = server.client()
    for rule in ("ann on >annpass ~customer:* +@read -@dangerous +hello +client|setname", "gone off >gonepass +@all",
                 "bare on >barepass ~* +get", "default off"):
        client.execute_command("ACL", "SETUSER", *rule.split())
    for version in ("", "?protocol=2"):
        replies, done = talk(stand, uri_of(server, "ann:annpass@", version), "GET customer:1", "GET other", "SET customer:1 x")
        done.ended(0)
        same([reply[0] for reply in replies], ["null", "error", "error"], "what ann may")
        among("NOPERM", text_of(replies[1]))
        for who in ("ann:wrong@", "gone:gonepass@", "nobody:x@"):
            among("check user and password", talk(stand, uri_of(server, who, version))[1].ended(7).err)
        replies, done = talk(stand, uri_of(server, "bare:barepass@", version), "GET a")
        done.ended(0)
        same(replies, [["null"]], "who may GET alone")
    among("NOAUTH", talk(stand, uri_of(server), "GET a")[1].ended(7).err)
    locked = servers.standalone(requirepass="secret")
    talk(stand, uri_of(locked, ":secret@"), "PING")[1].ended(0)
    talk(stand, uri_of(locked, ":secret@", "?protocol=2"), "PING")[1].ended(0)
    among("check user and password", talk(stand, uri_of(locked, ":wrong@"))[1].ended(7).err)
    among("wants a user and a password", talk(stand, uri_of(locked))[1].ended(7).err)


@each_kind("TLS is held to its certificates, both ways")
def tls(stand, servers):
    server = servers.standalone(tls=True)
    certificates = servers.certificates()
    ours = f"&cert={certificates}/client.crt&key={certificates}/client.key&timeout=1m" # on a machine that is busy
    whole = f"?ca={certificates}/ca.crt{ours}"
    for version in ("", "&protocol=2"):
        replies, done = talk(stand, uri_of(server, "", whole + version, "valkeys"), "SET k fill:3000000:v", "GET k")
        done.ended(0)
        same([replies[0], replies[1][:2]], [["status", b"OK".hex()], ["digest", 3000000]], "3 MB through TLS")
    talk(stand, uri_of(server, "", f"?insecure=1{ours}", "valkeys"), "PING")[1].ended(0)
    among("client certificate", talk(stand, uri_of(server, "", f"?ca={certificates}/ca.crt&timeout=1m", "valkeys"), "PING")[1].ended(7).err)
    among("certificate does not hold", talk(stand, uri_of(server, "", "?" + ours[1:], "valkeys"), "PING")[1].ended(7).err)
    among("hostname mismatch", talk(stand, uri_of(server, "", whole + "&server_name=db.example", "valkeys"))[1].ended(7).err)
    talk(stand, uri_of(server), "PING")[1].ended(6)
    plain = servers.standalone()
    among("TLS", talk(stand, uri_of(plain, "", whole.replace("=1m", "=1s"), "valkeys"), "PING")[1].ended(6).err)


@each_kind("doctor reaches a server through TLS, and warns where any certificate is taken")
def doctor(stand, servers):
    server = servers.standalone(tls=True)
    certificates = servers.certificates()
    stand.records("in.ndjson", [{"id": "a", "name": "x"}])
    for options, warned in ((f"ca={certificates}/ca.crt", False), ("insecure=1", True)):
        uri = uri_of(server, "", f"?{options}&cert={certificates}/client.crt&key={certificates}/client.key", "valkeys")
        stand.write("x.yaml", f"""sluice: 1
name: x
source: {{ store: "file:.", dataset: in.ndjson, key: id }}
target: {{ store: "{uri}", dataset: "c:{{id}}", as: hash }}
""")
        said = stand.sluice("doctor", "x.yaml").ended(0)
        same("insecure=1" in said.out, warned, said.out)
        among(server.address, said.out)


@each_kind("values of 64 MB and a pipeline of 100,000 commands go both ways")
def large(stand, servers):
    server = servers.standalone()
    replies, done = talk(stand, uri_of(server, more="?timeout=1m"), "SET k fill:67108864:v", "STRLEN k", "GET k")
    done.ended(0)
    same([replies[1], replies[2][:2]], [["integer", 67108864], ["digest", 67108864]], "64 MB")
    lines = [f"INCRBY n {i % 10}" for i in range(100000)]
    replies, done = talk(stand, uri_of(server, more="?timeout=1m"), *lines)
    done.ended(0)
    same(replies[-1], ["integer", 450000], "the sum")


@each_kind("a server that is full of clients, frozen or gone is told by its name and in time")
def trouble(stand, servers):
    server = servers.standalone()
    client = server.client()
    client.config_set("maxclients", 1)
    among(["maxclients", server.address], talk(stand, uri_of(server), "PING")[1].ended(6).err)
    client.config_set("maxclients", 100)
    talk(stand, uri_of(server), "PING")[1].ended(0)
    server.freeze()
    among(["no answer in time", server.address], talk(stand, uri_of(server, more="?timeout=300ms"), "PING")[1].ended(6).err)
    server.thaw()
    server.stop()
    among(["Connection refused", server.address], talk(stand, uri_of(server), "PING")[1].ended(6).err)


@each_kind("a server that is still loading says so, and answers when it has loaded")
def loading(stand, servers):
    server = servers.standalone(key_load_delay=300, loading_process_events_interval_bytes=1024, enable_debug_command="yes")
    client = server.client()
    client.execute_command("DEBUG", "POPULATE", 10000, "key", 100)
    client.save()
    server.kill()
    server.start(ready=False)
    wait_for(lambda: b"loading:1" in raw_call(server, "INFO", "persistence"), "a server that loads")
    replies, done = talk(stand, uri_of(server), "GET key:1")
    done.ended(0)
    among("LOADING", text_of(replies[0]))
    server.wait_ready()
    client = server.client()
    same(client.dbsize(), 10000, "keys")


@each_kind("a server that is killed in the middle of a pipeline is an error after the replies that came")
def killed(stand, servers):
    server = servers.standalone()
    server.client().set("k", "v" * 1000)
    stand.write("lines", "GET k\n" * 200000)
    said = stand.path("said")
    with open(stand.path("lines")) as lines, open(said, "w") as out, \
            subprocess.Popen([stand.programs.talk, uri_of(server)], stdin=lines, stdout=out, stderr=subprocess.PIPE,
                             text=True) as process:
        wait_for(lambda: said.stat().st_size, "a first reply")
        server.kill()
        err = process.communicate(timeout=60)[1]
    same(process.returncode, 6, "how it ended")
    among(server.address, err)
    replies = said.read_text().splitlines()
    must(0 < len(replies) < 200000, f"{len(replies)} replies: killed at the wrong time")
    must(all(line.startswith('["bytes"') and line.endswith('"]') for line in replies), "a reply that is none")


run_all("talk", "sluice")
