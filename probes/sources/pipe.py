"""Pipes and FIFOs: one for all, or one of its own for each; and the write end of a pipe that is full."""

from __future__ import annotations

import contextlib
import os
import select

from ..scenario import Scenario
from . import Source

FILL = select.PIPE_BUF
"""What a writer writes, and what is read to make room for it: as much as is written whole or not at all (pipe(7))."""


class Pipe(Source):
    """Empty pipes for those that read, and full ones for those that write (pipe(7))."""

    delivery = "write (or read) returned: pipe_write and pipe_read wake the others themselves"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        own = scenario.sharing == "nothing"
        self._writes = scenario.call == "write"
        self._opened_pipes = [self._opened(folder) for _ in range(scenario.n if own else 1)]
        pipes = self._opened_pipes if own else self._opened_pipes * scenario.n
        self.fds = [write if self._writes else read for read, write in pipes]
        self._pipes = pipes
        if self._writes:
            self._fill()
        for fd in self.fds:
            os.set_blocking(fd, scenario.takes)

    def _opened(self, folder: str | None) -> tuple[int, int]:
        return os.pipe()

    def _fill(self) -> None:
        for _, end in self._opened_pipes:
            os.set_blocking(end, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(end, bytes(FILL))

    def write(self, i: int) -> None:
        """One byte: as much as a reader asks for, so that one reader takes all there is."""
        os.write(self._pipes[i][1], b"x")

    def happen(self) -> None:
        """Read as much as one writer writes."""
        os.read(self._pipes[0][0], FILL)

    def close_other_ends(self) -> None:
        """Close, here, the ends that the waiters do not wait on; each process that was forked has its own copies."""
        for read, write in self._opened_pipes:
            os.close(read if self._writes else write)
        self._opened_pipes = [(write, write) if self._writes else (read, read) for read, write in self._opened_pipes]

    def close(self) -> None:
        for fd in {fd for ends in self._opened_pipes for fd in ends}:
            os.close(fd)


class FullPipe(Pipe):
    """The write end of a full pipe: a multiplexer waits for room (POLLOUT)."""

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        super().__init__(scenario, folder)
        self.fds = [write for _, write in self._pipes]
        self._writes = True
        self._fill()


class Fifo(Pipe):
    """A FIFO whose name is removed before anybody waits.

    It is first opened for reading and writing (fifo(7)), so that opening either end does not wait for the other.
    """

    def _opened(self, folder: str | None) -> tuple[int, int]:
        import tempfile  # only here: the less the conductor has loaded, the cheaper its forks are

        with tempfile.TemporaryDirectory(dir=folder) as brief:
            path = os.path.join(brief, "fifo")
            os.mkfifo(path)
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            ends = [os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC) for flags in (os.O_RDONLY, os.O_WRONLY)]
        finally:
            os.close(fd)
        return ends[0], ends[1]
