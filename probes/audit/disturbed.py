"""Why a connection cannot be judged: not all workers slept when it came, or nobody can tell."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from .wakers import TracedWakeUp, source_of
from .watch import Looks

DISTURBERS = {
    "client": "another client",
    "packet": "a packet",
    "timer": "a timer",
    "server": "the server itself",
    "other": "somebody else",
}
"""Sources of wake-ups that may be the reason why a worker was awake when the connection came, in words."""


def wake_ups_of(
    candidates: Collection[int],
    wakings: Iterable[TracedWakeUp],
    caller: int,
    softirqs: Collection[int],
    server: Collection[int],
) -> list[tuple[int, str, int]]:
    """The wake-ups of the candidates, as `disturbed_by` takes them; `wakings` are in order of time."""
    ours = os.getpid()
    by_connection: set[int] = set()
    """Threads that the connection woke, or threads that it had woken."""
    issued = []
    for waking in wakings:
        source = source_of(waking, caller, softirqs, server)
        if source == "worker" and waking.in_interrupt:
            source = "packet"
        elif source == "worker" and waking.waker not in by_connection:
            source = "server"
        if source in ("connection", "worker"):
            by_connection.add(waking.wakee)
        # With --trace this process wakes them, too, from their ptrace stops; an interrupt of it does not.
        if waking.wakee in candidates and (waking.waker != ours or waking.in_interrupt):
            issued.append((waking.at_ns, source, waking.wakee))
    return issued


def disturbed_by(issued: Sequence[tuple[int, str, int]], woken: Collection[int], all_issued_ns: int) -> str | None:
    """What woke a candidate before the audit's own connection could have, one of DISTURBERS; None: nothing.

    `issued` holds the time of each wake-up, its source, and the thread that it woke.  The source is that of
    wakers.source_of, or `server` if the connection had not woken the worker that issued it, or `packet` if a softirq
    interrupted that worker: the packet may be the server's own, over loopback, or another client's.  A wake-up
    after the last one by the connection comes too late to change whom the connection woke.  The exception, until
    `all_issued_ns`, is a thread that is not among the `woken`: the connection may have been about to wake it, and a
    thread that is awake is not woken again (try_to_wake_up, kernel/sched/core.c).
    """
    last_ns = max((at_ns for at_ns, source, _ in issued if source == "connection"), default=None)
    for at_ns, source, wakee in sorted(issued):
        too_early = last_ns is None or at_ns < last_ns or (wakee not in woken and at_ns <= all_issued_ns)
        if source in DISTURBERS and too_early:
            return source
    return None


def unrecorded_wake_up(before: Looks, after: Looks, wakings: Iterable[int], tids: Iterable[int]) -> int | None:
    """One of these threads for which a record of a wake-up is missing, or None; `wakings` holds the woken thread of
    each record from `before` on.

    A thread that slept in both looks was woken as often as it has gone to sleep in between, at least: what wakes one
    that has yet to leave its CPU is recorded as well (try_to_wake_up, kernel/sched/core.c).  So such a record may hide
    that another is missing.
    """
    recorded = Counter(wakings)
    for tid in sorted(tids):
        if tid in before and tid in after and recorded[tid] < after[tid].sleeps - before[tid].sleeps:
            return tid
    return None
