"""Blocked in select or pselect6, without a timeout, on one descriptor."""

from __future__ import annotations

import ctypes

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, Waiting, number_of

_WORD_BITS = ctypes.sizeof(ctypes.c_ulong) * 8


class Select(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._number = number_of(scenario.call)
        self._fds = fds

    def waiting(self, i: int) -> _Waiting:
        return _Waiting(self._number, self._fds[i])


class _Waiting(Waiting):
    """The kernel takes sets of any length; the limit of 1,024 is glibc's fd_set (select(2))."""

    def __init__(self, number: int, fd: int) -> None:
        self._number, self._fd = number, fd
        self._word, self._bit = divmod(fd, _WORD_BITS)
        self._set = (ctypes.c_ulong * (self._word + 1))()

    def wait(self) -> int:
        # The kernel overwrites the set with its answer, so it is filled in anew each time.
        self._set[self._word] = 1 << self._bit
        return syscalls.call(self._number, self._fd + 1, ctypes.addressof(self._set), 0, 0, 0, 0)
