"""Ends workers under a lock, with the race between them made as wide as it can be.  Prints what came of it.

The one that holds the lock sleeps in its wait call.  It is told to end, gives the lock up, and another gets it.  If
that one looks whether it was told before it was, and is sent its signal before it has entered the call, it waits for
ever.  Here each signal is held back until the one before has had its effect, and whoever may wait enters its call only
once it has had its own.  In a process of its own, because it forks, and pytest may have threads.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys

from probes.cost import herd, ways, work, worker
from probes.cost.tally import ENDED, PHASE, RETURNED
from probes.lab.deadline import until
from probes.locks import Lock
from probes.observers.task_files import why_no_syscall_file
from probes.strategies import Waiting
from probes.verdict import Inconclusive

WORKERS = 8

_ending = mmap.mmap(-1, 1)
"""Whether the rig has begun to end them."""
_late = mmap.mmap(-1, WORKERS)
"""Which of them are about to wait although the rig has."""


class _EntersLate(Waiting):
    """Once the rig has begun to end them, it enters the call only after its own signal has come."""

    def __init__(self, i: int, waiting: Waiting) -> None:
        self._i, self._waiting, self._signalled = i, waiting, False
        signal.signal(signal.SIGTERM, self._signal)

    def _signal(self, *_: object) -> None:
        self._signalled = True

    def wait(self) -> int:
        if _ending[0]:
            _late[self._i] = 1
            while not self._signalled:
                os.sched_yield()
        return self._waiting.wait()


class _Worker(worker.MeasuredWorker):
    def _serve(self, waiting: Waiting, lock: Lock | None, fd: int) -> None:
        super()._serve(_EntersLate(self._i, waiting), lock, fd)


class _Herd(herd.MeasuredHerd):
    """Sends each signal when the one before has had its effect."""

    def signal(self, pid: int, number: int) -> None:
        _ending[0] = 1
        i = self._pids.index(pid)
        _kill(pid, number)
        if number == signal.SIGTERM:
            until(lambda: self._is_over(i) and self._is_handed_on(i), lambda: f"worker {i} did not end")

    def _is_over(self, i: int) -> bool:
        return bool(self.tally.line(i)[PHASE] == ENDED or _late[i])

    def _is_handed_on(self, i: int) -> bool:
        """The lock, if this one had it: somebody else may wait now, or has passed it by."""
        had_it = self.tally.line(i)[RETURNED]
        others = [other for other in range(self.workers) if other != i]
        took_it = any(_late[other] or self.tally.line(other)[RETURNED] for other in others)
        return not had_it or took_it or all(map(self._is_over, others))


_kill = os.kill


def main(way: str) -> None:
    herd.MeasuredWorker = _Worker  # type: ignore[misc]
    cpus, readable = os.sched_getaffinity(0), why_no_syscall_file() is None
    try:
        with _Herd(ways.parse(way), WORKERS, work.parse("0"), 1.0, cpus, syscall_readable=readable) as ended:
            os.kill = ended.signal
            ended.end()
    except Inconclusive as reason:
        print(reason)
    else:
        print("ended")


if __name__ == "__main__":
    main(sys.argv[1])
