"""The server's workers: the threads that wait for the listener, and those that take turns with them."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from ..lab.deadline import until
from ..verdict import Inconclusive
from .find import AuditedServer, holders_of, parent_of
from .strategy import WayOfWaiting, strategy_of
from .waits import Wait, threads_of, wait_of
from .watch import ServerThreads

_TURN_S = 1.0
"""Longer than it takes to ask for a turn; a thread that runs for this long is working, not waiting for its turn."""


@dataclass(frozen=True)
class Workers:
    """The workers of one server."""

    waiting: list[Wait]
    """Threads that wait for the listener now."""
    others: int
    """How many take turns with these, and do not wait for the listener just now."""
    way: WayOfWaiting

    @property
    def number(self) -> int:
        return len(self.waiting) + self.others


def workers_of(server: AuditedServer, watch: ServerThreads, limit_s: float) -> Workers:
    """The workers, once the server is at rest.  Raises Inconclusive if nobody waits for the listener."""
    end = time.monotonic() + limit_s
    while True:
        waits = _waits_at_rest(server, watch, limit_s)
        soon = in_their_calls(server, waits)
        # A thread that ticks need not be at rest unless it waits for the listener.  One that a busy machine keeps from
        # its wait after a tick looks as if it did not; so if it does afterwards, it has to be seen at rest, too.
        late = any(then.is_candidate and not now.is_candidate for now, then in zip(waits, soon, strict=True))
        if not late or time.monotonic() > end:
            break
    waiting = [wait for wait in waits if wait.is_candidate]
    if any(wait.listens for wait in waiting):
        waiting = [wait for wait in waiting if wait.listens or wait.call == waiting[0].call]
    peers = peers_of(server, soon, waiting)
    return Workers(waiting, peers, strategy_of(waiting, peers, server.listener, len(server.holders)))


def _waits_at_rest(server: AuditedServer, watch: ServerThreads, limit_s: float) -> list[Wait]:
    """How every thread waits when the server is at rest, and somebody waits for the listener."""
    waits: list[Wait] = []

    def somebody_waits() -> bool:
        waits[:] = watch.waits(server.holders)
        watch.look_at_candidates(waits)
        return any(wait.is_candidate for wait in waits)

    watch.looks()
    somebody_waits()
    watch.at_rest(limit_s, "no thread of the server was seen waiting for the listener", somebody_waits)
    return waits


def in_their_calls(server: AuditedServer, waits: list[Wait]) -> list[Wait]:
    """The same threads, but those that hold the listener and were running as they wait afterwards."""
    return [_in_its_call(server, wait) for wait in waits]


def _in_its_call(server: AuditedServer, wait: Wait) -> Wait:
    """How this thread waits; if it was running, how it waits once it does, unless it runs for longer than _TURN_S.

    Workers that take turns by a timer all check at the same time whether it is their turn, and then wait for a CPU.
    """
    last = wait

    def waits() -> bool:
        nonlocal last
        last = wait_of(wait.pid, wait.tid, server.holders[wait.pid])
        return last.call is not None

    if wait.call is None and wait.pid in server.holders and wait.tid == wait.pid:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, Inconclusive):
            until(waits, lambda: "it runs all the time", limit_s=_TURN_S)
    return last


def peers_of(server: AuditedServer, waits: list[Wait], waiting: list[Wait]) -> int:
    """How many processes take turns with the waiting ones: those with the same parent and name that wait for a turn.

    They wait for a lock; or, if only one worker waits for the listener, in the same call as it, with a time limit:
    nginx's workers check again whether accept_mutex is free.  A helper process that holds the listener and waits for
    something else is not a worker.
    """
    busy = {wait.pid for wait in waiting}
    kinds = set()
    for wait in waiting:
        with contextlib.suppress(OSError):
            kinds.add((parent_of(wait.pid), wait.name))
    alone = waiting[0].call if len(waiting) == 1 else None
    number = 0
    for wait in waits:
        if wait.pid in busy or wait.pid not in server.holders or wait.tid != wait.pid:
            continue
        if wait.for_lock or wait.listens or (wait.limited and wait.call == alone):
            with contextlib.suppress(OSError):
                number += (parent_of(wait.pid), wait.name) in kinds
    return number


def newcomer(server: AuditedServer) -> int | None:
    """A process that was started during the audit and waits for the listener, so that its wake-ups were not counted;
    or None.

    A child that was forked for one connection holds the listener, too, but waits for its client.
    """
    holders, _ = holders_of(server.listener.inodes)
    for pid in holders.keys() - server.holders.keys():
        for tid in threads_of(pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if wait_of(pid, tid, holders[pid]).listens:
                    return pid
    return None
