#!/usr/bin/env python3
"""What is printed where: a bar on a terminal of any width, lines elsewhere, results that did not arrive."""

import codecs
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

from repair import ended, ready, started
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


# --- watch: what stands on the screen, by a terminal of our own


class Screen:
    """A terminal that keeps what stands on it: as much of one as `watch` asks for, and nothing besides."""

    PIECE = re.compile(r"\x1b\[(\d*)([AKJ])|(\r)|(\n)|([^\x1b\r\n])", re.S)

    def __init__(self, columns):
        self.columns, self.rows, self.row, self.column, self.widest = columns, [""], 0, 0, 0
        self.drawn = [] # what stood each time that it was drawn over

    def take(self, text):
        at = 0
        while match := self.PIECE.match(text, at):
            at = match.end()
            number, letter, back, down, glyph = match.groups()
            if letter == "A":
                self.drawn.append("\n".join(self.rows))
                self.row = max(0, self.row - int(number or 1))
            elif letter == "K":
                self.rows[self.row] = self.rows[self.row][:self.column]
            elif letter == "J":
                del self.rows[self.row + 1:]
                self.rows[self.row] = self.rows[self.row][:self.column]
            elif back:
                self.column = 0
            elif down:
                self.row, self.column = self.row + 1, 0
                self.rows += [""] * (self.row + 1 - len(self.rows))
            else:
                line = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = line[:self.column] + glyph + line[self.column + 1:]
                self.column += 1
                self.widest = max(self.widest, self.column)
        return text[at:] # an escape of which the rest is still to come, or one that it does not know

    def lines(self):
        return [line for line in self.rows if line]


def watched(stand, columns, until, *, then=None, **environment):
    """`sluice watch` on a terminal so wide, until what stands there is as wanted; `then(process, terminal)` is done at that
    moment. Returns the screen once the program has ended, and its exit status."""
    ours, theirs = pty.openpty()
    resize(ours, columns)
    variables = dict(stand.environment(**environment))
    variables.setdefault("TERM", "xterm")
    process = subprocess.Popen([str(stand.programs.sluice), "watch"], cwd=stand.dir, env=variables,
                               stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    stand.started.append(process)
    os.close(theirs)
    screen, left, text, decoder = Screen(columns), "", "", codecs.getincrementaldecoder("utf-8")()
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = decoder.decode(os.read(ours, 65536))
        except OSError: # the other end is closed
            break
        text += piece
        left = screen.take(left + piece)
        if until and until(screen):
            until = None
            then(process, ours)
    same(left, "", "escapes that are none of up, clear to the end of the line, clear below")
    must(until is None, f"it never stood on the screen: {text!r}")
    screen.text = text
    return screen, process.wait(timeout=60)


STAGES = "stages: [{ name: canary, scope: 1 partition }, { name: all, scope: 100% }]\nworkers: 1\n" # so that no partition is split


def at_work(stand, rate=1500):
    """A repair in two stages that is at work, at a rate that limits it."""
    ready(stand, rate=rate)
    stand.write("fix.yaml", stand.read("fix.yaml") + STAGES)
    return started(stand, "run", "fix.yaml", "--yes")


def is_limited(screen):
    return any("slowed by protect" in line for line in screen.lines()) and len(screen.drawn) > 2


for columns, cells in ((100, 30), (20, 8)):
    @test(f"watch on {columns} columns: drawn over itself, a bar a stage, the first reason for slowness, the end; NO_COLOR")
    def _(stand, columns=columns, cells=cells):
        process = at_work(stand)
        seen = []
        screen, code = watched(stand, columns, is_limited, then=lambda *_: seen.append(True), NO_COLOR="1")
        ended(stand, process, "done", 0)
        same((code, seen), (0, [True]), "exit, and whether it was seen")
        wanted = ["fix.1  done", f"  canary [{'#' * cells}] 1 of 1 partitions, passed",
                  f"  all    [{'#' * cells}] 1 of 1 partitions, passed", "  4 000 of 4 000 records"]
        same(screen.lines(), [line[:columns - 1] for line in wanted], "the last screen")
        must(screen.widest < columns, f"{screen.widest} columns wide")
        must(any(re.search(r"\[=+\.+\]|\[\.+\]", drawn) for drawn in screen.drawn), screen.drawn)
        if columns == 100:
            among("slowed by protect.rate.max, 1 500/s", "\n".join(screen.drawn), "the screens")


@test("watch while its terminal becomes narrower: it is drawn below, and fits again")
def _(stand):
    process = at_work(stand)
    widths = []

    def narrower(_, terminal):
        widths.append(40)
        resize(terminal, 40)

    screen, code = watched(stand, 100, is_limited, then=narrower)
    ended(stand, process, "done", 0)
    same((code, widths), (0, [40]), "exit, widths")
    last = screen.lines()[-4:]
    same((last[0], max(map(len, last)) < 40), ("fix.1  done", True), f"{last}")
    must(len(screen.lines()) >= 8, f"what stood before stands above: {screen.lines()}")


@test("watch and Ctrl-C on its terminal: it ends with 0, the run goes on; so it does where watch is killed")
def _(stand):
    process = at_work(stand, rate=400)
    for end in (lambda _, terminal: os.write(terminal, b"\x03"), lambda watch, _: watch.kill()):
        _, code = watched(stand, 80, is_limited, then=end)
        must(code in (0, -9), code)
        same((stand.status("fix")["state"] in ("running", "verifying"), process.poll()), (True, None), "the run")
    stand.sluice("set", "fix", "protect.rate.max=none").ended(0)
    ended(stand, process, "done", 0)


@test("watch of a run that pauses, and of one that nobody holds: it ends, and says why")
def _(stand):
    process = at_work(stand)
    screen, code = watched(stand, 80, is_limited,
                           then=lambda *_: stand.sluice("pause", "fix", "--reason", "the night shift asked").ended(0))
    ended(stand, process, "paused", 3)
    same(code, 0, "exit")
    among(["fix.1  paused", "no process holds it; because: the night shift asked"], "\n".join(screen.lines()))
    among("no process holds it; because: the night shift asked", stand.sluice("watch").ended(0).out)


@test("watch shows what is watched against its limits, those that are not well first, and anew with each reading, also while nothing is written")
def _(stand):
    ready(stand, rate=10**6)
    stand.write("fix.yaml", stand.read("fix.yaml").replace("protect: { ", "protect: { hold: 100ms, signals: [{ name: queue, run: cat queue, above: 10, every: 20ms, hold: 100ms }], "))
    set_queue = lambda value: stand.write("queue.new", f"{value}\n").rename(stand.path("queue"))
    set_queue(11)
    process = stand.start("run", "fix.yaml", "--yes", "--json")
    stand.until(process, lambda line: line["type"] == "progress" and "paused by a guard" in line["text"])
    readings = [11, 12] # the second is no move of the run: it is paused before and behind it

    def is_seen(screen):
        if any(re.fullmatch(fr"  guards  queue +{readings[0]}, limit 10: pause", line) for line in screen.lines()):
            readings.pop(0)
            set_queue(readings[0] if readings else 3)
        return not readings

    screen, code = watched(stand, 80, is_seen, then=lambda *_: None)
    ended(stand, process, "done", 0)
    same(code, 0, "exit")
    must(any(re.search(r"^ {10}stop-all +no, limit pause$", drawn, re.M) for drawn in screen.drawn), screen.drawn)
    must(screen.lines()[0] == "fix.1  done" and not any("queue" in line for line in screen.lines()), screen.lines())


@test("watch where there is no terminal, or a dumb one: a line at each move and every few seconds, no escape")
def _(stand):
    process = at_work(stand, rate=700)
    began = time.monotonic()
    watch = stand.start("watch")
    done = stand.finish(watch).ended(0)
    ended(stand, process, "done", 0)
    lines = done.out.splitlines()
    must("\x1b" not in done.out and "\r" not in done.out, repr(done.out))
    must(all(line.startswith("fix.1 ") for line in lines), done.out)
    most = 8 + int((time.monotonic() - began) / 5) # two stages are written and verified, the run ends; and time goes by
    must(3 <= len(lines) <= most, f"{len(lines)} lines, at most {most}: {done.out}")
    must(any(re.search(r"stage all running, .* of 4 000 records, .*; slowed by protect.rate.max, 700/s$", line) for line in lines), done.out)
    same(re.sub(r":.*", "", lines[-1]), "fix.1 done", "the last line")
    text = on_terminal(stand, 80, "watch", TERM="dumb")
    must("\x1b" not in text and text.startswith("fix.1 done: 4 000 of 4 000 records"), repr(text))


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
