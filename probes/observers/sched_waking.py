"""Observer `sched_waking`: the scheduler's own word on who woke whom, and when.

The tracepoint sched:sched_waking is emitted in the context of the waker, before the wake-up
(include/trace/events/sched.h), so it shows the silent ones too: those that wake, find nothing and
sleep again inside the kernel.

The events are narrowed to this conductor's waiters by their command name, which holds the
conductor's pid; the name also tells the waiters apart inside a pid namespace, where the numbers in
the event are those of the host.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from .perf_rings import RAW, Lost, PerfRings, describe, offset_of

__all__ = ["Lost", "SchedWaking", "Waking", "waiter_name"]


class Waking(NamedTuple):
    """One wake-up of one waiter."""

    at_ns: int
    waker: int
    """Thread id of the task in whose context it was issued; 0 for an idle CPU's softirq."""
    wakee: int
    """The waiter's place in the arrangement."""


def waiter_name(i: int, conductor: int) -> str:
    """Command name of waiter `i`: at most 15 bytes, with the conductor's pid after the dot."""
    return f"w{i}.{conductor}"


class SchedWaking(PerfRings):
    """Rings on every CPU, open from construction on.  Raises OSError where the kernel denies them."""

    def __init__(self, conductor: int, tracefs: str) -> None:
        self._name = re.compile(rb"w(\d+)\.%d\0" % conductor)
        tracepoint = describe("sched/sched_waking", tracefs)
        self._comm = offset_of("comm", tracepoint.format)
        super().__init__(tracepoint, f'comm ~ "w*.{conductor}"')

    def seen(self) -> list[Waking]:
        """Every wake-up of a waiter since the last call, in order of time.  Raises Lost on overflow."""
        found = []
        for body in self.samples():
            name = self._name.match(body, RAW + self._comm)
            if name:
                tid, at_ns = struct.unpack_from("=iQ", body, 4)
                found.append(Waking(at_ns, tid, int(name[1])))
        return sorted(found)
