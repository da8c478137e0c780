"""Waiters of several kinds on one listener, instances inside instances, and workers that are busy."""

from __future__ import annotations

import select
from collections.abc import Iterable
from typing import Any

from ..lab.stage import Actor, Me, Stage
from ..strategies.epoll import FLAGS
from .instances import EPOLL_WAIT
from .waiting import RETURNS, now
from .workers import Place, Worker, names

_PRIVATE = "epoll_wait.{}.listener"


def plain_and_exclusive(stage: Stage, order: str) -> None:
    """Two plain instances and two with EPOLLEXCLUSIVE watch one listener; nobody takes the connection."""
    place = Place(stage)
    made: dict[str, list[Worker]] = {"level": [], "exclusive": []}
    for trigger in order.split():
        made[trigger].append(place.worker(_PRIVATE.format(trigger), gate="before"))
    place.connect()
    stage.note("plain", "waiters without EPOLLEXCLUSIVE that returned", _told(made["level"]))
    exclusive = _told(made["exclusive"])
    stage.note("some-exclusive", "at least one waiter with EPOLLEXCLUSIVE returned", exclusive >= 1)
    stage.note("exclusive", "waiters with EPOLLEXCLUSIVE that returned", exclusive)


def _told(workers: Iterable[Worker]) -> int:
    return sum(one.told for one in workers)


def accept_beside(stage: Stage, argument: dict[str, Any]) -> None:
    """One worker sleeps in accept and two in another call that take nothing: who blocked first, and who gets it."""
    place = Place(stage, blocking=True)
    if argument["first"] == "accept":
        accepting = place.worker("accept", gate="after")
        others = [place.worker(argument["beside"], gate="before") for _ in range(2)]
    else:
        others = [place.worker(argument["beside"], gate="before") for _ in range(2)]
        accepting = place.worker("accept", gate="after")
    place.connect()
    stage.note("accept-took-it", "the waiter in accept has the connection", accepting.took == 1)
    stage.note("others-returned", "waiters beside accept that returned", _told(others))
    stage.note("left", "connections left in the accept queue", place.left())


def woken_beside_accept(stage: Stage, beside: str) -> None:
    """One worker sleeps in accept and two in a multiplexer: who is woken by one connection."""
    place = Place(stage, blocking=True)
    others = [place.worker(beside, gate="before") for _ in range(2)]
    accepting = place.worker("accept", gate="after")
    place.connect()
    stage.note("accept-took-it", "the waiter in accept has the connection", accepting.took == 1)
    stage.note("others-woken", "waiters beside accept that were woken", [one.actor.woken for one in others].count(True))


def outer_instances(stage: Stage, argument: dict[str, str]) -> None:
    """Two wait on outer instances, one each or one shared, around an inner one that watches the listener."""
    place = Place(stage)
    inner = stage.keep(select.epoll())
    inner.register(place.listener.fds[0], select.EPOLLIN)
    sharing, trigger = argument["sharing"], argument["trigger"]
    outer = [stage.keep(select.epoll()) for _ in range(2 if sharing == "listener" else 1)]
    for instance in outer:
        instance.register(inner, select.EPOLLIN | FLAGS[trigger])
    waiters = [_waits(stage, outer[i % len(outer)]) for i in range(2)]
    _connect_and_look(place, waiters)


def inside_and_outside(stage: Stage) -> None:
    """One waits on the inner instance, another on an outer one around it; both level-triggered."""
    place = Place(stage)
    inner, outer = stage.keep(select.epoll()), stage.keep(select.epoll())
    inner.register(place.listener.fds[0], select.EPOLLIN)
    outer.register(inner, select.EPOLLIN)
    _connect_and_look(place, [_waits(stage, inner), _waits(stage, outer)])


def _waits(stage: Stage, instance: select.epoll) -> Actor:
    def act(me: Me) -> str:
        me.ready()
        return RETURNS if instance.poll() else "nothing"

    return stage.actor(act, "w").blocked_in(EPOLL_WAIT)


def _connect_and_look(place: Place, waiters: list[Actor]) -> None:
    place.connect()
    place.stage.quiet(waiters)
    place.stage.note("returned", "waiters that returned", [now(one) for one in waiters].count(RETURNS))


def busy(stage: Stage, strategy: str) -> None:
    """Three workers wait.  Two connections leave two of them busy; then the first of these waits again."""
    place = Place(stage, blocking=strategy.startswith("accept"))
    workers = place.crew(strategy, 3, gate="after")
    first = _winners(place, workers)
    won = [first, _winners(place, workers)]
    if len(first) == 1:
        first[0].let()
        first[0].blocked_again()
        won.append(_winners(place, workers))
    stage.note("takers", "who took each connection", [names(took) for took in won])


def busy_oneshot(stage: Stage) -> None:
    """Three workers share a oneshot instance.  One is told, and busy; another connection comes; then it arms again."""
    place = Place(stage)
    workers = place.crew("epoll_wait.oneshot.epoll", 3, gate="after")
    first = _winners(place, workers)
    stage.note("took-first", "workers that took the first connection", len(first))
    stage.note(
        "took-next", "workers that took the next connection, while the first is busy", len(_winners(place, workers))
    )
    stage.note("left", "connections left in the accept queue", place.left())
    for one in first:
        one.let()
    place.at_rest()
    stage.note(
        "left-after-rearm",
        "connections left in the accept queue, once the worker has armed the item again",
        place.left(),
    )


def _winners(place: Place, workers: list[Worker]) -> list[Worker]:
    """Make one connection; the workers that took one more than before."""
    before = [one.took for one in workers]
    place.connect()
    return [one for one, took in zip(workers, before, strict=True) if one.took > took]
