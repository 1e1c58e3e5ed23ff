#!/usr/bin/env python3
"""sluice serve: who may not, may not; and what is odd, too large, slow or meant ill does nothing."""

import json
import os
import random
import re
import signal
import socket
import sqlite3
import ssl
import time
from contextlib import suppress
from urllib.parse import quote

from server import ALL, API, ROLES, SECRET, Events, ledger, one_stopped, seed, server, stopped, token, until
from stand import among, must, run_all, same, test


@test("each role may what it is there for and nothing else; what is refused stands in the ledger with the token's name")
def _(stand):
    seed(stand, "fix")
    stopped(stand)
    tokens = {role: token(stand, f"a-{role}", role) for role in ROLES}
    with server(stand, "--anonymous", "none") as http_server:
        paths = http_server.get("/openapi.json").json()["paths"]
        number = http_server.get("/runs/fix.1/reports", tokens["admin"]).json()["reports"][0]["number"]
        for path, item in paths.items():
            real = path.replace("{run}", "fix.1").replace("{other}", "fix.1").replace("{board}", "debug").replace("/reports/{number}", f"/reports/{number}").replace("{number}", "1")
            for method, operation in item.items():
                needs = operation["x-right"]
                if path.endswith("/events") or needs == "open":
                    continue
                for role, rights in ROLES.items():
                    body = {"dry_run": True, "key": "protect.errors", "value": "1%"} if path.endswith("/set") else {"dry_run": True}
                    status = http_server.ask(method.upper(), real, body if method == "post" else None, who=tokens[role]).status
                    must((status == 403) == (needs not in rights), method, path, role, status)
                same(http_server.ask(method.upper(), real, {} if method == "post" else None, headers={"Sluice-Request": "1"}).status, 401, f"nobody: {path}")
        stand.sluice("token", "list").ended(0)
        named = {"a-viewer@token", "a-operator@token", "a-approver@token", "nobody@token"} # nobody's are told apart, and maybe first
        until(lambda: named <= {entry["actor"] for entry in ledger(stand) if entry["action"] == "refused"})
        refused = [entry for entry in ledger(stand) if entry["action"] == "refused"]
        must("a-admin@token" not in {entry["actor"] for entry in refused}, refused)
        among("approve", next(entry for entry in refused if entry["actor"] == "a-operator@token")["details"]["what"])


@test("owner.may and the rule of four eyes hold for tokens as for people; a token for some specs sees no other")
def _(stand):
    seed(stand, "fix", "two", gate="approve: daemon")
    stand.write("fix.yaml", stand.read("fix.yaml") + "owner: { team: t, may: { approve: [daemon], pause: [bin], verify: [bin] } }\n")
    stand.sluice("run", "fix.yaml", "--yes", "--exit-on-pause").ended(3)
    stand.sluice("run", "two.yaml", "--yes", "--exit-on-pause").ended(3)
    author = stand.sluice("status", "fix", "--json").json()["actor"].split("@")[0]
    own = token(stand, author, "admin", "--groups", "daemon")
    other, lead = token(stand, "bea", "admin"), token(stand, "lea", "admin", "--groups", "daemon,bin")
    only = token(stand, "tim", "admin", "--only", "tw*,x")
    with server(stand) as http_server:
        among("somebody else", http_server.act("fix.1", "approve", own).ended(403).json()["message"])
        among("bea", http_server.act("fix.1", "approve", other).ended(403).json()["message"])
        among("bea may not pause", http_server.act("fix.1", "pause", other).ended(403).json()["message"])
        among("bea may not verify", http_server.act("fix.1", "verify", other).ended(403).json()["message"])
        among("owner.may.verify: [bin]", stand.sluice("verify", "fix.1").ended(7).err)
        http_server.act("fix.1", "pause", lead).ended(200)
        same([run["run"] for run in http_server.get("/runs", only).json()["runs"]], ["two.1"], "what tim sees")
        for path in ("/runs/fix.1", "/runs/fix", "/runs/fix.1/partitions", "/runs/two.1/diff/fix.1", "/events?run=fix.1", "/runs/fix.1/reports/1"):
            answer = http_server.get(path, only).ended(404).json()
            must(f"home {stand.path('home')}" not in answer["message"] or "fix" not in answer["message"], answer)
        same(http_server.act("fix.1", "pause", only).status, 404, "nor can he do anything to it")
        same(http_server.act(None, "stop", only).status, 403, "nor to all")
        same(http_server.ask("GET", "/metrics", who=only).status, 403, "nor count them")
        must("fix.1" not in {entry["run"] for entry in http_server.get("/ledger?limit=500", only).json()["entries"]}, "in the ledger")
        stream = Events(http_server, who=only)
        stream.wait(lambda kind, data: kind == "status" and data["run"] == "two.1")
        stand.sluice("abort", "fix.1").ended(0)
        stand.sluice("abort", "two.1").ended(0)
        stream.wait(lambda kind, data: kind == "ledger" and data["action"] == "aborted")
        must("fix.1" not in {data.get("run") for _, data, _ in stream.events}, "in his events")
        stream.close()
        until(lambda: any(entry["action"] == "refused" and entry["actor"] == "bea@token" for entry in ledger(stand)))


@test("a forged, an expired and a revoked token is nobody's: at once for what changes something; the stream of a revoked one ends")
def _(stand):
    seed(stand, "fix")
    stopped(stand)
    good, short = token(stand, "ann", "admin"), token(stand, "eve", "admin", "--expires", "1s")
    among("already", stand.sluice("token", "create", "ann", "--role", "viewer").ended(7).err)
    with server(stand, "--anonymous", "none") as http_server:
        forged = [good[:-1] + ("0" if good[-1] != "0" else "1"), good.upper(), good + "0", "sluice_", "x", "sluice_" + "0" * 64, good * 10]
        for bad in forged:
            same(http_server.get("/runs", bad).status, 401, bad[:30])
        for bad in ("Basic " + good, good, "Bearer", "bearer  " + good):
            same(http_server.ask("GET", f"{API}/runs", headers={"Authorization": bad}).status, 401, bad[:20])
        cookie = http_server.ask("POST", f"{API}/session", {"token": good}, headers={"Sluice-Request": "1"}).ended(200).headers["Set-Cookie"]
        among(["HttpOnly", "SameSite=Strict", "Path=/"], cookie)
        jar = {"Cookie": cookie.split(";")[0]}
        same(http_server.get("/session", headers=jar).json()["name"], "ann", "by cookie")
        same(http_server.ask("POST", f"{API}/runs/fix.1/pause", {}, headers=jar).status, 403, "a cookie alone does nothing")
        same(http_server.ask("POST", f"{API}/session", {"token": forged[0]}, headers={"Sluice-Request": "1"}).status, 401, "a forged one")
        until(lambda: http_server.get("/runs", short).status == 401)
        stream = Events(http_server, who=good)
        stand.sluice("token", "revoke", "ann").ended(0)
        same(http_server.act("fix.1", "pause", good).status in (401, 403), True, "at once")
        same(stand.sluice("status", "fix", "--json").json()["state"], "waiting", "and nothing was done")
        until(lambda: http_server.get("/runs", good).status == 401)
        until(lambda: stream.over)
        same(http_server.get("/session", headers=jar).json()["name"], None, "nor by cookie")
        same([row["state"] for row in stand.sluice("token", "list", "--json").json()["tokens"]], ["revoked", "expired"], "the list")


@test("another page of the same browser does nothing: by origin, by site, by form, by a name that was made to lead here")
def _(stand):
    seed(stand, "fix")
    stopped(stand)
    with server(stand, "--anonymous", "admin") as http_server:
        own = {"Sluice-Request": "1", "Content-Type": "application/json"}

        def post(**headers):
            given = {**own, **{name.replace("_", "-"): value for name, value in headers.items()}}
            return http_server.ask("POST", f"{API}/runs/fix.1/pause", '{"dry_run": true}', headers={k: v for k, v in given.items() if v is not None})

        same(post().status, 200, "the page itself")
        same(post(Origin=http_server.url, Sec_Fetch_Site="same-origin").status, 200, "as a browser sends it")
        for bad in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"http://127.0.0.1.evil.example:{http_server.port}"},
                    {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Sluice_Request": None}):
            same(post(**bad).status, 403, bad)
        for bad in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
            same(post(Content_Type=bad).status, 415, bad)
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1].evil.example", "127evil"):
            same(http_server.ask("GET", f"{API}/runs", headers={"Host": host}).status, 401, host)
            same(post(Host=host).status, 401, host)
        for host in ("localhost", f"LOCALHOST:{http_server.port}", "127.0.0.1:1", "[::1]:8080"):
            same(http_server.ask("GET", f"{API}/runs", headers={"Host": host}).status, 200, host)
        same(stand.sluice("status", "fix", "--json").json()["state"], "waiting", "nothing was done")


@test("elsewhere than on this machine it listens only with TLS, a token and nobody anonymous; with TLS it answers")
def _(stand):
    stand.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "k.pem", "-out", "c.pem",
               "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]).ended(0)
    seed(stand, "fix")
    stopped(stand)
    tls = ["--tls-cert", "c.pem", "--tls-key", "k.pem"]
    among("others could read along", stand.sluice("serve", "--listen", "0.0.0.0:0").ended(7).err)
    among("others could read along", stand.sluice("serve", "--listen", "[::]:0").ended(7).err)
    among("others could read along", stand.sluice("serve", "--listen", ":0").ended(7).err)
    among("nobody has a token", stand.sluice("serve", "--listen", "0.0.0.0:0", *tls).ended(7).err)
    good = token(stand, "ann", "viewer")
    among("only on this machine", stand.sluice("serve", "--listen", "0.0.0.0:0", *tls, "--anonymous", "viewer").ended(7).err)
    among("both are needed", stand.sluice("serve", "--tls-cert", "c.pem").ended(2).err)
    for bad in ("x", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x"):
        stand.sluice("serve", "--listen", bad).ended(2)
    context = ssl.create_default_context(cafile=stand.path("c.pem"))
    with server(stand, *tls, listen="0.0.0.0:0", tls=context) as http_server:
        same(http_server.get("/runs").status, 401, "nobody")
        same(http_server.get("/runs", good).status, 200, "ann")
        among("Secure", http_server.ask("POST", f"{API}/session", {"token": good}, headers={"Sluice-Request": "1"}).headers["Set-Cookie"])
        http_server.raw(b"GET / HTTP/1.0\r\n\r\n", wait=False)
        old = stand.run(["openssl", "s_client", "-connect", f"localhost:{http_server.port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        must(old.code != 0, "an old TLS was taken")


def certificate(stand, name, subject, *more, ca="ca"):
    """NAME.pem, with its key in it, signed by CA.pem; by itself where `ca` is None."""
    signed = ["-CA", f"{ca}.pem", "-CAkey", f"{ca}.pem"] if ca else []
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", subject,
               "-keyout", f"{name}.key", "-out", f"{name}.crt", *signed, *more]
    stand.run(command).ended(0)
    stand.write(f"{name}.pem", stand.read(f"{name}.crt") + stand.read(f"{name}.key"))


@test("who shows a client certificate is whom a token names for it; of another authority, expired, for servers or revoked it is nobody's")
def _(stand):
    seed(stand, "fix")
    stopped(stand)
    certificate(stand, "ca", "/CN=our authority", ca=None)
    certificate(stand, "rogue", "/CN=another authority", ca=None)
    certificate(stand, "server", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    shown = {"ann": ("/CN=ann.desk",), "bea": ("/CN=x", "-addext", "subjectAltName=DNS:nobody.example,URI:spiffe://ops/bea"), "eve": ("/CN=eve",),
             "only-servers": ("/CN=ann.desk", "-addext", "extendedKeyUsage=serverAuth"), "zero": ("/CN=ann",)}
    for name, words in shown.items():
        certificate(stand, name, *words)
    certificate(stand, "forged", "/CN=ann.desk", ca="rogue")
    stand.sluice("token", "create", "ann", "--role", "operator", "--certificate", "ann.desk").ended(0)
    stand.sluice("token", "create", "bea", "--role", "viewer", "--certificate", "spiffe://ops/bea").ended(0)
    among("already", stand.sluice("token", "create", "zoe", "--role", "admin", "--certificate", "ann.desk").ended(7).err)
    stand.sluice("token", "create", "zoe", "--role", "admin", "--certificate", "").ended(2)
    same([row["certificate"] for row in stand.sluice("token", "list", "--json").json()["tokens"]], ["ann.desk", "spiffe://ops/bea"], "the list")
    secret = token(stand, "tom", "viewer")
    among("--tls-ca", stand.sluice("serve", "--tls-ca", "ca.crt").ended(2).err)

    def context(name=None):
        made = ssl.create_default_context(cafile=stand.path("ca.crt"))
        if name:
            made.load_cert_chain(stand.path(f"{name}.pem"))
        return made

    own = {"Sluice-Request": "1"}
    with server(stand, "--tls-cert", "server.crt", "--tls-key", "server.key", "--tls-ca", "ca.crt", listen="0.0.0.0:0", tls=context()) as http_server:
        def asks(name, path="/session", **more):
            http_server.tls = context(name)
            return http_server.get(path, **more)

        same([asks(name).json()["name"] for name in ("ann", "bea", None)], ["ann", "bea", None], "who they are")
        for name in ("eve", "forged", "only-servers", "zero"):
            among("nobody's", asks(name, "/runs").ended(401).json()["message"])
        same((asks(None, "/runs").status, asks(None, "/runs", who=secret).status), (401, 200), "without one a token")
        same(asks("ann", who=secret).json()["name"], "tom", "and with one a token comes first")
        http_server.tls = context("ann")
        same(http_server.act("fix.1", "pause").status, 403, "a browser that has one could be made to send this")
        http_server.act("fix.1", "pause", headers=own, reason="look").ended(200)
        http_server.tls = context("bea")
        http_server.act("fix.1", "resume", headers=own).ended(403)
        stand.sluice("token", "revoke", "ann").ended(0)
        http_server.tls = context("ann")
        must(http_server.act("fix.1", "abort", headers=own).status in (401, 403), "revoked, at once")
        until(lambda: asks("ann", "/runs").status == 401)
        stand.sluice("token", "create", "ann", "--role", "viewer", "--certificate", "ann.desk").ended(0)
        until(lambda: asks("ann", "/runs").status == 200)
        until(lambda: {"ann@certificate", "bea@certificate"} <= {entry["actor"] for entry in ledger(stand) if entry["action"] in ("paused", "refused", "waiting", "wish")})


AUTHORITY = """
[ca]
default_ca = x
[x]
database = index.txt
default_md = sha256
unique_subject = no
"""


def crl(stand, *revoked, ca="ca", until="-crlhours 1"):
    """The list of what CA has taken back, as PEM."""
    stand.write("ca.conf", AUTHORITY)
    stand.write("index.txt", "")
    command = ["openssl", "ca", "-config", "ca.conf", "-keyfile", f"{ca}.key", "-cert", f"{ca}.crt", "-batch"]
    for name in revoked:
        stand.run([*command, "-revoke", f"{name}.crt"]).ended(0)
    return stand.run([*command, "-gencrl", *until.split()]).ended(0).out


@test("a certificate that its authority has taken back is nobody's, from when the list says so; without a good list nobody's is taken; what is no list is refused")
def _(stand):
    seed(stand, "fix")
    certificate(stand, "ca", "/CN=our authority", ca=None)
    certificate(stand, "rogue", "/CN=another authority", ca=None)
    certificate(stand, "forger", "/CN=our authority", ca=None) # the same name, another key
    certificate(stand, "server", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    for name in ("ann", "bea"):
        certificate(stand, name, f"/CN={name}")
        stand.sluice("token", "create", name, "--role", "operator", "--certificate", name).ended(0)
    secret = token(stand, "tom", "viewer")
    good, none, old, foreign, forged = crl(stand, "bea"), crl(stand), crl(stand, until="-crl_nextupdate 20200102000000Z -crl_lastupdate 20200101000000Z"), crl(stand, ca="rogue"), crl(stand, ca="forger")
    tls = ("--tls-cert", "server.crt", "--tls-key", "server.key")
    for content, says in (("", "no list"), (good[:200], "no list"), (old, "expired"), (good + foreign, "no authority of --tls-ca"), (forged, "no authority of --tls-ca")):
        stand.write("bad.crl", content)
        among(["--tls-crl", says], stand.sluice("serve", *tls, "--tls-ca", "ca.crt", "--tls-crl", "bad.crl", "--listen", "127.0.0.1:0").ended(2).err)
    among("--tls-crl", stand.sluice("serve", *tls, "--tls-ca", "ca.crt", "--tls-crl", "nowhere.crl", "--listen", "127.0.0.1:0").ended(6, 9).err)
    among("--tls-ca", stand.sluice("serve", *tls, "--tls-crl", "bad.crl", "--listen", "127.0.0.1:0").ended(2).err)

    def context(name=None):
        made = ssl.create_default_context(cafile=stand.path("ca.crt"))
        if name:
            made.load_cert_chain(stand.path(f"{name}.pem"))
        return made

    stand.write("ca.crl", good)
    with server(stand, *tls, "--tls-ca", "ca.crt", "--tls-crl", "ca.crl", "--anonymous", "none", tls=context()) as http_server:
        def asks(name, **more):
            http_server.tls = context(name)
            return http_server.get("/runs", **more)

        def put(content):
            stand.write("aside", content)
            stand.path("aside").rename(stand.path("ca.crl"))

        same((asks("ann").status, asks("bea").status), (200, 401), "who was taken back")
        among("revoked", asks("bea").json()["message"])
        put(none)
        until(lambda: asks("bea").status == 200)
        http_server.tls = context("ann")
        hers = Events(http_server)
        http_server.tls = context("bea")
        others = Events(http_server)
        http_server.tls = context()
        toms = Events(http_server, who=secret)
        for stream in (hers, others, toms):
            stream.wait(lambda kind, data: kind == "stop")
        put(crl(stand, "ann"))
        until(lambda: (asks("ann").status, asks("bea").status) == (401, 200))
        until(lambda: hers.over)
        stand.sluice("token", "create", "cid", "--role", "viewer").ended(0)
        for stream in (others, toms):
            stream.wait(lambda kind, data: kind == "ledger") # it goes on
        for content in ("hello", foreign, forged):
            put(none)
            until(lambda: asks("ann").status == 200)
            put(content)
            until(lambda: asks("ann").status == 401)
            among("--tls-crl", asks("ann").json()["message"])
            until(lambda: others.over)
            same(asks(None, who=secret).status, 200, "a token needs no list")
        put(none)
        until(lambda: asks("ann").status == 200)
        stand.path("ca.crl").unlink()
        until(lambda: asks("ann").status == 401)
        put(good)
        until(lambda: asks("ann").status == 200)
        same(http_server.end().code, 0, "the server's end")


# --- bad input


@test("what is too large, cut off, malformed or leads elsewhere is refused, and everybody else is answered")
def _(stand):
    admin = one_stopped(stand)
    with server(stand) as http_server:
        def line(text):
            return http_server.raw(text).split(b"\r\n")[0]

        bearer = f"Host: localhost\r\nAuthorization: Bearer {admin}\r\n".encode()
        post = f"POST {API}/runs/fix.1/pause HTTP/1.1\r\n".encode() + bearer + b"Content-Type: application/json\r\n"
        among("413", line(post + b"Content-Length: 65537\r\n\r\n").decode())
        among("413", line(post + b"Content-Length: 99999999999999999999\r\n\r\n").decode())
        among("411", line(post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n").decode())
        among("414", line(b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n").decode())
        for bad in (b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"):
            must(not line(bad).startswith(b"HTTP/1.1 2"), bad[:40])
        for half in (b"", b"\x00\x01\x02", b"GET\r\n\r\n", b"\r\n" * 1000, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{"):
            http_server.raw(half, wait=False)
        if ALL: # who drips is cut off, however often a byte comes
            with socket.create_connection((http_server.host, int(http_server.port)), timeout=60) as drip:
                began, drip_text = time.monotonic(), iter("GET / HTTP/1.1\r\nX: " + "y" * 1000)
                with suppress(OSError):
                    while time.monotonic() - began < 60:
                        drip.send(next(drip_text).encode())
                        drip.settimeout(1)
                        with suppress(TimeoutError):
                            must(drip.recv(1) == b"", "it was answered")
                            break
                must(time.monotonic() - began < 45, "it was let drip")
        for bad in (b"{", b"[]", b'"x"', b"", b"{}{}", b'{"a":1,"a":2}', b"\xff\xfe", b'{"reason":' + b"[" * 3000 + b"]" * 3000 + b"}", b'{"reason":5}', b'{"dry_run":"yes"}',
                    b'{"unknown":1}', b'{"reason":"\\u0000"}'):
            answer = http_server.ask("POST", f"{API}/runs/fix.1/pause", bad, who=admin, headers={"Content-Type": "application/json"})
            same((answer.status, answer.json()["error"]), (400, "usage"), bad[:40])
        for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/api/v1/runs/..%2f..%2fcatalog.db", "/api/v1/runs/fix.1/reports/..%2f..%2fcatalog.db",
                     "/api/v1/runs/fix.1/reports/999", "/api/v1/runs/%00", "/api/v1/runs/fix.1%00/plan", "/api/v1/runs/x%0d%0aX-Injected:%201", "/api/v1/runs/%ff%fe"):
            answer = http_server.ask("GET", path, who=admin)
            must(answer.status in (400, 404), path, answer.status)
            must("X-Injected" not in answer.headers and b"root:" not in answer.bytes and b"SQLite format" not in answer.bytes, path)
            json.loads(answer.bytes)
        for verb, fields in {"set": {"key": "protect.rate.max", "value": "x\r\nSet-Cookie: a=b"}, "rollback": {"stage": "../../x"}, "approve": {"report": "zz"}}.items():
            must(http_server.act("fix.1", verb, admin, **fields).status in (400, 404, 409), verb)
        half = [socket.create_connection((http_server.host, int(http_server.port))) for _ in range(50)]
        for one in half:
            one.sendall(b"GET /api/v1/runs HTTP/1.1\r\nHost: loc")
        for header in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Cache-Control"):
            must(http_server.get("/runs").headers[header], header)
        must("Access-Control-Allow-Origin" not in http_server.get("/runs", headers={"Origin": "http://evil.example"}).headers, "no other origin is let in")
        for one in half:
            one.close()
        same(stand.sluice("status", "fix", "--json").json()["state"], "waiting", "nothing was done")
        same(http_server.end().code, 0, "the server's end")


ODD = ["", "0", "1", "-1", "9223372036854775807", "18446744073709551615", "18446744073709551616", "4294967295", "2147483648", "fix.1", "fix.", ".1", "*", "%", "%25", "null", "true",
       "a" * 1000, "\u2603", "'", '"', "; DROP TABLE run", "../..", "fix.1 ", "\t", "done,,", "forward", "0" * 64, "f" * 64]


@test("whatever stands in the addresses, parameters and bodies that the OpenAPI document names, no answer is a fault of the server")
def _(stand):
    admin = one_stopped(stand)
    chance = random.Random(int(os.environ.get("SLUICE_SEED", "7")))
    with server(stand) as http_server:
        document = http_server.get("/openapi.json").json()
        bodies = [item["requestBody"]["content"]["application/json"]["schema"]["properties"] for methods in document["paths"].values() for item in methods.values() if "requestBody" in item]
        fields = sorted(set().union(*bodies))
        operations = [(method.upper(), path, item["parameters"]) for path, methods in document["paths"].items() for method, item in methods.items()
                      if not path.endswith("/events")]
        connection, seen = http_server.connect(), set()
        for _ in range(20000 if ALL else 1200):
            method, path, parameters = chance.choice(operations)
            for part in re.findall(r"{\w+}", path):
                path = path.replace(part, quote(chance.choice(ODD) if chance.random() < 0.3 else "fix.1" if part in ("{run}", "{other}") else "1", safe=""), 1)
            query = [f"{parameter['name']}={quote(chance.choice(ODD))}" for parameter in parameters if parameter["in"] == "query" and chance.random() < 0.5]
            body = {chance.choice(fields): chance.choice([*ODD, None, True, 1, [], {}]) for _ in range(chance.randrange(3))}
            body = dict(body, dry_run=True) if chance.random() < 0.9 else dict(body, dry_run=chance.choice(ODD))
            answer = http_server.ask(method, path + ("?" + "&".join(query) if query else ""), body if method == "POST" else None, who=admin, connection=connection)
            must(answer.status < 500, method, path, query, body, answer.bytes[:300])
            if answer.status >= 400:
                same(answer.json()["type"], "error", path)
            seen.add(answer.status)
        must({200, 400, 404} <= seen, seen)
        same(http_server.end().code, 0, "the server's end")


@test("no token and no secret of a store or hook stands in any answer, in the ledger, in a log or in a file of the home")
def _(stand):
    seed(stand, "fix")
    stopped(stand)
    admin = token(stand, "ann", "admin", "--groups", "daemon")
    secrets = [admin.encode(), admin.removeprefix("sluice_").encode(), SECRET.encode()]
    with server(stand) as http_server:
        for path, item in http_server.get("/openapi.json").json()["paths"].items():
            if path.endswith("/events"):
                continue
            real = path.replace("{run}", "fix.1").replace("{other}", "fix.1").replace("{board}", "debug").replace("{number}", "1")
            for method in item:
                http_server.ask(method.upper(), real, {"dry_run": True} if method == "post" else None, who=admin)
        http_server.ask("POST", f"{API}/session", {"token": admin + "x"}, headers={"Sluice-Request": "1"})
        http_server.get("/runs/" + admin, admin)
        http_server.act("fix.1", "abort", admin, reason="over").ended(200)
        http_server.until("fix.1", "aborted")
        done = http_server.end()
        for path, answer in http_server.seen:
            shown = answer.bytes.replace(f"'{admin}'".encode(), b"")
            must(not any(secret in shown for secret in secrets), path)
        must(not any(secret.decode() in done.out + done.err for secret in secrets), "what the server prints")
    files = [path for path in stand.path("home").rglob("*") if path.is_file()]
    must(len(files) > 3, files)
    for path in files:
        must(not any(secret in path.read_bytes() for secret in secrets), path)
    for command in (["token", "list"], ["token", "list", "--json"], ["audit", "log", "--json"], ["status", "fix", "--json"]):
        must(not any(secret.decode() in stand.sluice(*command).out for secret in secrets), command)


@test("nobody acts in somebody else's name: the errand of a process is good once, for one command, and not made up")
def _(stand):
    seed(stand, "fix")
    stopped(stand)
    made_up = stand.sluice("abort", "fix.1", env=dict(stand.environment(), SLUICE_ERRAND="00" * 16)).ended(7)
    among("nobody has sent this process", made_up.err)
    home = sqlite3.connect(stand.path("home/catalog.db"))
    home.execute("INSERT INTO errand (id, at_ms, command, run, actor, user) VALUES (x'%s', 0, 'resume', 'fix.1', 'bob@token', 'bob')" % ("11" * 16))
    home.commit()
    home.close()
    among("sluice resume fix.1", stand.sluice("abort", "fix.1", env=dict(stand.environment(), SLUICE_ERRAND="11" * 16)).ended(7).err)
    stand.sluice("abort", "fix.1", env=dict(stand.environment(), SLUICE_ERRAND="x")).ended(7)
    admin = token(stand, "ann", "admin")
    with server(stand) as http_server:
        http_server.act("fix.1", "abort", admin).ended(200)
        http_server.until("fix.1", "aborted")
    home = sqlite3.connect(stand.path("home/catalog.db"))
    errand, taken = home.execute("SELECT hex(id), taken_ms FROM errand WHERE command = 'abort'").fetchone()
    home.close()
    must(taken, "it was not taken")
    stand.sluice("abort", "fix.1", env=dict(stand.environment(), SLUICE_ERRAND=errand)).ended(7)
    same({entry["actor"] for entry in ledger(stand) if entry["action"] == "aborted"}, {"ann@token"}, "who did it")


run_all("sluice", "app", "dies")
