"""What a record costs the thread that is observed: measured on a thread of our own, here and now."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

from ...observers.perf_rings import Tracepoint
from .trace import TraceStream

_CALLS, _ROUNDS = 300, 7


@dataclass(frozen=True)
class RecordCost:
    """Times in ns."""

    record_ns: float
    """Of one record."""
    call_ns: float
    """By which any other system call of this machine, of whichever process, takes longer meanwhile: the tracepoint for
    system calls is passed by all (syscall_trace_enter, kernel/entry)."""


def measure(tracepoints: dict[str, Tracepoint]) -> RecordCost:
    """Time calls of ours without the tracepoints, with them and filtered out, and with them and recorded.

    The quickest of several rounds each, which is the one that nobody interrupted.  OSError where it is denied.
    """
    calls = {name: tracepoints[name] for name in ("waking", "enter", "exit")}
    plain = _quickest()
    me = threading.get_native_id()
    recorded = TraceStream(calls, [me], ())
    try:
        mine = _quickest()
        recorded.pause()
    finally:
        recorded.close()
    others = TraceStream(calls, [1], ())
    try:
        filtered = _quickest()
    finally:
        others.close()
    # Each call leaves two records: its entry and its exit.
    return RecordCost(max(0.0, mine - plain) / 2, max(0.0, filtered - plain))


def _quickest() -> float:
    """Duration in ns of one poll(2) of nothing that does not wait, Python's part included."""
    import select

    poll = select.poll()
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter_ns()
        for _ in range(_CALLS):
            poll.poll(0)
        best = min(best, (time.perf_counter_ns() - began) / _CALLS)
    return best


def own_cpu_s() -> float:
    """CPU time of this process so far."""
    used = os.times()
    return used.user + used.system
