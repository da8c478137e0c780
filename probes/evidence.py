"""Evidence: the immutable record of one trial, from the conductor's ledger to run.json.

`None` means not observed, never zero.  `Trial.as_json` gives what crosses the conductor's socket and what run.json
keeps (the schema is in report/run.schema.json); `Trial.from_json` reads either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, NamedTuple, TypeVar

REST_IS_HIDDEN = "here a task looks asleep until it runs"
"""How the reason ends where a trial is inconclusive because the kernel does not show who was woken and has not run."""


@dataclass(frozen=True)
class StepRecord:
    """What one stimulus of a series did.  Counts waiters, but for the connections."""

    woken: int | None
    returned: int | None
    won: int
    connections: int
    """Connections taken."""
    spurious: int | None
    order: tuple[int, ...]
    """Waiters in the order in which they returned."""
    queued: int | None
    """Connections left in the accept queue."""


@dataclass(frozen=True)
class WaiterRecord:
    """What became of one waiter."""

    i: int
    """Its place in the arrangement, from 0."""
    woken: bool | None
    returned: bool | None
    won: int
    """Connections it took."""
    result: int | None
    """What its wait call returned."""
    errno: int | None
    at_us: int | None
    """When it came back, since the stimulus began."""


class WakeUp(NamedTuple):
    """One wake-up of one waiter; from sched_waking."""

    at_us: int
    """Since the stimulus began."""
    waker: str
    """A waiter (`w3`), `conductor`, or the kernel's number."""
    wakee: int


class CallExit(NamedTuple):
    """One system call of one waiter that ended; from ptrace."""

    i: int
    at_us: int
    """Since the stimulus began."""
    call: str
    result: int
    errno: str | None
    """The error's name, as strace prints it."""


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
    steps: tuple[StepRecord, ...]
    """One for each stimulus of a series."""
    answers: tuple[tuple[int, ...], ...]
    """For each connection, the waiters that answered on it; empty under hold, where nobody answers."""
    waiters: tuple[WaiterRecord, ...]
    wakings: tuple[WakeUp, ...] = ()
    """Who woke whom; from sched_waking."""
    exits: tuple[CallExit, ...] = ()
    """Traced exits since the stimulus."""
    proof: Mapping[str, str] = field(default_factory=dict)
    timing_us: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As JSON can carry it."""
        parts: dict[str, Any] = {name: [dict(vars(part)) for part in getattr(self, name)] for name in _PARTS}
        events = {name: [event._asdict() for event in getattr(self, name)] for name in _EVENTS}
        return {**vars(self), **parts, **events}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Trial:
        """The trial that `as_json` gave.  Keys that it does not know are left out: a newer suite may have written them.

        Raises KeyError if one is missing: what run.json holds is checked against the schema first.
        """
        parts = {name: tuple(_record(kind, part) for part in kept[name]) for name, kind in _PARTS.items()}
        events = {name: tuple(_event(kind, event) for event in kept[name]) for name, kind in _EVENTS.items()}
        answers = tuple(map(tuple, kept["answers"]))
        return _record(cls, {**kept, **parts, **events, "answers": answers})


_PARTS: dict[str, type[Any]] = {"steps": StepRecord, "waiters": WaiterRecord}
"""What a trial is made of: the key, and the type of each."""
_EVENTS: dict[str, type[Any]] = {"wakings": WakeUp, "exits": CallExit}
"""The same for what there may be hundreds of, which are named tuples because those are made faster."""

_KINDS: tuple[type[Any], ...] = (Trial, *_PARTS.values())
_NAMES = {kind: tuple(part.name for part in fields(kind)) for kind in _KINDS}

_Record = TypeVar("_Record")


def _record(kind: type[_Record], kept: Mapping[str, Any]) -> _Record:
    values = {name: kept[name] for name in _NAMES[kind]}
    if "order" in values:
        values["order"] = tuple(values["order"])
    return kind(**values)


def _event(kind: Any, kept: Mapping[str, Any]) -> Any:
    return kind._make(map(kept.__getitem__, kind._fields))


def call_name(number: int) -> str:
    """The name of a system call of this machine."""
    return _call_names().get(number, f"syscall_{number}")


@cache
def _call_names() -> dict[int, str]:
    from .syscalls import NUMBERS  # not before it is needed: a report is made of names alone

    return {number: name for name, number in NUMBERS.items()}
