"""What moves while nobody connects: nothing, or periodic timers, whose rate is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..verdict import Inconclusive
from .watch import ServerThreads

PERIOD_S = 2.5
"""How long the timers are measured: gunicorn's gthread workers wake once a second."""
MOST_PER_S = 30.0
"""A worker that moves more often than this, while nobody connects, is busy: timers of servers tick up to ten times."""
PATIENCE_S = 20.0
"""How long it may take until no thread comes or goes during a whole period."""
_TURN_MS = 50


@dataclass(frozen=True)
class Idle:
    """How often each thread moves while nobody connects, in moves per second."""

    rates: dict[int, float]
    period_s: float

    @property
    def ticking(self) -> frozenset[int]:
        """Threads that moved."""
        return frozenset(tid for tid, rate in self.rates.items() if rate > 0)

    def rate(self, tids: Collection[int]) -> float:
        """Moves per second of all these threads together."""
        return sum(self.rates.get(tid, 0.0) for tid in tids)


def measure(watch: ServerThreads, candidates: Callable[[], Collection[int]], tell: Callable[[str], None]) -> Idle:
    """Watch the server for a while.

    Raises Inconclusive where it is busy, or its threads keep coming and going, and Ended where it ends.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        tell(f"watching it idle for {PERIOD_S:g} s")
        found = _one_period(watch)
        if found is not None:
            break
        if time.monotonic() > deadline:
            raise Inconclusive(f"the server never idles: its threads kept coming and going for {PATIENCE_S:.0f} s")
    waiting = candidates()
    fastest = max(waiting, key=lambda tid: found.rates.get(tid, 0.0), default=None)
    if fastest is not None and found.rates.get(fastest, 0.0) > MOST_PER_S:
        raise Inconclusive(
            f"the server is busy: while nobody connected from here, thread {fastest} moved "
            f"{found.rates[fastest]:.0f} times a second; audit it when it idles"
        )
    return found


def _one_period(watch: ServerThreads) -> Idle | None:
    """Rates over one period; None where threads came or went."""
    watch.rescan()
    before = watch.looks()
    began = time.monotonic()
    while (left_s := began + PERIOD_S - time.monotonic()) > 0:
        # Waits for the end of a process, or of the period.
        watch.complain_about_end(min(_TURN_MS, left_s * 1000))
        if watch.rescan():
            return None
    after = watch.looks()
    took_s = time.monotonic() - began
    return Idle(
        {tid: (look.switches - before[tid].switches) / took_s for tid, look in after.items() if tid in before}, took_s
    )
