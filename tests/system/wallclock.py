"""A wall clock that a test sets for the programs it starts (libfaketime); the monotonic one goes on as it is."""

import datetime
import os

from stand import Skip


def faked(stand, at=None):
    """The environment in which the clock is the stand's; `at`: where it begins, see jump_to()."""
    library = ""
    for folder in os.scandir("/usr/lib"):
        path = os.path.join(folder.path, "faketime", "libfaketimeMT.so.1")
        library = path if os.path.exists(path) else library
    if not library:
        raise Skip("libfaketime is not installed")
    if at:
        jump_to(stand, at)
    else:
        jump_by(stand, "+0")
    return stand.environment(LD_PRELOAD=library, FAKETIME_TIMESTAMP_FILE=stand.path("clock"), FAKETIME_NO_CACHE=1,
                             DONT_FAKE_MONOTONIC=1, FAKETIME_DONT_FAKE_MONOTONIC=1, ASAN_OPTIONS="verify_asan_link_order=0")


def jump_by(stand, offset):
    """Against the machine's own clock: `-400d`."""
    stand.write("clock.new", offset)
    stand.path("clock.new").rename(stand.path("clock"))


def jump_to(stand, at):
    """UTC: `2026-11-20 21:00:00`. From there on the clock goes as clocks do."""
    ahead = datetime.datetime.fromisoformat(at + "+00:00") - datetime.datetime.now(datetime.timezone.utc)
    jump_by(stand, f"{ahead.total_seconds():+.3f}")
