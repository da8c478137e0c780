"""Blocked in write, on what is full."""

from __future__ import annotations

import ctypes

from .. import syscalls
from ..scenario import Scenario
from ..sources.pipe import FILL
from . import Strategy, SystemCall, SystemCalls, Waiting, number_of


class Write(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._number = number_of(scenario.call)
        self._fds = fds

    def waiting(self, i: int) -> _Waiting:
        return _Waiting(self._number, self._fds[i])

    def system_calls(self, i: int) -> SystemCalls:
        buffer = ctypes.create_string_buffer(FILL)
        return SystemCalls(SystemCall(self._number, (self._fds[i], ctypes.addressof(buffer), FILL)), buffers=(buffer,))


class _Waiting(Waiting):
    def __init__(self, number: int, fd: int) -> None:
        self._number, self._fd = number, fd
        self._buffer = ctypes.create_string_buffer(FILL)

    def wait(self) -> int:
        return syscalls.call(self._number, self._fd, ctypes.addressof(self._buffer), FILL)
