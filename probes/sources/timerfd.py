"""A timerfd, which is disarmed until its event: then it expires at once, and once."""

from __future__ import annotations

import ctypes
import os
import select
import time

from ..scenario import Scenario
from . import Source
from .libc import checked, libc


class Timerfd(Source):
    """One timer for all (timerfd_create(2)).

    It expires in a hard interrupt, which counts and wakes under the lock of the wait queue (fs/timerfd.c,
    timerfd_triggered); poll and read take the same lock, so whoever sees the expiry sees it after all wake-ups.
    """

    asynchronous = True
    delivery = "poll sees the expiry, or a reader took it: both after the wake-ups, by the queue's lock; then a fence"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        flags = os.O_CLOEXEC | (0 if scenario.takes else os.O_NONBLOCK)  # TFD_CLOEXEC, TFD_NONBLOCK
        self._fd = checked(libc.timerfd_create(time.CLOCK_MONOTONIC, flags))
        self.fds = [self._fd] * scenario.n

    def happen(self) -> None:
        """Let it expire in a nanosecond, which is at the next interrupt."""
        spec = (ctypes.c_long * 4)(0, 0, 0, 1)  # struct itimerspec: no interval, then the first expiry
        checked(libc.timerfd_settime(self._fd, 0, spec, None))

    def queued(self) -> int:
        """1 from the expiry until somebody has read it."""
        asking = select.poll()
        asking.register(self._fd, select.POLLIN)
        return len(asking.poll(0))

    def close(self) -> None:
        os.close(self._fd)
