"""How waiters wait, one file per way.

A new system call, trigger or lock: one file (or one function) here, one row in `prepare`,
and its name in `probes/scenario.py`.
"""

from __future__ import annotations

from typing import Protocol

from .. import syscalls
from ..scenario import ACCEPTS, EPOLL_CALLS, IO_URING, READS, SIGNALS, Scenario
from ..verdict import NotApplicable


class Waiting(Protocol):
    """One waiter's way into the kernel, built in that waiter just before it blocks."""

    def wait(self) -> int:
        """Block in the wait call once; its result, or minus its errno."""

    def rearm(self) -> None:
        """What must be done after a return before waiting again (oneshot)."""


class Strategy(Protocol):
    """Built in the conductor before the fork; holds what waiters share."""

    def waiting(self, i: int) -> Waiting:
        """The way into the kernel of waiter `i`; called in the waiter."""

    def close(self) -> None:
        """Close what was opened before the fork."""


def prepare(scenario: Scenario, fds: list[int]) -> Strategy:
    """The strategy of `scenario` on descriptors `fds` (one per waiter).

    Raises NotApplicable where this kernel was asked for the call or the flag and has it not.
    """
    from . import accept, epoll, io_uring, poll, read, select, signal_driven

    ways: dict[str, type[Strategy]] = {
        **dict.fromkeys(ACCEPTS, accept.Accept),
        **dict.fromkeys(("select", "pselect6"), select.Select),
        **dict.fromkeys(("poll", "ppoll"), poll.Poll),
        **dict.fromkeys(EPOLL_CALLS, epoll.Epoll),
        **dict.fromkeys(IO_URING, io_uring.IoUring),
        **dict.fromkeys(READS, read.Read),
        **dict.fromkeys(SIGNALS, signal_driven.SignalDriven),
    }
    way = ways[scenario.call]
    call = scenario.system_call
    if syscalls.number(call) is None:
        raise NotApplicable(f"this architecture has no {call} system call")
    if not syscalls.exists(call):
        raise NotApplicable(f"{call}: ENOSYS")
    return way(scenario, fds)  # type: ignore[call-arg]  # a Protocol does not describe constructors


def number_of(call: str) -> int:
    """The system call number of `call` here; prepare() has made sure that there is one."""
    return syscalls.NUMBERS[call]
