"""Blocked in io_uring_enter, for an accept, a poll or a read: a ring each, or one for all threads."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import socket
import threading
from collections.abc import Iterator, Mapping

from .. import rings, syscalls
from ..errnos import errno_name
from ..rings import Request, Ring
from ..scenario import Scenario
from ..verdict import NotApplicable
from . import OPENED, Queues, Strategy, SystemCall, SystemCalls, Waiting

_MOST_COMPLETIONS = 1 << 16  # IORING_MAX_CQ_ENTRIES, io_uring/io_uring.h


def request_of(call: str, ready: int = select.POLLIN, piece: int = 8) -> Request:
    """The request of a wait call."""
    return {
        "io_uring_accept": Request(rings.ACCEPT),
        "io_uring_deferred": Request(rings.ACCEPT),
        "io_uring_multishot": Request(rings.ACCEPT, flags=rings.ACCEPT_MULTISHOT),
        "io_uring_poll": rings.poll_for(ready),
        "io_uring_exclusive": rings.poll_for(ready | rings.EPOLLEXCLUSIVE),
        "io_uring_read": Request(rings.READ, length=piece),
    }[call]


class IoUring(Strategy):
    """Rings are created in the waiters; here the request is only tried once, on a separate socket or pipe.

    If a ring may complete more than its waiter reaps, it is created here, so that the conductor sees its completion
    queue: the kernel accepts a connection when it completes a request, whether anybody looks or not.
    """

    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._scenario = scenario
        self._request = request_of(scenario.call, scenario.ready, scenario.piece)
        self._flags = rings.SINGLE_ISSUER | rings.DEFER_TASKRUN if scenario.call == "io_uring_deferred" else 0
        self._fds = fds
        self._rings: list[Ring] = []
        self._lock = threading.Lock()
        with _blocking(scenario) as apart, self._new_ring() as ring:
            self._layout = ring.layout
            ring.submit(self._request, apart)
            if ring.enter(1, 0) >= 0 and (done := ring.reap()) is not None:
                raise NotApplicable(f"{scenario.call}: {errno_name(-done.result)}")
        if self._request.flags & rings.ACCEPT_MULTISHOT and scenario.k > 1 and scenario.reaction != "loop":
            try:
                for _ in range(1 if scenario.sharing == "ring" else scenario.n):
                    self._rings.append(self._new_ring())
            except BaseException:
                self.close()
                raise

    def waiting(self, i: int) -> _Waiting:
        if self._scenario.sharing == "ring":
            if not self._rings:  # the first thread makes it, in the process that all of them belong to
                self._rings.append(self._new_ring())
            return _Waiting(self._rings[0], self._request, self._fds[i], i, self._lock)
        ring = self._rings[i] if self._rings else self._new_ring()
        return _Waiting(ring, self._request, self._fds[i], i, threading.Lock())

    def _new_ring(self) -> Ring:
        return Ring(self._entries, self._flags, self._completions)

    @property
    def _entries(self) -> int:
        """One request at a time is handed over, by each of those who share the ring."""
        return self._scenario.n if self._scenario.sharing == "ring" else 1

    @property
    def _completions(self) -> int:
        return min(max(2 * self._entries, self._scenario.k), _MOST_COMPLETIONS)

    def system_calls(self, i: int) -> SystemCalls | None:
        """None where waiters use a ring that was made before them."""
        if self._rings or self._scenario.sharing == "ring":
            return None
        params = rings.parameters(self._flags, self._completions)
        buffer = ctypes.create_string_buffer(self._request.length)
        entry = self._request.entry(self._fds[i], i, self._address_in(buffer))

        def enter(hand_over: int, wait_for: int, flags: int) -> SystemCall:
            return SystemCall(syscalls.NUMBERS["io_uring_enter"], (OPENED, hand_over, wait_for, flags, 0, 0))

        setup = SystemCall(syscalls.NUMBERS["io_uring_setup"], (self._entries, ctypes.addressof(params)))
        queues = Queues(enter(1, 0, 0), entry, self._layout)
        return SystemCalls(enter(0, 1, rings.ENTER_GETEVENTS), (setup,), None, (params, buffer), queues)

    def _address_in(self, buffer: ctypes.Array[ctypes.c_char]) -> int:
        """The field addr of the request, where a read goes to this buffer."""
        return ctypes.addressof(buffer) if self._request.opcode == rings.READ else self._request.address

    def completed(self) -> Mapping[int, int]:
        counts: dict[int, int] = {}
        for ring in self._rings:
            for done in ring.lying():
                counts[done.tag] = counts.get(done.tag, 0) + (done.result >= 0)
        return counts

    def close(self) -> None:
        for ring in self._rings:
            ring.close()


@contextlib.contextmanager
def _blocking(scenario: Scenario) -> Iterator[int]:
    """A descriptor on which nothing is ready: a listening socket, or an empty pipe."""
    if scenario.connects:
        with socket.socket() as listening:
            listening.listen()
            yield listening.fileno()
        return
    read, write = os.pipe()
    try:
        yield read
    finally:
        os.close(read)
        os.close(write)


class _Waiting(Waiting):
    def __init__(self, ring: Ring, request: Request, fd: int, i: int, lock: threading.Lock) -> None:
        """Waiter `i`, whose requests have its number as their tag.  `lock` protects the queues of a ring that threads
        share."""
        self._ring, self._request, self._fd, self._i, self._lock = ring, request, fd, i, lock
        self._armed = False

    def wait(self) -> int:
        """Submit the request if it is not armed, and wait for one completion; returns its result.

        EAGAIN if another thread has reaped that completion: this waiter's own request is still armed.
        """
        if not self._armed:
            with self._lock:
                self._ring.submit(self._request, self._fd, self._i)
                result = self._ring.enter(1, 0)
            if result < 0:
                return result
            self._armed = True
        result = self._ring.enter(0, 1)
        if result < 0:
            return result
        with self._lock:
            done = self._ring.reap()
        if done is None:
            return -errno.EAGAIN
        self._armed = done.more
        return done.result
