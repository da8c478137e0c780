"""Blocked in select or pselect6, without a timeout, on one descriptor."""

from __future__ import annotations

import ctypes
from select import POLLIN, POLLOUT, POLLPRI

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, SystemCall, SystemCalls, Waiting, number_of

_SETS = (POLLIN, POLLOUT, POLLPRI)
"""What the three sets ask for, in the order of the arguments (select(2), readfds, writefds, exceptfds)."""
_WORD_BITS = ctypes.sizeof(ctypes.c_ulong) * 8


class Select(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._number = number_of(scenario.call)
        self._fds, self._place = fds, _SETS.index(scenario.ready)

    def waiting(self, i: int) -> _Waiting:
        return _Waiting(self._number, self._fds[i], self._place)

    def system_calls(self, i: int) -> SystemCalls:
        """A second wait needs no new set, because the kernel leaves the one bit in it when the call returns."""
        waiting = self.waiting(i)
        return SystemCalls(SystemCall(self._number, waiting.arguments()), buffers=(waiting,))


class _Waiting(Waiting):
    """The kernel takes sets of any length; the limit of 1,024 is glibc's fd_set (select(2))."""

    def __init__(self, number: int, fd: int, place: int) -> None:
        self._number, self._fd = number, fd
        self._word, self._bit = divmod(fd, _WORD_BITS)
        self._set = (ctypes.c_ulong * (self._word + 1))()
        address = ctypes.addressof(self._set)
        self._sets = (address if place == 0 else 0, address if place == 1 else 0, address if place == 2 else 0)

    def arguments(self) -> tuple[int, ...]:
        """The arguments of the call.  The kernel overwrites the set with its answer, so it is filled in each time."""
        self._set[self._word] = 1 << self._bit
        return (self._fd + 1, *self._sets)

    def wait(self) -> int:
        return syscalls.call(self._number, *self.arguments())
