"""Blocked in io_uring_enter, for an accept, a multishot accept, a poll or a read: a ring each, or one for all threads.

Through the raw system calls and the shared rings (io_uring_setup(2), io_uring_enter(2),
include/uapi/linux/io_uring.h): libraries would hide which request is armed when.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import select
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from .. import syscalls
from ..errnos import errno_name
from ..scenario import Scenario
from ..verdict import NotApplicable
from . import Strategy, Waiting

_POLL_ADD, _ACCEPT, _READ = 6, 13, 22  # IORING_OP_POLL_ADD, IORING_OP_ACCEPT, IORING_OP_READ
_ACCEPT_MULTISHOT = 1 << 0
_AT_ITS_PLACE = (1 << 64) - 1  # an offset of -1: where the file stands (io_uring_enter(2), IORING_OP_READV)
_ENTER_GETEVENTS = 1 << 0
_FEAT_SINGLE_MMAP = 1 << 0
_CQE_F_MORE = 1 << 1
_OFF_SQES = 0x10000000
_PARAMS_BYTES, _SQE_BYTES, _CQE_BYTES = 120, 64, 16
_ENTRIES = 8


@dataclass(frozen=True)
class Request:
    """What is asked of a ring; the fields of struct io_uring_sqe that differ from one request to another."""

    opcode: int
    flags: int = 0
    """The field ioprio: what accept takes for flags of its own."""
    events: int = 0
    """What a poll asks for: bits of poll(2)."""
    piece: int = 0
    """How many bytes a read asks for."""


def request_of(call: str, ready: int = select.POLLIN, piece: int = 8) -> Request:
    """The request of a wait call."""
    return {
        "io_uring_accept": Request(_ACCEPT),
        "io_uring_multishot": Request(_ACCEPT, flags=_ACCEPT_MULTISHOT),
        "io_uring_poll": Request(_POLL_ADD, events=ready),
        "io_uring_read": Request(_READ, piece=piece),
    }[call]


class IoUring(Strategy):
    """Rings are made in the waiters; here the kernel is asked, once, on a socket (or a pipe) of its own."""

    def __init__(self, scenario: Scenario, fds: list[int]) -> None:
        self._scenario = scenario
        self._request = request_of(scenario.call, scenario.ready, scenario.piece)
        self._fds = fds
        self._ring: Ring | None = None
        self._lock = threading.Lock()
        with _blocking(scenario) as apart, Ring() as ring:
            ring.submit(self._request, apart)
            if ring.enter(1, 0) >= 0 and (done := ring.reap()) is not None:
                raise NotApplicable(f"{scenario.call}: {errno_name(-done[0])}")

    def waiting(self, i: int) -> _Waiting:
        if self._scenario.sharing != "ring":
            return _Waiting(Ring(), self._request, self._fds[i], threading.Lock())
        if self._ring is None:  # the first thread makes it, in the process that all of them belong to
            self._ring = Ring(self._scenario.n)
        return _Waiting(self._ring, self._request, self._fds[i], self._lock)


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
    def __init__(self, ring: Ring, request: Request, fd: int, lock: threading.Lock) -> None:
        """`lock` is that of the ring: threads that share one must not touch its queues at the same time."""
        self._ring, self._request, self._fd, self._lock = ring, request, fd, lock
        self._armed = False

    def wait(self) -> int:
        """Arm the request where it is not, and wait for one completion; its result.

        EAGAIN where another thread has reaped that completion: this one's own request is armed still.
        """
        if not self._armed:
            with self._lock:
                self._ring.submit(self._request, self._fd)
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
        value, more = done
        self._armed = more
        return value


def _poll_mask(events: int) -> int:
    """Bits of poll(2) as poll32_events; on a big-endian machine the two halves change places (io_poll_parse_events,
    io_uring/poll.c), so that the old field of 16 bits is still where it was."""
    return events if sys.byteorder == "little" else events << 16


class Ring:
    """One instance.  Raises NotApplicable where this kernel or its settings refuse it."""

    def __init__(self, entries: int = _ENTRIES) -> None:
        params = bytearray(_PARAMS_BYTES)
        address = ctypes.addressof(ctypes.c_char.from_buffer(params))
        self._fd = syscalls.call(syscalls.NUMBERS["io_uring_setup"], max(entries, _ENTRIES), address)
        if self._fd < 0:
            raise NotApplicable(f"io_uring_setup: {errno_name(-self._fd)}")
        sq_entries, cq_entries = struct.unpack_from("=II", params, 0)
        if not struct.unpack_from("=I", params, 20)[0] & _FEAT_SINGLE_MMAP:
            os.close(self._fd)
            raise NotApplicable("io_uring without IORING_FEAT_SINGLE_MMAP")
        _, self._sq_tail, self._sq_mask, _, _, _, self._array = struct.unpack_from("=7I", params, 40)
        self._cq_head, self._cq_tail, self._cq_mask, _, _, self._cqes = struct.unpack_from("=6I", params, 80)
        size = max(self._array + 4 * sq_entries, self._cqes + _CQE_BYTES * cq_entries)
        self._rings = mmap.mmap(self._fd, size, mmap.MAP_SHARED | mmap.MAP_POPULATE)
        self._buffers: list[ctypes.Array[ctypes.c_char]] = []
        """What reads write to: kept as long as the ring."""
        self._sqes = mmap.mmap(self._fd, sq_entries * _SQE_BYTES, mmap.MAP_SHARED, offset=_OFF_SQES)

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, *_: object) -> None:
        self._rings.close()
        self._sqes.close()
        os.close(self._fd)

    def submit(self, request: Request, fd: int) -> None:
        """Queue one request on descriptor `fd`; `enter` hands it over."""
        tail = self._get(self._sq_tail)
        slot = tail & self._get(self._sq_mask)
        place = buffer = 0
        if request.piece:
            self._buffers.append(ctypes.create_string_buffer(request.piece))
            place, buffer = _AT_ITS_PLACE, ctypes.addressof(self._buffers[-1])
        sqe = struct.pack(
            "=BBHiQQIIQ",
            request.opcode,
            0,
            request.flags,
            fd,
            place,
            buffer,
            request.piece,
            _poll_mask(request.events),
            1,
        )
        self._sqes[slot * _SQE_BYTES : (slot + 1) * _SQE_BYTES] = sqe.ljust(_SQE_BYTES, b"\0")
        struct.pack_into("=I", self._rings, self._array + 4 * slot, slot)
        struct.pack_into("=I", self._rings, self._sq_tail, tail + 1)

    def enter(self, to_submit: int, wait_for: int) -> int:
        """io_uring_enter(2): hand over, and wait for that many completions; its result, or minus its errno."""
        flags = _ENTER_GETEVENTS if wait_for else 0
        return syscalls.call(syscalls.NUMBERS["io_uring_enter"], self._fd, to_submit, wait_for, flags, 0, 0)

    def reap(self) -> tuple[int, bool] | None:
        """The next completion, its result and whether more will come of the same request; None if there is none."""
        head = self._get(self._cq_head)
        if head == self._get(self._cq_tail):
            return None
        at = self._cqes + _CQE_BYTES * (head & self._get(self._cq_mask))
        value, flags = struct.unpack_from("=iI", self._rings, at + 8)
        struct.pack_into("=I", self._rings, self._cq_head, (head + 1) & 0xFFFFFFFF)
        return value, bool(flags & _CQE_F_MORE)

    def _get(self, offset: int) -> int:
        value: int = struct.unpack_from("=I", self._rings, offset)[0]
        return value
