"""Makes one connection after another, and reads who was woken by it, who returned, and who took it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..axes import ACCEPTS
from ..lab.deadline import until
from ..observers import Lost
from ..verdict import Inconclusive
from . import winners
from .caller import Caller
from .disturbed import disturbed_by, unrecorded_wake_up, wake_ups_of
from .eyes import Eyes
from .find import AuditedServer
from .returns import Return
from .sockets import is_half_open, server_end
from .strategy import WayOfWaiting
from .waits import Wait
from .wakers import TracedWakeUp, only_by_timers, source_of
from .watch import Looks, NotIdle, ServerThreads, moved

REST_S = 10.0
"""How long the server may take to come to rest after a connection, and to wait again after its end."""
_HELD_BACK_S = 1.0
"""A handshake that the server's kernel has not completed after this time is held back until data arrive."""
_TRIES = 5
"""If connections are disturbed, at most this many times as many are made as were asked for."""


@dataclass
class Effect:
    """What one stimulus (a connection, or data on it) did.  The sets hold thread ids; None: not observed."""

    woken: set[int]
    """Threads that wait for the listener and were woken through it; without the scheduler's trace, all of them that
    moved."""
    returned: set[int] | None
    winners: set[int] | None
    """Threads that took the connection; if only its process is known, the process id."""
    others: set[int]
    """Other threads of the server that moved, and not only because of timers, as far as that is seen."""
    handed_on: set[int] | None = None
    """Threads that wait for the listener and were woken by the server itself, not through the listener."""
    timers: set[int] | None = None
    """Threads that wait for the listener and were woken by a timer."""
    disturbed_by: str | None = None
    """What had woken one of them before all wake-ups were issued (one of DISTURBERS): that thread may have been awake
    when its wake-up was due."""
    shared: bool = False
    """Whether another client came meanwhile: if so, nobody can tell who returned for which connection, or took it."""
    taken: int = 0
    """Connections that threads which wait for the listener took meanwhile; also 0 if that was not observed."""
    contradiction: str | None = None
    """What the observers disagree about: perf may lose a record without saying so.  Such a connection is disturbed."""
    window_s: float = 0.0


@dataclass
class Connection:
    """One connection, from connect until the server was at rest again."""

    by_connect: Effect
    by_data: Effect | None
    deferred: bool
    candidates: frozenset[int]
    """Threads that waited for the listener when the connection came."""

    @property
    def disturbed(self) -> bool:
        """Whether its figures mean nothing: not all workers slept when it came, or the observers disagree."""
        return self.herd.disturbed_by is not None or self.contradiction is not None

    @property
    def shared(self) -> bool:
        """Whether another client came meanwhile: if so, nobody can tell who took which connection."""
        steps = [step for step in (self.by_connect, self.by_data) if step is not None]
        return any(step.shared for step in steps) or sum(step.taken for step in steps) > 1

    @property
    def contradiction(self) -> str | None:
        """What the observers disagree about, or None."""
        return self.by_connect.contradiction or (self.by_data.contradiction if self.by_data is not None else None)

    @property
    def herd(self) -> Effect:
        """The step that woke the workers: data, if the listener waits for data; otherwise the connection."""
        return self.by_data if self.by_data is not None and not self.by_connect.woken else self.by_connect


class Counter:
    """Makes connections to one server, and reads the observers after each."""

    def __init__(
        self,
        server: AuditedServer,
        watch: ServerThreads,
        caller: Caller,
        eyes: Eyes,
        strategy: WayOfWaiting,
        *,
        fewest: int,
        holds_back: bool,
    ) -> None:
        """`fewest` threads must wait for the listener before each connection.

        `holds_back`: the listener is known to have TCP_DEFER_ACCEPT.
        """
        self._server = server
        self._watch = watch
        self._caller = caller
        self._eyes = eyes
        self._strategy = strategy
        self._fewest = fewest
        self._held_back_s = 0.0 if holds_back else _HELD_BACK_S
        self._waits: list[Wait] = []
        self._all_issued_ns = 0
        """When every wake-up by the connection itself had been issued, on the clock of the trace (CLOCK_MONOTONIC)."""
        self._takes_datagrams = server.listener.takes_datagrams

    def connection(self, data: bytes) -> Connection:
        """Make one connection, and send `data` over it, if there is any, once the server is at rest.

        Raises Inconclusive if the server does not come to rest, or if an observer lost records.
        """
        before = self._ready()
        candidates = frozenset(wait.tid for wait in self._waits if wait.is_candidate)
        held = winners.sockets_by_process(self._server.holders) if not self._server.listener.port else {}
        began = time.monotonic()
        client = self._caller.connect()
        try:
            deferred = self._delivered(client)
            by_connect = self._settled(before, candidates, began)
            self._name_winner(by_connect, client, held)
            by_data = None
            if data:
                before = self._noted("the server did not come to rest before data are sent", lambda: True)
                began = time.monotonic()
                self._caller.send(data)
                by_data = self._settled(before, candidates, began)
                if not by_connect.winners:
                    self._name_winner(by_data, client, held)
        finally:
            self._caller.hang_up()
        return Connection(by_connect, by_data, deferred, candidates)

    def _ready(self) -> Looks:
        """Wait until as many threads wait for the listener as at the start, and the whole server is at rest."""

        def waiting() -> bool:
            self._waits = self._watch.waits(self._server.holders)
            self._watch.look_at_candidates(self._waits)
            return sum(wait.is_candidate for wait in self._waits) >= self._fewest

        return self._noted("the server did not come back to where it waits", waiting)

    def _noted(self, what: str, also: Callable[[], bool]) -> Looks:
        """Wait for rest, start the observers' counts, and then look at the threads.  In this order a timer that fires
        in between is seen by every observer."""
        self._watch.at_rest(REST_S, what, also, self._eyes.let_go_on)
        end = time.monotonic() + REST_S
        while True:
            self._eyes.forget(set(self._watch.threads))
            looks = self._watch.looks()
            if self._watch.still(looks):
                return looks
            if time.monotonic() > end:
                raise NotIdle(f"the server moved again whenever it had come to rest, for {REST_S:.0f} s")
            self._watch.at_rest(REST_S, what, also, self._eyes.let_go_on)

    def _delivered(self, client: tuple[str, int]) -> bool:
        """Wait until the connection has reached the server.  Returns whether the kernel holds it back until data
        arrive."""
        if self._takes_datagrams:
            return False  # over loopback, send itself puts it into the queue (udp_queue_rcv_skb, net/ipv4/udp.c)
        if not self._server.listener.port:
            return False  # connect itself puts it into the queue (unix_stream_connect, net/unix/af_unix.c)
        began = time.monotonic()
        deferred = False

        def reached() -> bool:
            nonlocal deferred
            end = server_end(self._server.anyone, self._server.listener.port, client)
            deferred = end is not None and is_half_open(end) and time.monotonic() - began >= self._held_back_s
            # connect returned, so the server's end existed; if it does not, it was already accepted and closed.
            return end is None or not is_half_open(end) or deferred

        until(reached, lambda: "the connection did not reach the server")
        return deferred

    def _settled(self, before: Looks, candidates: frozenset[int], began: float) -> Effect:
        self._caller.pass_fence()
        self._all_issued_ns = time.monotonic_ns()
        after = self._watch.at_rest(REST_S, "the server did not come to rest after a connection", pump=self._eyes.pump)
        # For the threads that wait for the listener, the trace is compared with their context switches.
        after = {**after, **self._watch.look_again(candidates)}
        step = self._read(before, after, candidates)
        step.window_s = time.monotonic() - began
        asleep = {tid for tid, look in after.items() if look == before.get(tid)}
        tid = self._watch.changed_asleep(self._waits, asleep, self._server.holders)
        if tid is not None and step.contradiction is None:
            step.contradiction = f"thread {tid} has slept, and yet its epoll instance is not what it was"
        return step

    def _read(self, before: Looks, after: Looks, candidates: frozenset[int]) -> Effect:
        ran = moved(before, after)
        step = Effect(ran & candidates, None, None, ran - candidates)
        try:
            if self._eyes.wakers is not None:
                self._attribute(step, self._eyes.wakers.seen(), before, after, candidates)
            observer = self._eyes.returns or self._eyes.traced
            if observer is not None:
                returns = observer.seen()
                self._notice_others(step, returns, candidates)
                self._credit(step, returns)
        except Lost as lost:
            raise Inconclusive(str(lost)) from lost
        if step.shared and self._strategy.shared_with and step.disturbed_by is None:
            step.disturbed_by = "client"  # nobody knows whose connection a worker found when it woke the next worker
        return step

    def _attribute(
        self, step: Effect, wakings: list[TracedWakeUp], before: Looks, after: Looks, candidates: frozenset[int]
    ) -> None:
        """Sort the wake-ups of the candidates by their source, or note that the observers disagree."""
        server = set(self._watch.threads)
        sources: dict[str, set[int]] = {
            "connection": set(),
            "timer": set(),
            "client": set(),
            "worker": set(),
            "other": set(),
        }
        for waking in wakings:
            if waking.wakee not in candidates:
                continue
            source = source_of(waking, self._caller.pid, self._eyes.softirqs, server)
            # In a shared level-triggered instance each worker that returns wakes the next (ep_done_scan,
            # fs/eventpoll.c).  The connection is the cause of these wake-ups, too.
            if (
                source == "worker"
                and waking.waker in sources["connection"]
                and self._strategy.shares_an_instance(waking.waker, waking.wakee)
            ):
                source = "connection"
            sources[source].add(waking.wakee)
        ran = moved(before, after)
        wakees = [waking.wakee for waking in wakings]
        # A timer's record may be missing, and the worker was awake when the connection came; its wait for the
        # listener's lock, which another worker then ended (release_sock, net/core/sock.c), explains one of its two
        # sleeps.  One that the connection did wake is counted, whatever else woke it.
        who = unrecorded_wake_up(before, after, wakees, candidates - sources["connection"])
        if who is None and (odd := (ran & candidates) - set(wakees) or sources["connection"] - ran):
            who = min(odd)
        if who is not None:
            step.contradiction = f"the observers disagree about thread {who}: context switches against sched_waking"
        step.woken = sources["connection"]
        step.handed_on = (sources["worker"] | sources["other"]) - step.woken
        step.timers = sources["timer"] - step.woken
        step.others -= only_by_timers(wakings, step.others, self._caller.pid, self._eyes.softirqs, server)
        issued = wake_ups_of(candidates, wakings, self._caller.pid, self._eyes.softirqs, server)
        # A client of a unix socket issues its wake-ups from its own context, so its source is `other`.
        step.shared = any(source in ("client", "other") for _, source, _ in issued)
        step.disturbed_by = disturbed_by(issued, step.woken, self._all_issued_ns)

    def _notice_others(self, step: Effect, returns: list[Return], candidates: frozenset[int]) -> None:
        """Note if workers took more than one connection: another client's wakes nobody if all workers are awake."""
        if self._takes_datagrams:
            return  # a datagram may be an answer that a worker waited for
        step.taken = sum(event.won and event.call in ACCEPTS and event.tid in candidates for event in returns)
        step.shared = step.shared or step.taken > 1

    def _credit(self, step: Effect, returns: list[Return]) -> None:
        if step.shared:
            return
        calls = {wait.tid: wait.call for wait in self._waits}
        step.returned = {
            event.tid for event in returns if event.tid in step.woken and event.call == calls.get(event.tid)
        }
        # accept takes only from a listener; a datagram may also be an answer that a worker waited for.
        takers = {event.tid for event in returns if event.won and (event.call in ACCEPTS) != self._takes_datagrams}
        step.winners = takers & step.woken if self._takes_datagrams else takers

    def _name_winner(self, step: Effect, client: tuple[str, int], held: dict[int, set[int]]) -> None:
        """If no system call showed the winner: it is the process that holds the connection's socket now."""
        if step.winners or step.shared or self._takes_datagrams:
            return
        pids: list[int]
        if self._server.listener.port:
            pid = winners.holder_of(client, self._server.listener.port, self._watch.pids, self._server.anyone)
            pids = [] if pid is None else [pid]
        else:
            pids = winners.new_sockets(held, winners.sockets_by_process(self._server.holders))
        if pids:
            step.winners = {self._only_thread_of(pid) for pid in pids}

    def _only_thread_of(self, pid: int) -> int:
        """The only thread of this process that waits for the listener, or the process id if there are several."""
        mine = [wait.tid for wait in self._waits if wait.pid == pid and wait.is_candidate]
        return mine[0] if len(mine) == 1 else pid


def run(
    counter: Counter, watch: ServerThreads, connections: int, rate: float, data: bytes, step: Callable[[int], None]
) -> list[Connection]:
    """Make connections, at most `rate` a second, until `connections` of them were undisturbed, or _TRIES times as many
    were made.

    Raises Inconclusive as `Counter.connection` does.
    """
    tried: list[Connection] = []
    judged = 0
    while judged < connections and len(tried) < _TRIES * connections:
        due = time.monotonic() + 1 / rate
        tried.append(counter.connection(data))
        judged += not tried[-1].disturbed
        step(min(judged + 1, connections))
        if judged < connections:
            # Wait until the next is due, or the server ends.
            watch.complain_about_end(max(0.0, due - time.monotonic()) * 1000)
    return tried
