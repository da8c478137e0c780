"""Records of the trace: from the bytes of the rings to events, in order of time.

The bytes are copied out of the rings during the watch, and read after it (later.py).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from ...observers.perf_rings import Tracepoint, long_of, offset_of
from .events import SOFTIRQ
from .symbols import AddressRange, goes_through

RECORD_HEAD = struct.Struct("=IHH")
"""type, misc and size of struct perf_event_header."""
SAMPLE = 9  # PERF_RECORD_SAMPLE
_HEAD = struct.Struct("=QiiQII")
_SHORT, _INT, _LONG = struct.Struct("=H"), struct.Struct("=i"), struct.Struct("=q")  # _LONG: a __u64 of perf's own
_INTERRUPTIBLE = 1  # TASK_INTERRUPTIBLE, include/linux/sched.h
_RESTARTS = range(-516, -511)
"""Results with which the kernel restarts the call, or returns EINTR (include/linux/errno.h)."""
_time_of = attrgetter("at_ns")
_NUMBER, _FIRST = "(?:id|__syscall_nr)", "(?:args|epfd|fd|n|ufds)"
"""Fields of the tracepoints of all system calls, and of one: the number of the call, and its first argument."""


class Arrival(NamedTuple):
    """A TCP connection was established at a listener of this machine."""

    at_ns: int
    cpu: int
    port: int
    unclear: bool = False
    """Whether it was established in a context in which wake-ups are recorded without their call chains."""


class WakeUpRecord(NamedTuple):
    """A sleeping thread was woken."""

    at_ns: int
    cpu: int
    waker: int
    wakee: int
    flags: int
    by_listener: bool


class Entered(NamedTuple):
    """A thread entered a call that may wait for the listener; `first` is the call's first argument."""

    at_ns: int
    cpu: int
    tid: int
    call: str
    first: int


class Left(NamedTuple):
    """A thread returned from such a call."""

    at_ns: int
    cpu: int
    tid: int
    call: str
    result: int


class Switched(NamedTuple):
    """A CPU switched from one thread to another."""

    at_ns: int
    cpu: int
    before: int
    """The thread that left the CPU."""
    sleeps: bool
    """Whether it went to sleep; otherwise it was preempted."""
    after: int


Record = Arrival | WakeUpRecord | Entered | Left | Switched


@dataclass(frozen=True)
class Layout:
    """How to read the records of one set of rings."""

    tids: frozenset[int]
    """The threads to trace; the filters may let others through."""
    names: Mapping[int, str]
    """Names of system calls, by number."""
    functions: Sequence[AddressRange]
    """The functions by which a listener wakes; empty if records of wake-ups carry no call chain."""
    at: Mapping[str, int]
    """The offset of each field in its tracepoint's data."""
    kinds: dict[int, str]
    """The tracepoint of each event, by the event's id; filled as the events are opened."""
    long: struct.Struct = _LONG
    """A `long` of the kernel."""
    number: struct.Struct = _LONG
    """The number of a system call."""

    @classmethod
    def of(
        cls,
        tracepoints: Mapping[str, Tracepoint],
        tids: frozenset[int],
        names: Mapping[int, str],
        functions: Sequence[AddressRange],
    ) -> Layout:
        """The layout of these tracepoints.  Raises OSError if a field is missing."""
        fields = {
            "port": ("arrival", "sport"),
            "context": ("arrival", "common_flags"),
            "wakee": ("waking", "pid"),
            "flags": ("waking", "common_flags"),
            "number": ("enter", _NUMBER),
            "first": ("enter", _FIRST),
            "left": ("exit", _NUMBER),
            "result": ("exit", "ret"),
            "before": ("switch", "prev_pid"),
            "state": ("switch", "prev_state"),
            "after": ("switch", "next_pid"),
        }
        at = {
            name: offset_of(field, tracepoints[kind].format)
            for name, (kind, field) in fields.items()
            if kind in tracepoints
        }
        long, number = long_of("ret", tracepoints["exit"].format), long_of(_NUMBER, tracepoints["enter"].format)
        return cls(tids, names, functions, at, {}, long, number)


class Raw(NamedTuple):
    """What the rings held at one moment."""

    texts: Sequence[bytes]
    """The bytes of each ring."""
    until_ns: int | None
    """Records after this time are held back until the next bytes are read; None: hold nothing back."""
    layout: Layout

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return sum(map(len, self.texts))


class RecordReader:
    """Turns the bytes of the rings into records, one `Raw` after the other."""

    def __init__(self) -> None:
        self._held_back: list[Record] = []

    def read(self, raw: Raw) -> list[Record]:
        """The records in order of time, including those held back before."""
        records = self._held_back
        for text in raw.texts:
            records += _records_in(text, raw.layout)
        records.sort(key=_time_of)
        cut = len(records)
        if raw.until_ns is not None:
            while cut and records[cut - 1].at_ns > raw.until_ns:
                cut -= 1
        self._held_back = records[cut:]
        return records[:cut]

    def forget(self) -> None:
        """Drop the records that were held back, because later ones are missing."""
        self._held_back = []


def _records_in(text: bytes, layout: Layout) -> list[Record]:
    records: list[Record] = []
    at = 0
    while at < len(text):
        kind, _, size = RECORD_HEAD.unpack_from(text, at)
        if kind == SAMPLE and (record := _parsed(text, at + RECORD_HEAD.size, layout)) is not None:
            records.append(record)
        at += size
    return records


def _parsed(text: bytes, at: int, layout: Layout) -> Record | None:
    identity, _, tid, at_ns, cpu, _ = _HEAD.unpack_from(text, at)
    kind, field = layout.kinds.get(identity), layout.at
    at += _HEAD.size
    if kind == "waking" or kind == "own waking":
        return _waking(text, at, at_ns, cpu, tid, layout, chain=kind == "waking" and bool(layout.functions))
    at += 4  # the size of the raw data
    if kind == "switch":
        (before,) = _INT.unpack_from(text, at + field["before"])
        (after,) = _INT.unpack_from(text, at + field["after"])
        if before not in layout.tids and after not in layout.tids:
            return None
        (state,) = layout.long.unpack_from(text, at + field["state"])
        return Switched(at_ns, cpu, before, bool(state & _INTERRUPTIBLE), after)
    if kind == "arrival":
        own = tid in layout.tids and not text[at + field["context"]] & SOFTIRQ
        unclear = own and "own waking" in layout.kinds.values()
        return Arrival(at_ns, cpu, _SHORT.unpack_from(text, at + field["port"])[0], unclear)
    if tid not in layout.tids:
        return None
    if kind == "enter":
        (number,) = layout.number.unpack_from(text, at + field["number"])
        (first,) = layout.long.unpack_from(text, at + field["first"])
        return Entered(at_ns, cpu, tid, layout.names[number], first & 0xFFFFFFFF)
    (number,) = layout.number.unpack_from(text, at + field["left"])
    (result,) = layout.long.unpack_from(text, at + field["result"])
    return None if result in _RESTARTS else Left(at_ns, cpu, tid, layout.names[number], result)


def _waking(
    text: bytes, at: int, at_ns: int, cpu: int, waker: int, layout: Layout, *, chain: bool
) -> WakeUpRecord | None:
    by_listener = False
    if chain:
        (frames,) = _LONG.unpack_from(text, at)
        by_listener = goes_through(struct.unpack_from(f"={frames}Q", text, at + 8), layout.functions)
        at += 8 + 8 * frames
    at += 4
    (wakee,) = _INT.unpack_from(text, at + layout.at["wakee"])
    if wakee not in layout.tids:
        return None
    return WakeUpRecord(at_ns, cpu, waker, wakee, text[at + layout.at["flags"]], by_listener)
