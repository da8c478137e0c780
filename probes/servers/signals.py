"""Signals that can be waited for in poll, along with everything else."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator


class Signals:
    """These signals arrive as bytes in a socket.

    A signal that comes between the last check and the sleep would be missed; a byte in a socket is not.  Signals do
    interrupt poll, which is never restarted (claim server.handled-sigchld-interrupts), but EINTR alone is not enough,
    because a signal may come just before poll.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._numbers = numbers
        self._read, self._write = socket.socketpair()
        for end in (self._read, self._write):
            end.setblocking(False)
        for number in numbers:  # also those that are ignored because the parent ignored them
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._write.fileno())

    def fileno(self) -> int:
        """What to wait for."""
        return self._read.fileno()

    def take(self) -> set[int]:
        """The signals that came since the last call; each once, however often it came (claim
        server.one-sigchld-for-several)."""
        with contextlib.suppress(BlockingIOError):
            return set(self._read.recv(65536))
        return set()

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """For a fork: otherwise a signal to the child would reach the parent, through the socket that both have."""
        signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._numbers)

    def leave(self, *ignored: signal.Signals) -> None:
        """In a child: do by default what they ask for, or ignore it."""
        signal.set_wakeup_fd(-1)
        self._read.close()
        self._write.close()
        for number in self._numbers:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._numbers)
