"""Several sources for each waiter, and different kinds of waiters on one source."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from ..lab.deadline import until
from ..lab.features import asking_for
from ..lab.stage import Me, Stage
from ..strategies.epoll import EPOLLEXCLUSIVE, FLAGS
from .waiting import BLOCKED

_TEN = 10
_FOUR = 4


class Asker:
    """An actor that waits, reports what it got, and waits again when it is told to."""

    def __init__(self, stage: Stage, name: str, call: str, wait: Callable[[], Any]) -> None:
        """`wait` blocks in `call`, and returns a value that JSON can hold."""
        self.heard: list[Any] = []
        self._call = call
        self._answers, answer_to = os.pipe()
        gate, self._opener = os.pipe()

        def live(me: Me) -> None:
            while True:
                me.ready()
                os.write(answer_to, json.dumps(wait()).encode() + b"\n")
                os.read(gate, 1)

        self.actor = stage.actor(live, name).blocked_in(call)

    def hear(self) -> Any:
        """Its last report, or that it is still blocked; it must be at rest."""
        while select.select([self._answers], [], [], 0)[0]:
            self.heard += [json.loads(line) for line in os.read(self._answers, 65536).splitlines()]
        return self.heard[-1] if self.heard else BLOCKED

    def wait_again(self) -> None:
        """Let it wait again; returns once it is proven to sleep."""
        self.heard.clear()
        os.write(self._opener, b"x")
        self.actor.blocked_in(self._call)

    def look_again(self) -> Any:
        """Let it wait again for something that is already there; returns its report."""
        self.heard.clear()
        os.write(self._opener, b"x")
        until(lambda: self.hear() != BLOCKED, lambda: f"{self.actor.name} slept, though something was there")
        return self.hear()


def two_sources(stage: Stage, strategy: str) -> None:
    """Ten wait for two eventfds at once.  The first is written to and read, and all that returned wait again; then the
    same with the second."""
    fds = [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(2)]
    call, wait = _waits_for(stage, strategy, fds)
    askers = [Asker(stage, f"w{i}", call, wait(i)) for i in range(_TEN)]
    others = []
    for place, which in enumerate(("first", "second")):
        os.eventfd_write(fds[place], 1)
        stage.quiet(asker.actor for asker in askers)
        heard = [asker.hear() for asker in askers]
        stage.note(which, f"waiters that got an event of the {which} eventfd only", heard.count([place]))
        others.append(sum(each not in ([place], BLOCKED) for each in heard))
        os.eventfd_read(fds[place])
        for asker in askers:
            if asker.heard:
                asker.wait_again()
    stage.note("others", "waiters that got any other event, for each of the two", others)


def two_edges(stage: Stage) -> None:
    """Ten wait, with room for one event, on one edge-triggered instance with two eventfds; each is written to."""
    fds = [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(2)]
    call, wait = _waits_for(stage, "epoll_wait.edge.epoll", fds, most=1)
    askers = [Asker(stage, f"w{i}", call, wait(i)) for i in range(_TEN)]
    for fd in fds:
        os.eventfd_write(fd, 1)
    stage.quiet(asker.actor for asker in askers)
    heard_of = sorted(heard for asker in askers if (heard := asker.hear()) != BLOCKED)
    stage.note("each-told", "the eventfds reported to those that returned", heard_of)


def _waits_for(
    stage: Stage, strategy: str, fds: list[int], most: int = -1
) -> tuple[str, Callable[[int], Callable[[], list[int]]]]:
    """The call, and a function that gives waiter `i` its wait: it blocks in the call on all of `fds`, and returns the
    places of those that were reported.

    `most`: how many events one epoll_wait has room for; -1: no limit.
    """
    if strategy == "poll":
        return strategy, lambda i: lambda: _places(fds, _polled(fds))
    call, trigger, sharing = strategy.split(".")
    instances = [_instance(stage, fds, trigger) for _ in range(1 if sharing == "epoll" else _TEN)]
    return call, lambda i: lambda: _places(fds, instances[i % len(instances)].poll(-1, most))


def _polled(fds: list[int]) -> list[tuple[int, int]]:
    asking = select.poll()
    for fd in fds:
        asking.register(fd, select.POLLIN)
    return asking.poll()


def _places(fds: list[int], events: list[tuple[int, int]]) -> list[int]:
    return sorted(fds.index(fd) for fd, _ in events)


def _instance(stage: Stage, fds: list[int], trigger: str) -> select.epoll:
    """A new instance with all of these in it.  Raises NotApplicable if the kernel has no EPOLLEXCLUSIVE."""
    instance: select.epoll = stage.keep(select.epoll())
    for fd in fds:
        if FLAGS[trigger] & EPOLLEXCLUSIVE:
            with asking_for("EPOLLEXCLUSIVE"):
                instance.register(fd, select.EPOLLIN | FLAGS[trigger])
        else:
            instance.register(fd, select.EPOLLIN | FLAGS[trigger])
    return instance


def pollers_beside(stage: Stage, trigger: str) -> None:
    """Four sleep in epoll_wait on one instance, and four poll that instance; then its eventfd is written to."""
    fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    instance = _instance(stage, [fd], trigger)
    waiters, pollers = [], []
    for i in range(_FOUR):
        pollers.append(Asker(stage, f"p{i}", "poll", lambda: len(_polled([instance.fileno()]))))
        waiters.append(Asker(stage, f"w{i}", "epoll_wait", lambda: len(instance.poll())))
    os.eventfd_write(fd, 1)
    stage.quiet(asker.actor for asker in (*waiters, *pollers))
    stage.note("returned", "waiters in epoll_wait that returned", [asker.hear() for asker in waiters].count(1))
    stage.note("pollers-woken", "pollers of the instance that were woken", [p.actor.woken for p in pollers].count(True))
    stage.note("pollers", "pollers of the instance that returned", [asker.hear() for asker in pollers].count(1))


def exclusive_listeners(stage: Stage, most: int) -> None:
    """Two workers each have both listeners, with EPOLLEXCLUSIVE, in an instance of their own; nobody accepts.

    A connection to the first listener, then one to the second while the first worker is busy; then that worker waits
    again, with room for `most` events.
    """
    listeners = [stage.keep(socket.socket(socket.AF_UNIX)) for _ in range(2)]
    for listener in listeners:
        listener.bind("")  # at a free abstract name (unix(7), autobind)
        listener.listen()
    fds = [listener.fileno() for listener in listeners]
    workers = []
    for i in range(2):
        instance = _instance(stage, fds, "exclusive")
        workers.append(
            Asker(
                stage,
                f"w{i}",
                "epoll_wait",
                lambda instance=instance: _places(fds, instance.poll(-1, most)),  # type: ignore[misc]  # is bound now
            )
        )
    for listener in listeners:
        client = stage.keep(socket.socket(socket.AF_UNIX))
        client.connect(listener.getsockname())
        stage.quiet(worker.actor for worker in workers)
    stage.note("told", "listeners reported to the first worker, and to the second", [w.hear() for w in workers])
    looks = [workers[0].look_again() for _ in range(2)]
    stage.note("again", "what is reported to the first in its next two waits", looks)


def read_beside_exclusive(stage: Stage, first: str) -> None:
    """One is blocked in read on a pipe, two wait for the pipe in instances with EPOLLEXCLUSIVE; one byte comes."""
    read, write = os.pipe()

    def reader() -> Asker:
        return Asker(stage, "reader", "read", lambda: len(os.read(read, 1)))

    def others() -> list[Asker]:
        instances = [_instance(stage, [read], "exclusive") for _ in range(2)]
        return [
            Asker(stage, f"w{i}", "epoll_wait", lambda instance=instance: len(instance.poll()))  # type: ignore[misc]
            for i, instance in enumerate(instances)
        ]

    if first == "read":
        reads = reader()
        waits = others()
    else:
        waits = others()
        reads = reader()
    os.write(write, b"x")
    askers = [reads, *waits]
    stage.quiet(asker.actor for asker in askers)
    stage.note("read-it", "the reader has the byte", reads.hear() == 1)
    stage.note("others-returned", "others that returned", [asker.hear() for asker in waits].count(1))
    stage.note("left", "the byte is in the pipe still", bool(select.select([read], [], [], 0)[0]))
