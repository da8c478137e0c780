"""System calls of a server that a signal or a tracer broke off, seen without touching it."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Collection, Iterator

from probes.audit.tracepoints import descriptions
from probes.audit.wakers import filter_for
from probes.observers.perf_rings import RAW, PerfRings, Tracepoint, offset_of

_SYS_EXIT = "raw_syscalls/sys_exit"
_EINTR, _RESTARTS = -4, "ret <= -512 && ret >= -516"
"""EINTR, and the codes by which the kernel goes back into the call or turns it into EINTR (include/linux/errno.h)."""


class Interruptions(PerfRings):
    """Calls of these threads that are broken off.  Raises OSError where the kernel denies the tracepoint."""

    def __init__(self, tracepoint: Tracepoint, tids: Collection[int]) -> None:
        self._id_at = RAW + offset_of("id", tracepoint.format)
        whose = filter_for("common_pid", tids)
        super().__init__(tracepoint, f"({whose}) && (ret == {_EINTR} || ({_RESTARTS}))")

    def seen(self) -> list[tuple[int, int]]:
        """(thread id, number of the call) of each since the last time."""
        return [
            (struct.unpack_from("=i", body, 4)[0], struct.unpack_from("=q", body, self._id_at)[0])
            for body in self.samples()
        ]


@contextlib.contextmanager
def interruptions_of(tids: Collection[int]) -> Iterator[Interruptions | str]:
    """Watch these threads; or, where that is denied, why."""
    tracepoint = descriptions([_SYS_EXIT])[_SYS_EXIT]
    if isinstance(tracepoint, str):
        yield tracepoint
        return
    try:
        rings = Interruptions(tracepoint, tids)
    except OSError as error:
        yield f"perf_event_open: {error.strerror}"
        return
    try:
        yield rings
    finally:
        rings.close()
