"""Readings for tests: a good one, and what spoils it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probes.cost import answer, plan, ways
from probes.cost.reading import SLEPT, WOKEN, WON, Reading, WorkerCounts

_NONE = [0, 0, 0, 0]


def counters(**columns: Any) -> WorkerCounts:
    """Four workers that have done nothing, except in these columns."""
    nothing = {
        name: list(_NONE)
        for name in ("voluntary", "involuntary", "cpu_ns", "returned", "won", "empty", "failed", "long", "work_ns")
    }
    return WorkerCounts(**{**nothing, **columns})


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


IDLE = {"foreign": 0.0, "stolen": 0.0, "load": 1.0}


def document(machine: dict[str, float | None] | None = None) -> dict[str, Any]:
    """Of `accept` and `poll` at rest with two and four workers, and in a closed loop; io_uring is not there."""
    planned = plan.make(
        tuple(map(ways.parse, ("accept", "poll", "io_uring_accept"))),
        loads=("rest", "light"),
        sizes=(2, 4),
        rounds=2,
    )
    readings = []
    for number, scene, way in planned.sittings():
        if way.id != "io_uring_accept":
            which = reading if scene.load == "rest" else under_load
            readings.append(_of(which(way=way.id, round=number), scene.workers))
    options = {"pin": "auto", "apart": False}
    absent = {"io_uring_accept": "io_uring_setup: EPERM"}
    return answer.document(planned, readings, absent, [machine or IDLE] * 2, {"isolation": "namespaces"}, options)


def _of(four: Reading, workers: int) -> Reading:
    """The same with fewer workers; `accept` wakes one of them."""
    woken = workers if four.way == "poll" else 1
    sides = {}
    for side in ("before", "after"):
        whole = getattr(four, side)
        columns = {name: getattr(whole, name)[:workers] for name in vars(whole)}
        sides[side] = replace(whole, **columns)
    sides["after"] = replace(sides["after"], voluntary=[5 + 10 * (i < woken) for i in range(workers)])
    dots = [WON, *[WOKEN] * (woken - 1), *[SLEPT] * (workers - woken)] if four.dots else []
    return replace(four, workers=workers, dots=dots, each_woken=[woken] * len(four.each_woken), **sides)
