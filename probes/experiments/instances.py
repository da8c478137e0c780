"""Epoll instances: created, nested, polled, and changed while somebody waits."""

from __future__ import annotations

import ctypes
import os
import select
import socket
from typing import Any

from .. import syscalls
from ..errnos import errno_of, errno_of_result
from ..lab.stage import Actor, Me, Stage
from ..refusals import REMEDIES
from ..scenario import Scenario
from ..strategies import prepare
from ..verdict import NotApplicable
from .waiting import BLOCKED, now

EPOLL_WAIT = "epoll_wait"
_BITS = {
    "IN": select.EPOLLIN,
    "OUT": select.EPOLLOUT,
    "ERR": select.EPOLLERR,
    "HUP": select.EPOLLHUP,
    "RDHUP": select.EPOLLRDHUP,
}
_FLAGS = {"level": 0, "edge": select.EPOLLET}


def events_of(instance: select.epoll) -> str:
    """What the instance reports now, without waiting: the names of the events, or `nothing`."""
    events = [mask for _, mask in instance.poll(0)]
    return " and ".join("|".join(name for name, bit in _BITS.items() if mask & bit) for mask in events) or "nothing"


def waits_on(stage: Stage, strategy: str, fd: int) -> Actor:
    """An actor that waits for `fd` in one call, and answers with its result; `state` says whether it still waits."""
    way = stage.keep(prepare(Scenario.parse(f"{strategy}/tcp4/n1/hold/one-connection"), [fd]))

    def act(me: Me) -> Any:
        waiting = way.waiting(0)
        me.ready()
        result = waiting.wait()
        return result if result >= 0 else errno_of_result(result)

    return stage.actor(act, "w0")


def state(actor: Actor, call: str) -> Any:
    """What the actor answered, or that it is proven blocked in `call`."""
    if actor.answered:
        return actor.answer()
    actor.blocked_in(call)
    return BLOCKED


def sizes(stage: Stage) -> None:
    """epoll_create with every kind of size; and three descriptors in an instance of size 1."""
    number = syscalls.number("epoll_create")
    if number is None:
        raise NotApplicable("this architecture has no epoll_create system call, only epoll_create1")
    for create, reported, size in (
        ("create-negative", "reported-negative", -1),
        ("create-zero", "reported-zero", 0),
        ("create-one", "reported-one", 1),
        ("create-largest", "reported-largest", 2**31 - 1),
    ):
        fd = syscalls.call(number, size)
        stage.note(create, f"epoll_create({size})", "ok" if fd >= 0 else errno_of_result(fd))
        if fd >= 0:
            with select.epoll.fromfd(fd) as instance:
                stage.note(reported, f"events of three descriptors, with size {size}", _ready(instance, 3))


def _ready(instance: select.epoll, n: int) -> int:
    """Add `n` writable pipes; returns how many of them the instance reports."""
    for _ in range(n):
        instance.register(os.pipe()[1], select.EPOLLOUT)
    return len(instance.poll(0, n + 1))


def shows(stage: Stage) -> None:
    """The instance's descriptor under /proc/PID/fd, before and after it is closed, and what fdinfo lists."""
    instance = select.epoll()
    fd = instance.fileno()
    read, _ = os.pipe()
    instance.register(read)
    stage.outcome("link", "the link in /proc/PID/fd", lambda: os.readlink(f"/proc/self/fd/{fd}"))
    with open(f"/proc/self/fdinfo/{fd}") as file:
        watched = [line.split()[1] for line in file if line.startswith("tfd:")]
    stage.note("fdinfo", "what fdinfo lists", "the watched descriptor" if watched == [str(read)] else watched)
    instance.close()
    stage.outcome(
        "link-after-close",
        "the link in /proc/PID/fd, once the instance is closed",
        lambda: os.readlink(f"/proc/self/fd/{fd}"),
    )


def always_reported(stage: Stage) -> None:
    """No event is asked for; then the peer of a socket closes it, and so does the reader of a pipe."""
    near, far = socket.socketpair()
    read, write = os.pipe()
    with select.epoll() as sockets, select.epoll() as pipes:
        sockets.register(near, 0)
        pipes.register(write, 0)
        stage.note("before-hangup", "events while both ends are open", [events_of(sockets), events_of(pipes)])
        far.close()
        os.close(read)
        stage.note("peer-closed", "events of a socket whose peer closed", events_of(sockets))
        stage.note("pipe-without-reader", "events of a pipe that nobody reads", events_of(pipes))


def in_itself(stage: Stage) -> None:
    """An instance is added to itself; and one to another that it watches."""
    with select.epoll() as first, select.epoll() as second:
        stage.outcome("in-itself", "adding an instance to itself", lambda: first.register(first))
        first.register(second)
        stage.outcome("in-each-other", "two instances that watch each other", lambda: second.register(first))


def nested(stage: Stage, direction: str) -> None:
    """Instances are put one into the other, up to ten: the outermost last, or the innermost last."""
    nest = [select.epoll()]
    try:
        while len(nest) < 10:
            new = select.epoll()
            (new.register(nest[-1]) if direction == "outwards" else nest[-1].register(new))
            nest.append(new)
        refused = "never"
    except OSError as error:
        if error.errno in REMEDIES:
            raise
        refused = errno_of(error)
    stage.note("five-deep", "five instances deep", "possible" if len(nest) >= 5 else f"refused at {len(nest) + 1}")
    stage.note("refused-with", "how nesting up to ten deep is refused", refused)
    stage.note("refused-at", "the depth that is refused first", len(nest) + 1)


def both(stage: Stage, trigger: str) -> None:
    """Two instances watch one descriptor; data come."""
    near, far = socket.socketpair()
    with select.epoll() as first, select.epoll() as second:
        for instance in (first, second):
            instance.register(near, select.EPOLLIN | _FLAGS[trigger])
        stage.note("before", "events of both instances before a write", [events_of(first), events_of(second)])
        far.send(b"x")
        stage.note("after-write", "events after a write", [events_of(first), events_of(second)])


def combined(stage: Stage) -> None:
    """Two writes and a shutdown between two waits; edge-triggered, so that nothing is reported twice."""
    near, far = socket.socketpair()
    with select.epoll() as instance:
        instance.register(near, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
        far.send(b"x")
        far.send(b"x")
        far.shutdown(socket.SHUT_WR)
        stage.note("combined", "events after two writes and a shutdown", events_of(instance))
        stage.note("again", "events in the next wait", events_of(instance))


def polled(stage: Stage, strategy: str) -> None:
    """Somebody waits for the instance itself, in select, poll or another instance."""
    near, far = socket.socketpair()
    with select.epoll() as instance:
        instance.register(near, select.EPOLLIN)
        waiter = waits_on(stage, strategy, instance.fileno())
        stage.note(
            "nothing-ready",
            "who waits on the instance, while nothing is ready",
            state(waiter, strategy.split(".", maxsplit=1)[0]),
        )
        far.send(b"x")
        stage.note("something-ready", "who waits on the instance, once something is ready", now(waiter))
        stage.note(
            "readable-when-ready",
            "the instance is readable, once something is ready",
            bool(select.select([instance], [], [], 0)[0]),
        )
        near.recv(1)
        stage.note(
            "readable-all-read",
            "the instance is readable, when all was read",
            bool(select.select([instance], [], [], 0)[0]),
        )


def modified(stage: Stage) -> None:
    """Data were reported, edge-triggered, and not read; then MOD.  And MOD while somebody waits."""
    near, far = socket.socketpair()
    with select.epoll() as instance:
        instance.register(near, select.EPOLLIN | select.EPOLLET)
        far.send(b"x")
        stage.note("after-write", "events after a write", events_of(instance))
        stage.note("again-unread", "events in the next wait, nothing having been read", events_of(instance))
        instance.modify(near, select.EPOLLIN | select.EPOLLET)
        stage.note("after-mod", "events after EPOLL_CTL_MOD", events_of(instance))
        instance.modify(near, 0)
        waiter = _waits_in(stage, instance)
        stage.note("waiter-no-interest", "a waiter, while no event is asked for", state(waiter, EPOLL_WAIT))
        instance.modify(near, select.EPOLLIN)
        stage.note("waiter-after-mod", "a waiter, after EPOLL_CTL_MOD asked for what is there", now(waiter))


def _waits_in(stage: Stage, instance: select.epoll, timeout: int = -1, most: int = 1) -> Actor:
    """An actor in epoll_wait on `instance`; answers with its result, or with its errno's name."""

    def act(me: Me) -> Any:
        events = (ctypes.c_uint64 * 2 * 8)()
        me.ready()
        number = syscalls.number_of(EPOLL_WAIT)
        result = syscalls.call(number, instance.fileno(), ctypes.addressof(events), most, timeout, 0, 8)
        return result if result >= 0 else errno_of_result(result)

    return stage.actor(act, "w0")


def added(stage: Stage, ready: bool) -> None:
    """A descriptor is added while another process waits on an instance that watches nothing yet."""
    near, far = socket.socketpair()
    with select.epoll() as instance:
        waiter = _waits_in(stage, instance)
        stage.note("empty-instance", "the waiter, while the instance is empty", state(waiter, EPOLL_WAIT))
        if ready:
            far.send(b"x")
        instance.register(near, select.EPOLLIN)
        if not ready:
            stage.note("not-ready", "the waiter, with a descriptor that is not ready", state(waiter, EPOLL_WAIT))
            far.send(b"x")
        stage.note("ready", "the waiter, once the descriptor is ready", now(waiter))


def timeout(stage: Stage, argument: dict[str, int]) -> None:
    """epoll_wait with a timeout and a maxevents, nothing being ready."""
    near, _far = socket.socketpair()
    with select.epoll() as instance:
        instance.register(near, select.EPOLLIN)
        waiter = _waits_in(stage, instance, argument["timeout"], argument.get("maxevents", 1))
        stage.note("epoll-wait", "epoll_wait", state(waiter, EPOLL_WAIT))
