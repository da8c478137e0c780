"""Blocked in rt_sigtimedwait until the listener sends SIGIO: signal-driven I/O (fcntl(2), O_ASYNC).

An open file description has one owner.  So that all waiters get the signal, the owner is a process group, which the
first waiter creates and the others join.  Threads are one process, and get the signal as one.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, Waiting, number_of

_SETOWN_EX, _GETOWN_EX, _OWNER_PGRP = 15, 16, 2  # F_SETOWN_EX, F_GETOWN_EX, F_OWNER_PGRP
_OWNER = struct.Struct("ii")
"""struct f_owner_ex: type, pid."""


class SignalDriven(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        """SIGIO is blocked from here on, so that the waiters inherit that: unblocked, it would end them."""
        self._number = number_of(scenario.call)
        self._fds = fds
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})

    def waiting(self, i: int) -> _Waiting:
        fd = self._fds[i]
        _, owner = _OWNER.unpack(fcntl.fcntl(fd, _GETOWN_EX, _OWNER.pack(0, 0)))
        os.setpgid(0, owner)
        if not owner:
            fcntl.fcntl(fd, _SETOWN_EX, _OWNER.pack(_OWNER_PGRP, os.getpgrp()))
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
        return _Waiting(self._number)

    def close(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


class _Waiting(Waiting):
    def __init__(self, number: int) -> None:
        self._number = number
        self._set = ctypes.c_uint64(1 << (signal.SIGIO - 1))

    def wait(self) -> int:
        """The number of the signal.  It returns for every signal, and does not look whether anything is left."""
        return syscalls.call(self._number, ctypes.addressof(self._set), 0, 0, 8)
