"""What moves the server's threads before the audit connects: nothing, timers (their rate is measured), or clients."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ..observers.observer import Lost
from .eyes import Eyes
from .wakers import source_of
from .watch import NotIdle, ServerThreads

PERIOD_S = 2.5
"""How long the timers are measured: gunicorn's gthread workers wake once a second."""
MOST_PER_S = 30.0
"""A worker that moves more often than this is busy, if no observer sees who woke whom: the timers of servers tick at
most ten times a second."""
MOST_TRACED_PER_S = 300.0
"""The same, if an observer sees who woke whom: beyond this, the worker would hardly ever be asleep."""
PATIENCE_S = 20.0
"""How long to try for a whole period in which no thread starts or ends."""
_TURN_S, _LOOK_S = 0.05, 0.5


@dataclass(frozen=True)
class Idle:
    """How often each thread moves before the audit connects, in moves per second."""

    rates: dict[int, float]
    period_s: float
    sources: dict[str, int] | None = field(default_factory=dict)
    """Wake-ups of the waiting threads, by source: timers, clients, the server, others; None: not seen."""

    @property
    def ticking(self) -> frozenset[int]:
        """Threads that moved."""
        return frozenset(tid for tid, rate in self.rates.items() if rate > 0)

    def rate(self, tids: Collection[int]) -> float:
        """Moves per second of all these threads together."""
        return sum(self.rates.get(tid, 0.0) for tid in tids)

    def as_dict(self) -> dict[str, object]:
        return {"period_s": round(self.period_s, 2), "sources": self.sources}


def measure(
    watch: ServerThreads, candidates: Callable[[], Collection[int]], eyes: Eyes, tell: Callable[[str], None]
) -> Idle:
    """Watch the server for PERIOD_S.  `candidates` returns the threads that a connection may wake now.

    Raises NotIdle if the server is busy, or if its threads keep coming and going, and Ended if it ends.
    """
    deadline = time.monotonic() + PATIENCE_S
    waiting: set[int] = set()
    while True:
        tell(f"watching it for {PERIOD_S:g} s")
        idle = _one_period(watch, lambda: waiting.update(candidates()), eyes)
        if idle is not None:
            break
        if time.monotonic() > deadline:
            raise NotIdle(f"the server never idles: its threads kept coming and going for {PATIENCE_S:.0f} s")
    fastest = max(waiting, key=lambda tid: idle.rates.get(tid, 0.0), default=None)
    rate = 0.0 if fastest is None else idle.rates.get(fastest, 0.0)
    if rate > (MOST_PER_S if eyes.wakers is None else MOST_TRACED_PER_S):
        tells = "" if eyes.wakers else " (as root, the scheduler's trace tells the audit's wake-ups from others)"
        raise NotIdle(
            f"the server is busy: before the audit connected, thread {fastest} moved {rate:.0f} times a second, by "
            f"timers or for other clients; audit it when it has less to do{tells}"
        )
    return Idle(idle.rates, idle.period_s, _sources(watch, waiting, eyes))


def _one_period(watch: ServerThreads, look: Callable[[], None], eyes: Eyes) -> Idle | None:
    """Rates over one period, during which `look` is called now and then; None if a thread started or ended."""
    watch.rescan()
    eyes.forget(set(watch.threads))
    before = watch.look_anew()
    began = time.monotonic()
    next_look = began
    while (left_s := began + PERIOD_S - time.monotonic()) > 0:
        if time.monotonic() >= next_look:
            watch.looks()  # otherwise `look` may get how a thread waited earlier (ServerThreads.waits)
            look()
            next_look += _LOOK_S
        # Returns early if a process ends.
        watch.complain_about_end(min(_TURN_S, left_s) * 1000)
        # Otherwise a ring may fill up before the period is over.
        eyes.take_in()
        if watch.rescan():
            return None
    after = watch.look_anew()
    took_s = time.monotonic() - began
    if watch.rescan():
        return None
    return Idle(
        {tid: (look.switches - before[tid].switches) / took_s for tid, look in after.items() if tid in before}, took_s
    )


def _sources(watch: ServerThreads, waiting: Collection[int], eyes: Eyes) -> dict[str, int] | None:
    """How many wake-ups of these threads, since the period began, came from each source; None: not seen."""
    if eyes.wakers is None:
        return None
    try:
        wakings = eyes.wakers.seen()
    except Lost:
        return None  # there were more than a ring holds
    server = set(watch.threads)
    words = {"timer": "timers", "client": "clients", "worker": "the server", "other": "others"}
    # The audit has not connected yet, so there is no caller.
    return dict(Counter(words[source_of(waking, -1, (), server)] for waking in wakings if waking.wakee in waiting))
