"""The workers of one reading: forked one after the other, seen asleep, and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from types import TracebackType

from .. import syscalls
from ..lab.deadline import until
from ..locks import Lock, make
from ..scenario import Scenario
from ..sources import open_source
from ..strategies import prepare
from ..verdict import Inconclusive
from .tally import ENDED, ERRNO, GAVE_UP, PHASE, READY, SYSTEM_NS, TOLD, USER_NS, Tally
from .watch import Watch
from .ways import Way
from .work import Work
from .worker import MeasuredWorker, WaitingPlace, spawn


class MeasuredHerd:
    """`workers` processes that serve one listener (or a reuseport group) by `way`.

    Raises NotApplicable if this kernel lacks the way, Inconclusive if a worker does not get ready,
    Raises OSError if there are no more processes or descriptors to be had.
    """

    def __init__(
        self, way: Way, workers: int, work: Work, loops_per_us: float, cpus: set[int], *, syscall_readable: bool
    ) -> None:
        self.way, self.workers = way, workers
        self.tally = Tally(workers)
        self._pids: list[int] = []
        self._open = contextlib.ExitStack()
        try:
            scenario = way.scenario(workers)
            here = _places(scenario, self._open)
            self.address = here[0].address
            lock: Lock | None = self._open.enter_context(make(way.lock)) if way.lock else None
            ours = os.sched_getaffinity(0)
            if cpus != ours:  # inherited by whoever is forked meanwhile
                os.sched_setaffinity(0, cpus)
            try:
                for i in range(workers):
                    worker = MeasuredWorker(i, way, work, loops_per_us, self.tally.line(i))
                    with contextlib.ExitStack() as apart:
                        self._pids.append(spawn(worker, here[i], _places(way.scenario(1), apart)[0], lock))
                        self._wait_until_ready(i)
            finally:
                if cpus != ours:
                    os.sched_setaffinity(0, ours)
            calls = {syscalls.number_of(call) for call in (scenario.system_call, *([lock.call] if lock else []))}
            self.watch = Watch(self._pids, self._ready, calls, syscall_readable=syscall_readable)
            self._open.callback(self.watch.close)
            self.watch.rest()
        except BaseException:
            self.close()
            raise

    def end(self) -> tuple[list[int], list[int]]:
        """Have every worker end by itself, and wait for that; its CPU time in user and in kernel mode, each in
        nanoseconds.  Raises Inconclusive if one does not.

        All sleep, and all are told before the first is woken: the one that gets a lock next must not go and wait.
        A signal alone would be lost between its look at what the handler noted and its call (pselect(2)).
        """
        self.watch.rest()
        for i in range(self.workers):
            self.tally.line(i)[TOLD] = 1
        for pid in self._pids:
            os.kill(pid, signal.SIGTERM)
        until(lambda: all(phase == ENDED for phase in self._phases()), lambda: "the workers did not end when asked to")
        return self.tally.column(USER_NS), self.tally.column(SYSTEM_NS)

    def close(self) -> None:
        """Kill and reap what is left, close everything."""
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self._pids:
            os.waitpid(pid, 0)
        self._pids = []
        self._open.close()

    def __enter__(self) -> MeasuredHerd:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _wait_until_ready(self, i: int) -> None:
        """Wait until worker `i` is ready, one after the other: the order in which they register and block matters."""
        pid, line = self._pids[i], self.tally.line(i)

        def ready() -> bool:
            self._complain(i)
            # A worker that ended without an answer was killed, and stays a zombie until it is reaped.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) and line[PHASE] != GAVE_UP:
                raise Inconclusive(f"worker {i} ended before it was ready")
            return bool(line[PHASE] == READY)

        until(ready, lambda: f"worker {i} did not get ready")

    def _phases(self) -> list[int]:
        return self.tally.column(PHASE)

    def _ready(self) -> list[bool]:
        phases = self._phases()
        if GAVE_UP in phases:
            self._complain(phases.index(GAVE_UP))
        return [phase == READY for phase in phases]

    def _complain(self, i: int) -> None:
        """Raise Inconclusive if worker `i` has given up."""
        line = self.tally.line(i)
        if line[PHASE] == GAVE_UP:
            raise Inconclusive(f"worker {i} gave up: {os.strerror(line[ERRNO]) if line[ERRNO] else 'unknown reason'}")


def _places(scenario: Scenario, at_end: contextlib.ExitStack) -> list[WaitingPlace]:
    """Where each worker of this scenario waits; closed in this process `at_end`."""
    listener = open_source(scenario, None)
    at_end.callback(listener.close)
    strategy = prepare(scenario, listener.fds)
    at_end.callback(strategy.close)
    return [WaitingPlace(strategy, fd, _address(fd)) for fd in listener.fds]


def _address(fd: int) -> tuple[str, int]:
    with socket.socket(fileno=os.dup(fd)) as listening:
        host, port = listening.getsockname()[:2]
        return str(host), int(port)
