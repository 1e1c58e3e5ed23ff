#!/usr/bin/env python3
"""What shells and man(1) read: the manual page, tab completion in a real bash and a real zsh."""

import os
import pty
import select
import shutil
import subprocess

from stand import Failed, Skip, among, must, run_all, same, test

LOAD = """
sluice: 1
name: load
source: { store: "file:in", dataset: "*.ndjson", key: id }
target: { store: "rocksdb:live", dataset: items }
"""


def commands(stand):
    return stand.sluice("help", "--json").ended(0).json()["commands"]


def offered(stand, *words, **more):
    return stand.sluice("completion", "words", "--", *words, **more).ended(0).out.split("\n")[:-1]


def loaded(stand):
    stand.records("in/a.ndjson", [{"id": "a"}])
    stand.write("load.yaml", LOAD)
    stand.sluice("run", "load.yaml", "--yes").ended(0)


def built(name):
    return os.path.join(os.environ["SLUICE_BUILD"], "share", name)


@test("manual page: every command, option, variable and exit code has its place, and the file that is installed is this one")
def _(stand):
    page = stand.sluice("help", "--man").ended(0).out
    plain = page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "").replace("\\fI", "")
    for command in commands(stand):
        among(f"\nsluice {command['name']}", plain)
        among([f"--{option['name']}" for option in command["options"]], plain)
        among([f"({option['variable']})" for option in command["options"]], plain)
    for row in stand.sluice("explain", "exit", "--json").ended(0).json()["entries"]:
        among(f".TP\n{row['name']}\n", plain)
    with open(built("sluice.1"), encoding="utf-8") as file:
        same(file.read(), page, "the file")
    same(page.isascii(), True, "ASCII")


@test("manual page: mandoc and groff find nothing wrong with it")
def _(stand):
    page, judges = built("sluice.1"), 0
    for command in (["mandoc", "-T", "lint", "-W", "warning", page], ["groff", "-man", "-ww", "-z", "-Tutf8", page]):
        if shutil.which(command[0]):
            judges += 1
            done = stand.run(command)
            faults = [line for line in (done.out + done.err).splitlines() if "missing date" not in line]
            same(faults, [], command[0])
    if not judges:
        raise Skip("neither mandoc nor groff is here")


@test("installed: the page where man looks, the completions where bash and zsh do")
def _(stand):
    listed = stand.run(["meson", "introspect", "--installed", os.environ["SLUICE_BUILD"]]).ended(0).json()
    for name, place in (("share/sluice.1", "/man/man1/sluice.1"), ("share/sluice", "/bash-completion/completions/sluice"),
                        ("share/_sluice", "/zsh/site-functions/_sluice"), ("sluice", "/bin/sluice")):
        at = os.path.join(os.environ["SLUICE_BUILD"], name)
        must(listed.get(at, "").endswith(place), name, listed)


@test("completion: every command, and of each every option that it takes, and nothing else")
def _(stand):
    rows = commands(stand)
    same(offered(stand, ""), [row["name"] for row in rows], "commands")
    for row in rows:
        same(sorted(offered(stand, row["name"], "--")), sorted("--" + option["name"] for option in row["options"]), row["name"])
    same(offered(stand, "frobnicate", ""), offered(stand, ""), "behind what is no command")


@test("completion: values and arguments, from the tables and from the home")
def _(stand):
    loaded(stand)
    for words, wanted in (
            (["wait", "--for", "d"], ["done"]), (["wait", "--for=d"], ["--for=done"]), (["init", "--template", "re"], ["repair", "recompute", "rehydrate"]),
            (["--log-level", ""], ["error", "warn", "info", "debug"]), (["gen", "cust"], ["customers"]), (["help", "sta"], ["status"]),
            (["set", "load.1", "w"], ["workers="]), (["explain", "target.conf"], ["target.conflict"]), (["cat", "rock"], ["rocksdb:"]),
            (["quarantine", ""], ["list", "show", "retry"]), (["quarantine", "list", ""], ["load.1"]), (["audit", "v"], ["verify"]),
            (["status", ""], ["load.1"]), (["verify", ""], [":specs", "load.1"]), (["status", "--home", "nowhere", ""], []),
            (["--home", "home", "status", "l"], ["load.1"]), (["status", "--catalog", "sqlite:home/catalog.db", ""], ["load.1"]),
            (["run", "x.yaml", "--supersede", ""], ["load.1"]), (["plan", "x.yaml", "-o", ""], [":files"]), (["run", "--plan="], [":files"]),
            (["status", "--", ""], ["load.1"]), (["version", ""], []), (["try", "x", "--key", ""], []), (["set", "load.1", "workers=1", "prio"], ["priority="]), (["status", "load.1", ""], ["load.1"]),
            (["status", "--frob="], [])):
        same(offered(stand, *words), wanted, words)
    same(offered(stand, "status", "", env=dict(stand.environment(), SLUICE_HOME="elsewhere")), [], "of another home")
    same(stand.sluice("completion", "words", "--json", "--", "status", "l").ended(0).json()["words"], ["load.1"], "as JSON")
    for shell in ("bash", "zsh"):
        same(stand.sluice("completion", shell, "--json").ended(0).json()["script"], stand.sluice("completion", shell).ended(0).out, shell)
    among("'fish'", stand.sluice("completion", "fish").ended(2).err)


# What stands for sluice in the shells: what they ask it, it asks sluice; what they would run, it prints.
STAND_IN = """#!/bin/sh
[ "$1" = completion ] && exec SLUICE "$@"
printf 'ran<%s>' "$@"
printf '%s\\n' 'end>'
"""

# What is typed (@ is the tab key), and what is run.
TYPED = (
    ("stat@load@", ["status", "load.1"]),
    ("wait load.1 --fo@do@", ["wait", "load.1", "--for", "done"]),
    ("wait load.1 --for=do@", ["wait", "load.1", "--for=done"]),
    ("doctor lo@", ["doctor", "load.yaml"]),
    ("init --template=mig@ so@", ["init", "--template=migrate", "some dir"]),
    ("cat rock@x", ["cat", "rocksdb:x"]),
    ("set load.1 work@4", ["set", "load.1", "workers=4"]),
    ("run --plan=lo@", ["run", "--plan=load.yaml"]),
)


def types(stand, shell, prepare):
    """Types into a shell at a terminal, line by line, and reads what was run."""
    stand.write("bin/sluice", STAND_IN.replace("SLUICE", str(stand.programs.sluice))).chmod(0o755)
    stand.write("some dir/x", "")
    ours, theirs = pty.openpty()
    environment = stand.environment(PATH=f"{stand.path('bin')}:{os.environ['PATH']}", TERM="dumb", PS1="", ZDOTDIR="none")
    process = subprocess.Popen(shell, stdin=theirs, stdout=theirs, stderr=theirs, cwd=stand.dir, env=environment, start_new_session=True)
    stand.started.append(process)
    os.close(theirs)

    def until(word, line):
        read = ""
        while word not in read:
            if not select.select([ours], [], [], 60)[0]:
                raise Failed(f"{shell[0]} says no more at {line!r}: {read}")
            try:
                read += os.read(ours, 4096).decode(errors="replace")
            except OSError as error:
                raise Failed(f"{shell[0]} ended at {line!r}: {read}") from error
        return read
    os.write(ours, (prepare + "; echo rea''dy\n").encode())
    until("ready\r\n", prepare)
    for line, wanted in TYPED:
        os.write(ours, f"sluice {line.replace('@', chr(9))}\n".encode())
        read = until("end>", line)
        found = read[read.index("ran<"):read.index("end>")]
        same(found.replace("\r\n", "").replace("/>", ">"), "".join(f"ran<{word}>" for word in wanted), line)
    os.write(ours, b"exit\n")
    same(process.wait(timeout=30), 0, "exit")
    os.close(ours)


@test("completion in a real bash: commands, options, values, runs, specs, folders with a blank in their name")
def _(stand):
    loaded(stand)
    types(stand, ["bash", "--norc", "--noprofile", "-i"], f"source {built('sluice')}")


@test("completion in a real zsh, the same")
def _(stand):
    if not shutil.which("zsh"):
        raise Skip("zsh is not installed")
    loaded(stand)
    types(stand, ["zsh", "-f", "-i"], f"autoload -U compinit && compinit -u -D && source {built('_sluice')}")


run_all()
