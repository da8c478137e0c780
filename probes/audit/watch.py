"""Looks at all threads of the server, until it is at rest: every thread asleep, two looks equal.

Reading /proc/PID/task/TID/status wakes nobody.  A thread that was woken between two looks has slept
again in the second, and its count of context switches is higher.

Of a thousand threads a connection moves a few.  Where the scheduler's trace tells who was woken, a thread that was seen
at rest, and was not woken since, rests still: its files are not read again.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..axes import EPOLL_CALLS
from ..lab.rest import two_equal_looks
from ..observers.task_files import parse_status
from ..verdict import Inconclusive
from .thread_files import ThreadFiles
from .waits import Wait, wait_of


class ThreadLook(NamedTuple):
    """One look at one thread."""

    state: str
    """One letter, as in proc_pid_stat(5)."""
    switches: int
    """Voluntary and involuntary context switches together: it moved if this grew."""


_AT_REST = "STtZX"
"""Asleep; stopped, by a signal or a tracer, or dead: these do not move either."""

Looks = dict[int, ThreadLook]
"""By thread id."""


class Ended(Inconclusive):
    """The server, or one of its workers, ended while it was looked at."""


class NotIdle(Inconclusive):
    """The server moves too much for connections to be made one at a time; what its own clients do can be counted."""


class ServerThreads:
    """The threads of these processes.  Holds a pidfd of each, so that an end is noticed, and no number mistaken."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._fds: dict[int, int] = {}
        self._poll = select.poll()
        self.threads: dict[int, int] = {}
        """Thread id -> process id."""
        self.ticking: frozenset[int] = frozenset()
        """Threads that move by themselves, as by a timer."""
        self.restless: frozenset[int] = frozenset()
        """Those of them that no connection can wake through the listener: they need not rest."""
        self._looked_at_all = True
        """Whether the last look was at all that are to rest."""
        self.woken: Callable[[], set[int] | None] = lambda: None
        """Threads that were woken since the last call; None if that is not known."""
        self._resting: Looks = {}
        """The last look at each thread that was at rest then, and was not woken since."""
        self._news: set[int] | None = None
        """Who was woken before the last look."""
        self._proves_rest = True
        """Whether it can be seen here that a thread is off its CPU."""
        self._last: Looks = {}
        self._waits: dict[int, tuple[ThreadLook, Wait]] = {}
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
        """Watch these processes, too."""
        for pid in pids:
            self._add(pid)
        self.leave_out_ended()

    def leave_out_ended(self) -> None:
        """Drop those that had ended before: a server need not have waited for its children (wait(2))."""
        ended = {fd for fd, _ in self._poll.poll(0)}
        for pid, fd in list(self._fds.items()):
            if fd in ended:
                self._poll.unregister(fd)
                os.close(self._fds.pop(pid))

    def rescan(self, *, anew: bool = False) -> bool:
        """Look for threads that came or went; whether any did.

        One that came when another went, which neither `looks` nor `waits` has missed yet, is seen only with `anew`.
        """
        if anew:
            self._files.list_anew()
        before = self.threads
        self.threads = {tid: pid for pid in self._fds for tid in self._files.threads(pid)}
        return before != self.threads

    def complain_about_end(self, wait_ms: float = 0) -> None:
        """Wait for an end of any of the processes, this long.  Raises Ended if there is one."""
        if ready := self._poll.poll(wait_ms):
            ended = [pid for pid, fd in self._fds.items() if fd in {ready_fd for ready_fd, _ in ready}]
            raise Ended(f"process {ended[0]} of the server ended during the audit")

    def looks(self) -> Looks:
        """One look at every thread that is to rest; one that is gone is left out."""
        self._take_news()
        looks = {}
        for tid, pid in self._to_rest():
            look = self._resting.get(tid) or self._look_at(tid, pid)
            if look is not None:
                looks[tid] = look
        self._last = looks
        return looks

    def look_again(self, tids: Iterable[int]) -> Looks:
        """A look at these, whatever the trace says of them."""
        looks = {}
        for tid in tids:
            look = self._look_at(tid, self.threads[tid]) if tid in self.threads else None
            if look is not None:
                looks[tid] = look
            if look != self._resting.get(tid):
                self._resting.pop(tid, None)
        return looks

    def _look_at(self, tid: int, pid: int) -> ThreadLook | None:
        """A look at one thread; None if it is gone."""
        try:
            text = self._files.of(pid, tid).status()
        except (FileNotFoundError, ProcessLookupError):
            self._files.gone(pid, tid)
            return None
        return ThreadLook(parse_status(text)[0], switches_in(text)) if text else None

    def _take_news(self) -> None:
        """Who was woken rests no more."""
        self._news = self.woken()
        for tid in list(self._resting) if self._news is None else self._news & self._resting.keys():
            del self._resting[tid]

    def _to_rest(self) -> list[tuple[int, int]]:
        """Thread id and process id of each thread that is to rest."""
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
        """Return once all that are to rest sleep, off their CPUs, with two successive looks equal, and `also` holds.

        `pump` is called in between.  Raises Inconclusive at the deadline, with `what` if `also` does not hold then,
        and Ended where a process ends; it is NotIdle where the server moves.
        """

        def look() -> Looks:
            pump()
            self.rescan()
            self.complain_about_end()
            return self.looks()

        def otherwise(last: Looks | None) -> str:
            if not also():
                return what
            before = last or {}
            now = self.looks()
            moving = [tid for tid, look in now.items() if look.state not in _AT_REST or before.get(tid) != look]
            return f"the server did not come to rest{f' (thread {moving[0]} keeps moving)' if moving else ''}"

        try:
            return two_equal_looks(
                look, lambda seen: also() and self._looked_at_all and self.still(seen), otherwise, limit_s=limit_s
            )
        except Ended:
            raise
        except Inconclusive as reason:
            raise (NotIdle if also() else Inconclusive)(str(reason)) from reason

    def still(self, seen: Looks) -> bool:
        """Whether all slept in this look, and still do, without having run since."""
        # Who has set its state to S and was preempted looks asleep, one switch short of its sleep.
        if any(look.state not in _AT_REST for look in seen.values()):
            return False
        new = [(tid, pid) for tid, pid in self._to_rest() if tid not in self._resting]
        if not self._are_off_cpu(new):
            return False
        if self.looks() != seen:
            return False
        # Whose wake-up was on record before it was seen off the run queue, which takes the same lock, sleeps again.
        if self._news is not None and self._proves_rest:
            rested = {tid: seen[tid] for tid, _ in new if tid in seen and tid not in self._news}
            self._resting = {**self._resting, **rested}
        return True

    def _are_off_cpu(self, threads: Iterable[tuple[int, int]]) -> bool:
        """Whether these are off the run queue: /proc/PID/task/TID/syscall waits for that (TaskFiles.syscall).

        Where that file is denied, nothing else tells, and the state has to do.
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

    def waits(self, holders: dict[int, dict[int, int]]) -> list[Wait]:
        """How every thread waits.  One that had not moved at the last look, `looks`, waits as it was seen to before:
        whoever wants to know how it waits now looks first."""
        waits = []
        for tid, pid in self.threads.items():
            look, wait = self._waits.get(tid, (None, None))
            if wait is None or look != self._last.get(tid):
                try:
                    wait = wait_of(pid, tid, holders.get(pid, {}))
                except (FileNotFoundError, ProcessLookupError):
                    self._files.gone(pid, tid)
                    continue
                self._keep(tid, wait)
            waits.append(wait)
        return waits

    def _keep(self, tid: int, wait: Wait) -> None:
        """Remember how it waits until it moves; what an epoll instance holds, another thread may change meanwhile."""
        look = self._last.get(tid)
        if look is not None and look.state in _AT_REST and wait.call is not None and wait.call not in EPOLL_CALLS:
            self._waits[tid] = look, wait
        else:
            self._waits.pop(tid, None)

    def look_at_candidates(self, waits: Iterable[Wait]) -> None:
        """From now on look at all that may be woken through the listener, whether they tick or not.

        Where several threads take turns at waiting, as Go's do, that may be another one each time.
        """
        restless = self.ticking - {wait.tid for wait in waits if wait.is_candidate}
        self._looked_at_all = restless == self.restless
        self.restless = restless

    def close(self) -> None:
        self._files.close()
        for fd in self._fds.values():
            os.close(fd)
        self._fds = {}


def switches_in(status: bytes) -> int:
    """Context switches of both kinds in the text of /proc/PID/status; 0 where the kernel does not count them."""
    total = 0
    for line in status.splitlines():
        if line.startswith((b"voluntary_ctxt_switches:", b"nonvoluntary_ctxt_switches:")):
            total += int(line.rpartition(b":")[2])
    return total


def moved(before: Looks, after: Looks) -> set[int]:
    """Threads that ran between two looks; one that is new has run, too."""
    return {tid for tid, look in after.items() if tid not in before or before[tid].switches != look.switches}
