"""The waiters of one trial: forked in order, each proven blocked before the next, killed and reaped."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NoReturn

from .. import refusals, syscalls
from ..errnos import errno_name
from ..observers.sched_waking import waiter_name
from ..observers.task_files import Sighting, TaskFiles
from ..scenario import Scenario
from ..strategies import Strategy
from ..verdict import Inconclusive
from . import waiter
from .board import FAILED, GO, PHASE, READY, RESULT, RETURNED, TID, WON, Board
from .deadline import until
from .fork import NO_MEMORY, fork
from .machine import StepMachine
from .plain import PlainWaiters
from .rest import look_at
from .wakers import is_of_the_lab

_FUTEX_WAKE = 1
_FILES_EACH = 3
_RARELY = 64
SWITCH_INTERVAL_S = 1.0
"""How long a thread may hold the interpreter's lock before another one requests it (sys.setswitchinterval); 5 ms by
default."""


@dataclass
class Waiter:
    """One waiter as the conductor knows it.  A `Sleeper` (probes/lab/rest.py)."""

    i: int
    pid: int
    tid: int
    files: TaskFiles

    @cached_property
    def name(self) -> str:
        return f"w{self.i}"

    def look(self) -> Sighting:
        """Look at it once.  Raises Inconclusive if somebody else has killed or stopped it."""
        return look_at(self.files, self.name)


class Herd:
    """Creates and ends the waiters.  A context manager: when it is left, no waiter is alive.

    If it is left because no memory is left, this process ends as well (`NO_MEMORY`).
    """

    def __init__(
        self,
        scenario: Scenario,
        strategy: Strategy,
        fds: list[int],
        *,
        syscall_readable: bool,
        is_reaped: Callable[[int], bool],
        machine: StepMachine | None = None,
        own_memory: bool = False,
    ) -> None:
        """`is_reaped` says whether the tracer has already reaped a pid.

        With a `machine`, waiters that do nothing but make system calls run no Python; they run in the conductor's
        memory, unless each is to have memory of its own.
        """
        self.scenario = scenario
        self._is_reaped = is_reaped
        self.board = Board(scenario.n)
        self.waiters: list[Waiter] = []
        self._strategy = strategy
        self._fds = fds
        self._syscall_readable = syscall_readable
        # All waiters are forked before any file is opened, so none of them inherits these descriptors.
        self._keeps_files = _FILES_EACH * scenario.n < resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        self._conductor = os.getpid()
        self._pids: list[int] = []
        self._order: int | None = None
        self._machine = machine
        self._share_memory = machine is not None and machine.why_own_memory is None and not own_memory
        self._plain: PlainWaiters | None = None

    def __enter__(self) -> Herd:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None and issubclass(kind, MemoryError):
                raise MemoryError
            self.end()
        except MemoryError:
            os._exit(NO_MEMORY)

    def won(self) -> list[int]:
        """How many connections each waiter has taken: those that it recorded, and those that the kernel has accepted
        for it and it has not seen yet (io_uring)."""
        counts = self.board.column(WON)
        for i, more in self._strategy.completed().items():
            counts[i] += more
        return counts

    def fork(self, be_traced: Callable[[], None] | None) -> list[int]:
        """Fork all waiters, which then wait at their gates; returns their pids.  They die with this thread
        (PR_SET_PDEATHSIG).

        They are forked one right after the other, because after every fork this process must copy each page that it
        writes to, and between two forks it writes to only a few.
        """
        self._plain = self._plain_waiters(traced=be_traced is not None)
        if self._plain is not None and self._machine is not None:
            try:
                self._plain.fork(self._machine)
            finally:
                self._pids += self._plain.pids()
            return list(self._pids)
        for i in range(self.scenario.n):
            pid = fork()
            if pid == 0:
                self._be_child(partial(self._live, i, be_traced, gated=True))
            self._pids.append(pid)
        return list(self._pids)

    def _plain_waiters(self, *, traced: bool) -> PlainWaiters | None:
        """The waiters as programs of system calls; None if a waiter of this strategy does anything else."""
        # Without /proc/PID/syscall a waiter must record its own context switches.
        if self._machine is None or not self._syscall_readable:
            return None
        calls = [self._strategy.system_calls(i) for i in range(self.scenario.n)]
        if None in calls:
            return None
        known = [each for each in calls if each is not None]
        return PlainWaiters(self.scenario, known, self._fds, self.board, traced=traced, share_memory=self._share_memory)

    @property
    def what_runs(self) -> str:
        """What the waiters of this trial run, and in whose memory, in words."""
        if self._plain is None:
            return "Python"
        memory = "the conductor's memory" if self._share_memory else "memory of their own"
        return f"only system calls, in {memory}"

    def fork_host(self, adopt_threads: Callable[[], None] | None, announce: Callable[[], None] | None) -> int:
        """Fork the process whose threads will be the waiters; `start_thread` starts them one by one."""
        orders_out, self._order = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._be_child(lambda: self._host(orders_out, adopt_threads, announce))
        os.close(orders_out)
        self._pids.append(pid)
        return pid

    def start_thread(self) -> None:
        """Make the host process start its next thread."""
        assert self._order is not None
        os.write(self._order, b"+")

    def admit(
        self, i: int, pid: int, while_waiting: Callable[[], None], *, at_gate: bool, scale: float = 1.0
    ) -> Waiter:
        """Waiter `i`, once it has written its thread id on the board or, with `at_gate`, is ready at its gate."""
        line = self.board.line(i)
        files, looks = TaskFiles(pid, pid, self._syscall_readable), 0

        def known() -> bool:
            nonlocal looks
            looks += 1
            while_waiting()
            self.complain_about_failure(i)
            if looks % _RARELY == 0:  # the board shows its progress; check only now and then whether it was killed
                look_at(files, f"w{i}")
            return bool(line[PHASE] == READY if at_gate else line[TID])

        until(known, lambda: f"waiter {i} did not come to life", scale)
        waiter = Waiter(i, pid, line[TID], TaskFiles(pid, line[TID], self._syscall_readable))
        if self._keeps_files:
            waiter.files.keep()
        self.waiters.append(waiter)
        return waiter

    def open_gate(self, i: int, stage: int = GO) -> None:
        """Let waiter `i` go on to its wait call, or as far as this stage (probes/lab/board.py)."""
        self.board.open_gate(i, stage)
        syscalls.call(syscalls.number_of("futex"), self.board.gate_address(i), _FUTEX_WAKE, 1)

    def complain_about_failure(self, i: int) -> None:
        """Raise Inconclusive if waiter `i` could not get ready."""
        line = self.board.line(i)
        if line[PHASE] == FAILED and not line[RETURNED]:
            error = -line[RESULT]
            why = refusals.in_words(OSError(error, "")) if error else "an error of the suite itself"
            raise Inconclusive(f"waiter {i} could not get ready: {why}")

    def is_ours(self, process: int) -> bool:
        """Whether it is a waiter's process, the conductor, or a child of theirs."""
        return process == self._conductor or is_of_the_lab(process, self._pids)

    def complain_about_surroundings(self) -> None:
        """Raise Inconclusive if a wait call, or the accept after it, returned an error that says nothing about the
        kernel."""
        phases = self.board.column(PHASE)
        if FAILED not in phases:
            return
        i = phases.index(FAILED)
        self.complain_about_failure(i)
        error = -self.board.line(i)[RESULT]
        why = refusals.REMEDIES.get(error, "somebody else interrupted it (a signal, a freezer, a debugger)")
        raise Inconclusive(f"w{i} got {errno_name(error)}, which tells nothing of the kernel: {why}")

    def stopped(self) -> str | None:
        """Which of our processes somebody else has stopped since it was forked, even if it was continued; or None.

        The kernel keeps the report for the parent (wait(2), WUNTRACED and WCONTINUED), which has not asked before.  For
        traced waiters it reports only to the tracer.
        """
        news = os.waitid(os.P_ALL, 0, os.WSTOPPED | os.WCONTINUED | os.WNOHANG | os.WNOWAIT)
        return None if news is None else self.name_of(news.si_pid)

    def name_of(self, task: int) -> str:
        """The waiter with this thread or process id: `w3`; for the id of a process with threads, all its waiters."""
        return " ".join(waiter.name for waiter in self.waiters if task in (waiter.tid, waiter.pid)) or f"task {task}"

    def end(self) -> None:
        """Kill and reap every waiter.

        The pids are those of our own children, which nobody has reaped, so they cannot have been reused, and kill(2) is
        as safe as a pidfd.
        """
        for each in self.waiters:
            each.files.close()
        for pid in self._pids:
            if not self._is_reaped(pid):
                os.kill(pid, signal.SIGKILL)
        reap_all()
        self._pids.clear()
        if self._plain is not None:
            self._plain.unmap()
        if self._order is not None:
            os.close(self._order)
            self._order = None

    def _be_child(self, act: Callable[[], NoReturn]) -> NoReturn:
        """Run `act` in the child, and never return into the conductor's code, whatever happens."""
        try:
            syscalls.die_with_parent(self._conductor)
            act()
        finally:
            os._exit(1)

    def _live(self, i: int, be_traced: Callable[[], None] | None, *, gated: bool) -> NoReturn:
        syscalls.set_name(waiter_name(i))
        waiter.live(
            i,
            self.scenario,
            self._strategy,
            self._fds[i],
            self.board,
            gated=gated,
            count_switches=not self._syscall_readable,
            be_traced=be_traced,
        )

    def _host(
        self, orders: int, adopt_threads: Callable[[], None] | None, announce: Callable[[], None] | None
    ) -> NoReturn:
        if adopt_threads is not None:
            adopt_threads()
        # Waiters release the interpreter's lock in every call anyway.  If other threads requested it as well, that
        # would take most of the time on an emulated machine.
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        i = 0
        while os.read(orders, 1):
            threading.Thread(target=self._live, args=(i, announce), kwargs={"gated": False}, daemon=True).start()
            i += 1
        os._exit(0)


def reap_all() -> None:
    """Wait until this process has no child left, which proves that no waiter is left.

    With __WALL, because a traced thread is reported to its tracer, and its process is not reported before that thread
    has been waited for (ptrace(2), wait(2)).
    """
    while True:
        try:
            pid, status = os.waitpid(-1, syscalls.WALL | os.WUNTRACED)
        except ChildProcessError:
            return
        if os.WIFSTOPPED(status):
            # Somebody else stopped it before it had set its parent-death signal: it would stay stopped for ever.
            os.kill(pid, signal.SIGKILL)
