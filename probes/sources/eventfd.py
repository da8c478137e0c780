"""An eventfd, which all read, or one of its own for each: what the controls are made of."""

from __future__ import annotations

import os
import socket

from ..scenario import Scenario


class Eventfd:
    """Blocking eventfds with counter 0 (eventfd(2)): a read sleeps until somebody writes."""

    asynchronous = False
    delivery = "write returned: eventfd_write wakes the readers itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        own = scenario.sharing == "nothing"
        self._made = [os.eventfd(0, os.EFD_CLOEXEC) for _ in range(scenario.n if own else 1)]
        self.fds = self._made if own else self._made * scenario.n

    def connect(self, patience_s: float) -> socket.socket:
        raise NotImplementedError("an eventfd takes no connections")

    def queued(self) -> int | None:
        return None

    def write(self, i: int) -> None:
        os.eventfd_write(self.fds[i], 1)

    def close(self) -> None:
        for fd in self._made:
            os.close(fd)
