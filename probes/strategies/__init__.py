"""How waiters wait, one file per way.

A new system call: a class here with the methods of `Strategy`, and a row in `CALLS` of `probes/axes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import syscalls
from ..axes import CALLS
from ..parts import find
from ..rings import RingLayout
from ..scenario import Scenario
from ..verdict import NotApplicable


class Waiting:
    """One waiter's way into the kernel, built in that waiter just before it blocks."""

    def wait(self) -> int:
        """Block in the wait call once; its result, or minus its errno."""
        raise NotImplementedError

    def rearm(self) -> None:
        """What must be done after a return before waiting again; most have nothing to do."""


OPENED: Any = object()
"""As an argument: what the first call before the wait opened."""


class Word(NamedTuple):
    """As an argument: the word at this address, at the time of the call."""

    address: int


class SystemCall(NamedTuple):
    """One system call: its number and at most six arguments."""

    number: int
    arguments: tuple[int | Word, ...]
    keep: int = 0
    """Where its result goes, as a word; 0: nowhere."""


class Queues(NamedTuple):
    """The queues of a ring of io_uring, if that is what a waiter opens and waits with."""

    hand_over: SystemCall
    """Hands over the one request; made whenever that is not armed."""
    request: bytes
    """That, as a struct io_uring_sqe."""
    layout: RingLayout


class SystemCalls(NamedTuple):
    """All that one waiter does to wait, for a waiter that runs no Python (probes/lab/plain.py)."""

    wait: SystemCall
    """The wait call, as `Waiting.wait` makes it."""
    before: tuple[SystemCall, ...] = ()
    """What it takes to get ready; the first that fails ends that."""
    again: SystemCall | None = None
    """As `Waiting.rearm`."""
    buffers: tuple[Any, ...] = ()
    """What arguments point to."""
    queues: Queues | None = None
    """Where the result of the wait lies, if the call itself does not return it."""


class Strategy:
    """Built in the conductor before the fork; holds what waiters share."""

    def waiting(self, i: int) -> Waiting:
        """The way into the kernel of waiter `i`; called in the waiter."""
        raise NotImplementedError

    def completed(self) -> Mapping[int, int]:
        """For each waiter, how many connections the kernel has accepted for it that it has not seen yet: completions in
        its ring.  Only io_uring has any."""
        return {}

    def system_calls(self, i: int) -> SystemCalls | None:
        """What waiter `i` does as a list of system calls; None if it does anything else.  Called in the conductor.

        It must do the same as `waiting`.
        """
        return None

    def close(self) -> None:
        """Close what was opened before the fork; most strategies open nothing."""


def prepare(scenario: Scenario, fds: list[int]) -> Strategy:
    """The strategy of `scenario` on descriptors `fds` (one per waiter).

    Raises NotApplicable if this kernel was asked for the call or the flag and has it not.
    """
    call = scenario.system_call
    if syscalls.number(call) is None:
        raise NotApplicable(f"this architecture has no {call} system call, and no other that does its work")
    if not syscalls.exists(call):
        raise NotApplicable(f"{call}: ENOSYS")
    strategy: Strategy = find(__name__, CALLS[scenario.call].part)(scenario, fds)
    return strategy


def number_of(call: str) -> int:
    """The number of the system call that serves `call` here; prepare() has made sure that there is one."""
    return syscalls.number_of(call)
