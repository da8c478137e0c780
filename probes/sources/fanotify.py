"""A fanotify group that watches one file for being opened."""

from __future__ import annotations

import ctypes
import os

from ..refusals import unavailable
from ..scenario import Scenario
from . import Source
from .libc import checked, libc

_CLOEXEC, _NONBLOCK = 0x1, 0x2  # FAN_CLOEXEC, FAN_NONBLOCK
_ADD, _OPEN = 0x1, 0x20  # FAN_MARK_ADD, FAN_OPEN
_HERE = -100  # AT_FDCWD


class Fanotify(Source):
    """One group for all waiters.  The task that opens the file queues the event and issues the wake-ups
    (fsnotify_insert_event).

    A waiter that reads the event gets a descriptor of the file with it (fanotify(7)), which ends with the waiter.
    """

    delivery = "open returned: the task that opens the file issues the wake-ups itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if the kernel has no fanotify, or grants it only with CAP_SYS_ADMIN."""
        self._file = os.memfd_create("watched")
        try:
            flags = _CLOEXEC | (0 if scenario.takes else _NONBLOCK)
            self._fd = checked(libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            os.close(self._file)
            raise unavailable("fanotify_init", error) from error
        self._path = f"/proc/self/fd/{self._file}"
        try:
            checked(libc.fanotify_mark(self._fd, _ADD, ctypes.c_uint64(_OPEN), _HERE, self._path.encode()))
        except OSError:
            self.close()
            raise
        self.fds = [self._fd] * scenario.n

    def happen(self) -> None:
        """Open the file, and close it, which is not watched."""
        os.close(os.open(self._path, os.O_RDONLY | os.O_CLOEXEC))

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._file)
