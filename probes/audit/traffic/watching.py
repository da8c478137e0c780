"""--watch: watches a server for some seconds while its own clients connect, from the request to the answer."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from ...axes import ACCEPTS, EPOLL_CALLS
from ...observers.observer import Lost
from ...observers.perf_rings import Tracepoint
from ...verdict import Inconclusive
from .. import answer, names, origin
from ..find import AuditedServer, family_of, holders_of
from ..judge import Judgement
from ..returns import why_returns_tell_nothing
from ..tracepoints import descriptions
from ..waits import RECEIVES, Wait, wait_of
from ..wakers import shares_our_pid_namespace
from ..watch import Ended, ServerThreads
from ..workers import Workers
from . import cost, figures, judge, switches
from .account import Account, WaitsIn
from .beside import share_another
from .events import OWN_TRACEPOINTS, TRACEPOINTS, WAITS
from .later import Later
from .queue import QueueWatch
from .records import Raw, RecordReader
from .symbols import listener_functions
from .trace import TraceStream
from .waiters import WaitersSeen
from .watched import Watched

MOST_RECORDS_PER_S = 40_000
"""How many records the tracepoints may write; at a higher rate, only a part of the time is observed."""
MOST_THREADS = 2_000
_TURN_MS = 50.0
_NICE = 10
_SLICE_S = 0.25
"""How often the rate of records is checked."""
_RESCAN_S = 1.0
_WORD_S = 0.5
"""How often progress is reported."""

Tell = Callable[[str], None]


def watch(
    server: AuditedServer, seconds: float, known: answer.Answer, tell: Tell, release: contextlib.ExitStack
) -> tuple[Judgement, Workers]:
    """Watch the server and add everything that becomes known to `known`; returns the verdict and the workers.

    Raises Inconclusive if nobody was seen waiting, and BadTarget as `find` does.
    """
    family = family_of(server.holders)
    threads = ServerThreads(sorted(family))
    release.callback(threads.close)
    seen = WaitersSeen(server, threads)
    seen.until_settled(tell)
    if not seen.waiting:
        raise Inconclusive("no thread of the server was seen waiting for the listener")
    tracepoints, why_not = _tracepoints()
    known["observers"] = why_not
    queue = QueueWatch(server.listener, server.anyone)
    queue.look()
    missing = next((why for why in why_not.values() if why is not None), None)
    if missing is None:
        verdict = _traced(server, seconds, known, tell, threads, seen, queue, tracepoints)
    else:
        verdict = switches.watch(server, seconds, known, tell, threads, seen, queue)
    workers = seen.workers()
    known.update(workers=workers.number, strategy=workers.way.id, waits=workers.way.sentence)
    known["server"]["name"] = names.name_of(origin.first_of_program(workers.waiting[0].pid, server.holders))
    known["waiters"] = [_described(wait) for wait in workers.waiting]
    known["traffic"]["queue"] = queue.finish().as_dict()
    threads.close()  # before the lab forks
    return verdict, workers


def _described(wait: Wait) -> dict[str, Any]:
    from ..idle import Idle

    return answer.described(wait, Idle({}, 0.0))


def _tracepoints() -> tuple[dict[str, Tracepoint], dict[str, str | None]]:
    """The tracepoints that this kernel has, and for each one that is needed why it cannot be used, or None."""
    described = descriptions([*TRACEPOINTS.values(), *OWN_TRACEPOINTS.values()])
    own = {kind: described[path] for kind, path in OWN_TRACEPOINTS.items()}
    tracepoints = {kind: it for kind, it in own.items() if isinstance(it, Tracepoint)}
    why_not: dict[str, str | None] = {}
    for kind, path in TRACEPOINTS.items():
        tracepoint = described[path]
        name = path.partition("/")[2]
        if isinstance(tracepoint, str):
            why_not[name] = tracepoint
            continue
        tracepoints[kind] = tracepoint
        why_not[name] = None
    if reason := why_returns_tell_nothing():
        why_not["sys_exit"] = reason
    if all(why is None for why in why_not.values()):
        why_not.update(_tried(tracepoints))
    return tracepoints, why_not


def _tried(tracepoints: dict[str, Tracepoint]) -> dict[str, str | None]:
    """Why the tracepoints cannot be used although they have descriptions; empty if they can."""
    try:
        TraceStream(tracepoints, [1], ()).close()
        if not shares_our_pid_namespace(tracepoints["waking"]):
            return {"sched_waking": "the trace numbers threads as another pid namespace does"}
    except OSError as error:
        return {"sched_waking": f"perf_event_open: {error.strerror or error}"}
    if not listener_functions():
        return {"sched_waking": "the kernel's functions have no addresses in /proc/kallsyms (kptr_restrict)"}
    return {}


def _traced(
    server: AuditedServer,
    seconds: float,
    known: answer.Answer,
    tell: Tell,
    threads: ServerThreads,
    seen: WaitersSeen,
    queue: QueueWatch,
    tracepoints: dict[str, Tracepoint],
) -> Judgement:
    watched = Watched(seconds, MOST_RECORDS_PER_S, cost=cost.measure(tracepoints))
    datagrams = server.listener.takes_datagrams
    functions = listener_functions(datagrams=datagrams)
    stream = TraceStream(tracepoints, _to_trace(threads, seen), functions, _calls(server, seen))
    beside = datagrams and share_another(server, seen.waiting.values())
    with contextlib.ExitStack() as last:
        last.callback(stream.close)
        last.enter_context(_in_the_background())
        account = _Watch(server, threads, seen, queue, stream, watched, tell).run()
    workers = seen.workers()
    shown = figures.figures_of(account.totals, account.connections, [wait.tid for wait in workers.waiting])
    beside = beside or (datagrams and share_another(server, workers.waiting))
    verdict = judge.judge(shown, seconds, server.listener.kind, share_another=beside)
    known["traffic"] = {**figures.as_dict(shown, threads.threads), "watched": watched.as_dict()}
    known["connections"] = shown.judged
    for name in ("woken", "returned", "won", "in_vain"):
        spread = shown.per_connection[name]
        known[name] = None if spread is None else spread.as_dict()
    known["winners"] = {str(tid): number for tid, number in account.totals.accepted.most_common()}
    known["warnings"] += watched.sum_up()
    return verdict


@contextlib.contextmanager
def _in_the_background() -> Iterator[None]:
    """Let the server go first when both want a CPU (setpriority(2)); the rings hold some seconds."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(before, _NICE))
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):  # lowering it again needs CAP_SYS_NICE
            os.setpriority(os.PRIO_PROCESS, 0, before)


def _to_trace(threads: ServerThreads, seen: WaitersSeen) -> list[int]:
    """Every thread of the processes that wait for the listener: if threads take turns, any of them may be next."""
    pids = {wait.pid for wait in seen.waiting.values()}
    tids = [tid for tid, pid in threads.threads.items() if pid in pids]
    if len(tids) > MOST_THREADS:
        return sorted(seen.waiting)
    return tids


def _calls(server: AuditedServer, seen: WaitersSeen) -> Collection[str]:
    """The calls to trace: those in which the workers wait, and those by which they take."""
    takes = RECEIVES if server.listener.takes_datagrams else ACCEPTS
    waits = {wait.call or "" for wait in seen.waiting.values()}
    if not waits <= {*WAITS, *takes}:
        return {*WAITS, *takes}
    return {*waits, *takes, *(EPOLL_CALLS if waits & set(EPOLL_CALLS) else ())}


class _Watch:
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
                if number > (most := self._watched.most_records_per_s) * took_s:
                    self._rest(min(number / most - took_s, end - now))
                    since = self._start()
                else:
                    since = now
                before = self._stream.records
        self._watched.observed_s += max(0.0, time.monotonic() - since)
        self._take_in(all_of_it=True)
        self._interrupted()
        self._stream.pause()
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
        try:
            raw = self._stream.take(all_of_it=True)
        except Lost:
            self._watched.lost += 1
            self._interrupted()
        else:
            self._later.then(partial(self._begin, raw, asleep), raw.size)
        return began

    def _begin(self, raw: Raw, asleep: list[int]) -> None:
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

    def _take_in(self, *, all_of_it: bool = False) -> None:
        try:
            raw = self._stream.take(all_of_it=all_of_it)
        except Lost:
            self._watched.lost += 1
            self._interrupted()
        else:
            self._later.then(lambda: self._account.add(self._reader.read(raw)), raw.size)

    def _interrupted(self) -> None:
        """Note that records are missing from here on."""
        self._later.then(self._reader.forget)
        self._later.then(self._account.interrupted)

    def _rest(self, seconds: float) -> None:
        """Record nothing for this long."""
        self._watched.rests += 1
        self._take_in(all_of_it=True)
        self._stream.pause()
        self._interrupted()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(Ended):
                self._threads.complain_about_end(min(_TURN_MS, left * 1000))
            self._queue.look()
        self._stream.forget()
        self._stream.resume()

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
        self._stream.watch(_to_trace(self._threads, self._seen), _calls(self._server, self._seen))
        return True
