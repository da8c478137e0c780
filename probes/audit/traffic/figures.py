"""From the account to figures."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..judge import PerConnection
from .account import Totals, WokenBy


@dataclass(frozen=True)
class TrafficFigures:
    """What the clients' connections did to the workers."""

    totals: Totals
    workers: int
    per_connection: dict[str, PerConnection | None]
    """asleep, woken, returned, won, in_vain: over the judged connections."""
    judged: int
    """Connections that came while it was known for every worker whether it slept, and at least two did, or the only
    one."""
    shares: dict[int, float]
    """The part of the accepted connections that each worker took, the busiest worker first."""
    jain: float | None
    """Jain's index of these shares: 1 if all are equal, 1/N if one worker took all (Jain, Chiu and Hawe, 1984)."""

    @property
    def accepted(self) -> int:
        return sum(self.totals.accepted.values())

    @property
    def accepted_observed(self) -> int:
        """Those that were accepted while everything was recorded."""
        return self.accepted - self.totals.accepted_unobserved

    def each(self, number: float) -> float | None:
        """This number divided by that of the connections accepted while it was counted; None if there were none."""
        return number / self.accepted_observed if self.accepted_observed else None


def figures_of(totals: Totals, connections: Sequence[WokenBy], workers: Iterable[int]) -> TrafficFigures:
    """The figures; `workers` are the threads that wait for the listener."""
    known = set(workers) | set(totals.accepted)
    fewest = min(2, len(known))
    judged = [connection for connection in connections if connection.asleep is not None and connection.asleep >= fewest]
    names = ("asleep", "woken", "returned", "won", "in_vain")
    spreads = {name: _spread([getattr(connection, name) for connection in judged]) for name in names}
    accepted = sum(totals.accepted.values())
    shares = {tid: totals.accepted[tid] / accepted for tid in known} if accepted else {}
    ranked = dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
    return TrafficFigures(totals, len(known), spreads, len(judged), ranked, jain(list(ranked.values())))


def jain(shares: Sequence[float]) -> float | None:
    """Jain's index of fairness; None if there are no shares."""
    squares = sum(share * share for share in shares)
    return None if not squares else sum(shares) ** 2 / (len(shares) * squares)


def _spread(values: Sequence[int]) -> PerConnection | None:
    return PerConnection(min(values), statistics.median(values), max(values)) if values else None


def as_dict(figures: TrafficFigures, names: Mapping[int, int]) -> dict[str, Any]:
    """For JSON; `names` maps each thread to its process."""
    totals = figures.totals

    def by(counted: Counter[int]) -> dict[str, int]:
        return {str(tid): number for tid, number in counted.most_common()}

    return {
        "arrived": totals.arrived,
        "accepted": figures.accepted,
        "accepted_observed": figures.accepted_observed,
        "woken": totals.woken,
        "returned": totals.returned,
        "in_vain": totals.in_vain,
        "found_nothing": sum(totals.found_nothing.values()),
        "woken_otherwise": totals.otherwise,
        "woken_per_accepted": _rounded(figures.each(totals.woken)),
        "in_vain_per_accepted": _rounded(figures.each(totals.in_vain)),
        "cpu_ms": round(totals.ran_ns / 1e6, 3),
        "in_vain_cpu_ms": round(totals.in_vain_ns / 1e6, 3),
        "asleep": _dict(figures.per_connection["asleep"]),
        "judged": figures.judged,
        "accepted_by": by(totals.accepted),
        "in_vain_by": by(totals.in_vain_by),
        "shares": {str(tid): round(share, 4) for tid, share in figures.shares.items()},
        "processes": {str(tid): pid for tid, pid in names.items() if tid in figures.shares},
        "jain": _rounded(figures.jain),
    }


def _dict(spread: PerConnection | None) -> dict[str, float] | None:
    return None if spread is None else spread.as_dict()


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)
