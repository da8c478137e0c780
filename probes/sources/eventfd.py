"""An eventfd, which all read, or one of its own for each: what the controls are made of."""

from __future__ import annotations

import os

from ..scenario import Scenario
from . import Source


class Eventfd(Source):
    """Eventfds with counter 0 (eventfd(2)): nothing to read until somebody writes."""

    delivery = "write returned: eventfd_write wakes the readers itself"
    _flags = 0

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        own = scenario.sharing == "nothing"
        flags = os.EFD_CLOEXEC | self._flags | (0 if scenario.takes else os.EFD_NONBLOCK)
        self._eventfds = [os.eventfd(0, flags) for _ in range(scenario.n if own else 1)]
        self.fds = self._eventfds if own else self._eventfds * scenario.n

    def write(self, i: int) -> None:
        os.eventfd_write(self.fds[i], 1)

    def close(self) -> None:
        for fd in self._eventfds:
            os.close(fd)


class EventfdSemaphore(Eventfd):
    """One read takes 1 of the counter (EFD_SEMAPHORE), and not all of it."""

    _flags = os.EFD_SEMAPHORE
