"""A pidfd of a process that does nothing until it is killed."""

from __future__ import annotations

import contextlib
import os
import signal

from .. import syscalls
from ..refusals import unavailable
from ..scenario import Scenario
from . import Source


class Pidfd(Source):
    """One process, whose end all wait for (pidfd_open(2)): it can be waited for, and nothing can be taken.

    The dying process wakes them under tasklist_lock (kernel/exit.c exit_notify, kernel/signal.c do_notify_pidfd),
    which wait takes too: whoever sees it dead there sees it after all wake-ups.
    """

    asynchronous = True
    delivery = "wait sees the process dead: it takes the lock under which the dying one wakes; then a fence"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if the kernel has no pidfds that can be waited for."""
        conductor = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            with contextlib.suppress(BaseException):
                syscalls.die_with_parent(conductor)
                while True:
                    signal.pause()
            os._exit(0)
        try:
            self._fd = os.pidfd_open(self._pid)
        except OSError as error:
            self.retire()
            raise unavailable("pidfd_open", error) from error
        self.fds = [self._fd] * scenario.n

    def happen(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def queued(self) -> int:
        """1 once the process is dead."""
        return int(os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)

    def retire(self) -> None:
        """End and reap it: whoever ends the waiters waits until this process has no child left."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def close(self) -> None:
        self.retire()
        os.close(self._fd)
