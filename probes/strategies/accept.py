"""Blocked in accept or accept4 itself."""

from __future__ import annotations

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, SystemCall, SystemCalls, Waiting, number_of


class Accept(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._number = number_of(scenario.call)
        self._fds = fds

    def waiting(self, i: int) -> _Waiting:
        return _Waiting(self._number, self._fds[i])

    def system_calls(self, i: int) -> SystemCalls:
        return SystemCalls(SystemCall(self._number, (self._fds[i], 0, 0, 0)))


class _Waiting(Waiting):
    def __init__(self, number: int, fd: int) -> None:
        self._number, self._fd = number, fd

    def wait(self) -> int:
        # No address wanted; accept4's flags are 0, and accept ignores a fourth argument.
        return syscalls.call(self._number, self._fd, 0, 0, 0)
