"""A signalfd that is created before the fork, for a signal that all waiters block (signalfd(2)).

It belongs to no process: a task that reads or polls it asks for its own signals, and waits in a queue of its own
process (fs/signalfd.c, signalfd_poll and signalfd_dequeue: current->sighand).
"""

from __future__ import annotations

import ctypes
import os
import signal

from ..scenario import Scenario
from . import Source
from .libc import checked, libc

SIGNAL = signal.SIGUSR2


class Signalfd(Source):
    """The signal goes to the process of the last waiter; threads all have the same process."""

    delivery = "kill returned: signalfd_notify wakes before the signal is queued, in the task that sends it"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """The signal is blocked from here on, so that the waiters inherit that: unblocked, it would end them."""
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {SIGNAL})
        self._pid = 0
        mask = (ctypes.c_uint64 * 16)(1 << (SIGNAL - 1))  # libc's sigset_t, of which the kernel takes 8 bytes
        flags = os.O_CLOEXEC | (0 if scenario.takes else os.O_NONBLOCK)  # SFD_CLOEXEC, SFD_NONBLOCK
        try:
            self._fd = checked(libc.signalfd(-1, ctypes.byref(mask), flags))
        except OSError:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
            raise
        self.fds = [self._fd] * scenario.n

    def meet(self, pids: list[int]) -> None:
        self._pid = pids[-1]

    def happen(self) -> None:
        os.kill(self._pid or os.getpid(), SIGNAL)

    def close(self) -> None:
        os.close(self._fd)
        while signal.sigtimedwait({SIGNAL}, 0):
            pass  # what was sent here, and must not be pending when it is unblocked
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


class ParentSignalfd(Signalfd):
    """The signal goes to the process that made the signalfd, which is the waiters' parent."""

    def meet(self, pids: list[int]) -> None:
        pass
