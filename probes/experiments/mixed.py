"""Waiters of several kinds on one listener, instances inside instances, and workers that are busy."""

from __future__ import annotations

import select
from collections.abc import Iterable
from typing import Any

from ..lab.stage import Actor, Me, Stage
from ..strategies.epoll import FLAGS
from .instances import EPOLL_WAIT
from .waiting import RETURNS, now
from .workers import SharedListener, Worker, names

_PRIVATE = "epoll_wait.{}.listener"


def plain_and_exclusive(stage: Stage, order: str) -> None:
    """Two plain instances and two with EPOLLEXCLUSIVE watch one listener; nobody takes the connection."""
    shared = SharedListener(stage)
    workers: dict[str, list[Worker]] = {"level": [], "exclusive": []}
    for trigger in order.split():
        workers[trigger].append(shared.worker(_PRIVATE.format(trigger), gate="before"))
    shared.connect()
    stage.note("plain", "waiters without EPOLLEXCLUSIVE that returned", _returns(workers["level"]))
    exclusive = _returns(workers["exclusive"])
    stage.note("some-exclusive", "at least one waiter with EPOLLEXCLUSIVE returned", exclusive >= 1)
    stage.note("exclusive", "waiters with EPOLLEXCLUSIVE that returned", exclusive)


def _returns(workers: Iterable[Worker]) -> int:
    return sum(worker.returns for worker in workers)


def accept_beside(stage: Stage, argument: dict[str, Any]) -> None:
    """One worker sleeps in accept, and two in another call and take nothing; which of them gets the connection."""
    shared = SharedListener(stage, blocking=True)
    if argument["first"] == "accept":
        accepting = shared.worker("accept", gate="after")
        others = [shared.worker(argument["beside"], gate="before") for _ in range(2)]
    else:
        others = [shared.worker(argument["beside"], gate="before") for _ in range(2)]
        accepting = shared.worker("accept", gate="after")
    shared.connect()
    stage.note("accept-took-it", "the waiter in accept has the connection", accepting.took == 1)
    stage.note("others-returned", "waiters beside accept that returned", _returns(others))
    stage.note("left", "connections left in the accept queue", shared.left())


def woken_beside_accept(stage: Stage, beside: str) -> None:
    """One worker sleeps in accept, and two in a multiplexer; which of them one connection wakes."""
    shared = SharedListener(stage, blocking=True)
    others = [shared.worker(beside, gate="before") for _ in range(2)]
    accepting = shared.worker("accept", gate="after")
    shared.connect()
    stage.note("accept-took-it", "the waiter in accept has the connection", accepting.took == 1)
    stage.note(
        "others-woken", "waiters beside accept that were woken", [other.actor.woken for other in others].count(True)
    )


def outer_instances(stage: Stage, argument: dict[str, str]) -> None:
    """Two wait on outer instances, one each or one shared, around an inner one that watches the listener."""
    shared = SharedListener(stage)
    inner = stage.keep(select.epoll())
    inner.register(shared.listener.fds[0], select.EPOLLIN)
    sharing, trigger = argument["sharing"], argument["trigger"]
    outer = [stage.keep(select.epoll()) for _ in range(2 if sharing == "listener" else 1)]
    for instance in outer:
        instance.register(inner, select.EPOLLIN | FLAGS[trigger])
    waiters = [_waits(stage, outer[i % len(outer)]) for i in range(2)]
    _connect_and_look(shared, waiters)


def inside_and_outside(stage: Stage) -> None:
    """One waits on the inner instance, another on an outer one around it; both level-triggered."""
    shared = SharedListener(stage)
    inner, outer = stage.keep(select.epoll()), stage.keep(select.epoll())
    inner.register(shared.listener.fds[0], select.EPOLLIN)
    outer.register(inner, select.EPOLLIN)
    _connect_and_look(shared, [_waits(stage, inner), _waits(stage, outer)])


def _waits(stage: Stage, instance: select.epoll) -> Actor:
    def act(me: Me) -> str:
        me.ready()
        return RETURNS if instance.poll() else "nothing"

    return stage.actor(act, "w").blocked_in(EPOLL_WAIT)


def _connect_and_look(shared: SharedListener, waiters: list[Actor]) -> None:
    shared.connect()
    shared.stage.quiet(waiters)
    shared.stage.note("returned", "waiters that returned", [now(waiter) for waiter in waiters].count(RETURNS))


def busy(stage: Stage, strategy: str) -> None:
    """Three workers wait.  Two connections leave two of them busy; then the first of these waits again."""
    shared = SharedListener(stage, blocking=strategy.startswith("accept"))
    workers = shared.crew(strategy, 3, gate="after")
    first = _winners(shared, workers)
    won = [first, _winners(shared, workers)]
    if len(first) == 1:
        first[0].let()
        first[0].blocked_again()
        won.append(_winners(shared, workers))
    stage.note("takers", "who took each connection", [names(took) for took in won])


def busy_oneshot(stage: Stage) -> None:
    """Three workers share a oneshot instance.  One takes a connection and is busy; another connection comes; then the
    worker arms the item again."""
    shared = SharedListener(stage)
    workers = shared.crew("epoll_wait.oneshot.epoll", 3, gate="after")
    first = _winners(shared, workers)
    stage.note("took-first", "workers that took the first connection", len(first))
    stage.note(
        "took-next", "workers that took the next connection, while the first is busy", len(_winners(shared, workers))
    )
    stage.note("left", "connections left in the accept queue", shared.left())
    for worker in first:
        worker.let()
    shared.at_rest()
    stage.note(
        "left-after-rearm",
        "connections left in the accept queue, once the worker has armed the item again",
        shared.left(),
    )


def _winners(shared: SharedListener, workers: list[Worker]) -> list[Worker]:
    """Make one connection; returns the workers that took it."""
    before = [worker.took for worker in workers]
    shared.connect()
    return [worker for worker, took in zip(workers, before, strict=True) if worker.took > took]
