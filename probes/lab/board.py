"""The board: what each waiter itself writes down, for the conductor to read.

It is anonymous shared memory with 128 bytes (two cache lines) per waiter, written by that
waiter alone, so that counting never makes one waiter wait for another.  It dies with the last
process that maps it.
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
RETURNED  times the call came back to user space
WON       connections it took
SPURIOUS  returns after which it found nothing
RESULT    of the last wait call, or minus its errno
AT_S      CLOCK_MONOTONIC time of the last return: whole seconds
AT_NS     and the nanoseconds beyond them, behind each other as in a struct timespec
SWITCHES  its voluntary switches just before the call; kept only where /proc/PID/syscall does not prove
          that it sleeps
"""

SECOND_NS = 1_000_000_000

GET_READY, GO = 1, 2
"""Stages of a waiter's gate, which is 0 at first.

GET_READY  it may make what it waits with: its own epoll instance, for example
GO         it may go on to its wait call, too
"""

BORN, READY, WAITING, PARKED, FAILED = range(5)
"""Phases: not ready yet; registered and traced; about to call or inside; done for good; could not
get ready (errno in RESULT)."""


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
        """Let waiter `i` go so far; waking its sleeper is the caller's part (futex(2))."""
        self._memory[self._gates + 4 * i] = stage
