#!/usr/bin/env python3
"""The Debian package: what is in it, that it runs from where it was unpacked, what lintian and systemd say of it."""

import hashlib
import os
import shutil

from rehearsal import Rehearsal
from stand import SOURCE, Skip, among, must, run_all, same, test

BUILT = SOURCE / "build-deb"


def digests():
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(BUILT.glob("sluice_*.deb"))]


@test("./dev deb: program, manual, completions, unit and pages, owned by root; it runs; the same tree makes the same bytes; lintian finds nothing")
def _(stand):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip("by hand, with SLUICE_LIVE_ALL=1: it builds the release program")
    if not shutil.which("dpkg-deb"):
        raise Skip("this is no Debian")
    env = dict(os.environ, DEBFULLNAME="Ann Packager", DEBEMAIL="ann@debian.org")
    made = stand.run([SOURCE / "dev", "deb"], env=env, timeout=3000).ended(0).out.split()[-1]
    first = digests()
    listed = [line.split() for line in stand.run(["dpkg-deb", "-c", SOURCE / made]).ended(0).out.splitlines()]
    same({row[1] for row in listed}, {"root/root"}, "owners")
    names = {row[5] for row in listed}
    for name in ("usr/bin/sluice", "usr/share/man/man1/sluice.1.gz", "usr/share/bash-completion/completions/sluice", "usr/share/zsh/site-functions/_sluice",
                 "lib/systemd/system/sluice.service", "etc/default/sluice", "usr/share/doc/sluice/copyright", "usr/share/doc/sluice/docs/install.md"):
        must("./" + name in names, name, "is not in it")
    fields = stand.run(["dpkg-deb", "-f", SOURCE / made]).ended(0).out
    among(["librocksdb", "libsqlite3-0", "libcurl", "adduser", "Ann Packager <ann@debian.org>"], fields)
    stand.run(["dpkg-deb", "-x", SOURCE / made, "root"]).ended(0)
    program = stand.path("root/usr/bin/sluice")
    among("sluice", stand.run([program, "version"]).ended(0).out)
    stand.run([program, "demo", "folder", "--quiet"]).ended(0, 2)
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
