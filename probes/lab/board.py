"""The board: shared memory in which each waiter records what happened to it, for the conductor to read.

Each waiter has 128 bytes (two cache lines) to itself, so that counting never makes one waiter wait for another.  The
memory is anonymous, and is freed with the last process that maps it.
"""

from __future__ import annotations

import ctypes
import mmap

LINE_BYTES = 128
_FIELDS = LINE_BYTES // 8

TID, PHASE, RETURNED, WON, SPURIOUS, RESULT, AT_S, AT_NS, SWITCHES = range(9)
"""Fields of a line, 8 bytes each.

TID       the waiter's thread id
PHASE     one of the phases below
RETURNED  how often the wait call returned
WON       connections that it took
SPURIOUS  returns after which it found nothing
RESULT    result of the last wait call, or minus its errno
AT_S      time of the last return (CLOCK_MONOTONIC): seconds
AT_NS     and nanoseconds; the two fields form a struct timespec
SWITCHES  its voluntary context switches just before the call; recorded only if /proc/PID/syscall cannot prove that it
          sleeps
"""

SECOND_NS = 1_000_000_000

GET_READY, GO = 1, 2
"""Stages of a waiter's gate, which starts at 0.

GET_READY  the waiter may create what it waits with: its own epoll instance, for example
GO         it may also go on to its wait call
"""

BORN, READY, WAITING, PARKED, FAILED = range(5)
"""Phases: not ready yet; registered and traced; about to call, or in the call; done, and parked; failed (errno in
RESULT)."""


class Board:
    """One line per waiter, and one gate word per waiter behind the lines, written by the conductor."""

    def __init__(self, n: int) -> None:
        self._memory = mmap.mmap(-1, n * LINE_BYTES + n * 4)
        self._cells = memoryview(self._memory).cast("B")[: n * LINE_BYTES].cast("q")
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._gates = n * LINE_BYTES
        self.n = n

    def line(self, i: int) -> memoryview:
        """The line of waiter `i`: signed 64-bit fields, indexed by the names above."""
        return self._cells[i * _FIELDS : (i + 1) * _FIELDS]

    def column(self, field: int) -> list[int]:
        """One field of every waiter."""
        return self._cells[field::_FIELDS].tolist()

    def returned_ns(self, i: int) -> int:
        """When the call of waiter `i` returned last, in nanoseconds of CLOCK_MONOTONIC."""
        return self._cells[i * _FIELDS + AT_S] * SECOND_NS + self._cells[i * _FIELDS + AT_NS]

    def address(self, i: int, field: int) -> int:
        """Address of a field of waiter `i`, the same in every process."""
        return self._address + i * LINE_BYTES + 8 * field

    def gate_address(self, i: int) -> int:
        """Address of waiter `i`'s gate word (a futex, 0 while closed), the same in every process."""
        return self._address + self._gates + 4 * i

    def gate(self, i: int) -> int:
        """How far waiter `i` may go: one of the stages below."""
        return self._memory[self._gates + 4 * i]

    def open_gate(self, i: int, stage: int) -> None:
        """Let waiter `i` go as far as this stage; the caller must wake it if it sleeps at the gate (futex(2))."""
        self._memory[self._gates + 4 * i] = stage
