"""How long a record takes in the thread that is observed, measured on a thread of our own before the watch begins."""

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
    """How long one record takes."""
    call_ns: float
    """How much longer every other system call takes meanwhile, in any process of this machine: all of them pass the
    tracepoints for system calls (syscall_trace_enter, kernel/entry)."""


def measure(tracepoints: dict[str, Tracepoint]) -> RecordCost:
    """Time system calls of our own without the tracepoints, with them but filtered out, and with them and recorded.

    The fastest of several rounds counts, because nothing interrupted that.  Raises OSError if perf events are denied.
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
    """Duration in ns of one poll(2) of no descriptors that does not wait, Python's part included."""
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
