"""Whom anybody traces with ptrace(2): each such call on this machine, where a look at TracerPid may miss one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from probes import syscalls
from probes.audit.tracepoints import descriptions
from probes.observers import Lost
from probes.observers.perf_rings import RAW, PerfRings, Tracepoint, long_of, offset_of

_SYS_ENTER = "raw_syscalls/sys_enter"


class PtraceCalls(PerfRings):
    """Calls of ptrace.  Raises OSError where the kernel denies the tracepoint."""

    def __init__(self, tracepoint: Tracepoint) -> None:
        self._long = long_of("id", tracepoint.format)
        self._target_at = RAW + offset_of(r"args\[6\]", tracepoint.format) + self._long.size
        self.targets: set[int] = set()
        """Thread ids that calls have named so far (their second argument)."""
        self.saw_all = True
        """False where so many were called that a ring was full, as beside User-Mode Linux."""
        super().__init__(tracepoint, f"id == {syscalls.number('ptrace')}")

    def pump(self) -> None:
        """Take in what has come."""
        self.saw_all &= not self.is_crowded()
        try:
            for body in self.samples():
                self.targets.add(self._long.unpack_from(body, self._target_at)[0])
        except Lost:
            self.saw_all = False


@contextlib.contextmanager
def ptrace_calls() -> Iterator[PtraceCalls | None]:
    """From now on, and all of them have been taken in afterwards; None where that is denied."""
    tracepoint = descriptions([_SYS_ENTER])[_SYS_ENTER]
    if isinstance(tracepoint, str):
        yield None
        return
    try:
        calls = PtraceCalls(tracepoint)
    except OSError:
        yield None
        return
    try:
        yield calls
        calls.pump()
    finally:
        calls.close()
