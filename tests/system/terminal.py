#!/usr/bin/env python3
"""What is printed where: a bar on a terminal of any width, lines elsewhere, results that did not arrive."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from repair import ready, started
from stand import among, must, run_all, same, test


def resize(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def on_terminal(stand, columns, *command, narrower=None, **environment):
    """What a program wrote on a terminal so wide; `narrower`: its width once the first bar has been drawn."""
    ours, theirs = pty.openpty()
    resize(ours, columns)
    variables = dict(stand.environment(**environment))
    variables.setdefault("TERM", "xterm")
    process = subprocess.Popen([str(stand.programs.sluice), *command], cwd=stand.dir, env=variables,
                               stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, start_new_session=True)
    stand.started.append(process)
    os.close(theirs)
    text = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError: # the other end is closed
            break
        text += piece
        if narrower and b"\r" in text.replace(b"\r\n", b""):
            resize(ours, narrower)
            narrower = None
    os.close(ours)
    same(process.wait(timeout=60), 0, "exit")
    return text.decode().replace("\r\n", "\n")


def bars(text):
    return [bar.split("\x1b[K")[0] for bar in re.findall(r"\r([^\r\n]*)", text)]


for columns in (80, 40, 20):
    @test(f"a terminal of {columns} columns: a bar that fits, drawn over itself, with rate and, from 1 % on, what is left")
    def _(stand, columns=columns):
        ready(stand)
        text = on_terminal(stand, columns, "run", "fix.yaml", "--yes", NO_COLOR="1")
        drawn = bars(text)
        must(len(drawn) > 2, text)
        same([bar for bar in drawn if len(bar) >= columns], [], "bars too wide")
        same(re.findall(r"\x1b(?!\[K)", text), [], "escapes but the one that clears the rest of the line")
        must(all(ord(letter) >= 32 or letter in "\r\n\x1b" for letter in text), repr(text))
        if columns == 80:
            must(any(re.search(r"\[#*\.+\] .* of 4 000, .*/s, .* left", bar) for bar in drawn), drawn)
        same([bar for bar in drawn if re.search(r" 0 of .* left", bar)], [], "an ETA before 1 %")


@test("a terminal that becomes narrower: the next bar fits")
def _(stand):
    ready(stand)
    drawn = bars(on_terminal(stand, 80, "run", "fix.yaml", "--yes", narrower=30))
    must(len(drawn) > 2 and len(drawn[-1]) < 30, drawn)


@test("TERM=dumb: lines without any escape")
def _(stand):
    ready(stand)
    text = on_terminal(stand, 80, "run", "fix.yaml", "--yes", TERM="dumb")
    must("\x1b" not in text and "\r" not in text, repr(text))
    among("fix.1 writing: ", text, "lines")


@test("no terminal: a plain line for each kind of work and every few seconds, not one for each look")
def _(stand):
    ready(stand)
    began = time.monotonic()
    done = stand.sluice("run", "fix.yaml", "--yes").ended(0)
    most = 2 + int((time.monotonic() - began) / 5)
    must("\x1b" not in done.err + done.out and "\r" not in done.err + done.out, repr(done.err))
    writing = len([line for line in done.err.splitlines() if line.startswith("fix.1 writing")])
    must(1 < writing <= most, f"{writing} lines for two stages, at most {most}")


@test("a reader that has had enough: cat stops quietly, a run goes on to its end")
def _(stand):
    ready(stand, rate=10**6)
    program = stand.programs.sluice
    for command, code in ((f"{program} cat rocksdb:live items", 0), (f"{program} run fix.yaml --yes --json", 0)):
        done = stand.run(["bash", "-c", f"{command} | head -n 1; exit ${{PIPESTATUS[0]}}"]).ended(code)
        must("sluice:" not in done.err, done.err)
    same(stand.status("fix")["state"], "done", "state")


@test("standard output that is full or closed: what could not be printed is said, and it is no success")
def _(stand):
    ready(stand, rate=10**6)
    program = stand.programs.sluice
    cat = f"exec {program} cat rocksdb:live items"
    among(["standard output", "No space left"], stand.run(["bash", "-c", f"{cat} >/dev/full"]).ended(5).err)
    among("standard output", stand.run(["bash", "-c", f"{cat} >&-"]).ended(6).err)


@test("standard files that are closed: nothing that is printed lands in a file of the home")
def _(stand):
    ready(stand, rate=10**6)
    stand.run(["bash", "-c", f"exec {stand.programs.sluice} run fix.yaml --yes <&- >&- 2>&-"])
    same(stand.status("fix")["state"], "done", "state")
    stand.sluice("audit", "verify").ended(0)


@test("status of a run whose process was killed says that no process holds it, and what goes on")
def _(stand):
    ready(stand)
    process = started(stand, "run", "fix.yaml", "--yes")
    same(stand.status("fix")["held"], True, "held")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    status = stand.status("fix")
    same((status["state"], status["held"]), ("running", False), "status")
    among("no process holds it; `sluice resume fix.1` goes on", stand.sluice("status", "fix").ended(0).out)
    stand.sluice("resume", "fix").ended(0)
    same(stand.status("fix")["held"], False, "held")


if __name__ == "__main__":
    run_all()
