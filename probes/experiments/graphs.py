"""Epoll instances in one another, and which of those that wait on them report an event."""

from __future__ import annotations

import ctypes
import select
import socket
from typing import Any

from .. import syscalls
from ..lab.stage import Actor, Me, Stage
from .waiting import BLOCKED

_FLAGS = {"level": 0, "edge": select.EPOLLET}
_MANY = 10


class _Graph:
    """An outer instance, perhaps inner ones, and the sockets in them."""

    def __init__(self, stage: Stage, argument: dict[str, Any]) -> None:
        self.outer: select.epoll = stage.keep(select.epoll())
        self.inner: list[select.epoll] = []
        self._far: list[socket.socket] = []
        flags = select.EPOLLIN | _FLAGS[argument["outer"]]
        for _ in range(argument["sockets"]):
            near, far = (stage.keep(end) for end in socket.socketpair())
            self._far.append(far)
            held = near.fileno()
            if argument["inner"]:
                self.inner.append(stage.keep(select.epoll()))
                self.inner[-1].register(near, select.EPOLLIN | _FLAGS[argument["inner"]])
                held = self.inner[-1].fileno()
            self.outer.register(held, flags)

    def write(self) -> None:
        """Write once to each socket."""
        for far in self._far:
            far.send(b"w")


def looked_at(stage: Stage, argument: dict[str, Any]) -> None:
    """After the writes, two looks without sleeping; in poll, each look asks poll first."""
    graph = _Graph(stage, argument)
    graph.write()
    looks = []
    for _ in range(2):
        polled = _ready(graph.outer, 0) if argument["waits"][0] == "poll" else None
        events = len(graph.outer.poll(0, argument["most"]))
        looks.append(events if polled in (None, bool(events)) else f"poll says {polled}, epoll_wait {events}")
    stage.note("events", "events in the first look, and in the second", looks)


def slept_on(stage: Stage, argument: dict[str, Any]) -> None:
    """Two go to sleep, one after the other; after the writes, which of them report an event."""
    graph = _Graph(stage, argument)
    places = [graph.inner[0] if argument["first_inside"] else graph.outer, graph.outer]
    waiters = [
        _asleep(stage, f"w{i}", call, place, argument["most"])
        for i, (call, place) in enumerate(zip(argument["waits"], places, strict=True))
    ]
    graph.write()
    stage.quiet(waiters)
    reported = [_reported(waiter) for waiter in waiters]
    stage.note("reported", "waiters that reported an event", sum(reported))
    stage.note("first-reported", "the first of them did", reported[0])


def one_each(stage: Stage) -> None:
    """Ten sleep on one edge-triggered instance with ten sockets in it, each of which is written to once."""
    graph = _Graph(stage, {"outer": "edge", "inner": "", "sockets": _MANY})
    waiters = [_asleep(stage, f"w{i}", "epoll_wait", graph.outer, 1) for i in range(_MANY)]
    graph.write()
    stage.quiet(waiters)
    stage.note("reported", "waiters that reported an event", sum(map(_reported, waiters)))


def _asleep(stage: Stage, name: str, call: str, place: select.epoll, most: int) -> Actor:
    """An actor that sleeps in this call on this instance, and answers with the events that it got."""

    def act(me: Me) -> int:
        events = ctypes.create_string_buffer(16 * most)
        me.ready()
        if call == "poll":
            _ready(place, -1)
            # Without a time limit: with a limit of 0 it could find nothing, because another waiter has just taken what
            # poll saw, or is putting it back (ep_events_available, fs/eventpoll.c, which takes no lock).
            return len(place.poll(-1, most))
        return syscalls.call(syscalls.number_of("epoll_wait"), place.fileno(), ctypes.addressof(events), most, -1, 0, 8)

    return stage.actor(act, name).blocked_in(call)


def _ready(place: select.epoll, limit_ms: int) -> bool:
    asking = select.poll()
    asking.register(place, select.POLLIN)
    return bool(asking.poll(limit_ms))


def _reported(waiter: Actor) -> bool:
    answer = waiter.answer() if waiter.answered else BLOCKED
    return answer not in (BLOCKED, 0)
