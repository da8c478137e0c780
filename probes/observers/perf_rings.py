"""Perf events on a tracepoint: one ring per CPU (perf_event_open(2)).

They end with this process; a tracefs instance would stay.  They need CAP_PERFMON, and a tracefs that describes the
tracepoint.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import re
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

from .. import syscalls
from ..stores import store
from .observer import Lost

_PAGE = mmap.PAGESIZE
_ATTR_BYTES = 112  # PERF_ATTR_SIZE_VER5, include/uapi/linux/perf_event.h
_TYPE_TRACEPOINT = 2
_SAMPLE_TID, _SAMPLE_TIME, _SAMPLE_CPU, _SAMPLE_RAW = 1 << 1, 1 << 2, 1 << 7, 1 << 10
DISABLED, NO_USER_CHAIN, USE_CLOCKID = 0, 22, 25
"""The bit fields disabled, exclude_callchain_user and use_clockid of struct perf_event_attr, for `flags`."""
_CLOCK_MONOTONIC = 1
_FLAG_FD_CLOEXEC = 1 << 3
# Powerpc, mips and sparc have other bits for "neither", "read" and "write" (asm/ioctl.h).
_NEITHER, _READ, _WRITE = (
    (1 << 29, 2 << 29, 4 << 29) if os.uname().machine.startswith(("ppc", "mips", "sparc")) else (0, 2 << 30, 1 << 30)
)
_POINTER = ctypes.sizeof(ctypes.c_void_p) << 16
ENABLE, DISABLE, SET_OUTPUT = _NEITHER | 0x2400, _NEITHER | 0x2401, _NEITHER | 0x2405
"""_IO('$', 0), 1 and 5 (include/uapi/linux/perf_event.h)."""
GET_ID, _SET_FILTER = _READ | _POINTER | 0x2407, _WRITE | _POINTER | 0x2406
"""_IOR('$', 7, __u64 *) and _IOW('$', 6, char *)."""
_RECORD_LOST, _RECORD_SAMPLE = 2, 9
_HEADER = struct.Struct("=IHH")
"""struct perf_event_header: type, misc and size."""
_DATA_HEAD = 1024  # offsets in struct perf_event_mmap_page
_DATA_TAIL = 1032

_LARGEST = 1024
"""More bytes than any record has, with the one before it that tells of lost ones."""

RAW = 28
"""Offset of the tracepoint's own data in a sample: pid and tid take 8 bytes, the time 8, the CPU 8, the size 4."""


class Tracepoint(NamedTuple):
    """What tracefs says about a tracepoint."""

    name: str
    """Group and event: sched/sched_waking."""
    id: int
    format: str

    @property
    def short_name(self) -> str:
        """Without its group."""
        return self.name.rpartition("/")[2]


def describe(name: str, tracefs: str) -> Tracepoint:
    """The description of tracepoint `name` (group/event).  Raises OSError if it cannot be read."""
    folder = f"{tracefs}/events/{name}"
    with open(f"{folder}/id") as number, open(f"{folder}/format") as text:
        return Tracepoint(name, int(number.read()), text.read())


def flags(*bits: int) -> int:
    """A word with these bit fields set: field 0 is the lowest bit on a little-endian machine, else the highest."""
    return sum(1 << (bit if sys.byteorder == "little" else 63 - bit) for bit in bits)


class PerfRings:
    """Rings on every CPU, open once it is constructed.  Raises OSError if the kernel denies them."""

    _fds: list[int]
    _rings: list[mmap.mmap]
    _data_bytes: int

    def __init__(self, tracepoint: Tracepoint, narrow: str) -> None:
        """`narrow` is a filter of the kernel's on the tracepoint's fields (Documentation/trace/events.rst)."""
        self._tracepoint = tracepoint
        self._fds = []
        self._rings = []
        self._forgotten: list[int] = []
        """The position in each ring from which on records count."""
        self._read: list[int] = []
        """How many records of each ring were read."""
        self._open_all(narrow)

    def _open_all(self, narrow: str) -> None:
        cpus = _online_cpus()
        # 64 pages take some 3,000 wake-ups before they overflow; many CPUs share the memory.
        self._data_bytes = _PAGE * (64 if len(cpus) <= 16 else 16)
        try:
            for cpu in cpus:
                self._open(self._tracepoint.id, cpu, narrow)
        except OSError:
            self.close()
            raise

    def _open(self, event: int, cpu: int, narrow: str) -> None:
        attr = bytearray(_ATTR_BYTES)
        sample = _SAMPLE_TID | _SAMPLE_TIME | _SAMPLE_CPU | _SAMPLE_RAW
        struct.pack_into("=IIQQQ", attr, 0, _TYPE_TRACEPOINT, _ATTR_BYTES, event, 1, sample)
        struct.pack_into("=Q", attr, 40, flags(DISABLED, USE_CLOCKID))
        struct.pack_into("=i", attr, 92, _CLOCK_MONOTONIC)
        address = ctypes.addressof(ctypes.c_char.from_buffer(attr))
        number = syscalls.number("perf_event_open")
        if number is None:
            raise OSError(38, "no perf_event_open number for this architecture")
        fd = syscalls.call(number, address, -1, cpu, -1, _FLAG_FD_CLOEXEC)
        if fd < 0:
            raise OSError(-fd, f"perf_event_open: {os.strerror(-fd)}")
        self._fds.append(fd)
        _set_filter(fd, narrow)
        self._rings.append(mmap.mmap(fd, _PAGE + self._data_bytes))
        self._forgotten.append(-1)
        self._read.append(0)
        fcntl.ioctl(fd, ENABLE, 0)

    def forget(self) -> None:
        """Drop every record up to now."""
        for ring in self._rings:
            (head,) = struct.unpack_from("=Q", ring, _DATA_HEAD)
            store(ring, _DATA_TAIL, head, "Q")
        self.start_here()

    def start_here(self) -> None:
        """Count from the first record that was not read yet: what was lost before does not matter."""
        self._forgotten = [struct.unpack_from("=Q", ring, _DATA_TAIL)[0] for ring in self._rings]

    def is_crowded(self) -> bool:
        """Whether a ring is so full that records may be lost: only a later record would say so."""
        for ring in self._rings:
            head, tail = struct.unpack_from("=QQ", ring, _DATA_HEAD)
            if head - tail > self._data_bytes - _PAGE:
                return True
        return False

    def unrecorded(self) -> list[int]:
        """For each ring, how many events it has counted beyond the records that were read.

        The kernel counts an event before it writes the record (perf_swevent_event, kernel/events/core.c).  Linux 6.18
        was seen to count events, mostly timer interrupts on idle CPUs, for which it wrote neither a record nor a
        PERF_RECORD_LOST.  A record that has not been read yet counts as well, and so does one that `forget` dropped.
        """
        counted = [int.from_bytes(os.read(fd, 8), sys.byteorder) for fd in self._fds]
        return [events - records for events, records in zip(counted, self._read, strict=True)]

    def samples(self) -> Iterator[bytes]:
        """The body of each sample since the last call, CPU by CPU.  Raises Lost if a ring was full."""
        for i, (ring, forgotten) in enumerate(zip(self._rings, self._forgotten, strict=True)):
            bodies = self._drain(ring, forgotten)
            self._read[i] += len(bodies)
            yield from bodies

    def _drain(self, ring: mmap.mmap, forgotten: int) -> list[bytes]:
        head, tail = self._unread(ring)
        records = self._bytes(ring, tail, head - tail)
        bodies, at = [], 0
        while at < len(records):
            kind, _, size = _HEADER.unpack_from(records, at)
            # The kernel reports what a full ring lost before the next record that finds room (perf_output_begin,
            # kernel/events/ring_buffer.c): the first report after `forget` is about what was forgotten.
            if kind == _RECORD_LOST and tail + at != forgotten:
                PerfRings.forget(self)
                raise Lost(f"{self._tracepoint.short_name} lost records: its ring was full")
            if kind == _RECORD_SAMPLE:
                bodies.append(records[at + _HEADER.size : at + size])
            at += size
        store(ring, _DATA_TAIL, head, "Q")
        return bodies

    def _unread(self, ring: mmap.mmap) -> tuple[int, int]:
        """Up to where the kernel has written, and from where on nothing was read yet.

        Raises Lost if there is so little room that records may have found none since: only the next one that finds room
        would say so, and there may be none.
        """
        head, tail = struct.unpack_from("=QQ", ring, _DATA_HEAD)
        if head - tail > self._data_bytes - _LARGEST:
            PerfRings.forget(self)
            raise Lost(f"{self._tracepoint.short_name} may have lost records: its ring was full")
        return head, tail

    def narrow(self, to: str) -> None:
        """Use another filter from now on; what was seen so far is dropped.  Raises OSError as the constructor does.

        This opens new rings, because the filter of a tracepoint's event is set once (ftrace_profile_set_filter,
        kernel/trace/trace_events_filter.c: EEXIST).
        """
        self.close()
        self._open_all(to)

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
        self._rings, self._fds, self._forgotten, self._read = [], [], [], []


def _set_filter(fd: int, narrow: str) -> None:
    # A bytearray: of immutable bytes, fcntl takes 1,024 at most.
    fcntl.ioctl(fd, _SET_FILTER, bytearray(narrow.encode() + b"\0"))


def offset_of(field: str, text: str) -> int:
    """Offset in bytes of a field of a tracepoint, from the text of its format.  Raises OSError if there is none."""
    return int(_found(field, text)[1])


def long_of(field: str, text: str) -> struct.Struct:
    """The format of this field, a long of the kernel's, which may be longer than ours.  Raises OSError as offset_of."""
    return struct.Struct({4: "=i", 8: "=q"}[int(_found(field, text)[2])])


def _found(field: str, text: str) -> re.Match[str]:
    found = re.search(rf"\b{field}(?:\[\d+\])?;\s*offset:(\d+);\s*size:(\d+);", text)
    if not found:
        raise OSError(22, f"the tracepoint has no {field} field")
    return found


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
