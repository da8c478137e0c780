"""From connections to figures, and from figures to a verdict."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..verdict import Inconclusive
from .count import Connection
from .disturbed import DISTURBERS
from .idle import Idle
from .watch import NotIdle

HERDS, WAKES_ONE, WAKES_NOBODY, INCONCLUSIVE = "herds", "wakes one", "wakes nobody", "inconclusive"
VERDICTS = (HERDS, WAKES_ONE, WAKES_NOBODY, INCONCLUSIVE)

MOST_ACCIDENTS = 0.5
"""If timers are expected to move more workers than this in the window of a connection, and no observer shows who woke
whom, context switches alone decide nothing."""

MOST_CONTRADICTORY = 0.25
"""The part of all connections about which observers may disagree.  Under load, perf was seen to lose the records of a
moment on one CPU without saying so, in 4 of 396 windows of 60 ms.  If that does not explain the number of
contradictions, an observer is wrong."""


@dataclass(frozen=True)
class PerConnection:
    """One figure over the judged connections, or over those of them during which no other client came."""

    min: int
    median: float
    max: int

    def as_dict(self) -> dict[str, float]:
        return {"min": self.min, "median": self.median, "max": self.max}

    @property
    def range(self) -> str:
        """`4`, or `1 to 4`."""
        return f"{self.min}" if self.min == self.max else f"{self.min} to {self.max}"

    def __str__(self) -> str:
        """`4`, or `1 to 4, median 2`."""
        return f"{self.min}" if self.min == self.max else f"{self.min} to {self.max}, median {self.median:g}"


@dataclass(frozen=True)
class AuditFigures:
    """What the connections showed; None for what was not observed."""

    connections: int
    """Those that are judged: all but the disturbed ones."""
    disturbed: int
    """Connections that are not judged, because a timer, another client or somebody else had just woken a worker, or
    because the observers disagree."""
    contradictory: int
    """Those of them about which the observers disagree."""
    shared: int
    """Judged connections during which another client came: nobody can tell who took which connection, so they count for
    `woken` and have no winner."""
    woken: PerConnection
    returned: PerConnection | None
    won: PerConnection | None
    in_vain: PerConnection | None
    """Workers that were woken and took nothing."""
    winners: dict[int, int]
    """How many connections each thread (or process) took."""
    others: PerConnection
    """Threads of the server that do not wait for the listener, and moved (Effect.others)."""
    handed_on: PerConnection | None
    timers: PerConnection | None
    accidents: float
    """How many workers timers or other clients are expected to move in the window of one connection, according to the
    rate measured before."""
    window_ms: float
    """Median time from connect until the server was at rest again."""
    deferred: bool
    """Whether the kernel held connections back until data arrived."""


def figures_of(tried: Sequence[Connection], wanted: int, idle: Idle) -> AuditFigures:
    """The figures of these connections.  Raises NotIdle if fewer than `wanted` were undisturbed, and Inconclusive
    if the observers disagree about too many.

    Whether a connection is disturbed depends on other clients and on the machine's load, not on whom it wakes.  So
    leaving out the disturbed ones does not bias the figures.
    """
    connections = [connection for connection in tried if not connection.disturbed]
    contradictions = [connection.contradiction for connection in tried if connection.contradiction is not None]
    if len(contradictions) > max(1, MOST_CONTRADICTORY * len(tried)):
        raise Inconclusive(f"{contradictions[0]} (in {len(contradictions)} of {len(tried)} connections)")
    if len(connections) < wanted:
        raise NotIdle(_too_few(tried, len(tried) - len(connections) - len(contradictions), len(contradictions)))
    steps = [connection.herd for connection in connections]
    # If another client came, nobody can tell who took which connection.
    unshared = [connection for connection in connections if not connection.shared]
    alone = [connection.herd for connection in unshared]
    won = [_won(connection) for connection in unshared]
    window_s = statistics.median(step.window_s for step in steps)
    rate = max(idle.rate(connection.candidates) for connection in connections)
    known_winners = [who for who in won if who is not None]
    return AuditFigures(
        len(connections),
        len(tried) - len(connections),
        len(contradictions),
        len(connections) - len(unshared),
        _spread(len(step.woken) for step in steps),
        _known(None if step.returned is None else len(step.returned) for step in alone),
        _known(None if who is None else len(who) for who in won),
        _known(
            None if who is None else max(0, len(step.woken) - len(who)) for step, who in zip(alone, won, strict=True)
        ),
        dict(Counter(who for winners in known_winners for who in winners).most_common()),
        _spread(len(step.others) for step in steps),
        _known(None if step.handed_on is None else len(step.handed_on) for step in steps),
        _known(None if step.timers is None else len(step.timers) for step in steps),
        rate * window_s,
        window_s * 1000,
        any(connection.deferred for connection in connections),
    )


def _too_few(tried: Sequence[Connection], disturbed: int, contradictory: int) -> str:
    """Why too few of these connections can be judged, in words."""
    if not disturbed:
        return f"in {contradictory} of {len(tried)} connections the observers disagreed: too few are left to judge"
    disagreed = f"; in {contradictory} the observers disagreed" if contradictory else ""
    return (
        f"{_disturbers(tried)} had just woken a worker in {disturbed} of {len(tried)} connections: they were too "
        f"seldom all asleep{disagreed}"
    )


def _disturbers(tried: Iterable[Connection]) -> str:
    """What disturbed them, in words, the most frequent cause first: `another client, or a timer,`."""
    times = Counter(connection.herd.disturbed_by for connection in tried if connection.contradiction is None)
    names = [DISTURBERS[source] for source, _ in times.most_common() if source is not None]
    return names[0] if len(names) == 1 else f"{', or '.join(names)}," if names else "nobody"


def _won(connection: Connection) -> set[int] | None:
    """Who took the connection, in either step; None: not observed."""
    seen = [step.winners for step in (connection.by_connect, connection.by_data) if step is not None]
    if all(winners is None for winners in seen):
        return None
    return set().union(*(winners for winners in seen if winners))


def _spread(values: Iterable[int]) -> PerConnection:
    numbers = list(values)
    return PerConnection(min(numbers), statistics.median(numbers), max(numbers))


def _known(values: Iterable[int | None]) -> PerConnection | None:
    """The spread, if every connection has a value."""
    numbers = list(values)
    return None if None in numbers or not numbers else _spread(value for value in numbers if value is not None)


@dataclass(frozen=True)
class Judgement:
    """The verdict, and how it is explained."""

    verdict: str
    sentence: str
    sure: str
    """How sure the verdict is, and why."""

    def as_dict(self) -> dict[str, Any]:
        return {"verdict": self.verdict, "sentence": self.sentence, "sure": self.sure}


def judge(figures: AuditFigures, workers: int, sees_wakers: bool, event: str = "connection") -> Judgement:
    """The verdict on these figures; `workers` wait for the listener.  `event`: a connection, or a datagram."""
    sure = _sure(figures, sees_wakers)
    if not sees_wakers and figures.accidents > MOST_ACCIDENTS:
        reason = (
            f"inconclusive: timers or other clients move {figures.accidents:.1f} workers in the "
            f"{figures.window_ms:.0f} ms of a {event}, and without sched_waking nobody can tell them from the herd; "
            "run it as root"
        )
        return Judgement(INCONCLUSIVE, reason, sure)
    woken = round(figures.woken.median)
    if woken == 0:
        if figures.deferred:
            reason = "wakes nobody: the listener waits for data (TCP_DEFER_ACCEPT); add --http or --send"
            return Judgement(WAKES_NOBODY, reason, sure)
        reason = f"inconclusive: a {event} stays in the queue, and no thread that was seen waits for it"
        return Judgement(INCONCLUSIVE, reason, sure)
    if woken == 1:
        of = f"1 of {workers} workers wakes" if workers > 1 else "the only worker wakes"
        sometimes = f" (at most {figures.woken.max})" if figures.woken.max > 1 else ""
        return Judgement(WAKES_ONE, f"wakes one: {of} for each {event}{sometimes}", sure)
    low, high = figures.woken.min, figures.woken.max
    # If nobody saw who took it, assume that one worker did.
    in_vain = figures.in_vain or PerConnection(max(0, low - 1), 0, max(0, high - 1))
    find = f"{in_vain.range} find{'s' if in_vain.max == 1 else ''} nothing"
    how = f"{figures.woken.range} of {workers} workers wake for {'each' if low == high else 'a'} {event}"
    # Only if the median is a whole number: otherwise the sentence would contradict the rounded figures.
    rule = f", {figures.woken.median:g} as a rule" if low != high and figures.woken.median == woken else ""
    return Judgement(HERDS, f"herds: {how}{rule}; {find}", sure)


def _sure(figures: AuditFigures, sees_wakers: bool) -> str:
    if sees_wakers:
        return (
            "sure: the scheduler's trace shows for each wake-up who issued it, so timers and the server's own "
            "traffic are not counted, and the context switches agree"
        )
    if figures.accidents == 0:
        return "nearly sure: context switches, and no worker moved while nobody connected; who woke whom was not seen"
    return (
        f"nearly sure: context switches; timers or other clients are expected to move {figures.accidents:.3f} workers "
        f"in the {figures.window_ms:.1f} ms of a connection; who woke whom was not seen"
    )


def over_limit(figures: AuditFigures, limit: int, sees_wakers: bool) -> bool:
    """Whether more workers wake than `limit`: for any connection, or, if a timer may look like a wake-up, in the
    median."""
    exact = sees_wakers or figures.accidents == 0
    return (figures.woken.max if exact else figures.woken.median) > limit
