"""Blocked in rt_sigtimedwait until the listener sends SIGIO: signal-driven I/O (fcntl(2), O_ASYNC).

An open file description has one owner.  So that all waiters get the signal, the owner is a process group, which the
first waiter creates and the others join.  Threads are one process, and get the signal as one.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import signal
import struct

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, SystemCall, SystemCalls, Waiting, Word, number_of

_SETOWN_EX, _GETOWN_EX, _OWNER_PGRP = 15, 16, 2  # F_SETOWN_EX, F_GETOWN_EX, F_OWNER_PGRP
_OWNER = struct.Struct("ii")
"""struct f_owner_ex: type, pid."""
_OWNER_BYTES = 16
"""Room for one of them; the machine writes the pid as a word, which ends behind the struct."""


class SignalDriven(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        """SIGIO is blocked from here on, so that the waiters inherit that: unblocked, it would end them."""
        self._number = number_of(scenario.call)
        self._fds = fds
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
        self._owners = mmap.mmap(-1, _OWNER_BYTES * len(fds))
        """For each descriptor a struct f_owner_ex, which its first waiter fills in; shared, for all to read."""

    def waiting(self, i: int) -> _Waiting:
        fd = self._fds[i]
        _, owner = _OWNER.unpack(fcntl.fcntl(fd, _GETOWN_EX, _OWNER.pack(0, 0)))
        os.setpgid(0, owner)
        if not owner:
            fcntl.fcntl(fd, _SETOWN_EX, _OWNER.pack(_OWNER_PGRP, os.getpgrp()))
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
        return _Waiting(self._number)

    def system_calls(self, i: int) -> SystemCalls:
        """The first waiter on a descriptor makes a group of its own the owner; the pid in the struct is the group's."""
        fd, numbers = self._fds[i], syscalls.NUMBERS
        first = self._fds.index(fd)
        owner = ctypes.addressof(ctypes.c_char.from_buffer(self._owners, _OWNER_BYTES * first))
        group = owner + _OWNER.size // 2
        before: tuple[SystemCall, ...] = (SystemCall(numbers["setpgid"], (0, Word(group))),)
        if i == first:
            _OWNER.pack_into(self._owners, _OWNER_BYTES * i, _OWNER_PGRP, 0)
            flags = fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC
            before = (
                SystemCall(numbers["setpgid"], (0, 0)),
                SystemCall(numbers["getpid"], (), keep=group),
                SystemCall(numbers["fcntl"], (fd, _SETOWN_EX, owner)),
                SystemCall(numbers["fcntl"], (fd, fcntl.F_SETFL, flags)),
            )
        waiting = _Waiting(self._number)
        return SystemCalls(SystemCall(self._number, waiting.arguments()), before, buffers=(waiting, self._owners))

    def close(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


class _Waiting(Waiting):
    def __init__(self, number: int) -> None:
        self._number = number
        self._set = ctypes.c_uint64(1 << (signal.SIGIO - 1))

    def arguments(self) -> tuple[int, ...]:
        """The arguments of the call."""
        return (ctypes.addressof(self._set), 0, 0, 8)

    def wait(self) -> int:
        """The number of the signal.  It returns for every signal, and does not look whether anything is left."""
        return syscalls.call(self._number, *self.arguments())
