"""What the system tests stand on: a directory with specs and stores, the program in it, TAP.

A test is a function with @test("what holds"); it gets a Stand of its own and fails by an exception. run_all() runs them in
their order, or those whose name holds a word given with --only.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

TESTS = []
SOURCE = Path(__file__).resolve().parent.parent.parent
SHARED = SOURCE.parent / "shared" / "data"


class Skip(Exception):
    """Cannot be tried here; says why."""


class Failed(Exception):
    """Does not hold."""


def by_hand(why):
    if not os.environ.get("SLUICE_LIVE_ALL"):
        raise Skip(f"by hand, with SLUICE_LIVE_ALL=1: {why}")


def test(words):
    def keep(function):
        TESTS.append((words, function))
        return function
    return keep


def must(holds, *why):
    if not holds:
        raise Failed(" ".join(str(part) for part in why))


def same(found, wanted, what):
    must(found == wanted, f"{what}: {found!r}, not {wanted!r}")


def among(words, text, what="message"):
    """Each of the words stands in the text."""
    for word in [words] if isinstance(words, str) else words:
        must(word in text, f"{what} lacks {word!r}:\n{text}")


def alive(pid):
    """Nobody waits for it: it may have ended, and still have a number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Done:
    """How a program ended."""

    def __init__(self, code, out, err, command):
        self.code, self.out, self.err, self.command = code, out, err, command

    def ended(self, *codes):
        must(self.code in codes, f"{' '.join(self.command)} ended with {self.code}, not {codes}\n{self.err}\n{self.out[-2000:]}")
        return self

    def json(self):
        """The one document."""
        lines = self.lines()
        same(len(lines), 1, f"documents of {' '.join(self.command)}")
        return lines[0]

    def lines(self):
        try:
            return [json.loads(line) for line in self.out.splitlines()]
        except ValueError as error:
            raise Failed(f"{' '.join(self.command)}: not JSON: {error}\n{self.out[:500]}") from error


class Stand:
    def __init__(self, folder, arguments):
        self.dir, self.programs = Path(folder), arguments
        self.started = []

    # --- files

    def path(self, name):
        return self.dir / name

    def write(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name):
        return (self.dir / name).read_text()

    def records(self, name, rows):
        self.write(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def copy(self, name, to):
        if (self.dir / to).exists():
            shutil.rmtree(self.dir / to)
        shutil.copytree(self.dir / name, self.dir / to)

    # --- programs

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        return dict(kept, SLUICE_HOME="home", G_DEBUG="fatal-warnings", **{name: str(value) for name, value in more.items()})

    def run(self, command, *, env=None, timeout=120, stdin="", **more):
        command = [str(part) for part in command]
        try:
            run = subprocess.run(command, cwd=self.dir, env=env or self.environment(), timeout=timeout, text=True,
                                 input=stdin, capture_output=True, errors="backslashreplace", check=False, **more)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{' '.join(command)} did not end in {timeout} s") from error
        return Done(run.returncode, run.stdout, run.stderr, command)

    def sluice(self, *arguments, **more):
        return self.run([self.programs.sluice, *arguments], **more)

    def dies(self, point, *arguments, **more):
        """sluice, killed when it passes the point; `more` of the environment."""
        done = self.run([self.programs.dies, *arguments], env=self.environment(SLUICE_DIES_AT=point, **more))
        same(done.code, -9, f"{' '.join(done.command)}, to die at {point}: {done.err}")

    def start(self, *arguments, env=None, program=None, **more):
        """sluice in the background; ended by the stand if the test does not."""
        process = subprocess.Popen([str(program or self.programs.sluice), *arguments], cwd=self.dir, env=env or self.environment(),
                                   text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, **more)
        self.started.append(process)
        return process

    def finish(self, process, timeout=60):
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{' '.join(process.args)} did not end in {timeout} s") from error
        return Done(process.returncode, out, err, process.args)

    def until(self, process, wanted, timeout=120):
        """Reads a --json process's lines until one is as wanted; returns those read. One that says nothing of it is killed."""
        lines, limit = [], threading.Timer(timeout, process.kill)
        limit.start()
        try:
            for line in process.stdout:
                lines.append(json.loads(line))
                if wanted(lines[-1]):
                    return lines
        finally:
            limit.cancel()
        raise Failed(f"{' '.join(process.args)} ended before that: {lines[-3:]}\n{process.stderr.read()}")

    @contextlib.contextmanager
    def asleep(self, point, *codes, command=("run", "fix.yaml", "--yes")):
        """A command, a run of fix.yaml, one thread of which sleeps at the point until this is left; then it goes on to its end, with
        one of the codes, and what it said is in the list."""
        done = []
        for name in ("asleep", "awake"):
            os.mkfifo(self.path(name))
        environment = self.environment(SLUICE_SLEEPS_AT=point, SLUICE_ASLEEP="asleep", SLUICE_AWAKE="awake")
        process = self.start(*command, env=environment, program=self.programs.dies)
        waiting = threading.Thread(target=lambda: open(self.path("asleep"), "rb").close(), daemon=True)
        waiting.start()
        waiting.join(60)
        must(not waiting.is_alive(), f"it did not come to {point}: {process.poll()}")
        yield done
        with open(self.path("awake"), "wb"):
            pass
        done.append(self.finish(process).ended(*codes))
        for name in ("asleep", "awake"):
            self.path(name).unlink()

    def end(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    # --- stores

    def put(self, dataset, lines, store="rocksdb:live"):
        """The application writes: KEY <tab> DOCUMENT (`-` deletes) <tab> EXPIRES_AT_MS."""
        self.run([self.programs.app, "put", store, dataset], stdin="\n".join(lines) + "\n").ended(0)

    def dump(self, dataset, store="rocksdb:live"):
        """What stands in a dataset, by another program: {key: (document, expiry)}."""
        done = self.run([self.programs.app, "dump", store, dataset]).ended(0)
        rows = (line.split("\t") for line in done.out.splitlines())
        return {key: (document, int(expires)) for key, document, expires in rows}

    def documents(self, dataset, store="rocksdb:live"):
        return {key: json.loads(document) for key, (document, _) in self.dump(dataset, store).items()}

    def status(self, run=None):
        return self.sluice("status", *([run] if run else []), "--json").ended(0).json()


def stand_still(process):
    """Stops it, as SIGSTOP does, and returns when each of its threads stands: those that run on another core go on for a moment."""
    process.send_signal(signal.SIGSTOP)
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        while (task / "stat").read_text().rpartition(")")[2].split()[0] not in "Tt":
            time.sleep(0.001)


def attempt(words, function, number, arguments):
    with tempfile.TemporaryDirectory(prefix="sluice-system-") as folder:
        os.chmod(folder, 0o755)
        stand = Stand(folder, arguments)
        try:
            function(stand)
        except Skip as skip:
            print(f"ok {number} - {words} # SKIP {skip}")
            return True
        except Exception as error:  # pylint: disable=broad-except
            print(f"not ok {number} - {words}")
            why = str(error) if isinstance(error, Failed) else traceback.format_exc()
            for line in why.splitlines()[:40]:
                print("#   " + line)
            if os.environ.get("SLUICE_KEEP"): # a folder: where what a failed test has left is put
                kept = tempfile.mkdtemp(prefix="failed-", dir=os.environ["SLUICE_KEEP"])
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                print("#   kept in " + kept)
            return False
        finally:
            stand.end()
            for path, _, _ in os.walk(folder): # what a test made read-only
                os.chmod(path, 0o755)
    print(f"ok {number} - {words}")
    return True


def run_all(*programs):
    """`programs`: what the script is given, other than the three of most."""
    parser = argparse.ArgumentParser()
    for name in programs or ("sluice", "app", "dies"):
        parser.add_argument("--" + name, required=True, type=lambda path: Path(path).resolve())
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    chosen = [(words, function) for words, function in TESTS if arguments.only in words]
    if not chosen:
        parser.error(f"no test here has {arguments.only!r} in its name" if arguments.only else "there are no tests here")
    print(f"1..{len(chosen)}")
    bad = 0
    for number, (words, function) in enumerate(chosen, 1):
        bad += not attempt(words, function, number, arguments)
        sys.stdout.flush()
    sys.exit(1 if bad else 0)
