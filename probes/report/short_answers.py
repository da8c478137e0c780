"""The ten answers in one line each, where the first sentence of the long answer says too much for a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import herds, strategies, traits
from .figures import Figures
from .strategies import N

Run = Mapping[str, Any]


def _figures(run: Run, reaction: str = "accept") -> dict[str, Figures]:
    rows = {row.strategy: row.figures[reaction] for row in strategies.rows(run)}
    return {name: figures for name, figures in rows.items() if figures is not None and figures["woken"].known}


def _prefork(run: Run) -> str | None:
    """`Of 8 workers, 1 wakes in accept, 8 in poll, 8 in epoll with an instance each, 1 with EPOLLEXCLUSIVE.`"""
    figures = _figures(run)
    wanted = {
        "in accept": "accept",
        "in poll": "poll",
        "in epoll with an instance each": "epoll_wait.level.listener",
        "with EPOLLEXCLUSIVE": "epoll_wait.exclusive.listener",
    }
    parts = [(str(figures[name]["woken"]), words) for words, name in wanted.items() if name in figures]
    if not parts:
        return None
    (number, words), *others = parts
    first = f"{number} {'wakes' if number == '1' else 'wake'} {words}"
    return f"Of {N} workers, {', '.join([first, *map(' '.join, others)])}."


def _next(run: Run) -> str | None:
    """`Accept: round robin; EPOLLEXCLUSIVE: always first.`"""
    known = traits.of(strategies.rows(run), run)
    wanted = {
        "accept": "accept",
        "epoll_wait.exclusive.listener": "EPOLLEXCLUSIVE",
        "epoll_wait.edge.epoll": "one edge-triggered instance",
    }
    parts = [
        f"{words}: {known[name].order}"
        for name, words in wanted.items()
        if name in known and known[name].order not in (traits.NOT_JUDGED, traits.LACKING)
    ]
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if parts else None


def _ring(run: Run) -> str | None:
    """`With a ring each, accept wakes 1 of 8, multishot accept 1, poll 8.`"""
    figures = _figures(run)
    wanted = {"accept": "io_uring_accept", "multishot accept": "io_uring_multishot", "poll": "io_uring_poll"}
    parts = [f"{words} wakes {figures[name]['woken']}" for words, name in wanted.items() if name in figures]
    return f"Of {N} rings, {', '.join(parts)}." if parts else None


def _per_connection(run: Run) -> str | None:
    """`One under 5 of the 8 strategies that people use, 2 to 8 under the others.`"""
    most = [herd.most for herd in herds.herds(run) if herd.most is not None]
    others = [number for number in most if number != 1]
    if not most:
        return None
    many = f", up to {max(others)} of {N} under the other{'s' if len(others) > 1 else ''}" if others else ""
    return f"One under {most.count(1)} of the {len(most)} strategies that people use{many}."


SHORT: dict[str, Callable[[Run], str | None]] = {
    "Q1": _prefork,
    "Q3": _next,
    "Q8": _ring,
    "Q10": _per_connection,
}
"""By the row of the question; None if the run has no such answer."""
