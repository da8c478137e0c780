"""Who woke whom: the tracepoint sched:sched_waking, filtered by thread id.

Each event carries the task in whose context it was issued, and whether that context was an interrupt
(trace_flag_type, include/linux/trace_events.h).  This shows the source of a wake-up:

    connection  issued by the caller, in connect or in the softirq that connect ran; or by ksoftirqd
    timer       issued in a hard interrupt, in which high-resolution timers expire (hrtimer_interrupt)
    client      issued in any other softirq: a packet of another client
    worker      issued by a thread of the server
    other       issued by anybody else
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import NamedTuple

from ..lab.deadline import until
from ..observers import Lost
from ..observers.perf_rings import RAW, PerfRings, Tracepoint, offset_of
from ..observers.task_files import TaskFiles
from .names import comm_of

_HARDIRQ, _SOFTIRQ = 0x08, 0x10
_COUNTS = 5
"""So often the events are counted: if one comes between the reading of a ring and its count, it seems to be missing."""
_MOST_RANGES = 70
"""The most ranges of thread ids in a filter, which must fit into one page (perf_event_set_filter)."""


class TracedWakeUp(NamedTuple):
    """One wake-up of one thread."""

    at_ns: int
    waker: int
    """Thread id; 0 for an idle CPU."""
    wakee: int
    flags: int

    @property
    def in_interrupt(self) -> bool:
        """Whether an interrupt or a softirq issued it: the waker is merely the thread that it interrupted."""
        return bool(self.flags & (_HARDIRQ | _SOFTIRQ))


class Wakers(PerfRings):
    """Wake-ups of some threads.  Raises OSError if the kernel denies the tracepoint."""

    def __init__(self, tracepoint: Tracepoint, tids: Collection[int]) -> None:
        self._pid_at = RAW + offset_of("pid", tracepoint.format)
        self._flags_at = RAW + offset_of("common_flags", tracepoint.format)
        self._tids: frozenset[int] = frozenset(tids)
        self._seen: list[TracedWakeUp] = []
        self._lost: Lost | None = None
        self._news: set[int] | None = None
        self._unrecorded: list[int] = []
        """What `unrecorded` said when `missed` was last called."""
        super().__init__(tracepoint, filter_for("pid", tids))

    def watch(self, tids: Collection[int]) -> None:
        """Watch these threads from now on."""
        if self._tids != frozenset(tids):
            self._tids = frozenset(tids)
            self._news = None
            self.narrow(filter_for("pid", tids))

    def pump(self) -> None:
        """Read the rings, so that none fills up.  Raises Lost if one did."""
        if self._lost is not None:
            self._news = None  # nothing is read until `forget`
            raise self._lost
        if self.is_crowded():
            self._news = None
        try:
            for body in self.samples():
                (wakee,) = struct.unpack_from("=i", body, self._pid_at)
                if wakee in self._tids:
                    waker, at_ns = struct.unpack_from("=iQ", body, 4)
                    self._seen.append(TracedWakeUp(at_ns, waker, wakee, body[self._flags_at]))
                    if self._news is not None:
                        self._news.add(wakee)
        except Lost as lost:
            self._lost, self._news = lost, None
            raise

    def news(self) -> set[int] | None:
        """Threads that were woken since the last call; None if that is not known, as at first.

        The record of a wake-up is written before the thread is made runnable (try_to_wake_up, kernel/sched/core.c).
        """
        with contextlib.suppress(Lost):
            self.pump()
        news, self._news = self._news, set()
        return news

    def missed(self) -> bool:
        """Whether a wake-up since the last call may have left no record, so that `news` did not report it."""
        fewest: list[int] = []
        for _ in range(_COUNTS):
            with contextlib.suppress(Lost):
                self.pump()
            now = self.unrecorded()
            if now == self._unrecorded and self._news is not None:
                return False
            fewest = [min(pair) for pair in zip(now, fewest or now, strict=True)]
        self._unrecorded = fewest
        return True

    def forget(self) -> None:
        """Drop everything seen so far: the count starts here.  `news` still reports who was woken."""
        # Read what came after a ring was full, too; otherwise it would be counted with what comes from now on.
        self._lost = None
        with contextlib.suppress(Lost):
            self.pump()
        self._seen, self._lost = [], None
        self.start_here()

    def seen(self) -> list[TracedWakeUp]:
        """Every wake-up since the last call or `forget`, in order of time.  Raises Lost on overflow."""
        self.pump()
        seen, self._seen = self._seen, []
        return sorted(seen)


def filter_for(field: str, tids: Collection[int], most_ranges: int = _MOST_RANGES) -> str:
    """The kernel's filter for these thread ids (Documentation/trace/events.rst), as ranges.

    If there are too many ranges, those with the smallest gaps between them are joined.  The filter then lets some other
    threads through, and the reader of the records must leave those out.
    """
    ranges = [(tid, tid) for tid in sorted(tids)]
    gaps = sorted(later[0] - earlier[1] for earlier, later in pairwise(ranges))
    widest = max(1, gaps[-most_ranges] if len(gaps) >= most_ranges else 1)
    joined: list[tuple[int, int]] = []
    for low, high in ranges:
        if joined and low - joined[-1][1] <= widest:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return (
        " || ".join(
            f"{field} == {low}" if low == high else f"({field} >= {low} && {field} <= {high})" for low, high in joined
        )
        or f"{field} < 0"
    )


def source_of(waking: TracedWakeUp, caller: int, softirqs: Collection[int], server: Collection[int]) -> str:
    """The source of a wake-up: connection, timer, client, worker or other."""
    if waking.flags & _HARDIRQ:
        return "timer"
    if waking.waker == caller or (waking.waker in softirqs and waking.flags & _SOFTIRQ):
        return "connection"
    if waking.waker in server:
        return "worker"
    return "client" if waking.flags & _SOFTIRQ else "other"


def only_by_timers(
    wakings: Iterable[TracedWakeUp],
    threads: Collection[int],
    caller: int,
    softirqs: Collection[int],
    server: Collection[int],
) -> set[int]:
    """Those of these threads that only timers woke, or threads of the server that only timers had woken.

    `wakings` are in order of time, and begin when these threads slept.  A thread without any wake-up is not among them.
    """
    woken: set[int] = set()
    otherwise: set[int] = set()
    for waking in wakings:
        woken.add(waking.wakee)
        source = source_of(waking, caller, softirqs, server)
        if source != "timer" and not (source == "worker" and waking.waker in woken - otherwise):
            otherwise.add(waking.wakee)
    return set(threads) & woken - otherwise


def softirq_threads(pids: Iterable[int]) -> set[int]:
    """Those of these processes that handle the softirqs that a CPU deferred: ksoftirqd/N."""
    threads = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            if comm_of(pid).startswith("ksoftirqd/"):
                threads.add(pid)
    return threads


def shares_our_pid_namespace(tracepoint: Tracepoint) -> bool:
    """Whether thread ids in the trace are those of our pid namespace.  Found out by waking a child and looking for its
    id in the trace."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    try:
        rings = Wakers(tracepoint, (child,))
        try:
            # It makes only one call, so once it sleeps it sleeps there.
            until(lambda: TaskFiles(child, child, False).look().state == "S", lambda: "a child did not fall asleep")
            rings.forget()
            os.close(writer)
            writer = -1
            os.waitpid(child, 0)
            child = -1
            return bool(rings.seen())
        finally:
            rings.close()
    finally:
        if writer >= 0:
            os.close(writer)
        if child >= 0:
            os.waitpid(child, 0)
