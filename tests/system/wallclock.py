"""A wall clock that a test sets for the programs it starts, sluice and servers (tests/tools/jumps.c); the monotonic one goes
on as it is. All that have it jump at the same instant."""

import datetime
import struct

from stand import must

CLOCK = "clock"


def faked(stand, at=None):
    """The environment in which the clock is the stand's; `at`: where it begins, see jump_to()."""
    library = stand.programs.dies.with_name("libjumps.so")
    must(library.exists(), f"{library} is not built")
    if at:
        jump_to(stand, at)
    else:
        jump_by(stand, 0)
    return stand.environment(LD_PRELOAD=library, SLUICE_JUMPS=stand.path(CLOCK), ASAN_OPTIONS="verify_asan_link_order=0")


def jump_by(stand, seconds):
    """Against the machine's own clock."""
    ahead = struct.pack("=q", round(seconds * 1_000_000))
    path = stand.path(CLOCK)
    if path.exists():
        with open(path, "r+b") as file: # they have it mapped: eight bytes are seen at once
            file.write(ahead)
    else:
        path.write_bytes(ahead)


def jump_to(stand, at):
    """UTC: `2026-11-20 21:00:00`. From there on the clock goes as clocks do."""
    ahead = datetime.datetime.fromisoformat(at + "+00:00") - datetime.datetime.now(datetime.timezone.utc)
    jump_by(stand, ahead.total_seconds())
