"""Time limits of other calls: message queues, semaphores, futexes and rings.

The stage opens what a call waits for, and creates a function that makes the call; an actor then calls it.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import time
from collections.abc import Callable, Mapping

from .. import rings, syscalls
from ..lab.stage import Stage
from ..rings import Request, Ring
from ..scenario import Scenario
from ..sources.mqueue import MESSAGE
from ..verdict import NotApplicable
from .futexes import WAIT, WAIT_BITSET, Words, futex
from .swallowed import taken_semaphore

Wait = Callable[[], int]
_ANYBODY = 0xFFFFFFFF  # FUTEX_BITSET_MATCH_ANY
_POLL, _LIMIT = 1, 2
_BOTH = 2


def _mq_timedreceive(stage: Stage, limit_ns: int) -> Wait:
    """Receive from an empty POSIX message queue, with an absolute limit on CLOCK_REALTIME (mq_receive(3))."""
    queue = stage.source(Scenario.parse("mq_timedreceive/mqueue/n1/hold/one-write"))
    number, room = syscalls.number_of("mq_timedreceive"), ctypes.create_string_buffer(MESSAGE)

    def wait() -> int:
        until = syscalls.timespec("mq_timedreceive", time.time_ns() + limit_ns)
        return syscalls.call(number, queue.fds[0], ctypes.addressof(room), MESSAGE, 0, ctypes.addressof(until))

    return wait


def _semtimedop(stage: Stage, limit_ns: int) -> Wait:
    """Wait for a System V semaphore that is taken."""
    semaphore, _ = taken_semaphore(stage)
    number, limit = syscalls.number_of("semtimedop"), syscalls.timespec("semtimedop", limit_ns)
    take = ctypes.create_string_buffer(struct.pack("Hhh", 0, -1, 0))  # struct sembuf
    return lambda: syscalls.call(number, semaphore.id, ctypes.addressof(take), 1, ctypes.addressof(limit))


def _futex_wait(stage: Stage, limit_ns: int) -> Wait:
    """FUTEX_WAIT, whose limit is relative."""
    words, limit = Words(), syscalls.timespec("futex", limit_ns)
    return lambda: futex(words.at(0), WAIT, 0, ctypes.addressof(limit))


def _futex_wait_bitset(stage: Stage, limit_ns: int) -> Wait:
    """FUTEX_WAIT_BITSET, whose limit is absolute, on CLOCK_MONOTONIC."""
    words = Words()

    def wait() -> int:
        until = syscalls.timespec("futex", time.monotonic_ns() + limit_ns)
        return futex(words.at(0), WAIT_BITSET, 0, ctypes.addressof(until), 0, _ANYBODY)

    return wait


def _io_uring_enter(stage: Stage, limit_ns: int) -> Wait:
    """Wait for a completion of a ring that has no requests."""
    ring: Ring = stage.keep(Ring())
    if not ring.takes_limits:
        raise NotApplicable("io_uring_enter with a time limit (IORING_FEAT_EXT_ARG)")
    limit = _kernel_timespec(limit_ns)
    return lambda: ring.enter_until(1, ctypes.addressof(limit))


def _linked_timeout(stage: Stage, limit_ns: int) -> Wait:
    """Wait for a poll of an empty pipe that has a linked timeout; returns the result of the poll."""
    ring: Ring = stage.keep(Ring())
    limit, empty = _kernel_timespec(limit_ns), os.pipe()[0]
    ring.submit(Request(rings.POLL_ADD, events=select.POLLIN, how=rings.IO_LINK), empty, _POLL)
    ring.submit(Request(rings.LINK_TIMEOUT, address=ctypes.addressof(limit), length=1), -1, _LIMIT)

    def wait() -> int:
        # Submit separately: a call that submits requests returns their number, even if its wait was interrupted.
        ring.enter(_BOTH, 0)
        while (
            len(list(ring.lying())) < _BOTH
        ):  # an interrupted wait returns 0 if a completion is there (io_cqring_wait)
            if (waited := ring.enter(0, _BOTH)) < 0:
                return waited
        return next((done.result for done in ring.lying() if done.tag == _POLL), 0)

    return wait


def _kernel_timespec(ns: int) -> ctypes.Array[ctypes.c_int64]:
    """A struct __kernel_timespec: 64 bits each, on every architecture."""
    return (ctypes.c_int64 * 2)(ns // 10**9, ns % 10**9)


MAKERS: Mapping[str, Callable[[Stage, int], Wait]] = {
    "mq_timedreceive": _mq_timedreceive,
    "semtimedop": _semtimedop,
    "futex-wait": _futex_wait,
    "futex-wait-bitset": _futex_wait_bitset,
    "io_uring_enter": _io_uring_enter,
    "io-uring-linked-timeout": _linked_timeout,
}
"""For each call, a function that takes the stage and a limit in nanoseconds, and returns a function that makes it."""

BY_THE_CALENDAR = ("mq_timedreceive",)
"""Calls whose limit is absolute, on CLOCK_REALTIME."""
