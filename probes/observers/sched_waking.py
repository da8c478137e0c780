"""Observer `sched_waking`: who woke whom, and when, by the scheduler's own tracepoint.

The tracepoint sched:sched_waking is emitted in the context of the waker, before the wake-up
(include/trace/events/sched.h).  So it also shows waiters that were woken, found nothing, and went back to sleep inside
the kernel.

The kernel filters the events by the command names of this conductor's waiters, which hold a word drawn at random: the
same process id may exist in another container.  The name also tells the waiters apart inside a PID namespace, where the
event has the numbers of the host.
"""

from __future__ import annotations

import os
import re
import struct
from collections import Counter
from operator import itemgetter

from .observer import WOKEN, AtRest, Observer, Waking
from .perf_rings import RAW, PerfRings, describe, offset_of
from .tracefs import tracefs

WORD = os.urandom(4).hex()
"""Drawn at random for this process and its children."""


def waiter_name(i: int, word: str = WORD) -> str:
    """Command name of waiter `i`: at most 15 bytes, with the conductor's word after the dot."""
    return f"w{i}.{word}"


def actor_name(k: int, word: str = WORD) -> str:
    """Command name of an experiment's actor `k`, counted from 0."""
    return f"a{k}.{word}"


_NAME_BYTES = 16
"""TASK_COMM_LEN, include/linux/sched.h."""
_WAKER, _INT = struct.Struct("=iiQ"), struct.Struct("=i")
"""The waker's process and thread, and the time (pid, tid and time of a sample); and one field of the tracepoint."""
_BY_TIME, _WAKEE = itemgetter(0, 1, 2), itemgetter(2)
_IN_INTERRUPT = 0x08 | 0x10 | 0x40
"""TRACE_FLAG_HARDIRQ, _SOFTIRQ and _NMI, include/linux/trace_events.h."""


class SchedWaking(Observer):
    name = "sched_waking"
    sees = WOKEN
    how = "who woke whom, by the scheduler's tracepoint"
    remedy = "run as root, or with CAP_PERFMON and a readable tracefs (mount -t tracefs tracefs /sys/kernel/tracing)"

    def __init__(self) -> None:
        self._rings: WakingRings | None = None
        self._wakings: list[Waking] = []
        self._recent: list[Waking] = []
        self._counts: Counter[int | None] = Counter()

    def why_missing(self, *, may_mount: bool) -> str | None:
        try:
            folder = tracefs(may_mount)
        except OSError as error:
            return f"tracefs, which describes sched:sched_waking: {error.strerror or error}"
        try:
            self._rings = WakingRings(WORD, folder)
        except OSError as error:
            return f"perf_event_open on sched:sched_waking: {error.strerror or error}"
        return None

    def forget(self) -> None:
        assert self._rings is not None
        self._rings.forget()
        self._wakings.clear()
        self._recent = []
        self._counts.clear()

    def take_in(self) -> None:
        assert self._rings is not None
        self._recent = []
        self._recent = wakings = self._rings.seen()
        self._wakings += wakings
        self._counts.update(map(_WAKEE, wakings))

    def count(self, task: AtRest) -> int | None:
        return self._counts[task.place]

    def recent(self) -> list[Waking]:
        return self._recent

    def wakings(self) -> list[Waking]:
        return list(self._wakings)


class WakingRings(PerfRings):
    """Rings on every CPU, open once it is constructed.  Raises OSError if the kernel denies them."""

    def __init__(self, word: str, tracefs: str) -> None:
        self._name = names_of(word)
        tracepoint = describe("sched/sched_waking", tracefs)
        self._wakees: dict[bytes, int | None] = {}
        """By the name in the event."""
        self._comm = RAW + offset_of("comm", tracepoint.format)
        self._flags = RAW + offset_of("common_flags", tracepoint.format)
        self._task = RAW + offset_of("common_pid", tracepoint.format)
        self._woken = RAW + offset_of("pid", tracepoint.format)
        super().__init__(tracepoint, f'comm ~ "w*.{word}" || comm ~ "a*.{word}"')

    def seen(self) -> list[Waking]:
        """Every wake-up of a waiter or an actor since the last call, in order of time.  Raises Lost on overflow."""
        wakings = []
        for body in self.samples():
            name = body[self._comm : self._comm + _NAME_BYTES]
            wakee = self._wakees[name] if name in self._wakees else self._known(name)
            if wakee is not None:
                process, tid, at_ns = _WAKER.unpack_from(body)
                # An interrupt or a softirq issues it in whichever task; an idle CPU, whose task is 0 for the host, has
                # no other reason to.
                (task,) = _INT.unpack_from(body, self._task)
                by_the_kernel = task == 0 or body[self._flags] & _IN_INTERRUPT
                (woken,) = _INT.unpack_from(body, self._woken)
                wakings.append(Waking(at_ns, tid, wakee, None if by_the_kernel else process, woken))
        wakings.sort(key=_BY_TIME)
        return wakings

    def _known(self, name: bytes) -> int | None:
        """Which waiter or actor has this name (Waking.wakee); None if neither has it."""
        parts = self._name.match(name)
        number = int(parts[2]) if parts else 0
        wakee = None if parts is None else number if parts[1] == b"w" else -1 - number
        self._wakees[name] = wakee
        return wakee


def names_of(word: str) -> re.Pattern[bytes]:
    """The pattern of the names of a conductor's waiters and actors."""
    return re.compile(rb"([aw])(\d+)\.%b\0" % word.encode())
