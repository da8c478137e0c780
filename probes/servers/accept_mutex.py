"""Workers with an epoll instance each; only the one that holds a mutex has the listener in its instance.

This is nginx's way (`accept_mutex on`): a worker that does not get the mutex waits for its clients, and tries again
when one of them sends something, or after a while.  A connection wakes only the holder (claim
accept-locks.only-holder-registers).
"""

from __future__ import annotations

import fcntl
import os
import socket
from typing import NoReturn

from . import prefork
from .listening import listen, say
from .loop import Loop


class AcceptMutex:
    """A mutex that workers try to take and never wait for: flock(2) on a file without a name.

    nginx's mutex is a word in memory, which its parent must release when the holder dies (claim
    accept-locks.killed-holder-stuck); the kernel releases this one (claim accept-locks.killed-holder).
    """

    def __init__(self) -> None:
        self._fd = os.memfd_create("accept-mutex")  # with MFD_CLOEXEC

    def attach(self) -> None:
        """In each worker: an open file description of its own (claim accept-locks.inherited-descriptor)."""
        self._fd = os.open(f"/proc/self/fd/{self._fd}", os.O_RDWR)  # with O_CLOEXEC

    def try_it(self) -> bool:
        """Have it, or not, at once."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give it up; this wakes nobody."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)


class AcceptMutexWorker(Loop):
    """A loop that accepts while it has the mutex."""

    def __init__(self, listener: socket.socket, mutex: AcceptMutex, delay_s: float, most: int) -> None:
        """It tries again after `delay_s`, and does not accept while it has `most` clients."""
        super().__init__(listener, "level")
        self._mutex, self._delay_s, self._most = mutex, delay_s, most

    def run(self) -> NoReturn:
        """Serve for good."""
        while True:
            self.turn()

    def has_room_again(self) -> None:
        """It may try again; it does not listen before it has the mutex."""
        self.no_room = False

    def turn(self) -> None:
        """Try, wait, accept, give up the mutex, and only then serve: a client must not hold up the others."""
        has_room = len(self.clients) < self._most and not self.no_room
        has_it = has_room and self._mutex.try_it()
        if has_it:
            self.watch_listener()
        ready = self.wait(self._delay_s if has_room and not has_it else None)
        if has_it:
            if self.listener.fileno() in ready:
                self.accept_all(self._most)
            self.leave_listener()
            self._mutex.release()
        self.serve(ready)


def serve(host: str, port: int, workers: int, backlog: int, delay_s: float, most: int) -> None:
    """Serve until SIGTERM or SIGINT.  Raises OSError if it cannot listen."""
    listener = listen(host, port, backlog=backlog)
    mutex = AcceptMutex()

    def work(_: int) -> None:
        mutex.attach()
        AcceptMutexWorker(listener, mutex, delay_s, most).run()

    address = listener.getsockname()
    say(f"listening on {address[0]} port {address[1]}")
    prefork.run(work, workers)
