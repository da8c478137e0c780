"""Blocked in poll or ppoll, without a timeout, on one descriptor."""

from __future__ import annotations

import ctypes

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, SystemCall, SystemCalls, Waiting, number_of


class _PollFd(ctypes.Structure):
    """struct pollfd, poll(2)."""

    _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]


class Poll(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._number = number_of(scenario.call)
        # poll takes milliseconds, -1 for no limit; ppoll a timespec, none for no limit.
        self._timeout = -1 if syscalls.serving(scenario.call) == "poll" else 0
        self._fds, self._ready = fds, scenario.ready

    def waiting(self, i: int) -> _Waiting:
        return _Waiting(self._number, self._timeout, self._fds[i], self._ready)

    def system_calls(self, i: int) -> SystemCalls:
        pollfd = _PollFd(self._fds[i], self._ready, 0)
        wait = SystemCall(self._number, (ctypes.addressof(pollfd), 1, self._timeout, 0, 8))
        return SystemCalls(wait, buffers=(pollfd,))


class _Waiting(Waiting):
    def __init__(self, number: int, timeout: int, fd: int, ready: int) -> None:
        self._number, self._timeout = number, timeout
        self._pollfd = _PollFd(fd, ready, 0)

    def wait(self) -> int:
        return syscalls.call(self._number, ctypes.addressof(self._pollfd), 1, self._timeout, 0, 8)
