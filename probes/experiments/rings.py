"""Completions of an io_uring whose owner is elsewhere, whose queue is full, that others use, or that polls."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

from .. import rings
from ..errnos import errno_of_result
from ..lab.deadline import until
from ..lab.stage import Me, Stage
from ..rings import Completion, Request, Ring
from ..verdict import NotApplicable
from . import wire

_FEWEST = 2
_CLIENTS = 6
_ACCEPT_ALL = Request(rings.ACCEPT, flags=rings.ACCEPT_MULTISHOT)
_DEFERRED = rings.SINGLE_ISSUER | rings.DEFER_TASKRUN


def _ask_for(flags: int) -> None:
    """Raise NotApplicable if no ring with these flags can be had."""
    Ring(flags=flags).close()


def owner_elsewhere(stage: Stage, deferred: bool) -> None:
    """A task submits an accept and sleeps in another call; a connection comes, and then the task enters its ring."""
    flags = _DEFERRED if deferred else 0
    _ask_for(flags)
    listener = wire.listening(stage)
    gate, opener = os.pipe()

    def act(me: Me) -> list[Any]:
        ring = Ring(flags=flags)
        ring.submit(Request(rings.ACCEPT), listener.fileno())
        ring.enter(1, 0)
        me.ready()
        os.read(gate, 1)
        lay = any(ring.lying())
        entered = ring.enter(0, 1)
        return [lay, said(entered) if entered < 0 else any(ring.lying())]

    listener.setblocking(True)  # io_uring does not wait on a non-blocking socket
    owner = stage.actor(act, "owner").blocked_in("read")
    wire.arrive(stage, listener)
    stage.quiet([owner])
    stage.note("woken", "the connection woke the owner of the ring, which slept in read", owner.woken)
    stage.note("sleeps-on", "the owner sleeps on in read", not owner.answered)
    os.write(opener, b"x")
    lay, came = owner.answer()
    stage.note("lay", "the completion lay in the queue before the owner entered the ring", lay)
    stage.note("came", "the completion was there once the owner had entered the ring", came)


def single_issuer(stage: Stage, deferred: bool) -> None:
    """A ring with SINGLE_ISSUER is used by a child of its owner: to submit, and to wait."""
    flags = _DEFERRED if deferred else rings.SINGLE_ISSUER
    _ask_for(flags)
    ring: Ring = stage.keep(Ring(flags=flags))

    def act(me: Me) -> list[Any]:
        ring.submit(Request(rings.NOP), -1)
        return [said(ring.enter(1, 0)), said(ring.enter(0, 0, look=True))]

    submitted, looked = stage.actor(act, "other").answer()
    stage.note("submit", "a request of another task", submitted)
    stage.note("look", "a look for completions by another task", looked)
    stage.note("own-submit", "the same request, handed over by the owner", said(ring.enter(1, 0)))


def insist_on_multishot(ring: Ring) -> None:
    """Raise NotApplicable if the kernel refuses a multishot request (accept: before 5.19, poll: before 5.13)."""
    if any(done.result == -errno.EINVAL for done in ring.lying()):
        raise NotApplicable("a request of io_uring that goes on (multishot): EINVAL")


def insist_on_waiting(ring: Ring, what: str) -> None:
    """Raise NotApplicable if the kernel knows no request of this kind, and has completed it at once.

    io_uring_enter(2): EINVAL, "the opcode is not supported".
    """
    if any(done.result == -errno.EINVAL for done in ring.lying()):
        raise NotApplicable(f"{what} with io_uring: EINVAL")


def said(result: int) -> Any:
    return result if result >= 0 else errno_of_result(result)


def full_queue(stage: Stage, reaped: bool) -> None:
    """A multishot accept has room for two completions; six clients come; then everything is reaped.

    With `reaped`, each completion is reaped before the next client comes.
    """
    listener = wire.listening(stage)
    listener.setblocking(True)  # io_uring does not wait on a non-blocking socket
    ring: Ring = stage.keep(Ring(1, completions=_FEWEST))
    ring.submit(_ACCEPT_ALL, listener.fileno())
    ring.enter(1, 0)
    insist_on_multishot(ring)
    came: list[Completion] = []
    for _ in range(_CLIENTS):
        wire.arrive(stage, listener)
        if reaped:
            came += all_of(ring)
    stage.note("lying", "completions that lie in the queue of two", len(list(ring.lying())))
    came += all_of(ring)
    left = wire.queue(listener)[0]
    armed = bool(came) and came[-1].more
    stage.note("silent", "connections left in the accept queue by a request that says more will come", left * armed)
    stage.note("lost", "connections that neither completed nor wait", _CLIENTS - len(came) - left)
    stage.note("refused", "completions that are no connection", sum(done.result < 0 for done in came))
    stage.note("armed", "the request says that more will come", armed)
    for done in came:
        if done.result >= 0:
            os.close(done.result)


def all_of(ring: Ring) -> Iterator[Completion]:
    """Reap everything, and make the kernel queue what had no room before."""
    while True:
        ring.enter(0, 0, look=True)
        done = ring.reap()
        if done is None:
            return
        yield done
        while (more := ring.reap()) is not None:
            yield more


def full_beside(stage: Stage) -> None:
    """Two rings have a multishot accept on one listener, the first with room for two completions; six clients come."""
    listener = wire.listening(stage)
    listener.setblocking(True)
    small, large = stage.keep(Ring(1, completions=_FEWEST)), stage.keep(Ring())
    for ring in (small, large):
        ring.submit(_ACCEPT_ALL, listener.fileno())
        ring.enter(1, 0)
        insist_on_multishot(ring)
    for _ in range(_CLIENTS):
        wire.arrive(stage, listener)
    beside = len(list(large.lying()))
    first = list(all_of(small))
    stage.note("beside", "completions in the other ring", beside)
    stage.note("first", "completions in the small ring, and behind it", len(first))
    stage.note("all", "connections that completed, or wait", beside + len(first) + wire.queue(listener)[0])


def polled(stage: Stage, argument: str) -> None:
    """A multishot poll on an eventfd or a socket: completions for data that are there, for more data, and after a
    read."""
    source, write, read = _pollable(stage, argument)
    ring: Ring = stage.keep(Ring())
    write()
    ring.submit(rings.poll_for(multishot=True), source)
    ring.enter(1, 0)
    insist_on_multishot(ring)
    _tell(stage, ring, "at-first", "completions, when it is ready as the poll is armed")
    _tell(stage, ring, "unread", "further ones, as long as nothing is read")
    write()
    _tell(stage, ring, "written-again", "further ones, when it is written to again")
    read()
    _tell(stage, ring, "read", "further ones, when all is read")
    write()
    _tell(stage, ring, "written-anew", "further ones, when it is written to after that")


def _tell(stage: Stage, ring: Ring, id: str, what: str) -> None:
    stage.fence(needed=True)
    stage.note(id, what, len(list(all_of(ring))))


def _pollable(stage: Stage, kind: str) -> tuple[int, Any, Any]:
    """A descriptor, a function that writes to it, and one that reads everything."""
    if kind == "eventfd":
        counter = os.eventfd(0, os.EFD_NONBLOCK)
        return counter, lambda: os.eventfd_write(counter, 1), lambda: os.eventfd_read(counter)
    near, far = socket.socketpair()
    stage.keep(near), stage.keep(far)
    return near.fileno(), lambda: far.send(b"x"), lambda: near.recv(64)


def poll_overflows(stage: Stage) -> None:
    """A multishot poll on an eventfd has room for two completions; five writes come, and then everything is reaped."""
    counter = os.eventfd(0, os.EFD_NONBLOCK)
    ring: Ring = stage.keep(Ring(1, completions=_FEWEST))
    ring.submit(rings.poll_for(multishot=True), counter)
    ring.enter(1, 0)
    insist_on_multishot(ring)
    for _ in range(5):
        os.eventfd_write(counter, 1)
        stage.fence(needed=True)
    came = list(all_of(ring))
    stage.note("in-order", "no completion comes after one that is the last", all(done.more for done in came[:-1]))
    ended = not came[-1].more if came else None
    os.eventfd_write(counter, 1)
    stage.fence(needed=True)
    later = len(list(all_of(ring)))
    stage.note("completions", "completions of five writes", len(came))
    stage.note("truth", "it has ended, and said so, or it goes on", ended is not None and ended == (later == 0))


def last_read(stage: Stage) -> None:
    """Three reads of an eventfd are armed on one ring; three writes, one after the other."""
    counter = os.eventfd(0)
    ring: Ring = stage.keep(Ring())
    for tag in (1, 2, 3):
        ring.submit(Request(rings.READ, length=8), counter, tag)
        ring.enter(1, 0)
    insist_on_waiting(ring, "a read")
    first: list[int] = []
    got: list[int] = []
    for _ in range(3):
        os.eventfd_write(counter, 1)
        stage.fence(needed=True)
        until(lambda: bool(list(ring.lying())), lambda: "no read completed")
        tags = [done.tag for done in all_of(ring)]
        got.append(len(tags))
        first += tags
    stage.note("each-once", "reads that each write completes", got)
    stage.note("first-completed", "the read that the first write completes, in the order of arming", first[0])
    stage.note("in-which-order", "all reads in the order in which they completed", first)
