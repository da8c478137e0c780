"""Rings of io_uring, through the raw system calls: libraries would hide which request is armed when.

io_uring_setup(2), io_uring_enter(2), include/uapi/linux/io_uring.h.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from . import refusals, syscalls
from .errnos import errno_name
from .stores import store
from .verdict import Inconclusive, NotApplicable

NOP, POLL_ADD, POLL_REMOVE, ACCEPT, ASYNC_CANCEL, LINK_TIMEOUT = 0, 6, 7, 13, 14, 15  # IORING_OP_...
READ, RECV, PROVIDE_BUFFERS = 22, 27, 31
IO_LINK, BUFFER_SELECT = 1 << 2, 1 << 5  # IOSQE_...
ACCEPT_MULTISHOT = 1 << 0
POLL_MULTISHOT = 1 << 0  # IORING_POLL_ADD_MULTI, in the field len
POLL_UPDATE_EVENTS = 1 << 1  # IORING_POLL_..., in the field len of POLL_REMOVE
RECV_MULTISHOT = 1 << 1  # IORING_RECV_...
EPOLLEXCLUSIVE = 1 << 28  # include/uapi/linux/eventpoll.h; a poll takes it too (io_poll_parse_events, io_uring/poll.c)
SINGLE_ISSUER, DEFER_TASKRUN = 1 << 12, 1 << 13  # IORING_SETUP_...
_CQSIZE = 1 << 3

_AT_ITS_PLACE = (1 << 64) - 1  # an offset of -1: where the file stands (io_uring_enter(2), IORING_OP_READV)
ENTER_GETEVENTS, _ENTER_EXT_ARG = 1 << 0, 1 << 3
_FEAT_SINGLE_MMAP, _FEAT_EXT_ARG, _FEAT_REG_REG_RING = 1 << 0, 1 << 8, 1 << 13
_REGISTER_EVENTFD = 4
CQE_F_MORE, CQE_F_SOCK_NONEMPTY = 1 << 1, 1 << 2
OFF_SQES = 0x10000000
"""The offset at which the entries of the submission queue are mapped (io_uring_setup(2))."""
_PARAMS_BYTES, SQE_BYTES, CQE_BYTES = 120, 64, 16
_ENTRIES = 8


@dataclass(frozen=True)
class Request:
    """What is asked of a ring; the fields of struct io_uring_sqe that differ from one request to another."""

    opcode: int
    flags: int = 0
    """The field ioprio, which holds accept's own flags."""
    events: int = 0
    """What a poll asks for: bits of poll(2), and EPOLLEXCLUSIVE."""
    length: int = 0
    """The field len: how many bytes a read asks for; of a poll, whether it is multishot."""
    how: int = 0
    """The field flags: IO_LINK, BUFFER_SELECT."""
    address: int = 0
    """The field addr, of what is no read: memory that outlives the request, or the tag of another one."""
    group: int = 0
    """Of buffers: the field buf_group."""

    def entry(self, fd: int, tag: int, address: int) -> bytes:
        """It as a struct io_uring_sqe, on a descriptor; `address`: the field addr."""
        place = _AT_ITS_PLACE if self.opcode == READ else 0
        events = _poll_mask(self.events)
        fields = (self.opcode, self.how, self.flags, fd, place, address, self.length, events, tag, self.group)
        return struct.pack("=BBHiQQIIQH", *fields).ljust(SQE_BYTES, b"\0")


def poll_for(events: int = select.POLLIN, *, multishot: bool = False) -> Request:
    """A poll, which completes once, or each time that there is news."""
    return Request(POLL_ADD, events=events, length=POLL_MULTISHOT if multishot else 0)


@dataclass(frozen=True)
class Completion:
    """One entry of a completion queue."""

    tag: int
    """Of the request that it belongs to."""
    result: int
    more: bool
    """Whether the same request will complete again."""


def parameters(flags: int, completions: int) -> ctypes.Array[ctypes.c_char]:
    """struct io_uring_params, as `io_uring_setup` takes it; `completions`: 0 for as many as the kernel likes."""
    asked = struct.pack("=III", 0, completions, flags | (_CQSIZE if completions else 0))
    return ctypes.create_string_buffer(asked, _PARAMS_BYTES)


class RingLayout(NamedTuple):
    """Where what lies in a ring's mapping, in bytes; the same in every ring of the same size on one kernel."""

    size: int
    """Of the whole mapping, without the entries of the submission queue, which have one of their own."""
    sq_tail: int
    cq_head: int
    cq_tail: int
    completions: int
    """The first entry of the completion queue."""
    entries: int
    """How many that queue has."""


RESULT_AT, FLAGS_AT = 8, 12
"""In an entry of the completion queue (struct io_uring_cqe); each is a C int."""


class Ring:
    """One instance.  Raises NotApplicable if this kernel or its settings refuse it, Inconclusive at a limit."""

    def __init__(self, entries: int = _ENTRIES, flags: int = 0, completions: int = 0) -> None:
        """`entries` of the submission queue at least, and `completions` in the other one (twice as many unless given);
        both become powers of two."""
        params = parameters(flags, completions)
        self.fd = syscalls.call(syscalls.NUMBERS["io_uring_setup"], entries, ctypes.addressof(params))
        if self.fd < 0:
            raise _refusal(-self.fd)
        sq_entries, self.completions = struct.unpack_from("=II", params, 0)
        features: int = struct.unpack_from("=I", params, 20)[0]
        self.takes_limits = bool(features & _FEAT_EXT_ARG)
        """Whether `enter` may have a time limit."""
        self.has_reg_reg_ring = bool(features & _FEAT_REG_REG_RING)
        """Whether its kernel has IORING_FEAT_REG_REG_RING: Linux 6.3 or later (io_uring_setup(2)).

        It stands for commit 4464853277d0 (6.2), which has no flag of its own."""
        if not features & _FEAT_SINGLE_MMAP:
            os.close(self.fd)
            raise NotApplicable("io_uring without IORING_FEAT_SINGLE_MMAP")
        _, self._sq_tail, self._sq_mask, _, _, _, self._array = struct.unpack_from("=7I", params, 40)
        self._cq_head, self._cq_tail, self._cq_mask, _, _, self._cqes = struct.unpack_from("=6I", params, 80)
        size = max(self._array + 4 * sq_entries, self._cqes + CQE_BYTES * self.completions)
        self.layout = RingLayout(size, self._sq_tail, self._cq_head, self._cq_tail, self._cqes, self.completions)
        self._buffers: list[ctypes.Array[ctypes.c_char]] = []
        """What reads write to: kept as long as the ring."""
        try:
            self._rings = mmap.mmap(self.fd, size, mmap.MAP_SHARED | mmap.MAP_POPULATE)
            self._sqes = mmap.mmap(self.fd, sq_entries * SQE_BYTES, mmap.MAP_SHARED, offset=OFF_SQES)
        except OSError as error:
            os.close(self.fd)
            raise refusals.unavailable("io_uring: mmap", error) from error

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it, with whatever is armed."""
        self._rings.close()
        self._sqes.close()
        os.close(self.fd)

    def submit(self, request: Request, fd: int, tag: int = 1) -> None:
        """Queue one request on descriptor `fd`; `enter` hands it over."""
        tail = self._get(self._sq_tail)
        slot = tail & self._get(self._sq_mask)
        buffer = request.address
        if request.opcode == READ:
            self._buffers.append(ctypes.create_string_buffer(request.length))
            buffer = ctypes.addressof(self._buffers[-1])
        self._sqes[slot * SQE_BYTES : (slot + 1) * SQE_BYTES] = request.entry(fd, tag, buffer)
        store(self._rings, self._array + 4 * slot, slot)
        store(self._rings, self._sq_tail, (tail + 1) & 0xFFFFFFFF)

    def enter(self, to_submit: int, wait_for: int, *, look: bool = False) -> int:
        """io_uring_enter(2): hand over, and wait for that many completions; its result, or minus its errno.

        With `look` it takes in what completed meanwhile, even if it waits for none.
        """
        flags = ENTER_GETEVENTS if wait_for or look else 0
        return syscalls.call(syscalls.NUMBERS["io_uring_enter"], self.fd, to_submit, wait_for, flags, 0, 0)

    def enter_until(self, wait_for: int, limit: int) -> int:
        """io_uring_enter(2) with a time limit: wait for that many completions; its result, or minus its errno.

        `limit` is the address of a struct __kernel_timespec; only where `takes_limits`.
        """
        argument = struct.pack("=QIIQ", 0, 0, 0, limit)  # struct io_uring_getevents_arg
        place = ctypes.create_string_buffer(argument, len(argument))
        flags = ENTER_GETEVENTS | _ENTER_EXT_ARG
        number = syscalls.NUMBERS["io_uring_enter"]
        return syscalls.call(number, self.fd, 0, wait_for, flags, ctypes.addressof(place), len(argument))

    def tell_by(self, eventfd: int) -> None:
        """Have this eventfd counted up for each completion (IORING_REGISTER_EVENTFD).  Raises NotApplicable."""
        fds = ctypes.create_string_buffer(struct.pack("=i", eventfd), 4)
        number = syscalls.NUMBERS["io_uring_register"]
        if (result := syscalls.call(number, self.fd, _REGISTER_EVENTFD, ctypes.addressof(fds), 1)) < 0:
            raise _refusal(-result, "io_uring_register")

    def reap(self) -> Completion | None:
        """The next completion, taken out of the queue; None if there is none."""
        head = self._get(self._cq_head)
        if head == self._get(self._cq_tail):
            return None
        completion = self._at(head)
        store(self._rings, self._cq_head, (head + 1) & 0xFFFFFFFF)
        return completion

    def lying(self) -> Iterator[Completion]:
        """The completions that lie in the queue, reaped by nobody: any process that has the ring sees them."""
        head, tail = self._get(self._cq_head), self._get(self._cq_tail)
        while head != tail:
            yield self._at(head)
            head = (head + 1) & 0xFFFFFFFF

    def _at(self, place: int) -> Completion:
        at = self._cqes + CQE_BYTES * (place & self._get(self._cq_mask))
        tag, result, flags = struct.unpack_from("=QiI", self._rings, at)
        return Completion(tag, result, bool(flags & CQE_F_MORE))

    def _get(self, offset: int) -> int:
        value: int = struct.unpack_from("=I", self._rings, offset)[0]
        return value


def _refusal(number: int, call: str = "io_uring_setup") -> Exception:
    """What to raise if a call returned this errno: a limit says nothing about the kernel, a refusal does."""
    said = f"{call}: {errno_name(number)}"
    return Inconclusive(f"{said}: {refusals.REMEDIES[number]}") if number in refusals.LIMITS else NotApplicable(said)


def _poll_mask(events: int) -> int:
    """Bits of poll(2) as poll32_events; on a big-endian machine the two halves change places (io_poll_parse_events,
    io_uring/poll.c), so that the old field of 16 bits is still where it was."""
    return events if sys.byteorder == "little" else (events & 0xFFFF) << 16 | events >> 16
