"""An inotify instance that watches one file for changes of its attributes."""

from __future__ import annotations

import os

from ..scenario import Scenario
from . import Source
from .libc import checked, libc

_IN_ATTRIB = 0x4


class Inotify(Source):
    """One instance for all waiters.  The task that changes the file queues the event and issues the wake-ups
    (fsnotify_insert_event).

    The event of a watched file that is not a folder carries no name, so it has 16 bytes (inotify(7)).
    """

    delivery = "utime returned: the task that changes the file issues the wake-ups itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        self._file = os.memfd_create("watched")
        try:
            self._fd = checked(libc.inotify_init1(os.O_CLOEXEC | (0 if scenario.takes else os.O_NONBLOCK)))
        except OSError:
            os.close(self._file)
            raise
        try:
            checked(libc.inotify_add_watch(self._fd, f"/proc/self/fd/{self._file}".encode(), _IN_ATTRIB))
        except OSError:
            self.close()
            raise
        self.fds = [self._fd] * scenario.n

    def happen(self) -> None:
        """Change the times of the file, both, which is a change of attributes."""
        os.utime(self._file)

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._file)
