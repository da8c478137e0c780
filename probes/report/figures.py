"""Numbers over the untraced trials of a case: from the lowest to the highest that was seen, or unknown.

A tracer slows its waiters, and so shifts every race among them: traced trials confirm, and are shown as evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = ("woken", "returned", "won", "spurious")
"""The four numbers, in the order in which they are shown everywhere."""

MEANINGS = {
    "woken": "waiters that the scheduler made runnable",
    "returned": "waiters whose wait call came back to user space",
    "won": "waiters that got the connection",
    "spurious": "waiters that returned and found nothing",
}

UNKNOWN = "?"
"""Shown if nobody could see; never 0."""


@dataclass(frozen=True)
class Spread:
    """The lowest and the highest of what was seen; None, both, where nothing was."""

    low: int | None
    high: int | None

    @classmethod
    def of(cls, values: Iterable[int | None]) -> Spread:
        seen = [value for value in values if value is not None]
        return cls(min(seen), max(seen)) if seen else cls(None, None)

    @property
    def known(self) -> bool:
        return self.low is not None

    def __str__(self) -> str:
        if self.low is None:
            return UNKNOWN
        return str(self.low) if self.low == self.high else f"{self.low}\N{EN DASH}{self.high}"


@dataclass(frozen=True)
class Figures:
    """The four numbers over `trials` untraced trials, and how many more of them proved nothing."""

    spreads: Mapping[str, Spread]
    trials: int
    inconclusive: int

    def __getitem__(self, column: str) -> Spread:
        return self.spreads[column]

    def __str__(self) -> str:
        return "  ".join(f"{column} {self[column]}" for column in COLUMNS)


def over(trials: Sequence[Mapping[str, Any]]) -> Figures:
    """The four numbers over the untraced ones of these trials.  Those that proved nothing are counted, not read."""
    usable = conclusive(trials)
    spreads = {column: Spread.of(_count(trial, column) for trial in usable) for column in COLUMNS}
    return Figures(spreads, len(usable), sum(not trial["traced"] for trial in trials) - len(usable))


def conclusive(trials: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The trials that any figure or order may be taken from: untraced, and not inconclusive."""
    return [trial for trial in trials if not trial["traced"] and trial["inconclusive"] is None]


def _count(trial: Mapping[str, Any], column: str) -> int | None:
    count: int | None = trial[column]
    return count
