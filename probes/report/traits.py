"""What a strategy is like beyond its figures: its order, what a crash costs it, and whether it needs a lock.

Nothing is canned: each word follows from what this run noted.  What the run did not look at is said to
be not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..facts import CLOSED, HAS_IT, STILL_WAITS
from . import noted, orders
from .figures import conclusive
from .strategies import N, StrategyRow, cases, is_plain, place

Run = Mapping[str, Any]

NOT_JUDGED = "not judged"
LACKING = "n/a"


@dataclass(frozen=True)
class Traits:
    """The three further columns of the strategies' table."""

    order: str
    crash: str
    lock: str


MEANINGS = {
    "order": "who returns for connections that arrive one by one, if each worker waits again after it returned",
    "survives a crash?": "whether a connection is still served if the worker that returned for it is killed before it "
    "accepts",
    "needs a lock?": "whether a connection that workers accept at once wakes more than one of them",
}
"""The headings, and what they mean."""


@dataclass(frozen=True)
class LockRow:
    """One lock around accept."""

    lock: str
    waiting: str
    """How many wait in accept, and how many for the lock."""
    woken: str
    """How many lock waiters one unlock wakes."""
    order: str
    again: str
    """Who has the lock if the process that unlocks it asks again at once."""
    crash: str


def of(rows: Sequence[StrategyRow], run: Run) -> dict[str, Traits]:
    """The traits of each strategy of the table, by its name."""
    strips = {strip.strategy: strip for strip in orders.strips(run)[0]}
    series = _series(run)
    return {
        row.strategy: Traits(
            _order(row, strips.get(row.strategy), series.get(row.strategy, [])), _crash(run, row.strategy), _lock(row)
        )
        for row in rows
    }


def _order(row: StrategyRow, strip: orders.Strip | None, series: Sequence[tuple[int, ...]]) -> str:
    """Several at once; else from a series in which they wait again; else from waiters that return once each."""
    hold = row.figures.get("hold")
    together = 0 if hold is None else hold["returned"].low or 0
    if together > 1:
        return "all at once" if together == N else "several at once"
    if series:
        return "irregular" if len(set(series)) > 1 else _in_series(series[0])
    if strip is not None:
        return "irregular" if strip.several_orders else _direction(strip.waiters)
    return LACKING if "hold" in row.absent else NOT_JUDGED


def _in_series(order: Sequence[int]) -> str:
    """Who returned for each connection, where each waits again at once; waiters are numbered as they blocked."""
    if len(order) > 1 and len(set(order)) == 1:
        return "always first" if order[0] == 0 else "always last" if order[0] == N - 1 else "always the same"
    if len(order) >= N and list(order) == [place % N for place in range(len(order))]:
        return "round robin"
    return "irregular"


def _direction(order: Sequence[int]) -> str:
    """Who returned first, second ..., where each returns once."""
    if list(order) == sorted(order):
        return "first come, first served"
    return "last come, first served" if list(order) == sorted(order, reverse=True) else "irregular"


def _series(run: Run) -> dict[str, list[tuple[int, ...]]]:
    """For each strategy whose waiters wait again: who returned for each connection, where it was one of eight."""
    series: dict[str, list[tuple[int, ...]]] = {}
    for case in cases(run):
        axes = case["scenario"]
        if is_plain(axes) and axes["n"] == N and (axes["reaction"], axes["stimulus"]) == ("loop", "one-by-one"):
            trials = [[step["order"] for step in trial["steps"]] for trial in conclusive(case["trials"])]
            if trials and all(len(order) == 1 for steps in trials for order in steps):
                series.setdefault(place(axes)[1], []).extend(tuple(order[0] for order in steps) for steps in trials)
    # Series of different lengths, of several claims, are compared as far as they all go.
    return {name: [order[: min(map(len, orders))] for order in orders] for name, orders in series.items()}


def _crash(run: Run, strategy: str) -> str:
    """What becomes of a connection when the worker that was woken for it is killed before it accepts."""
    group = strategy.removesuffix(".nothing")
    if group != strategy:
        return _what_closing_does(run, f"{group}.listener" if group.count(".") == 1 else group)
    return _what_dying_does(run, strategy)


def _what_dying_does(run: Run, strategy: str) -> str:
    left = noted.LEFT.by_parameter(run).get(strategy)
    took = noted.SURVIVOR_TOOK.by_parameter(run).get(strategy)
    if left:
        return f"no, {left} of 2 left in the queue"
    if left is None or took is None:
        return NOT_JUDGED
    if took == 1:
        return "yes, except the one it had taken"
    return "yes" if noted.SURVIVOR_RETURNED.by_parameter(run).get(strategy) else "only when the next one arrives"


def _what_closing_does(run: Run, strategy: str) -> str:
    """A worker that dies closes its own listener, with what is queued there."""
    connection = noted.CONNECTION.by_parameter(run).get(strategy)
    if connection is None:
        return NOT_JUDGED
    if connection == CLOSED:
        return f"no, the client reads {noted.CLIENT_READS.by_parameter(run).get(strategy, CLOSED)}"
    return "yes, it moves to another member"


def _lock(row: StrategyRow) -> str:
    """Whether more than one waiter is woken for a connection that one of them takes."""
    figures = row.figures.get("accept")
    if figures is None or not figures["woken"].known:
        return LACKING if "accept" in row.absent else NOT_JUDGED
    most = figures["woken"].high or 0
    return "no" if most <= 1 else f"yes, {figures['woken']} wake"


def locks(run: Run) -> list[LockRow]:
    """A row for each lock that was tried around accept, in the order of the run."""
    in_accept, at_lock = noted.IN_ACCEPT.by_parameter(run), noted.AT_LOCK.by_parameter(run)
    woken, takers = noted.WOKEN_BY_UNLOCK.by_parameter(run), noted.TAKERS.by_parameter(run)
    again, killed = noted.LAST_USER_AGAIN.by_parameter(run), noted.FIRST_IN_LINE.by_parameter(run)
    return [
        LockRow(
            lock,
            f"{in_accept[lock]} and {at_lock[lock]}" if lock in in_accept and lock in at_lock else NOT_JUDGED,
            str(max(woken[lock])) if woken.get(lock) else NOT_JUDGED,
            _turns(takers.get(lock, [])),
            _again(again.get(lock)),
            _fate(killed.get(lock)),
        )
        for lock in dict.fromkeys([*in_accept, *woken, *takers, *again, *killed])
    ]


def _turns(takers: Sequence[int]) -> str:
    if len(takers) < 2:
        return NOT_JUDGED
    return "first come, first served" if list(takers) == sorted(takers) else "not first come, first served"


def _again(last_user: bool | None) -> str:
    if last_user is None:
        return NOT_JUDGED
    return "the last user may get it back" if last_user else "the one that waited gets it"


def _fate(first_in_line: str | None) -> str:
    """What became of the one that waited the longest, when the holder was killed: it has the lock, or an errno."""
    if first_in_line is None:
        return NOT_JUDGED
    return {HAS_IT: "yes", STILL_WAITS: "no, the lock is stuck"}.get(first_in_line, f"yes, with {first_in_line}")
