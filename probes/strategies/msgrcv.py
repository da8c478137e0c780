"""Blocked in msgrcv, for a message of any type, on a System V message queue."""

from __future__ import annotations

import ctypes

from .. import syscalls
from ..scenario import Scenario
from . import Strategy, Waiting, number_of


class Msgrcv(Strategy):
    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._number = number_of(scenario.call)
        self._queues, self._piece = fds, scenario.piece

    def waiting(self, i: int) -> _Waiting:
        return _Waiting(self._number, self._queues[i], self._piece)


class _Waiting(Waiting):
    def __init__(self, number: int, queue: int, piece: int) -> None:
        self._number, self._queue, self._piece = number, queue, piece
        self._message = ctypes.create_string_buffer(ctypes.sizeof(ctypes.c_long) + piece)

    def wait(self) -> int:
        """The length of the text, which comes behind its type."""
        return syscalls.call(self._number, self._queue, ctypes.addressof(self._message), self._piece, 0, 0)
