"""Blocked in mq_timedreceive, without a time limit, on a POSIX message queue."""

from __future__ import annotations

import ctypes

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, SystemCall, SystemCalls, Waiting, number_of


class MqReceive(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._number = number_of(scenario.call)
        self._fds, self._piece = fds, scenario.piece

    def waiting(self, i: int) -> _Waiting:
        return _Waiting(self._number, self._fds[i], self._piece)

    def system_calls(self, i: int) -> SystemCalls:
        buffer = ctypes.create_string_buffer(self._piece)
        wait = SystemCall(self._number, (self._fds[i], ctypes.addressof(buffer), self._piece))
        return SystemCalls(wait, buffers=(buffer,))


class _Waiting(Waiting):
    def __init__(self, number: int, fd: int, piece: int) -> None:
        self._number, self._fd = number, fd
        self._buffer = ctypes.create_string_buffer(piece)

    def wait(self) -> int:
        """The length of the message.  Nobody asks for its priority, and there is no time limit."""
        return syscalls.call(self._number, self._fd, ctypes.addressof(self._buffer), len(self._buffer))
