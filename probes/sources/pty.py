"""A pseudoterminal: the waiters read the terminal, the conductor writes to its other end (pty(7))."""

from __future__ import annotations

import os
import termios
import tty

from ..refusals import unavailable
from ..scenario import Scenario
from . import Source
from .unread import unread


class Pty(Source):
    """One terminal for all, or one of its own for each; raw, so that each byte is there to read at once.

    What is written to the other end is handed over by a kernel thread, which wakes the readers while it holds
    termios_rwsem (drivers/tty/n_tty.c, n_tty_receive_buf_common).  FIONREAD takes that lock for itself (n_tty_ioctl,
    TIOCINQ), so a look at the queue that shows a byte comes after the wake-ups for it.
    """

    asynchronous = True
    delivery = (
        "the input queue (FIONREAD) and the readers account for every byte; FIONREAD takes the lock under which the "
        "kernel thread wakes"
    )

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if no pseudoterminal can be had."""
        own = scenario.sharing == "nothing"
        self._terminals: list[tuple[int, int]] = []
        try:
            for _ in range(scenario.n if own else 1):
                self._terminals.append(os.openpty())
                terminal = self._terminals[-1][1]
                tty.setraw(terminal, termios.TCSANOW)  # there is nothing to flush, and gVisor of 2022 cannot
                os.set_blocking(terminal, scenario.takes)
        except (OSError, termios.error) as error:  # the latter, of tcsetattr, is none of the former
            self.close()
            raise unavailable("a raw pseudoterminal", OSError(*error.args)) from error
        self._ends = self._terminals if own else self._terminals * scenario.n
        self.fds = [terminal for _, terminal in self._ends]

    def write(self, i: int) -> None:
        """One byte: as much as a reader asks for."""
        os.write(self._ends[i][0], b"x")

    def queued(self) -> int:
        """Bytes that wait to be read."""
        return sum(unread(terminal) for _, terminal in self._terminals)

    def settle(self) -> None:
        """A reader may have taken the byte before it was seen in the queue, and while others were still being woken."""
        self.queued()

    def close(self) -> None:
        for ends in self._terminals:
            for fd in ends:
                os.close(fd)
