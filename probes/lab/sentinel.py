"""The sentinel: a process that sleeps beside the waiters, and that nobody has a reason to wake.

A freezer (that of a cgroup, which `docker pause` uses, or that of a suspend) interrupts every task, and so does a
signal to all processes: if the sentinel has run, one of these was at work.  The sentinel is older than every waiter and
actor, and freezers go from the oldest task to the newest (cgroup_do_freeze, kernel/cgroup/freezer.c;
try_to_freeze_tasks, kernel/power/process.c).  So if a waiter was interrupted, the sentinel was interrupted before it.
Seeing that takes no privilege.
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
    """The sentinel, as the conductor knows it."""

    files: TaskFiles
    lifeline: int
    """The write end of a pipe that nobody writes to: the sentinel ends once every process that has it is dead."""

    def look(self) -> Sighting | None:
        """Look at it once; None once it is dead."""
        try:
            return self.files.look()
        except (FileNotFoundError, ProcessLookupError):
            return None


def post() -> Sentinel:
    """Start a sentinel that is not a child of this process, because the conductor reaps all its children.

    Call it before `syscalls.adopt_orphans`.  Raises OSError if a process or a pipe is refused.
    """
    hang_up, lifeline = os.pipe()
    pid_out, pid_in = os.pipe()
    pid = fork()
    if pid == 0:
        os.close(lifeline)
        sentinel = fork()
        if sentinel:
            os.write(pid_in, sentinel.to_bytes(8, "little"))
            os._exit(0)
        _sleep(hang_up)
    os.close(pid_in)
    os.close(hang_up)
    os.waitpid(pid, 0)
    with open(pid_out, "rb") as pipe:
        number = int.from_bytes(pipe.read(8), "little")
    # Without /proc/PID/syscall: the sentinel stays in the user namespace that the conductor may leave.
    return Sentinel(TaskFiles(number, number, syscall_readable=False), lifeline)


def _sleep(hang_up: int) -> None:
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(0, hang_up)
        os.closerange(hang_up + 1, 256)
        # Let the hang-up itself kill it (pipe_release, fs/pipe.c; F_SETSIG, fcntl(2)): it may be stopped by then.
        with contextlib.suppress(OSError):
            fcntl.fcntl(hang_up, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(hang_up, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(hang_up, fcntl.F_SETFL, fcntl.fcntl(hang_up, fcntl.F_GETFL) | os.O_ASYNC)
        poll = select.poll()
        poll.register(hang_up, 0)
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
