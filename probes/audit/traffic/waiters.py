"""Who waits for the listener of a busy server: looks several times, until each worker was seen waiting.

To find out whether an epoll instance holds the listener, the list of everything registered in it is read, and the
kernel holds the instance's lock meanwhile (ep_show_fdinfo, fs/eventpoll.c).  So each instance is read only a few times,
and never while traffic is counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection

from ...axes import EPOLL_CALLS
from ..find import AuditedServer
from ..strategy import strategy_of
from ..waits import Wait, wait_of
from ..watch import ServerThreads
from ..workers import Workers, peers_of

LOOKS = 20
_TURN_MS = 50.0
_MOST_READS = 3
"""How often one epoll instance is read at most."""


class WaitersSeen:
    """The workers that were seen waiting so far."""

    def __init__(self, server: AuditedServer, watch: ServerThreads) -> None:
        self._server, self._watch = server, watch
        self.waiting: dict[int, Wait] = {}
        """How each of them waits for the listener, by thread id."""
        self._reads: dict[tuple[int, int], int] = {}
        self._last: list[Wait] = []

    def look(self, tids: set[int] | None = None) -> None:
        """Look at the threads (None: all of them) that were not seen waiting yet."""
        last = []
        for tid, pid in self._watch.threads.items():
            held = self._server.holders.get(pid)
            if tid in self.waiting or held is None or (tids is not None and tid not in tids):
                continue
            with contextlib.suppress(OSError):
                wait = wait_of(pid, tid, {})
                if wait.call in EPOLL_CALLS and self._reads.setdefault((pid, tid), 0) >= _MOST_READS:
                    continue
                wait = wait_of(pid, tid, held)
                if wait.call in EPOLL_CALLS:
                    self._reads[pid, tid] = self._reads.get((pid, tid), 0) + 1
                last.append(wait)
                if wait.listens:
                    self.waiting[tid] = wait
        self._last = last

    def forget(self, left: Collection[int]) -> None:
        """Note that all processes but these are gone."""
        self.waiting = {tid: wait for tid, wait in self.waiting.items() if wait.pid in left}

    def until_settled(self, tell: Callable[[str], None]) -> None:
        """Look until a look shows no new worker and every process that holds the listener was seen waiting, but at most
        LOOKS times."""
        tell("looking who waits for the listener")
        pids = set(self._server.holders)
        for _ in range(LOOKS):
            before = len(self.waiting)
            self.look()
            if self.waiting and before == len(self.waiting) and {wait.pid for wait in self.waiting.values()} >= pids:
                return
            self._watch.complain_about_end(_TURN_MS)

    def workers(self) -> Workers:
        """The workers; `way.sentence` says how they wait."""
        waiting = sorted(self.waiting.values(), key=lambda wait: (wait.pid, wait.tid))
        others = peers_of(self._server, self._last, waiting)
        way = strategy_of(waiting, others, self._server.listener, len(self._server.holders))
        return Workers(waiting, others, way)
