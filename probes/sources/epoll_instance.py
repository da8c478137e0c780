"""An epoll instance that is itself waited for: it holds an eventfd, and is ready when that is (epoll(7))."""

from __future__ import annotations

import os
import select

from ..scenario import Scenario
from . import Source


class EpollInstance(Source):
    """One instance for all, or one of its own for each, level-triggered inside."""

    delivery = "write returned: eventfd_write calls back the instance, which wakes its own waiters"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        self._held: list[tuple[int, select.epoll]] = []
        for _ in range(scenario.n if scenario.sharing == "nothing" else 1):
            inner, instance = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK), select.epoll()
            instance.register(inner, select.EPOLLIN)
            self._held.append((inner, instance))
        self._ends = self._held if scenario.sharing == "nothing" else self._held * scenario.n
        self.fds = [instance.fileno() for _, instance in self._ends]

    def write(self, i: int) -> None:
        os.eventfd_write(self._ends[i][0], 1)

    def close(self) -> None:
        for inner, instance in self._held:
            instance.close()
            os.close(inner)
