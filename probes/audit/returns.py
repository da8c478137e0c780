"""Which system calls returned to user space: the tracepoint raw_syscalls:sys_exit, filtered by thread id."""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import NamedTuple

from .. import syscalls
from ..axes import ACCEPTS
from ..observers.perf_rings import RAW, PerfRings, Tracepoint, long_of, offset_of
from .waits import RECEIVES, called
from .wakers import filter_for

_RESTARTS = range(-516, -511)
"""The kernel goes back into the call, or turns it into EINTR (include/linux/errno.h)."""


def why_returns_tell_nothing() -> str | None:
    """Why a system call's return does not show whether it took a connection, or None if it does."""
    if syscalls.SOCKETCALL is None:
        return None
    return "connections may be taken by socketcall(2) here, whose return does not say what it did"


class Return(NamedTuple):
    """The return of one system call."""

    at_ns: int
    tid: int
    call: str
    result: int

    @property
    def won(self) -> bool:
        """Whether it took a connection, or a datagram."""
        return (self.call in ACCEPTS or self.call in RECEIVES) and self.result >= 0


class Returns(PerfRings):
    """Returns of system calls in some threads.  Raises OSError if the kernel denies the tracepoint."""

    def __init__(self, tracepoint: Tracepoint, tids: Collection[int]) -> None:
        self._id_at = RAW + offset_of("id", tracepoint.format)
        self._ret_at = RAW + offset_of("ret", tracepoint.format)
        self._long = long_of("id", tracepoint.format)
        self._tids: frozenset[int] = frozenset(tids)
        self._seen: list[Return] = []
        super().__init__(tracepoint, filter_for("common_pid", tids))

    def watch(self, tids: Collection[int]) -> None:
        """Watch these threads from now on."""
        if self._tids != frozenset(tids):
            self._tids = frozenset(tids)
            self.narrow(filter_for("common_pid", tids))

    def pump(self) -> None:
        """Read the rings, so that none fills up.  Raises Lost if one did."""
        for body in self.samples():
            tid, at_ns = struct.unpack_from("=iQ", body, 4)
            (number,) = self._long.unpack_from(body, self._id_at)
            (result,) = self._long.unpack_from(body, self._ret_at)
            if tid in self._tids and number >= 0 and result not in _RESTARTS:
                self._seen.append(Return(at_ns, tid, called(number), result))

    def forget(self) -> None:
        """Drop everything seen so far: the count starts here."""
        self._seen = []
        super().forget()

    def seen(self) -> list[Return]:
        """Every return since the last call or `forget`, in order of time.  Raises Lost on overflow."""
        self.pump()
        seen, self._seen = self._seen, []
        return sorted(seen)
