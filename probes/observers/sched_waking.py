"""Observer `sched_waking`: the scheduler's own word on who woke whom, and when.

A perf event on the tracepoint sched:sched_waking, one ring per CPU.  It is emitted in the context
of the waker, before the wake-up (include/trace/events/sched.h), so it shows the silent ones too:
those that wake, find nothing and sleep again inside the kernel.

The rings die with this process, unlike a tracefs instance.  The events are narrowed to this
conductor's waiters by their command name, which holds the conductor's pid; the name also tells the
waiters apart inside a pid namespace, where the numbers in the event are those of the host.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import re
import struct
from typing import NamedTuple

from .. import syscalls

_PAGE = mmap.PAGESIZE
_ATTR_BYTES = 112  # PERF_ATTR_SIZE_VER5, include/uapi/linux/perf_event.h
_TYPE_TRACEPOINT = 2
_SAMPLE_TID, _SAMPLE_TIME, _SAMPLE_CPU, _SAMPLE_RAW = 1 << 1, 1 << 2, 1 << 7, 1 << 10
_FLAG_DISABLED, _FLAG_USE_CLOCKID = 1 << 0, 1 << 25
_CLOCK_MONOTONIC = 1
_FLAG_FD_CLOEXEC = 1 << 3
_IOC_ENABLE, _IOC_SET_FILTER = 0x2400, 0x40082406
_RECORD_LOST, _RECORD_SAMPLE = 2, 9
_DATA_HEAD = 1024  # offsets in struct perf_event_mmap_page
_DATA_TAIL = 1032


class Waking(NamedTuple):
    """One wake-up of one waiter."""

    at_ns: int
    waker: int
    """Thread id of the task in whose context it was issued; 0 for an idle CPU's softirq."""
    wakee: int
    """The waiter's place in the arrangement."""


class Lost(Exception):
    """The ring overflowed, so the count is no longer known; the message says by how much."""


def waiter_name(i: int, conductor: int) -> str:
    """Command name of waiter `i`: at most 15 bytes, with the conductor's pid after the dot."""
    return f"w{i}.{conductor}"


class SchedWaking:
    """Rings on every CPU, open from construction on.  Raises OSError where the kernel denies them."""

    def __init__(self, conductor: int, tracefs: str) -> None:
        self._name = re.compile(rb"w(\d+)\.%d\0" % conductor)
        with open(f"{tracefs}/events/sched/sched_waking/id") as file:
            event = int(file.read())
        with open(f"{tracefs}/events/sched/sched_waking/format") as file:
            self._comm = _comm_offset(file.read())
        cpus = _online_cpus()
        # 64 pages take some 3,000 wake-ups before they overflow; many CPUs share the memory.
        self._data_bytes = _PAGE * (64 if len(cpus) <= 16 else 16)
        self._fds: list[int] = []
        self._rings: list[mmap.mmap] = []
        try:
            for cpu in cpus:
                self._open(event, cpu, f'comm ~ "w*.{conductor}"')
        except OSError:
            self.close()
            raise

    def _open(self, event: int, cpu: int, narrow: str) -> None:
        import ctypes

        attr = bytearray(_ATTR_BYTES)
        sample = _SAMPLE_TID | _SAMPLE_TIME | _SAMPLE_CPU | _SAMPLE_RAW
        struct.pack_into("=IIQQQ", attr, 0, _TYPE_TRACEPOINT, _ATTR_BYTES, event, 1, sample)
        struct.pack_into("=Q", attr, 40, _FLAG_DISABLED | _FLAG_USE_CLOCKID)
        struct.pack_into("=i", attr, 92, _CLOCK_MONOTONIC)
        address = ctypes.addressof(ctypes.c_char.from_buffer(attr))
        number = syscalls.number("perf_event_open")
        if number is None:
            raise OSError(38, "no perf_event_open number for this architecture")
        fd = syscalls.call(number, address, -1, cpu, -1, _FLAG_FD_CLOEXEC)
        if fd < 0:
            raise OSError(-fd, f"perf_event_open: {os.strerror(-fd)}")
        self._fds.append(fd)
        fcntl.ioctl(fd, _IOC_SET_FILTER, narrow.encode() + b"\0")
        self._rings.append(mmap.mmap(fd, _PAGE + self._data_bytes))
        fcntl.ioctl(fd, _IOC_ENABLE, 0)

    def forget(self) -> None:
        """Drop everything seen so far: the count starts here."""
        for ring in self._rings:
            ring[_DATA_TAIL : _DATA_TAIL + 8] = ring[_DATA_HEAD : _DATA_HEAD + 8]

    def seen(self) -> list[Waking]:
        """Every wake-up of a waiter since the last call, in order of time.  Raises Lost on overflow."""
        found: list[Waking] = []
        for ring in self._rings:
            found.extend(self._drain(ring))
        return sorted(found)

    def _drain(self, ring: mmap.mmap) -> list[Waking]:
        head, tail = struct.unpack_from("=QQ", ring, _DATA_HEAD)
        found = []
        while tail < head:
            record = self._bytes(ring, tail, 8)
            kind, _, size = struct.unpack("=IHH", record)
            if kind == _RECORD_LOST:
                self.forget()
                raise Lost("sched_waking lost records: its ring was full")
            if kind == _RECORD_SAMPLE:
                # header 8, pid and tid 8, time 8, cpu 8, size of the raw data 4, the raw data
                body = self._bytes(ring, tail + 8, size - 8)
                name = self._name.match(body, 28 + self._comm)
                if name:
                    tid, at_ns = struct.unpack_from("=iQ", body, 4)
                    found.append(Waking(at_ns, tid, int(name[1])))
            tail += size
        struct.pack_into("=Q", ring, _DATA_TAIL, head)
        return found

    def _bytes(self, ring: mmap.mmap, at: int, size: int) -> bytes:
        start = at % self._data_bytes
        end = min(start + size, self._data_bytes)
        part = ring[_PAGE + start : _PAGE + end]
        return part + ring[_PAGE : _PAGE + size - len(part)]

    def close(self) -> None:
        for ring in self._rings:
            ring.close()
        for fd in self._fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self._rings, self._fds = [], []


def _comm_offset(text: str) -> int:
    found = re.search(r"char comm\[\d+\];\s*offset:(\d+);", text)
    if not found:
        raise OSError(22, "sched_waking has no comm field")
    return int(found[1])


def _online_cpus() -> list[int]:
    with open("/sys/devices/system/cpu/online") as file:
        return parse_cpu_list(file.read())


def parse_cpu_list(text: str) -> list[int]:
    """CPU numbers of a list such as `0-2,5` (the format of /sys/devices/system/cpu/online)."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return cpus
