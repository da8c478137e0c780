"""Everything that is traced of the workers, in one ring per CPU: connections, wake-ups, system calls, CPU time.

One ring for all events of a CPU keeps them in order (PERF_EVENT_IOC_SET_OUTPUT, perf_event_open(2)).  Records of
wake-ups carry their call chain, so that those through the listener can be recognised.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import struct
import time
from collections.abc import Collection, Sequence

from ... import syscalls
from ...observers.observer import Lost
from ...observers.perf_rings import (
    DISABLE,
    DISABLED,
    ENABLE,
    GET_ID,
    NO_USER_CHAIN,
    SET_OUTPUT,
    USE_CLOCKID,
    PerfRings,
    Tracepoint,
    _online_cpus,
    _set_filter,
    flags,
)
from ...stores import store
from ..waits import called
from .events import WAITS, events
from .records import RECORD_HEAD, SAMPLE, Layout, Raw
from .symbols import AddressRange

_PAGES = (2048, 512, 64)
"""Sizes of a ring to try, until one is granted: 8 MiB hold about 60,000 records."""
_HELD_BACK_NS = 5_000_000
"""Records that are younger than this when the rings are read are held back until the next time.  The kernel takes a
record's time before it writes the record, so an earlier one may still be missing on another CPU."""

_ATTR_BYTES, _TYPE_TRACEPOINT = 112, 2
_SAMPLE = (1 << 1) | (1 << 2) | (1 << 7) | (1 << 10) | (1 << 16)  # TID, TIME, CPU, RAW, IDENTIFIER
_CALLCHAIN = 1 << 5
_CLOCK_MONOTONIC, _CLOEXEC = 1, 1 << 3
_FRAMES = 16
"""There are six to twelve functions between try_to_wake_up and tcp_child_process, most with epoll.  Each that is asked
for takes time, and all of them while the waker holds the thread's lock."""
_RECORD_LOST = 2
_DATA_HEAD, _DATA_TAIL = 1024, 1032  # in struct perf_event_mmap_page


class TraceStream(PerfRings):
    """Traces these threads, from construction until `close`.  Raises OSError if the kernel denies it."""

    def __init__(
        self,
        tracepoints: dict[str, Tracepoint],
        tids: Collection[int],
        listener_functions: Sequence[AddressRange],
        calls: Collection[str] = WAITS,
        *,
        own_apart: bool = False,
    ) -> None:
        """`tracepoints` holds those of TRACEPOINTS and OWN_TRACEPOINTS that this kernel has; `arrival` may be missing.

        `calls`: the system calls that may wait for the listener, or take from it.  `own_apart`: as for `events`.
        """
        self._own_apart = own_apart
        self._described = tracepoints
        self._tids = frozenset(tids)
        self._functions = tuple(listener_functions)
        self._calls = frozenset(calls)
        self._choose()
        self.records = 0
        """How many records were taken so far."""
        super().__init__(tracepoints["waking"], "")

    def _choose(self) -> None:
        """Choose the events, and learn how to read their records."""
        names = {nr: name for nr in syscalls.NUMBERS.values() if (name := called(nr)) in self._calls}
        cpus = len(_online_cpus())
        self._events = list(events(self._described, self._tids, names, cpus, own_apart=self._own_apart))
        tracepoints = {event.kind: event.tracepoint for event in self._events}
        self._layout = Layout.of(tracepoints, self._tids, names, self._functions)

    def _open_all(self, narrow: str) -> None:
        self._pausable: list[int] = []
        cpus = _online_cpus()
        for pages in _PAGES if len(cpus) <= 16 else _PAGES[1:]:
            self._data_bytes = mmap.PAGESIZE * pages
            try:
                for cpu in cpus:
                    self._open_on(cpu)
                self.resume()
            except OSError as error:
                self.close()
                # Without CAP_IPC_LOCK, 516 KiB of each CPU may be locked (perf_event_mlock_kb, perf_event_open(2)).
                if pages == _PAGES[-1] or error.errno not in (errno.EPERM, errno.ENOMEM):
                    raise
            else:
                return

    def _open_on(self, cpu: int) -> None:
        first: int | None = None
        for kind, tracepoint, narrow, always in self._events:
            fd = _event(tracepoint.id, cpu, chain=kind == "waking" and bool(self._functions))
            self._fds.append(fd)
            if not always:
                self._pausable.append(fd)
            _set_filter(fd, narrow)
            if first is None:
                first = fd
                self._rings.append(mmap.mmap(fd, mmap.PAGESIZE + self._data_bytes))
                self._forgotten.append(-1)
            else:
                fcntl.ioctl(fd, SET_OUTPUT, first)
            number = bytearray(8)
            fcntl.ioctl(fd, GET_ID, number)
            self._layout.kinds[struct.unpack("=Q", number)[0]] = kind

    def pause(self, *, everything: bool = False) -> None:
        """Until `resume`, record only connections and who takes them, or nothing: a disabled event costs next to
        nothing."""
        for fd in self._fds if everything else self._pausable:
            fcntl.ioctl(fd, DISABLE, 0)

    def resume(self) -> None:
        """Record everything again after `pause`."""
        for fd in self._fds:
            fcntl.ioctl(fd, ENABLE, 0)

    def watch(self, tids: Collection[int], calls: Collection[str]) -> None:
        """Trace these threads and calls from now on; records that were not taken yet are dropped.  Raises OSError as
        the constructor."""
        self._tids, self._calls = frozenset(tids), frozenset(calls)
        self._choose()
        self.narrow("")

    def take(self, *, all_of_it: bool = False) -> Raw:
        """Copy the bytes out of the rings, so that these have room again; RecordReader reads them.

        `all_of_it`: hold back no records.  Raises Lost if a ring was full.
        """
        until_ns = None if all_of_it else time.monotonic_ns() - _HELD_BACK_NS
        texts = [self._taken(ring, self._forgotten[at]) for at, ring in enumerate(self._rings)]
        return Raw(texts, until_ns, self._layout)

    def _taken(self, ring: mmap.mmap, forgotten: int) -> bytes:
        """The bytes of one ring."""
        head, tail = self._unread(ring)
        text = self._bytes(ring, tail, head - tail)
        store(ring, _DATA_TAIL, head, "Q")
        at = 0
        while at < len(text):
            kind, _, size = RECORD_HEAD.unpack_from(text, at)
            if kind == SAMPLE:
                self.records += 1
            # The kernel reports what a full ring lost before the next record that fits (PerfRings._drain).
            elif kind == _RECORD_LOST and tail + at != forgotten:
                self.forget()
                raise Lost("a ring of the trace was full")
            at += size
        return text


def _event(number: int, cpu: int, *, chain: bool) -> int:
    attr = bytearray(_ATTR_BYTES)
    sample = _SAMPLE | (_CALLCHAIN if chain else 0)
    struct.pack_into("=IIQQQ", attr, 0, _TYPE_TRACEPOINT, _ATTR_BYTES, number, 1, sample)
    struct.pack_into("=Q", attr, 40, flags(DISABLED, NO_USER_CHAIN, USE_CLOCKID))
    struct.pack_into("=i", attr, 92, _CLOCK_MONOTONIC)
    struct.pack_into("=H", attr, 108, _FRAMES if chain else 0)  # sample_max_stack
    address = ctypes.addressof(ctypes.c_char.from_buffer(attr))
    opened = syscalls.number("perf_event_open")
    if opened is None:
        raise OSError(38, "no perf_event_open number for this architecture")
    fd = syscalls.call(opened, address, -1, cpu, -1, _CLOEXEC)
    if fd < 0:
        raise OSError(-fd, f"perf_event_open: {os.strerror(-fd)}")
    return fd
