"""A pipe, which all read, or one of its own for each."""

from __future__ import annotations

import os
import socket

from ..scenario import Scenario


class Pipe:
    """Empty pipes: a read sleeps until somebody writes (pipe(7))."""

    asynchronous = False
    delivery = "write returned: pipe_write wakes the readers itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        own = scenario.sharing == "nothing"
        self._made = [os.pipe() for _ in range(scenario.n if own else 1)]
        pipes = self._made if own else self._made * scenario.n
        self.fds = [read for read, _ in pipes]
        self._ends = [write for _, write in pipes]

    def connect(self, patience_s: float) -> socket.socket:
        raise NotImplementedError("a pipe takes no connections")

    def queued(self) -> int | None:
        return None

    def write(self, i: int) -> None:
        """One byte, less than any reader asks for, so that one reader takes all there is."""
        os.write(self._ends[i], b"x")

    def close(self) -> None:
        for read, write in self._made:
            os.close(read)
            os.close(write)
