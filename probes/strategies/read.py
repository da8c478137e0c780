"""Blocked in read, or in recvfrom on a socket.  The controls use it, on eventfds."""

from __future__ import annotations

import ctypes

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, SystemCall, SystemCalls, Waiting, number_of


class Read(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._number = number_of(scenario.call)
        self._fds, self._piece = fds, scenario.piece

    def waiting(self, i: int) -> _Waiting:
        return _Waiting(self._number, self._fds[i], self._piece)

    def system_calls(self, i: int) -> SystemCalls:
        buffer = ctypes.create_string_buffer(self._piece)
        arguments = (self._fds[i], ctypes.addressof(buffer), self._piece, 0, 0, 0)
        return SystemCalls(SystemCall(self._number, arguments), buffers=(buffer,))


class _Waiting(Waiting):
    def __init__(self, number: int, fd: int, piece: int) -> None:
        self._number, self._fd = number, fd
        self._buffer = ctypes.create_string_buffer(piece)

    def wait(self) -> int:
        # recvfrom has three more arguments: no flags, and no room for the sender's address.
        return syscalls.call(self._number, self._fd, ctypes.addressof(self._buffer), len(self._buffer), 0, 0, 0)
