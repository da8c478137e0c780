"""What each worker counts itself, in anonymous shared memory: one line per worker, written by that worker alone.

Two cache lines (128 bytes) each, so that counting never makes one worker wait for another.  It dies
with the last process that maps it.
"""

from __future__ import annotations

import mmap

LINE_BYTES = 128
_FIELDS = LINE_BYTES // 8

PHASE, RETURNED, WON, EMPTY, FAILED, LONG, WORK_NS, ERRNO, USER_NS, SYSTEM_NS, TOLD = range(11)
"""Fields of a line, 8 bytes each.

PHASE      one of the phases below
RETURNED   how often the wait call returned
WON        connections that it took, and answered
EMPTY      times that it looked and nothing was there (EAGAIN)
FAILED     connections that it took and could not answer
LONG       requests that it took for long ones
WORK_NS    CPU time that the work itself took
ERRNO      why it gave up
USER_NS, SYSTEM_NS   its CPU time by getrusage(2), from when it was ready until it was told to end
TOLD       1 once the rig has told it to end; the rig alone writes it
"""

BORN, READY, GAVE_UP, ENDED = range(4)

COUNTED = {"returned": RETURNED, "won": WON, "empty": EMPTY, "failed": FAILED, "long": LONG, "work_ns": WORK_NS}


class Tally:
    """One line per worker."""

    def __init__(self, n: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, n * LINE_BYTES)).cast("B").cast("q")
        self.n = n

    def line(self, i: int) -> memoryview:
        """The line of worker `i`: signed 64-bit fields, indexed by the names above."""
        return self._cells[i * _FIELDS : (i + 1) * _FIELDS]

    def column(self, field: int) -> list[int]:
        """One field of every worker."""
        return self._cells[field::_FIELDS].tolist()
