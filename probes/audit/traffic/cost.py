"""How long a record takes in the thread that is observed, measured on a thread of our own before the watch begins."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

from ...axes import ACCEPTS
from ...observers.perf_rings import Tracepoint
from .trace import TraceStream

_CALLS, _ROUNDS = 300, 7


@dataclass(frozen=True)
class RecordCost:
    """Times in ns."""

    record_ns: float
    """How long one record takes."""
    call_ns: float
    """How much longer every other system call takes meanwhile, in any process of this machine: while any tracepoint for
    system calls is open, all calls go a longer way through the kernel (syscall_trace_enter, kernel/entry)."""


def measure(tracepoints: dict[str, Tracepoint]) -> RecordCost:
    """Time a system call of our own without the tracepoints, with those of another call, and when it is recorded.

    The fastest of several rounds counts, because nothing interrupted that.  Raises OSError if perf events are denied.
    """
    calls = {kind: tracepoint for kind, tracepoint in tracepoints.items() if kind not in ("arrival", "switch")}
    plain = _quickest()
    recorded = TraceStream(calls, [threading.get_native_id()], (), ["poll"])
    try:
        mine = _quickest()
    finally:
        recorded.close()
    others = TraceStream(calls, [1], (), ACCEPTS)
    try:
        unrecorded = _quickest()
    finally:
        others.close()
    # Each call leaves two records: its entry and its exit.
    return RecordCost(max(0.0, mine - plain) / 2, max(0.0, unrecorded - plain))


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
