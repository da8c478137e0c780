"""What the kernel says of the workers, read from outside: looking moves none of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ..lab.deadline import until
from ..observers.task_files import parse_status
from ..verdict import Inconclusive

_PAGE = 8192
_CPU_CLOCK = 2  # CPUCLOCK_SCHED, include/linux/posix-timers.h


class WorkerAtRest(NamedTuple):
    """One worker at rest."""

    voluntary: int
    """Times that it fell asleep, so times that it was woken since it was asleep first (proc_pid_status(5))."""
    involuntary: int
    """Times that it lost the CPU and would have gone on."""


class Watch:
    """The workers of one reading.  `ready` says of each whether it has begun to serve, and
    `calls` are the numbers of the system calls that it may rest in."""

    def __init__(
        self,
        pids: Sequence[int],
        ready: Callable[[], Sequence[bool]],
        calls: Collection[int],
        *,
        syscall_readable: bool,
    ) -> None:
        """Raises OSError if one of them is gone."""
        self.pids = pids
        self._ready = ready
        self._calls = {str(number).encode() for number in calls}
        self._status: list[int] = []
        self._syscall: list[int] = []
        try:
            for pid in pids:
                self._status.append(os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC))
                if syscall_readable:
                    self._syscall.append(os.open(f"/proc/{pid}/syscall", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the files."""
        for fd in (*self._status, *self._syscall):
            os.close(fd)
        self._status, self._syscall = [], []

    def rest(self) -> list[WorkerAtRest]:
        """Return once every worker sleeps and none moved between two looks at all of them.

        From then on only a connection, or a signal, can wake one.  Raises Inconclusive at the deadline,
        and if a worker is gone.
        """
        looks: list[list[WorkerAtRest] | None] = [None]

        def equal() -> bool:
            before = looks[-1]
            looks[-1] = self._asleep()
            return looks[-1] is not None and looks[-1] == before

        until(equal, lambda: "the workers did not come to rest: they kept moving")
        at_rest = looks[-1]
        assert at_rest is not None
        return at_rest

    def _asleep(self) -> list[WorkerAtRest] | None:
        """A look at all of them; None if one is awake, or not ready yet."""
        if not all(self._ready()):
            return None
        asleep = []
        for i, fd in enumerate(self._status):
            text = os.pread(fd, _PAGE, 0)
            state, voluntary = parse_status(text)
            if state in "ZX":
                raise Inconclusive(f"worker {i} is dead: somebody else killed it")
            if state != "S" or voluntary is None:
                return None
            asleep.append(WorkerAtRest(voluntary, _involuntary(text)))
        # The kernel names the call only once the task is off the run queue (lib/syscall.c): one that has set its
        # state and was preempted before it slept shows S as well.
        in_calls = (os.pread(fd, _PAGE, 0).split(None, 1)[0] in self._calls for fd in self._syscall)
        return asleep if all(in_calls) else None

    def cpu_ns(self) -> list[int] | None:
        """CPU time of each worker until now, in nanoseconds (clock_getcpuclockid(3)); None if the kernel does
        not give that of another process."""
        try:
            return [time.clock_gettime_ns((~pid << 3) | _CPU_CLOCK) for pid in self.pids]
        except OSError:
            return None


def _involuntary(status: bytes) -> int:
    start = status.find(b"\nnonvoluntary_ctxt_switches:\t")
    if start < 0:
        return 0
    start += 29
    return int(status[start : status.index(b"\n", start)])
