"""From the trace to connections: who slept when each came, who was woken by it, who took it, who found nothing.

    episode      what one worker does from one wake-up to its next
    asleep       the worker left its CPU to sleep in the call in which it waits for the listener, and was not woken
                 since

A connection caused a wake-up if the listener's own code issued it (symbols.py), or if a worker that the connection woke
then woke the next one in an epoll instance that both share (ep_done_scan, fs/eventpoll.c).  A connection cannot wake a
worker that is awake, so each connection is compared with the workers that slept.

A datagram may have come to any UDP socket of the worker, such as one by which it asks other servers.  A wake-up counts
for the audited socket if the worker then received from that socket; or if the worker found nothing, and another worker
received from that socket before the first one slept again, and so was faster.  If the workers share another UDP socket,
its datagrams may wake them at the same moment: then the wake-ups counted are the most that there can have been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ...axes import ACCEPTS, EPOLL_CALLS
from ..waits import RECEIVES
from .records import Arrival, Entered, Left, Record, Switched, WakeUpRecord

_INTERRUPTS = 0x08 | 0x10  # TRACE_FLAG_HARDIRQ, TRACE_FLAG_SOFTIRQ (include/linux/trace_events.h)
_EAGAIN = -11


class WaitsIn(NamedTuple):
    """How a worker waits for the listener."""

    call: str
    epoll: int | None = None
    """The descriptor of its epoll instance."""


@dataclass
class WokenBy:
    """What one connection did to the workers."""

    asleep: int | None
    """Workers that slept, waiting for the listener, when it came; None if that is not known for every worker."""
    woken: int = 0
    returned: int = 0
    won: int = 0
    in_vain: int = 0
    """Woken, and had taken no connection when they slept again."""


@dataclass
class _Episode:
    connection: WokenBy | None
    """The connection that caused the wake-up; None: no connection did."""
    returned: bool = False
    taken: int = 0
    tried: bool = False
    """Whether it called accept, or received, from the listener."""
    slept_ns: int | None = None
    """When the worker slept again."""
    another_took: bool = False
    """Whether another thread received from the listener before that."""
    ran_ns: int = 0


@dataclass
class Totals:
    """Sums over all that was observed."""

    arrived: int = 0
    """TCP connections that were established at the listener's port."""
    accepted: Counter[int] = field(default_factory=Counter)
    """By thread."""
    accepted_unobserved: int = 0
    """Those of them that were accepted while wake-ups were not recorded."""
    found_nothing: Counter[int] = field(default_factory=Counter)
    """Calls of accept that returned EAGAIN, by thread."""
    unclear: int = 0
    """Those that arrived in a context in which it was not recorded whether the listener issued a wake-up."""
    woken: int = 0
    """Wake-ups through the listener."""
    returned: int = 0
    in_vain: int = 0
    in_vain_by: Counter[int] = field(default_factory=Counter)
    otherwise: int = 0
    """Wake-ups of workers that had another cause: data, timers, the server's own doing."""
    ran_ns: int = 0
    """CPU time of the workers, from when one gets a CPU to when it leaves it."""
    in_vain_ns: int = 0
    """The part of `ran_ns` that was spent in episodes in vain."""


class Account:
    """Counts the records, which it must get in order of time."""

    def __init__(
        self,
        port: int,
        waits_in: Mapping[int, WaitsIn],
        listeners: Mapping[int, Iterable[int]],
        share_an_instance: Callable[[int, int], bool] = lambda thread, other: False,
        *,
        datagrams: bool = False,
    ) -> None:
        """`port` is the listener's, 0 for a unix socket.  `datagrams`: it is a UDP socket.

        `waits_in` says how each worker waits, and `listeners` which descriptors of each thread refer to the listener.
        """
        self._port = port
        self._datagrams = datagrams
        self._takes = RECEIVES if datagrams else ACCEPTS
        self.waits_in = dict(waits_in)
        self._newcomers: set[int] = set()
        self._listeners = {tid: frozenset(fds) for tid, fds in listeners.items()}
        self._share = share_an_instance
        self.totals = Totals()
        self.connections: list[WokenBy] = []
        self._asleep: dict[int, bool] = {}
        """For each worker, whether it sleeps and waits for the listener; workers of which that is not known are
        missing."""
        self._latest: dict[int, WokenBy | None] = {}
        """For each CPU, the connection that arrived there last; None if that was another listener's."""
        self._episodes: dict[int, _Episode] = {}
        self._entered_with: dict[int, int] = {}
        self._took_since: dict[int, int] = {}
        """When each thread entered its call, or was woken in it: the call took nothing before that."""
        self._in_wait: dict[int, bool] = {}
        self._on_cpu_since: dict[int, int] = {}
        self._observes = True

    def add(self, records: Iterable[Record]) -> None:
        """Count these records."""
        for record in records:
            if isinstance(record, WakeUpRecord):
                self._woken(record)
            elif isinstance(record, Entered):
                self._entered(record)
            elif isinstance(record, Left):
                self._left(record)
            elif isinstance(record, Switched):
                self._switched(record)
            else:
                self._arrived(record)

    def interrupted(self) -> None:
        """Note that records are missing: nothing is known about any worker until it is seen again."""
        for tid in list(self._episodes):
            self._end(tid)
        self._asleep, self._in_wait = {}, {}
        self._latest, self._on_cpu_since, self._took_since = {}, {}, {}

    def observe(self, everything: bool) -> None:
        """Note that from here on everything is recorded, or only connections and who takes them."""
        # Of the latest connection of each CPU, and of those whose workers still run, a part may be missing.
        running = [episode for episode in self._episodes.values() if episode.slept_ns is None]
        for connection in (*self._latest.values(), *(episode.connection for episode in running)):
            if connection is not None:
                connection.asleep = None
        self.interrupted()
        self._observes = everything

    def learn(self, tid: int, way: WaitsIn) -> None:
        """Note that this thread waits for the listener, and how."""
        self.waits_in[tid] = way
        self._newcomers.discard(tid)

    def knows(self, tid: int, fds: Iterable[int]) -> None:
        """Note which descriptors of this thread refer to the listener."""
        self._listeners[tid] = frozenset(fds)

    def forget(self, left: Iterable[int]) -> None:
        """Note that all workers but these are gone."""
        for tid in self.waits_in.keys() - set(left):
            self._end(tid)
            del self.waits_in[tid]
            self._asleep.pop(tid, None)

    def known_asleep(self, tids: Iterable[int]) -> None:
        """Note that these workers sleep now, and wait for the listener."""
        for tid in tids:
            self._asleep[tid] = self._in_wait[tid] = True

    def _arrived(self, arrival: Arrival) -> None:
        if arrival.port != self._port or self._datagrams:
            self._latest[arrival.cpu] = None
            return
        self.totals.unclear += arrival.unclear
        known = self._observes and not arrival.unclear and all(tid in self._asleep for tid in self.waits_in)
        connection = WokenBy(sum(self._asleep.values()) if known else None)
        self._latest[arrival.cpu] = connection
        self.connections.append(connection)
        self.totals.arrived += 1

    def _woken(self, waking: WakeUpRecord) -> None:
        self._end(waking.wakee)
        self._took_since[waking.wakee] = waking.at_ns
        was_asleep = self._asleep.get(waking.wakee, False)
        if waking.wakee in self.waits_in:
            self._asleep[waking.wakee] = False
        connection = None
        if waking.by_listener:
            self._in_wait[waking.wakee] = True
            connection = self._latest.get(waking.cpu) if self._port and not self._datagrams else WokenBy(None)
            if connection is not None and waking.wakee not in self.waits_in:
                self._newcomers.add(waking.wakee)
        elif not waking.flags & _INTERRUPTS and self._share(waking.waker, waking.wakee) and was_asleep:
            connection = self._doing_of(waking.waker)
        self._episodes[waking.wakee] = _Episode(connection)
        if connection is not None:
            connection.woken += 1
            # Whether a datagram was for the listener, only the worker's next steps show (_end).
            self.totals.woken += not self._datagrams
        elif waking.wakee in self.waits_in:
            self.totals.otherwise += 1

    def _doing_of(self, worker: int) -> WokenBy | None:
        episode = self._episodes.get(worker)
        return episode.connection if episode is not None else None

    def _entered(self, call: Entered) -> None:
        self._entered_with[call.tid] = call.first
        self._took_since[call.tid] = call.at_ns
        if call.tid in self._newcomers and call.call not in self._takes:
            self._newcomers.discard(call.tid)
            self.waits_in[call.tid] = WaitsIn(call.call, call.first if call.call in EPOLL_CALLS else None)
        if self._is_its_wait(call):
            self._in_wait[call.tid] = True
            self._asleep[call.tid] = False

    def _is_its_wait(self, call: Entered) -> bool:
        way = self.waits_in.get(call.tid)
        if way is None:
            return False
        if way.call in EPOLL_CALLS:
            return call.call in EPOLL_CALLS and call.first == way.epoll
        if way.call in self._takes:
            return call.call in self._takes and call.first in self._listeners.get(call.tid, ())
        return call.call == way.call

    def _left(self, call: Left) -> None:
        if call.tid in self.waits_in:
            self._asleep[call.tid] = self._in_wait[call.tid] = False
        episode = self._episodes.get(call.tid)
        if episode is not None:
            episode.returned = True
        if call.call not in self._takes:
            return
        fds = self._listeners.get(call.tid)
        if fds is not None and self._entered_with.get(call.tid) not in (None, *fds):
            return  # from another listener
        if episode is not None:
            episode.tried = True
        if call.result >= 0:
            # recvmmsg returns how many messages it took.
            number = call.result if call.call == "recvmmsg" else 1
            self.totals.accepted[call.tid] += number
            self.totals.accepted_unobserved += 0 if self._observes else number
            if episode is not None:
                episode.taken += number
            self._tell_others(call)
        elif call.result == _EAGAIN:
            self.totals.found_nothing[call.tid] += 1

    def _tell_others(self, took: Left) -> None:
        """Note in the other episodes that this thread was faster: those of workers that had not slept again when this
        call may have begun to receive."""
        since = self._took_since.get(took.tid, took.at_ns)
        for tid, episode in self._episodes.items():
            if tid != took.tid and (episode.slept_ns is None or episode.slept_ns >= since):
                episode.another_took = True

    def _switched(self, switch: Switched) -> None:
        self._on_cpu_since[switch.after] = switch.at_ns
        tid = switch.before
        episode = self._episodes.get(tid)
        if (since := self._on_cpu_since.pop(tid, None)) is not None:
            ran_ns = switch.at_ns - since
            if tid in self.waits_in:
                self.totals.ran_ns += ran_ns
            if episode is not None:
                episode.ran_ns += ran_ns
        if switch.sleeps:
            if episode is not None and episode.slept_ns is None:
                episode.slept_ns = switch.at_ns
            if self._in_wait.get(tid):
                self._asleep[tid] = True

    def _end(self, tid: int) -> None:
        episode = self._episodes.pop(tid, None)
        if episode is None or episode.connection is None:
            return
        if self._datagrams:
            if (episode.returned and not episode.tried) or not (episode.taken or episode.another_took):
                self.totals.otherwise += 1
                return
            self.totals.woken += 1
        connection = episode.connection
        connection.returned += episode.returned
        self.totals.returned += episode.returned
        if episode.taken:
            connection.won += 1
        elif episode.slept_ns is not None:
            connection.in_vain += 1
            self.totals.in_vain += 1
            self.totals.in_vain_by[tid] += 1
            self.totals.in_vain_ns += episode.ran_ns
