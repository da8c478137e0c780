"""What successive waits on an epoll instance return, and which connections a worker that relies on them leaves."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from typing import Any

from ..lab.deadline import until
from ..lab.stage import Me, Stage
from ..sources.unread import unread
from .instances import EPOLL_WAIT, events_of
from .waiting import BLOCKED, now
from .workers import SharedListener, Worker

_FLAGS = {"level": 0, "edge": select.EPOLLET}


def more_than_fit(stage: Stage) -> None:
    """Five descriptors become ready, in another order than they were added in; each wait has room for two."""
    pipes = [os.pipe() for _ in range(5)]
    number = {read: i for i, (read, _) in enumerate(pipes)}
    with select.epoll() as instance:
        for read, _ in pipes:
            instance.register(read, select.EPOLLIN)
        for i in (3, 0, 4, 1, 2):
            os.write(pipes[i][1], b"x")
        calls = [[number[fd] for fd, _ in instance.poll(0, 2)] for _ in range(5)]
    stage.note("per-wait", "events in each wait", [len(call) for call in calls])
    rounds = [sorted({i for call in calls[start : start + 3] for i in call}) for start in range(3)]
    stage.note("three-waits", "descriptors reported in any three waits in a row", rounds)
    stage.note("order", "descriptors in the order in which they were reported", [i for call in calls for i in call])


def edges_one_by_one(stage: Stage) -> None:
    """Five descriptors, edge-triggered, become ready; each wait has room for one, and nobody reads."""
    pipes = [os.pipe() for _ in range(5)]
    number = {read: i for i, (read, _) in enumerate(pipes)}
    with select.epoll() as instance:
        for read, _ in pipes:
            instance.register(read, select.EPOLLIN | select.EPOLLET)
        for i in (3, 0, 4, 1, 2):
            os.write(pipes[i][1], b"x")
        calls = [[number[fd] for fd, _ in instance.poll(0, 1)] for _ in range(6)]
    stage.note(
        "first-five", "descriptors that the first five waits reported", sorted(i for call in calls[:5] for i in call)
    )
    stage.note("sixth", "events in the sixth wait", len(calls[5]))


def writable(stage: Stage, trigger: str) -> None:
    """A socket is filled until EAGAIN, and emptied by the peer."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with select.epoll() as instance:
        instance.register(near, select.EPOLLOUT | _FLAGS[trigger])
        stage.note("room", "events while there is room", events_of(instance))
        stage.note("again", "events in the next wait", events_of(instance))
        _until_eagain(lambda: near.send(b"x" * 4096))
        stage.note("full", "events when the socket is full", events_of(instance))
        _until_eagain(lambda: len(far.recv(65536)))
        stage.note("room-again", "events when there is room once more", events_of(instance))
        stage.note("room-again-next", "events in the wait after that", events_of(instance))


def _until_eagain(act: Callable[[], int]) -> None:
    try:
        while act():
            pass
    except BlockingIOError:
        pass


def _read_all(fd: int) -> None:
    _until_eagain(lambda: len(os.read(fd, 1)))


def looping_reader(stage: Stage, blocking: bool) -> None:
    """An edge-triggered reader of two clients reads until nothing is left of the first; then the second writes."""
    first, first_client = socket.socketpair()
    second, second_client = socket.socketpair()
    first.setblocking(blocking)
    second.setblocking(blocking)
    instance = stage.keep(select.epoll())
    stage.outcome(
        "add", "EPOLL_CTL_ADD, edge-triggered", lambda: instance.register(first, select.EPOLLIN | select.EPOLLET)
    )
    instance.register(second, select.EPOLLIN | select.EPOLLET)
    first_client.send(b"x")

    def act(me: Me) -> str:
        me.ready()
        while True:
            for fd, _ in instance.poll():
                _read_all(fd)
                if fd == second.fileno():
                    return "is served"

    reader = stage.actor(act, "reader").blocked_in("read" if blocking else EPOLL_WAIT)
    second_client.send(b"x")
    state = now(reader)
    stage.note("other-client", "another client that writes", "waits" if state == BLOCKED else state)


def burst(stage: Stage, argument: dict[str, Any]) -> None:
    """Three connections come before the worker waits; then one more while it waits."""
    shared = SharedListener(stage)
    scenario, strategy = shared.prepare(f"epoll_wait.{argument['trigger']}.epoll")
    for _ in range(3):
        shared.connect()
    worker = Worker(shared, strategy, scenario, "none", drain=argument["drain"])
    worker.at_rest()
    stage.note("burst-returned", "returns of the worker for the burst", worker.returns)
    stage.note("left", "connections left in the accept queue", shared.left())
    shared.connect()
    worker.blocked_again()
    stage.note("left-after-one-more", "connections left in the accept queue, after one more came", shared.left())


def chunks(stage: Stage, kind: str) -> None:
    """Data come in two chunks, and nothing is read; edge-triggered."""
    reader, write, arrived = _channel(kind)
    with select.epoll() as instance:
        instance.register(reader, select.EPOLLIN | select.EPOLLET)
        write()
        until(lambda: arrived() == 1, lambda: "the first chunk did not arrive")
        stage.fence()
        stage.note("first-chunk", "events after the first chunk", events_of(instance))
        write()
        until(lambda: arrived() == 2, lambda: "the second chunk did not arrive")
        stage.fence()
        stage.note("second-chunk", "events after the second chunk", events_of(instance))


def _channel(kind: str) -> tuple[int, Callable[[], object], Callable[[], int]]:
    """A channel's reading end, a function that writes to it, and one that says how many bytes have arrived."""
    if kind == "eventfd":
        return _counter()
    if kind == "pipe":
        reader, writer = os.pipe()
    elif kind == "unix":
        reader, writer = (end.detach() for end in socket.socketpair())
    else:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            writer = socket.create_connection(listening.getsockname()).detach()
            reader = listening.accept()[0].detach()

    return reader, lambda: os.write(writer, b"x"), lambda: unread(reader)


def _counter() -> tuple[int, Callable[[], object], Callable[[], int]]:
    """The same for an eventfd, where everything that was written has arrived."""
    counter, written = os.eventfd(0), 0

    def write() -> None:
        nonlocal written
        os.eventfd_write(counter, 1)
        written += 1

    return counter, write, lambda: written
