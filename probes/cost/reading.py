"""The record of one reading: one way, one scene, one round.  Counts and nanoseconds, nothing derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SLEPT, WOKEN, RETURNED, WON = "slept", "woken", "returned", "won"
"""What became of a worker when one connection came: the states of a dot."""


@dataclass(frozen=True)
class WorkerCounts:
    """What was counted of each worker, at one instant at which all of them slept."""

    voluntary: list[int]
    involuntary: list[int]
    cpu_ns: list[int] | None
    returned: list[int]
    won: list[int]
    empty: list[int]
    failed: list[int]
    long: list[int]
    work_ns: list[int]


@dataclass(frozen=True)
class Reading:
    """One herd under one load."""

    way: str
    load: str
    work: str
    workers: int
    round: int
    connections: int
    outstanding: int
    long_connections: int
    before: WorkerCounts
    after: WorkerCounts
    user_ns: list[int]
    system_ns: list[int]
    """CPU time of each worker in user and in kernel mode, as getrusage(2) splits it."""
    latencies_ns: list[int]
    long: list[bool]
    answers: dict[int, int]
    """Connections by the worker that answered them, as the clients saw it."""
    unanswered: int
    answered_again: int
    elapsed_ns: int
    client_cpu_ns: int
    each_woken: list[int]
    """At rest: how many workers each connection woke."""
    dots: list[str]
    """At rest: what became of each worker at one connection that is like most."""

    def as_json(self) -> dict[str, Any]:
        """For the pipe; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Reading:
        """The reading that `as_json` wrote: JSON's keys are strings."""
        answers = {int(worker): count for worker, count in record["answers"].items()}
        counters = {side: WorkerCounts(**record[side]) for side in ("before", "after")}
        return cls(**{**record, **counters, "answers": answers})

    @property
    def place(self) -> str:
        """Which reading this is, in words."""
        number = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        return f"{self.way}, {number}, {self.load}, work {self.work}, round {self.round + 1}"

    def gained(self, what: str) -> list[int] | None:
        """How much a counter of each worker grew; None if it was not counted."""
        before, after = getattr(self.before, what), getattr(self.after, what)
        return None if before is None or after is None else [b - a for a, b in zip(before, after, strict=True)]
