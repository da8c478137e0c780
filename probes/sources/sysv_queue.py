"""A System V message queue (sysvipc(7)), which is no descriptor: the waiters get its number in the place of one."""

from __future__ import annotations

import ctypes

from ..scenario import Scenario
from ..verdict import NotApplicable
from . import Source
from .libc import checked, libc

_PRIVATE, _REMOVE = 0, 0  # IPC_PRIVATE, IPC_RMID


class SysvQueue(Source):
    """One queue for all, or one of its own for each.  It cannot be polled."""

    delivery = "msgsnd returned: it hands the message to a receiver, and wakes it, itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if there are no namespaces of our own: a queue stays when its processes die."""
        if folder is None:
            raise NotApplicable("System V message queue: there is no IPC namespace of our own")
        own = scenario.sharing == "nothing"
        self._queues: list[int] = []
        try:
            for _ in range(scenario.n if own else 1):
                self._queues.append(checked(libc.msgget(_PRIVATE, 0o600)))
        except OSError:
            self.close()
            raise
        self.fds = self._queues * (1 if own else scenario.n)

    def write(self, i: int) -> None:
        """One message: a struct msgbuf, which is a type and, here, one byte of text."""
        message = ctypes.create_string_buffer(bytes(ctypes.c_long(1)) + b"x")
        checked(libc.msgsnd(self.fds[i], message, ctypes.c_size_t(1), 0))

    def close(self) -> None:
        """Remove them; each that waits gets EIDRM."""
        while self._queues:
            checked(libc.msgctl(self._queues.pop(), _REMOVE, None))
