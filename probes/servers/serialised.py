"""Workers that take turns in accept, under a lock, and serve one client each.

One of them waits in accept and the others wait for the lock (claim accept-locks.one-in-accept); an unlock wakes one
(claim accept-locks.unlock-wakes-one).  On a kernel on which claim accept.wakes-one holds, a blocking accept without a
lock would do the same; the lock is for other kernels, and for workers that wait in poll.
"""

from __future__ import annotations

import socket

from .. import locks
from . import prefork
from .echo import echo
from .listening import accept, listen, say

LOCKS = ("flock", "record", "ofd", "robust-mutex")
"""Locks that are released when a worker dies (claim accept-locks.killed-holder).  The others stay locked (claim
accept-locks.killed-holder-stuck), or stay in the system (claim accept-locks.killed-owner-leaves-semaphore)."""


def serve(host: str, port: int, workers: int, backlog: int, lock: str, idle_s: float) -> None:
    """Serve until SIGTERM or SIGINT.  Raises OSError if it cannot listen, NotApplicable without such a lock."""
    listener = listen(host, port, backlog=backlog)
    with locks.make(lock) as shared_lock:
        address = listener.getsockname()
        say(f"listening on {address[0]} port {address[1]}")
        prefork.run(lambda _: work(listener, shared_lock, idle_s), workers)


def work(listener: socket.socket, lock: locks.Lock, idle_s: float) -> None:
    """One client after the other.  Raises NoRoom; then the parent starts another worker, a while later."""
    # In the worker: locks on a descriptor that all inherit lock nobody out (claim accept-locks.inherited-descriptor).
    lock.attach()
    while True:
        lock.acquire()
        try:
            client = accept(listener)
        finally:
            lock.release()
        if client is not None:
            with client:
                echo(client, idle_s)
