"""Looks at all threads of the server until it is at rest: every thread sleeps, and two successive looks are equal.

Reading /proc/PID/task/TID/status wakes nobody.  If a thread was woken between two looks and sleeps again in the second,
its count of context switches is higher.

A connection moves only a few of a thousand threads.  If the scheduler's trace shows who was woken, a thread that was at
rest and was not woken since is still at rest, and its files are not read again.  So hundreds of threads that tick come
to rest one by one, and a look reads only those that have just ticked.  If the trace has missed a wake-up, all are read
again.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from ..axes import EPOLL_CALLS
from ..lab.rest import two_equal_looks
from ..observers.task_files import parse_status
from ..verdict import Inconclusive
from .thread_files import ThreadFiles
from .waits import Wait, in_epoll, wait_of


class ThreadLook(NamedTuple):
    """One look at one thread."""

    state: str
    """One letter, as in proc_pid_stat(5)."""
    sleeps: int
    """Voluntary context switches: so often it went to sleep."""
    preemptions: int = 0
    """Involuntary context switches."""

    @property
    def switches(self) -> int:
        """All context switches: it moved if this grew."""
        return self.sleeps + self.preemptions


_AT_REST = "STtZX"
"""S: asleep.  The others are stopped by a signal or a tracer, or dead, so they do not move either."""

_REGISTERED_S = 1.0
"""How long we assume that an epoll instance holds what it was seen to hold, while the thread that waits in it does not
move.  Another thread may change it, but reading it takes longer than a look."""

Looks = dict[int, ThreadLook]
"""By thread id."""
Held = Mapping[int, Mapping[int, int]]
"""For each process, its descriptors of the listener's sockets: descriptor -> inode."""


class Ended(Inconclusive):
    """The server, or one of its workers, ended during the audit."""


class NotIdle(Inconclusive):
    """The server moves too much for connections to be made one at a time; what its own clients do can be counted."""


class ServerThreads:
    """The threads of these processes.  Holds a pidfd of each process, so that its end is noticed even if its pid is
    reused."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._fds: dict[int, int] = {}
        self._poll = select.poll()
        self.threads: dict[int, int] = {}
        """Thread id -> process id."""
        self.ticking: frozenset[int] = frozenset()
        """Threads that moved while nobody connected, by a timer for example."""
        self.restless: frozenset[int] = frozenset()
        """Those of them that no connection can wake through the listener: they need not be at rest."""
        self._looked_at_all = True
        """Whether the last look covered all threads that must be at rest."""
        self.woken: Callable[[], set[int] | None] = lambda: None
        """Returns the threads that were woken since the last call; None if that is not known."""
        self.missed: Callable[[], bool] = lambda: False
        """Whether a thread may have been woken since the last call that `woken` left out."""
        self._resting: Looks = {}
        """The last look at each thread that was at rest then and was not woken since."""
        self._news: set[int] | None = None
        """The threads that were woken before the last look; None if that is not known."""
        self._proves_rest = True
        """Whether we may see here that a thread is off its CPU."""
        self._last: Looks = {}
        self._waits: dict[int, tuple[ThreadLook, Wait, float]] = {}
        """How each thread waits: its look at that time, the wait, and until when (time.monotonic) we assume it."""
        self._files = ThreadFiles()
        for pid in pids:
            self._add(pid)
        self.leave_out_ended()
        self.rescan()

    def _add(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._fds[pid] = os.pidfd_open(pid)
            self._poll.register(self._fds[pid], select.POLLIN)

    def add(self, pids: Iterable[int]) -> None:
        """Also watch these processes."""
        for pid in pids:
            self._add(pid)
        self.leave_out_ended()

    def leave_out_ended(self) -> None:
        """Drop the processes that have ended: a server may leave its children as zombies (wait(2))."""
        ended = {fd for fd, _ in self._poll.poll(0)}
        for pid, fd in list(self._fds.items()):
            if fd in ended:
                self._poll.unregister(fd)
                os.close(self._fds.pop(pid))

    def rescan(self, *, anew: bool = False) -> bool:
        """List the threads again; returns whether any started or ended.

        If one started and another ended, and neither `looks` nor `waits` has noticed the end, only `anew` shows it.
        """
        if anew:
            self._files.list_anew()
        before = self.threads
        self.threads = {tid: pid for pid in self._fds for tid in self._files.threads(pid)}
        return before != self.threads

    def complain_about_end(self, wait_ms: float = 0) -> None:
        """Wait at most this long for any of the processes to end.  Raises Ended if one does."""
        if ready := self._poll.poll(wait_ms):
            ended = [pid for pid, fd in self._fds.items() if fd in {ready_fd for ready_fd, _ in ready}]
            raise Ended(f"process {ended[0]} of the server ended during the audit")

    def looks(self) -> Looks:
        """Look at every thread that must be at rest; threads that have ended are left out."""
        self._take_news()
        traced = self._news is not None
        looks: Looks = {}
        rested: Looks = {}
        for tid, pid in self._to_rest():
            look = self._resting.get(tid)
            if look is None:
                # Seen off the run queue, it sleeps; a wake-up from now on is recorded before the thread runs.
                off_cpu = traced and self._are_off_cpu([(tid, pid)]) and self._proves_rest
                look = self._look_at(tid, pid)
                if off_cpu and look is not None and look.state in _AT_REST:
                    rested[tid] = look
            if look is not None:
                looks[tid] = look
        if rested:
            self._resting.update(rested)
            self._take_news()
        self._last = looks
        return looks

    def look_anew(self) -> Looks:
        """As `looks`, but read the files of all of them, whatever the trace says."""
        self._resting.clear()
        return self.looks()

    def look_again(self, tids: Iterable[int]) -> Looks:
        """Look at these threads, whatever the trace says about them."""
        looks = {}
        for tid in tids:
            look = self._look_at(tid, self.threads[tid]) if tid in self.threads else None
            if look is not None:
                looks[tid] = look
            if look != self._resting.get(tid):
                self._resting.pop(tid, None)
        return looks

    def _look_at(self, tid: int, pid: int) -> ThreadLook | None:
        """A look at one thread; None if it has ended."""
        try:
            text = self._files.of(pid, tid).status()
        except (FileNotFoundError, ProcessLookupError):
            self._files.gone(pid, tid)
            return None
        return ThreadLook(parse_status(text)[0], *switches_in(text)) if text else None

    def _take_news(self) -> None:
        """Threads that were woken are no longer taken to be at rest."""
        self._news = self.woken()
        for tid in list(self._resting) if self._news is None else self._news & self._resting.keys():
            del self._resting[tid]

    def _to_rest(self) -> list[tuple[int, int]]:
        """Thread id and process id of each thread that must be at rest."""
        return [(tid, pid) for tid, pid in self.threads.items() if tid not in self.restless]

    @property
    def pids(self) -> list[int]:
        """The processes that are watched."""
        return list(self._fds)

    def at_rest(
        self,
        limit_s: float,
        what: str,
        also: Callable[[], bool] = lambda: True,
        pump: Callable[[], None] = lambda: None,
    ) -> Looks:
        """Return once all threads that must be at rest sleep, off their CPUs, in two successive equal looks, and `also`
        holds.

        `pump` is called before each look.  Raises Ended if a process ends.  At the deadline raises Inconclusive with
        `what` if `also` never held, and NotIdle if it did, because the server moves then.
        """

        def look() -> Looks:
            pump()
            self.rescan()
            self.complain_about_end()
            return self.looks()

        held = False

        def holds() -> bool:
            nonlocal held
            now = also()
            held = held or now
            return now

        def otherwise(last: Looks | None) -> str:
            if not (holds() or held):
                return what
            before = last or {}
            now = self.looks()
            moving = [tid for tid, look in now.items() if look.state not in _AT_REST or before.get(tid) != look]
            return f"the server did not come to rest{f' (thread {moving[0]} keeps moving)' if moving else ''}"

        try:
            return two_equal_looks(
                look, lambda seen: holds() and self._looked_at_all and self.still(seen), otherwise, limit_s=limit_s
            )
        except Ended:
            raise
        except Inconclusive as reason:
            raise (NotIdle if held else Inconclusive)(str(reason)) from reason

    def still(self, seen: Looks) -> bool:
        """Whether all threads slept in this look, and have slept ever since."""
        # A thread that was preempted after it set its state to S looks asleep, but has yet to switch once more.
        if any(look.state not in _AT_REST for look in seen.values()):
            return False
        new = [(tid, pid) for tid, pid in self._to_rest() if tid not in self._resting]
        if not self._are_off_cpu(new):
            return False
        if self.looks() != seen:
            return False
        return not self.missed() or self.look_anew() == seen

    def _are_off_cpu(self, threads: Iterable[tuple[int, int]]) -> bool:
        """Whether these threads are off the run queue: /proc/PID/task/TID/syscall waits for that (TaskFiles.syscall).

        If that file is denied, nothing else shows it, and the state has to suffice.
        """
        for tid, pid in threads:
            try:
                if self._files.of(pid, tid).syscall() is None:
                    return False
            except PermissionError:
                self._proves_rest = False
            except (FileNotFoundError, ProcessLookupError):
                self._files.gone(pid, tid)
                return False
        return True

    def waits(self, holders: Held) -> list[Wait]:
        """How every thread waits.  For a thread that had not moved at the last `looks`, this is what was read before;
        to know how it waits now, call `looks` first."""
        waits = []
        for tid, pid in self.threads.items():
            look, wait, until = self._waits.get(tid, (None, None, 0.0))
            if wait is None or look != self._last.get(tid) or time.monotonic() > until:
                try:
                    wait = wait_of(pid, tid, holders.get(pid, {}))
                except (FileNotFoundError, ProcessLookupError):
                    self._files.gone(pid, tid)
                    continue
                self._keep(tid, wait)
            waits.append(wait)
        return waits

    def _keep(self, tid: int, wait: Wait) -> None:
        """Remember how a thread waits until it moves.  In epoll, for _REGISTERED_S at most."""
        look = self._last.get(tid)
        if look is not None and look.state in _AT_REST and wait.call is not None:
            until = time.monotonic() + _REGISTERED_S if wait.call in EPOLL_CALLS else math.inf
            self._waits[tid] = look, wait, until
        else:
            self._waits.pop(tid, None)

    def changed_asleep(self, waits: Iterable[Wait], slept: Collection[int], holders: Held) -> int | None:
        """One of these threads that has slept, and now waits for something else than before; None: there is none.

        Another thread may change what an epoll instance holds (epoll_ctl(2)).
        """
        for wait in waits:
            if wait.tid in slept and wait.epoll is not None and wait.listens is not None:
                now = in_epoll(wait, holders.get(wait.pid, {}))
                if (now.listens, now.trigger, now.inodes) != (wait.listens, wait.trigger, wait.inodes):
                    self._waits.pop(wait.tid, None)
                    return wait.tid
        return None

    def look_at_candidates(self, waits: Iterable[Wait]) -> None:
        """From now on, look at all threads that may be woken through the listener, even if they move by themselves.

        If several threads take turns at waiting, as Go's do, these may be others each time.
        """
        restless = self.ticking - {wait.tid for wait in waits if wait.is_candidate}
        self._looked_at_all = restless == self.restless
        self.restless = restless

    def close(self) -> None:
        self._files.close()
        for fd in self._fds.values():
            os.close(fd)
        self._fds = {}


def switches_in(status: bytes) -> tuple[int, int]:
    """Voluntary and involuntary context switches in the text of /proc/PID/status; 0 if the kernel does not count
    them."""
    sleeps = preemptions = 0
    for line in status.splitlines():
        if line.startswith(b"voluntary_ctxt_switches:"):
            sleeps = int(line.rpartition(b":")[2])
        elif line.startswith(b"nonvoluntary_ctxt_switches:"):
            preemptions = int(line.rpartition(b":")[2])
    return sleeps, preemptions


def moved(before: Looks, after: Looks) -> set[int]:
    """Threads that ran between two looks, new threads included."""
    return {tid for tid, look in after.items() if tid not in before or before[tid].switches != look.switches}
