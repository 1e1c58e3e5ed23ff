#!/usr/bin/env python3
"""The Debian package: what is in it, that it runs from where it was unpacked, what lintian and systemd say of it."""

import hashlib
import http.server
import os
import re
import shutil
import threading
from contextlib import contextmanager

from rehearsal import Rehearsal
from server import API, server
from stand import SOURCE, Skip, among, must, run_all, same, test

BUILT = SOURCE / "build-deb"


def digests():
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(BUILT.glob("sluice_*.deb"))]


# Of what the program is linked with, as far as the names do not tell a version.
LINKED = ("libbson-1.0-0", "libc6", "libfyaml0", "libglib2.0-0", "liblua5.4-0", "libpcre2-8-0", "librocksdb", "libsodium", "libsqlite3-0", "libssl", "libzstd1")

NUMBERED = """
sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: items }
protect: { signals: [{ name: queue, url: "URL", above: 10, every: 20ms, timeout: 5s, hold: 100ms }] }
"""


def needs(depends):
    """{package: what version of it}"""
    rows = [re.fullmatch(r"(\S+)(?: \((.*)\))?", each) for each in depends.strip().split(", ")]
    must(all(rows), "no list of packages:", depends)
    return {row[1]: row[2] for row in rows}


@contextmanager
def number(value):
    """An address that answers with it."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name
            self.send_response(200)
            self.end_headers()
            self.wfile.write(str(value).encode())

        def log_message(self, *_):
            pass
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/"
    finally:
        listening.shutdown()
        listening.server_close()


@test("a package depends on what the program is linked with, and on what it loads by itself, as new as what it looks up there")
def _(stand):
    if not shutil.which("dpkg-shlibdeps"):
        raise Skip("dpkg-dev is not here")
    made = stand.run([SOURCE / "packaging/depends.sh", stand.programs.sluice, "shlibs"]).ended(0)
    found = needs(made.out)
    for name in LINKED:
        must(any(package.startswith(name) for package in found), name, "is not in", made.out)
    loaded = [name for path in sorted((SOURCE / "src").rglob("*.c")) for name in re.findall(r'struct later \w+ = .*\.package = "(.*?)"', path.read_text())]
    must(len(loaded) >= 3, "libraries that are loaded are not found in the tree:", loaded)
    for name in loaded:
        must((found.get(name) or "").startswith(">= "), name, "is not in", made.out)
    log = stand.read("shlibs/shlibdeps.log")
    must("none of the library's symbols" not in log, "nothing is asked of a library:", log)


@test("./dev deb: program, manual, completions, unit and pages, owned by root; it runs; the same tree makes the same bytes; lintian finds nothing")
def _(stand):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: it builds the release program")
    if not shutil.which("dpkg-deb"):
        raise Skip("this is no Debian")
    env = dict(os.environ, DEBFULLNAME="Ann Packager", DEBEMAIL="ann@debian.org")
    left = SOURCE / "docs/__pycache__/left.pyc" # as Python leaves some
    left.parent.mkdir(exist_ok=True)
    left.touch()
    made = stand.run([SOURCE / "dev", "deb"], env=env, timeout=3000).ended(0).out.split()[-1]
    left.unlink()
    first = digests()
    must(os.fsencode(SOURCE) not in (BUILT / "sluice").read_bytes(), "the folder that it was made in is in the program: elsewhere it has another build number")
    listed = [line.split() for line in stand.run(["dpkg-deb", "-c", SOURCE / made]).ended(0).out.splitlines()]
    same({row[1] for row in listed}, {"root/root"}, "owners")
    names = {row[5] for row in listed}
    for name in ("usr/bin/sluice", "usr/share/man/man1/sluice.1.gz", "usr/share/bash-completion/completions/sluice", "usr/share/zsh/site-functions/_sluice",
                 "lib/systemd/system/sluice.service", "etc/default/sluice", "usr/share/doc/sluice/copyright", "usr/share/doc/sluice/docs/install.md"):
        must("./" + name in names, name, "is not in it")
    must(not [name for name in names if "__pycache__" in name or "/." in name.removeprefix("./")], "what is not the tree's own:", names)
    fields = stand.run(["dpkg-deb", "-f", SOURCE / made]).ended(0).out
    among(["librocksdb", "libsqlite3-0", "libcurl4 (>=", "libmicrohttpd12 (>=", "libgnutls30 (>=", "adduser", "Ann Packager <ann@debian.org>"], fields)
    stand.run(["dpkg-deb", "-x", SOURCE / made, "root"]).ended(0)
    program = stand.path("root/usr/bin/sluice")
    among("sluice", stand.run([program, "version"]).ended(0).out)
    stand.run([program, "demo", "folder", "--quiet"]).ended(0, 2)
    stand.programs.sluice = program
    stand.records("in/a.ndjson", [{"id": "a", "n": 1}])
    with number(3) as url:
        stand.write("load.yaml", NUMBERED.replace("URL", url))
        stand.sluice("doctor", "load.yaml").ended(0)
        stand.sluice("run", "load.yaml", "--yes").ended(0) # who asks an address loads libcurl
    with server(stand) as asked: # and who serves libmicrohttpd and GnuTLS
        same(asked.get("/runs/load.1").ended(200).json()["state"], "done", "what is served")
    again = stand.run(["bash", "-c", f"cd '{SOURCE}' && packaging/deb.sh build-deb"], env=env, timeout=300).ended(0)
    same((again.out.split()[-1], digests()), (made, first), "a second time")
    if shutil.which("lintian"):
        same(stand.run(["lintian", "--allow-root", "--fail-on", "none", SOURCE / made], timeout=300).ended(0).out, "", "what lintian says")


@test("the unit is one that systemd takes, and leaves a service little to do harm with")
def _(stand):
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd-analyze is not here")
    unit = (SOURCE / "packaging/sluice.service").read_text().replace("/usr/bin/sluice", "/bin/true").replace("Documentation=man:sluice(1)\n", "")
    stand.write("sluice.service", unit)
    said = stand.run(["systemd-analyze", "verify", "--man=no", "./sluice.service"])
    same((said.code, said.err), (0, ""), "what systemd says")
    found = stand.run(["systemd-analyze", "security", "--offline=yes", "--threshold=25", "--no-pager", "./sluice.service"])
    must(found.code == 0, f"exposure above 2.5: {found.out[-1500:]}{found.err}")


@test("the container file: its steps make a program that runs as its own user, in its own folder and in one of whoever mounts it")
def _(stand):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: it builds the release program")
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("dpkg"):
        raise Skip("it wants root, unshare and dpkg")
    rehearsal = Rehearsal(stand)
    rehearsal.then("demo", "shown", "--records", "20000", "--quiet")
    mount = stand.path("theirs")
    mount.mkdir()
    stand.write("theirs/rows.ndjson", '{"id": "a", "n": 1}\n')
    stand.write("theirs/fix.yaml", 'sluice: 1\nname: fix\nsource: { store: "file:.", dataset: rows.ndjson, key: id }\ntarget: { store: "rocksdb:out", dataset: out }\n')
    for path in (mount, *mount.iterdir()):
        os.chown(path, 54321, 54321)
    rehearsal.then("run", "fix.yaml", "--yes", user="54321:54321", mount=mount)
    stand.write("rehearsal.sh", "".join(rehearsal.script))
    done = stand.run(["unshare", "-m", "bash", "rehearsal.sh"], timeout=3000)
    must(done.code == 0, f"it ended with {done.code}: {done.err[-1500:]}{done.out[-1500:]}")
    among(["usage: sluice COMMAND", "the ledger is whole", "1 written"], done.out + done.err, "what it said")
    same((mount / ".sluice/catalog.db").stat().st_uid, 54321, "whose the home is")


run_all()
