"""The watch itself, from its first moment to its last: takes records, keeps their number below a bound, and finds new
threads.  The records are read only after it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from functools import partial

from ...axes import ACCEPTS, EPOLL_CALLS
from ...observers.observer import Lost
from ...verdict import Inconclusive
from ..find import AuditedServer, family_of, holders_of
from ..waits import RECEIVES, Wait, wait_of
from ..watch import Ended, ServerThreads
from . import cost
from .account import Account, WaitsIn
from .events import WAITS
from .later import Later
from .queue import QueueWatch
from .records import Raw, RecordReader
from .trace import TraceStream
from .waiters import WaitersSeen
from .watched import Watched

MOST_THREADS = 2_000
_TURN_MS = 50.0
_SLICE_S = 0.25
"""How often the rate of records is checked."""
_BURST_S = 1.0
"""A burst of as many records as there may be in this time leads to no pause."""
_LONGEST_PAUSE = 3
"""In slices: a quarter of the time is observed at least, unless even connections alone are too many."""
_RESCAN_S = 1.0
_WORD_S = 0.5
"""How often progress is reported."""

Tell = Callable[[str], None]


def to_trace(threads: ServerThreads, seen: WaitersSeen) -> list[int]:
    """Every thread of the processes that wait for the listener: if threads take turns, any of them may be next."""
    pids = {wait.pid for wait in seen.waiting.values()}
    tids = [tid for tid, pid in threads.threads.items() if pid in pids]
    if len(tids) > MOST_THREADS:
        return sorted(seen.waiting)
    return tids


def calls_of(server: AuditedServer, seen: WaitersSeen) -> Collection[str]:
    """The calls to trace: those in which the workers wait, and those by which they take."""
    takes = RECEIVES if server.listener.takes_datagrams else ACCEPTS
    waits = {wait.call or "" for wait in seen.waiting.values()}
    if not waits <= {*WAITS, *takes}:
        return {*WAITS, *takes}
    return {*waits, *takes, *(EPOLL_CALLS if waits & set(EPOLL_CALLS) else ())}


class Counting:
    """One watch, from its first moment to its last."""

    def __init__(
        self,
        server: AuditedServer,
        threads: ServerThreads,
        seen: WaitersSeen,
        queue: QueueWatch,
        stream: TraceStream,
        watched: Watched,
        tell: Tell,
    ) -> None:
        self._server, self._threads, self._seen = server, threads, seen
        self._queue, self._stream, self._watched, self._tell = queue, stream, watched, tell
        self._way = seen.workers().way
        datagrams = server.listener.takes_datagrams
        self._account = Account(server.listener.port, {}, {}, self._shares, datagrams=datagrams)
        self._reader, self._later = RecordReader(), Later()
        self._left = watched.pauses_above_per_s * _BURST_S
        """How many records there may be before a pause."""
        self._learn()

    def _shares(self, thread: int, other: int) -> bool:
        return self._way.shares_an_instance(thread, other)

    def _learn(self) -> None:
        """Tell the account about workers that were seen since the last time."""
        for tid, wait in self._seen.waiting.items():
            held = self._server.holders.get(wait.pid, {})
            epoll = None if wait.epoll is None else wait.epoll[1]
            self._later.then(partial(self._account.learn, tid, WaitsIn(wait.call or "", epoll)))
            for thread, pid in self._threads.threads.items():
                if pid == wait.pid:
                    self._later.then(partial(self._account.knows, thread, held))

    def run(self) -> Account:
        """Watch for as long as was asked for; returns the account."""
        own = cost.own_cpu_s()
        self._stream.records = 0
        began = time.monotonic()
        end = began + self._watched.seconds
        next_word, rescan = began, began + _RESCAN_S
        since = self._start()
        before = 0
        while (now := time.monotonic()) < end:
            self._turn(min(_TURN_MS, (end - now) * 1000))
            now = time.monotonic()
            if now >= next_word:
                next_word = now + _WORD_S
                self._tell(f"second {now - began:.0f} of {self._watched.seconds:g}: {self._stream.records:,} records")
            if now >= rescan:
                rescan = now + _RESCAN_S
                if self._rescan():
                    self._watched.observed_s += now - since
                    since, before = self._start(), self._stream.records
            took_s, number = now - since, self._stream.records - before
            if took_s >= _SLICE_S:
                self._watched.observed_s += took_s
                since = now
                if self._are_too_many(number, took_s):
                    self._pause(took_s, number, end)
                    since = self._start()
                before = self._stream.records
        self._watched.observed_s += max(0.0, time.monotonic() - since)
        self._take_in(all_of_it=True)
        self._interrupted()
        self._stream.pause(everything=True)
        self._watched.seconds = time.monotonic() - began
        self._watched.records = self._stream.records
        self._watched.own_cpu_s = cost.own_cpu_s() - own
        self._tell(f"reading {self._watched.records:,} records")
        self._later.work_off()
        return self._account

    def _start(self) -> float:
        """Begin a period in which everything is recorded, and find out who sleeps now.  Returns when it began."""
        began = time.monotonic()
        asleep = [tid for tid, wait in self._seen.waiting.items() if self._sleeps_there(wait)]
        self._take_in(all_of_it=True, read=partial(self._begin, asleep))
        return began

    def _begin(self, asleep: list[int], raw: Raw) -> None:
        """Note that these workers slept, except those that a record shows to have moved meanwhile."""
        records = self._reader.read(raw)
        self._account.add(records)
        moved: set[int] = set()
        for record in records:
            moved.update(getattr(record, name) for name in ("tid", "wakee", "before", "after") if hasattr(record, name))
        self._account.known_asleep(set(asleep) - moved)

    def _sleeps_there(self, wait: Wait) -> bool:
        with contextlib.suppress(OSError):
            return wait_of(wait.pid, wait.tid, {}).call == wait.call
        return False

    def _turn(self, wait_ms: float) -> None:
        try:
            self._threads.complain_about_end(max(0.0, wait_ms))
        except Ended as ended:
            self._watched.notes.append(f"{ended}; what it had done counts")
            self._threads.leave_out_ended()
            self._seen.forget(self._threads.pids)
            self._later.then(partial(self._account.forget, set(self._seen.waiting)))
            if not self._seen.waiting:
                raise Inconclusive(str(ended)) from ended
        self._take_in()
        self._queue.look()

    def _take_in(self, *, all_of_it: bool = False, read: Callable[[Raw], None] | None = None) -> None:
        """Take the records that there are; `read` makes something of them after the watch."""
        try:
            raw = self._stream.take(all_of_it=all_of_it)
        except Lost:
            self._watched.lost += 1
            self._interrupted()
        else:
            self._later.then(partial(read or self._add, raw), raw.size)

    def _add(self, raw: Raw) -> None:
        self._account.add(self._reader.read(raw))

    def _interrupted(self) -> None:
        """Note that records are missing from here on."""
        self._later.then(self._reader.forget)
        self._later.then(self._account.interrupted)

    def _are_too_many(self, number: int, took_s: float) -> bool:
        """Whether so many records in so long are more than there may be, and no short burst."""
        most_per_s = self._watched.pauses_above_per_s
        self._left = min(self._left + most_per_s * took_s, most_per_s * _BURST_S) - number
        return self._left < 0

    def _pause(self, took_s: float, number: int, end: float) -> None:
        """Record only connections and who takes them for a while: `number` records in the last `took_s` are too many.

        If there are more than there may be in all, then record nothing for a while.  Both end before `end`.
        """
        self._watched.pauses += 1
        self._stream.pause()
        self._take_in(all_of_it=True)
        self._later.then(partial(self._account.observe, False))
        began, before = time.monotonic(), self._stream.records
        self._pass(began + min(-self._left / self._watched.pauses_above_per_s, _LONGEST_PAUSE * took_s), end)
        self._left = 0.0
        self._take_in(all_of_it=True)
        paused_s = time.monotonic() - began
        number += self._stream.records - before
        excess = number - self._watched.most_records_per_s * (took_s + paused_s)
        if excess > 0:
            self._stream.pause(everything=True)
            self._watched.uncounted_s += self._pass(time.monotonic() + excess / self._watched.most_records_per_s, end)
        self._later.then(partial(self._account.observe, True))
        self._stream.resume()

    def _pass(self, until: float, end: float) -> float:
        """Take turns until this time, or until `end`; returns how long that was."""
        began = time.monotonic()
        while (left_s := min(until, end) - time.monotonic()) > 0:
            self._turn(min(_TURN_MS, left_s * 1000))
        return time.monotonic() - began

    def _rescan(self) -> bool:
        """Look for new threads.  Returns whether any of them waits for the listener, and is traced from now on."""
        before = set(self._threads.threads)
        parents = set(self._threads.pids)
        came = family_of(self._server.holders) - parents
        if came:
            holders, _ = holders_of(self._server.listener.inodes)
            self._server.holders.update({pid: held for pid, held in holders.items() if pid in came})
            self._threads.add(came & holders.keys())
        self._threads.rescan(anew=True)  # no look during the watch would notice a thread that has ended
        new = set(self._threads.threads) - before
        known = len(self._seen.waiting)
        if new:
            self._seen.look(new)
        if len(self._seen.waiting) == known:
            return False
        self._take_in(all_of_it=True)
        self._interrupted()
        self._way = self._seen.workers().way
        self._learn()
        self._stream.watch(to_trace(self._threads, self._seen), calls_of(self._server, self._seen))
        return True
