"""Readings for tests: a good one, and what spoils it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probes.cost.reading import SLEPT, WOKEN, WON, Counters, Reading

_NONE = [0, 0, 0, 0]


def counters(**columns: Any) -> Counters:
    """Of four workers that have done nothing, but for these columns."""
    nothing = {
        name: list(_NONE) for name in ("voluntary", "involuntary", "cpu_ns", "returned", "won", "empty", "failed")
    }
    return Counters(**{**nothing, **columns})


def reading(**changes: Any) -> Reading:
    """Four workers in poll at rest: ten connections, each woke all four, and one of them took it."""
    good = Reading(
        way="poll",
        load="rest",
        work="0",
        workers=4,
        round=0,
        connections=10,
        outstanding=1,
        long_connections=0,
        work_ns=0,
        before=counters(voluntary=[5, 5, 5, 5]),
        after=counters(
            voluntary=[15, 15, 15, 15],
            involuntary=[0, 1, 0, 0],
            cpu_ns=[100_000, 100_000, 100_000, 100_000],
            returned=[4, 3, 2, 3],
            won=[4, 3, 2, 1],
            empty=[0, 0, 0, 2],
        ),
        user_ns=[50_000] * 4,
        system_ns=[60_000] * 4,
        latencies_ns=[1000 * us for us in range(1, 11)],
        long=[],
        answers={0: 4, 1: 3, 2: 2, 3: 1},
        unanswered=0,
        answered_again=0,
        elapsed_ns=100_000,
        client_cpu_ns=30_000,
        each_woken=[4] * 10,
        dots=[WON, WOKEN, WOKEN, SLEPT],
    )
    return replace(good, **changes)


def under_load(**changes: Any) -> Reading:
    """The same in a closed loop of two."""
    return reading(**{"load": "light", "outstanding": 2, "each_woken": [], "dots": [], **changes})
