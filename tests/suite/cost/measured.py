"""Figures from the answers of `wakecheck cost`, and ratios of two figures of the same round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from probes.cost.figures import RoundSpread


class Measured:
    """One or more answers of `wakecheck cost`, all from one machine."""

    def __init__(self, answers: Iterable[dict[str, Any]]) -> None:
        self._cells = {
            (cell["way"], cell["load"], cell["work"], cell["workers"]): cell
            for answer in answers
            for cell in answer["cells"]
        }

    def value(self, figure: str, way: str, load: str, workers: int, work: str = "0") -> RoundSpread:
        """A figure over the rounds.  Raises LookupError where it was not measured."""
        return _spread(each[figure] for each in self._cells[way, load, work, workers]["rounds"])

    def ratio(self, figure: str, way: str, other: str, load: str, workers: int, work: str = "0") -> RoundSpread:
        """A figure of `way` divided by that of `other` in the same round.  Raises LookupError."""
        ours, theirs = (self._cells[name, load, work, workers]["rounds"] for name in (way, other))
        pairs = zip(ours, theirs, strict=True)
        return _spread(each[figure] / base[figure] for each, base in pairs if base[figure])

    def most_to_least(self, way: str, load: str, workers: int, work: str = "0") -> RoundSpread:
        """How many times as many connections the busiest worker took as the idlest.  Raises LookupError if the idlest
        took none in every round."""
        return _spread(_most_to_least(shares) for shares in self._cells[way, load, work, workers]["shares"])


def _most_to_least(shares: Sequence[float]) -> float | None:
    return max(shares) / min(shares) if min(shares) else None


def _spread(values: Iterable[float | None]) -> RoundSpread:
    spread = RoundSpread.of(values)
    if spread is None:
        raise LookupError("not observed")
    return spread
