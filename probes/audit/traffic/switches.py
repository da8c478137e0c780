"""What can be said without the tracepoints: the workers' context switches, and the kernel's count of connections.

A worker also sleeps while it serves (waiting for data, or for a backend), so its switches are only an upper bound of
how often connections woke it.  And the kernel counts connections for all listeners of a network namespace together.  So
this can show that a connection wakes one worker, but never that the server herds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..find import AuditedServer
from ..judge import INCONCLUSIVE, WAKES_ONE, Judgement
from ..sockets import listeners
from ..watch import Looks, ServerThreads
from .figures import jain
from .judge import FEWEST
from .queue import QueueWatch
from .waiters import WaitersSeen

_TURN_MS = 100.0
_AT_MOST_ONE = 1.1


def watch(
    server: AuditedServer,
    seconds: float,
    known: dict[str, Any],
    tell: Callable[[str], None],
    threads: ServerThreads,
    seen: WaitersSeen,
    queue: QueueWatch,
) -> Judgement:
    """Watch for so many seconds, add the figures to `known`, and return the verdict.  Raises Ended if the server
    ends."""
    before = threads.looks()
    began = time.monotonic()
    while (left_s := began + seconds - time.monotonic()) > 0:
        threads.complain_about_end(min(_TURN_MS, left_s * 1000))
        queue.look()
        tell(f"second {time.monotonic() - began:.0f} of {seconds:g}")
    moves = _moves(before, threads.looks(), seen)
    opened = queue.passive_opens() if server.listener.kind.startswith("tcp") else None
    total = sum(moves.values())
    alone = bool(server.listener.port) and _is_alone(server)
    known["traffic"] = {
        "opened_in_namespace": opened,
        "switches": total,
        "switches_by": {str(tid): number for tid, number in sorted(moves.items(), key=lambda item: -item[1])},
        "switches_per_opened": round(total / opened, 4) if opened else None,
        "only_listener": alone,
        "jain": None if not total else round(jain([number / total for number in moves.values()]) or 0.0, 4),
        "watched": {"seconds": round(time.monotonic() - began, 2), "records": 0},
    }
    return _judged(total, opened, alone, len(seen.waiting), server.listener.takes_datagrams)


def _moves(before: Looks, after: Looks, seen: WaitersSeen) -> dict[int, int]:
    """Context switches of each worker between two looks."""
    return {tid: after[tid].switches - before[tid].switches for tid in seen.waiting if tid in after and tid in before}


def _is_alone(server: AuditedServer) -> bool:
    """Whether this is the only TCP listener of the namespace, so that the kernel's count is the listener's own."""
    ports = {listener.port for listener in listeners(server.anyone) if listener.port}
    return ports == {server.listener.port}


def _judged(total: int, opened: int | None, alone: bool, workers: int, datagrams: bool) -> Judgement:
    sure = (
        "nearly sure: the workers changed context no more often than that in all, whatever for; who woke whom was not "
        "seen"
    )
    if workers == 1:
        return Judgement(WAKES_ONE, "wakes one: the only worker wakes for a connection", sure)
    if opened is None:
        what = "datagrams" if datagrams else "connections to a unix socket"
        return _inconclusive(f"without the tracepoints {what} are not counted: run it as root")
    if opened < FEWEST:
        return _inconclusive(f"{opened} connections came; {FEWEST} are needed to judge by")
    each = total / opened
    if alone and each <= _AT_MOST_ONE:
        words = f"at most {each:.2g} wake-ups of {workers} workers for each connection"
        return Judgement(WAKES_ONE, f"wakes one: {words}", sure)
    of = "" if alone else " (of all listeners of this network namespace)"
    return _inconclusive(
        f"the workers changed context {total} times while {opened} connections came{of}, for whatever reason; the "
        "scheduler's trace, which root may read, tells which of that the connections caused"
    )


def _inconclusive(why: str) -> Judgement:
    return Judgement(INCONCLUSIVE, f"inconclusive: {why}", "")
