"""Evidence: the immutable record of one trial.  `None` means not observed, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REST_IS_HIDDEN = "here a task looks asleep until it runs"
"""How the reason ends where a trial is inconclusive because the kernel does not show who was woken and has not run."""


@dataclass(frozen=True)
class Trial:
    """One arrangement, one stimulus (or one series of them), and what every observer saw.

    woken, returned, won and spurious count waiters: moved at all; came back from the wait call;
    took a connection; came back and found nothing.  `connections` counts connections taken.
    """

    traced: bool
    inconclusive: str | None
    woken: int | None
    returned: int | None
    won: int
    spurious: int | None
    connections: int
    order: tuple[int, ...]
    """Waiters in the order in which they returned, step after step."""
    agree: bool
    observers: Mapping[str, int | None]
    """How many waiters each observer saw moving or returning."""
    missing: Mapping[str, str]
    """Observers that were on and lost their count in this trial, with the reason."""
    steps: tuple[Mapping[str, Any], ...]
    """For each stimulus of a series: woken, returned, won, connections, spurious, order, queued."""
    answers: tuple[tuple[int, ...], ...]
    """For each connection, the waiters that answered on it; empty under hold, where nobody answers."""
    waiters: tuple[Mapping[str, Any], ...]
    wakings: tuple[Mapping[str, Any], ...]
    """Who woke whom, and when (us since the stimulus began); from sched_waking."""
    exits: tuple[tuple[int, int, int, int], ...] = ()
    """Traced exits since the stimulus: waiter, time in us, system call number, result."""
    proof: Mapping[str, str] = field(default_factory=dict)
    timing_us: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As run.json keeps it."""
        kept = dict(vars(self))
        kept["exits"] = [_decoded(*one) for one in self.exits]
        return kept


def trial_from(answer: Mapping[str, Any]) -> Trial:
    """The Trial in a conductor's answer."""
    frozen: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in answer.items()}
    frozen["answers"] = tuple(map(tuple, frozen["answers"]))
    frozen["exits"] = tuple(map(tuple, frozen["exits"]))
    return Trial(**frozen)


def _decoded(i: int, at_us: int, number: int, result: int) -> dict[str, Any]:
    """One exit in words: the call's name, and the errno's, as strace prints them."""
    return {"i": i, "at_us": at_us, "call": call_name(number), "result": result, "errno": errno_name(result)}


def errno_name(result: int) -> str | None:
    """`EAGAIN` for -11; None for a result that is no error."""
    import errno

    if not -4096 < result < 0:
        return None
    return errno.errorcode.get(-result, _RESTARTS.get(-result, str(-result)))


_RESTARTS = {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK"}
"""include/linux/errno.h: seen by a tracer only; user space gets EINTR, or the call goes on."""


def call_name(number: int) -> str:
    """The name of a system call: python-ptrace's table, and the lab's own for newer calls."""
    from ptrace.syscall import SYSCALL_NAMES

    from .syscalls import NUMBERS

    for name, ours in NUMBERS.items():
        if ours == number:
            return name
    return str(SYSCALL_NAMES.get(number, f"syscall_{number}"))
