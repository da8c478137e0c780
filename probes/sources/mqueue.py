"""A POSIX message queue (mq_overview(7)), whose name is gone again before anybody waits."""

from __future__ import annotations

import ctypes
import errno
import os
from itertools import count

from .. import syscalls
from ..scenario import Scenario
from ..verdict import Inconclusive
from . import Source

MESSAGE = 8
"""Bytes of a message, and the most that one may have."""
_MOST = 10
"""Messages that a queue holds; the kernel's own default (mq_overview(7))."""
_names = count()


class Mqueue(Source):
    """One queue for all, or one of its own for each."""

    delivery = "mq_send returned: it hands the message to a receiver, or wakes those that poll, itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        own = scenario.sharing == "nothing"
        self._queues: list[int] = []
        try:
            for _ in range(scenario.n if own else 1):
                self._queues.append(_opened(scenario.takes))
        except (OSError, Inconclusive):
            self.close()
            raise
        self.fds = self._queues if own else self._queues * scenario.n

    def write(self, i: int) -> None:
        """One message."""
        message = ctypes.create_string_buffer(b"x", MESSAGE)
        _call("mq_timedsend", self.fds[i], ctypes.addressof(message), MESSAGE)

    def close(self) -> None:
        for fd in self._queues:
            os.close(fd)


def _opened(blocking: bool) -> int:
    """A new queue, by the system call: libc's mq_open requires a slash that the kernel refuses (mq_overview(7)).

    Raises Inconclusive if the machine's limits are too low, which is EINVAL without CAP_SYS_RESOURCE (mq_open(3),
    mq_attr_ok in ipc/mqueue.c).
    """
    name = ctypes.create_string_buffer(f"wakecheck-{os.getpid()}-{next(_names)}".encode())
    limits = (ctypes.c_long * 8)(0, _MOST, MESSAGE)  # struct mq_attr: flags, mq_maxmsg, mq_msgsize
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | (0 if blocking else os.O_NONBLOCK)
    try:
        fd = _call("mq_open", ctypes.addressof(name), flags, 0o600, ctypes.addressof(limits))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Inconclusive(
            f"mq_open: EINVAL: fs.mqueue.msg_max must be {_MOST} or more, and fs.mqueue.msgsize_max {MESSAGE}"
        ) from error
    _call("mq_unlink", ctypes.addressof(name))
    return fd


def _call(name: str, *arguments: int) -> int:
    number = syscalls.number(name)
    result = syscalls.call(number, *arguments) if number is not None else -38  # ENOSYS
    if result < 0:
        raise OSError(-result, f"{name}: {os.strerror(-result)}")
    return result
