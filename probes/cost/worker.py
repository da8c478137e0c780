"""What runs inside a worker:  wait --> accept --> work --> answer --> close --> wait again.

It is told to end in its line of the tally, and by SIGTERM, which ends the call that it sleeps in: then it writes down
the CPU time that it has used.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import struct
import time
from typing import NamedTuple, NoReturn

from .. import syscalls
from ..locks import Lock
from ..strategies import Strategy, Waiting
from ..verdict import NotApplicable
from .tally import (
    COUNTED,
    EMPTY,
    ENDED,
    ERRNO,
    FAILED,
    GAVE_UP,
    LONG,
    PHASE,
    READY,
    RETURNED,
    SYSTEM_NS,
    TOLD,
    USER_NS,
    WON,
    WORK_NS,
)
from .ways import Way
from .work import LONG_SOURCE, Work, spin

_SOCK_CLOEXEC = 0o2000000
_WARM_UP = 3
"""Requests of its own that a worker serves before it counts: the first ones of a forked process pay for pages that it
shared with its parent until then."""
_libc = ctypes.CDLL(None, use_errno=True)


class WaitingPlace(NamedTuple):
    """Where a worker waits."""

    strategy: Strategy
    fd: int
    """The listener, to accept from."""
    address: tuple[str, int]


class MeasuredWorker:
    """Serves until told to end."""

    def __init__(self, i: int, way: Way, work: Work, loops_per_us: float, line: memoryview) -> None:
        self._i = i
        self._answer_byte = bytes([i])
        self._way = way
        self._line = line
        self._mixed = work.mixed
        self._works = work.long_us > 0
        self._loops = round(work.short_us * loops_per_us)
        self._long_loops = round(work.long_us * loops_per_us)
        self._peer = ctypes.create_string_buffer(16)
        self._peer_size = ctypes.c_uint32(16)

    def live(self, here: WaitingPlace, apart: WaitingPlace, lock: Lock | None) -> NoReturn:
        """Get ready, serve, and end.  Whatever goes wrong is left in the tally for the rig."""
        try:
            signal.signal(signal.SIGTERM, lambda *_: None)
            self._warm_up(apart)
            if lock is not None:
                lock.attach()
            waiting = here.strategy.waiting(self._i)
            for field in COUNTED.values():
                self._line[field] = 0
            before = resource.getrusage(resource.RUSAGE_SELF)
            self._line[PHASE] = READY
            self._serve(waiting, lock, here.fd)
            after = resource.getrusage(resource.RUSAGE_SELF)
            self._line[USER_NS] = round((after.ru_utime - before.ru_utime) * 1e9)
            self._line[SYSTEM_NS] = round((after.ru_stime - before.ru_stime) * 1e9)
            self._line[PHASE] = ENDED
        except OSError as error:
            self._line[ERRNO] = error.errno or 0
            self._line[PHASE] = GAVE_UP
        except NotApplicable:
            self._line[PHASE] = GAVE_UP
        finally:
            os._exit(0)

    def _serve(self, waiting: Waiting, lock: Lock | None, fd: int) -> None:
        line = self._line
        if lock is None:
            while not line[TOLD]:
                self._came_back(waiting.wait(), fd)
            return
        while not line[TOLD]:
            try:
                lock.acquire()
            except InterruptedError:
                continue  # told to end
            try:
                # Told to end while it waited for the lock: on to the next.
                result = -errno.EINTR if line[TOLD] else waiting.wait()
            finally:
                lock.release()
            self._came_back(result, fd)

    def _came_back(self, result: int, fd: int) -> None:
        """After the wait call: take what is there, and answer it.  Raises OSError if the call failed."""
        line = self._line
        line[RETURNED] += 1
        if result < 0:
            if result == -errno.EAGAIN:
                line[EMPTY] += 1
            elif result != -errno.EINTR:
                raise OSError(-result, os.strerror(-result))
        elif self._way.takes:
            self._answer(result)
        elif self._way.drains:
            while self._take(fd):
                pass
        else:
            self._take(fd)

    def _take(self, fd: int) -> bool:
        """Accept one and answer it; False if there was none."""
        connection = syscalls.call(syscalls.NUMBERS["accept4"], fd, 0, 0, _SOCK_CLOEXEC)
        if connection >= 0:
            self._answer(connection)
            return True
        if connection != -errno.EAGAIN:
            raise OSError(-connection, os.strerror(-connection))
        self._line[EMPTY] += 1
        return False

    def _answer(self, connection: int) -> None:
        """Work, answer with the worker's number, and close."""
        if self._works:
            self._work(connection)
        try:
            os.write(connection, self._answer_byte)
            self._line[WON] += 1
        except OSError:
            self._line[FAILED] += 1
        os.close(connection)

    def _work(self, connection: int) -> None:
        """Spin, and note the CPU time of that: it is no part of what the strategy costs."""
        loops = self._loops
        if self._mixed and self._is_long(connection):
            self._line[LONG] += 1
            loops = self._long_loops
        before = time.thread_time_ns()
        spin(loops)
        self._line[WORK_NS] += time.thread_time_ns() - before

    def _is_long(self, connection: int) -> bool:
        self._peer_size.value = 16
        _libc.getpeername(connection, self._peer, ctypes.byref(self._peer_size))
        # struct sockaddr_in: family, port, then the address (ip(7)).
        return self._peer.raw[4:8] == _LONG

    def _warm_up(self, apart: WaitingPlace) -> None:
        """Serve a few requests of its own in the same way, on a separate listener."""
        # The ring of a worker in io_uring stays open until it ends: the kernel would wake its owner to close it.
        self._apart = apart.strategy.waiting(0)
        for _ in range(_WARM_UP):
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.connect(apart.address)
                self._came_back(self._apart.wait(), apart.fd)
                client.recv(1)


_LONG = socket.inet_aton(LONG_SOURCE)


def spawn(worker: MeasuredWorker, here: WaitingPlace, apart: WaitingPlace, lock: Lock | None) -> int:
    """Fork a worker that serves `here`, and warms up `apart`; its process id.  It dies with this process.

    Raises OSError if no process is to be had.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    # Nothing of the rig may run on in a worker, whatever happens.
    with contextlib.suppress(BaseException):
        syscalls.die_with_parent(parent)
        worker.live(here, apart, lock)
    os._exit(1)
