"""The sentinel: a process that sleeps beside the waiters, and that nobody has a reason to wake.

A freezer (the cgroup's, as `docker pause` uses it, or that of a suspend) interrupts every task that it comes by, and so
does a signal to all: then the sentinel, too, has run.  It is older than every waiter and actor, and freezers go from
the oldest task to the newest (cgroup_do_freeze, kernel/cgroup/freezer.c; try_to_freeze_tasks, kernel/power/process.c),
so where one of those was interrupted, the sentinel was before.  That takes no privilege to see.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
from typing import NamedTuple

from ..observers.task_files import Sighting, TaskFiles
from ..verdict import Inconclusive
from .fork import fork


class Sentinel(NamedTuple):
    """As the conductor knows it."""

    files: TaskFiles
    ears: int
    """The end of a pipe that nobody writes to: once all who have it are dead, the sentinel ends."""

    def look(self) -> Sighting | None:
        """One look; None once it is dead."""
        try:
            return self.files.look()
        except (FileNotFoundError, ProcessLookupError):
            return None


def post() -> Sentinel:
    """Start one, which is nobody's child here: the conductor waits for the end of all its own.

    Call it before `syscalls.adopt_orphans`.  Raises OSError if a process or a pipe is refused.
    """
    hears, ears = os.pipe()
    said, says = os.pipe()
    pid = fork()
    if pid == 0:
        os.close(ears)
        sentinel = fork()
        if sentinel:
            os.write(says, sentinel.to_bytes(8, "little"))
            os._exit(0)
        _sleep(hears)
    os.close(says)
    os.close(hears)
    os.waitpid(pid, 0)
    with open(said, "rb") as pipe:
        number = int.from_bytes(pipe.read(8), "little")
    # Without /proc/PID/syscall: it stays behind in the user namespace that the conductor may leave.
    return Sentinel(TaskFiles(number, number, syscall_readable=False), ears)


def _sleep(hears: int) -> None:
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(0, hears)
        os.closerange(hears + 1, 256)
        # The hang-up itself kills it (pipe_release, fs/pipe.c; F_SETSIG, fcntl(2)), for somebody may have stopped it.
        with contextlib.suppress(OSError):
            fcntl.fcntl(hears, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(hears, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(hears, fcntl.F_SETFL, fcntl.fcntl(hears, fcntl.F_GETFL) | os.O_ASYNC)
        poll = select.poll()
        poll.register(hears, 0)
        while not poll.poll():
            pass
    finally:
        os._exit(0)


def insist_on_calm(before: Sighting | None, now: Sighting | None) -> None:
    """Raise Inconclusive if the sentinel has run between these two looks."""
    if before is not None and now != before:
        raise Inconclusive(
            "everything here was interrupted by somebody else: a freezer (docker pause), a suspend, or a signal to all"
        )
