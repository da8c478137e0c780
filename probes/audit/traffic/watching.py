"""--watch: watches a server for some seconds while its own clients connect, from the request to the answer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from ...observers.perf_rings import Tracepoint
from ...verdict import Inconclusive
from .. import answer, names, origin
from ..find import AuditedServer, family_of
from ..judge import Judgement
from ..returns import why_returns_tell_nothing
from ..tracepoints import descriptions
from ..waits import Wait
from ..wakers import shares_our_pid_namespace
from ..watch import ServerThreads
from ..workers import Workers
from . import cost, figures, judge, switches
from .beside import share_another
from .counting import Counting, Tell, calls_of, to_trace
from .events import OWN_TRACEPOINTS, TRACEPOINTS
from .queue import QueueWatch
from .symbols import listener_functions
from .trace import TraceStream
from .waiters import WaitersSeen
from .watched import Watched

MOST_RECORDS_PER_S = 40_000
"""How many records the tracepoints may write.  Above an eighth of that, wake-ups are observed only a part of the time;
if there are too many all the same, connections, too."""
_NICE = 10


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
    # Only a TCP connection tells in which context it arrived; and whoever connects to a unix socket wakes in person.
    own_apart = server.listener.kind.startswith("tcp") and "arrival" in tracepoints
    traced, calls = to_trace(threads, seen), calls_of(server, seen)
    stream = TraceStream(tracepoints, traced, functions, calls, own_apart=own_apart)
    beside = datagrams and share_another(server, seen.waiting.values())
    with contextlib.ExitStack() as last:
        last.callback(stream.close)
        last.enter_context(_in_the_background())
        account = Counting(server, threads, seen, queue, stream, watched, tell).run()
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
    if account.totals.unclear:
        watched.notes.append(
            f"{account.totals.unclear} connections were established by the server's own threads outside of softirqs "
            "(busy polling, PREEMPT_RT), and whom these woke was not seen"
        )
    known["warnings"] += watched.sum_up()
    return verdict


@contextlib.contextmanager
def _in_the_background() -> Iterator[None]:
    """Let the server go first when both want a CPU (setpriority(2)), and do not interrupt it (a thread with SCHED_BATCH
    that is woken preempts nobody, check_preempt_wakeup in kernel/sched/fair.c); the rings hold some seconds."""
    before, policy = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
    os.setpriority(os.PRIO_PROCESS, 0, max(before, _NICE))
    if policy == os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        if policy == os.SCHED_OTHER:
            os.sched_setscheduler(0, policy, os.sched_param(0))
        with contextlib.suppress(PermissionError):  # lowering it again needs CAP_SYS_NICE
            os.setpriority(os.PRIO_PROCESS, 0, before)
