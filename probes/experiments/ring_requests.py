"""Requests of an io_uring that are changed or cancelled, that end, or that cause events of their own."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
from typing import Any

from .. import rings
from ..errnos import errno_name
from ..lab.deadline import until
from ..lab.stage import Me, Stage
from ..rings import Request, Ring
from ..verdict import NotApplicable
from . import wire
from .rings import all_of, insist_on_multishot, insist_on_waiting, said

_POLL, _CHANGE, _BUFFERS, _OTHER = 1, 2, 3, 4
_GROUP, _ROOM = 7, 64
_TIMES = 2


def own_news(stage: Stage, kind: str) -> None:
    """A multishot poll on something that each completion of its own ring makes ready, so that it could loop for ever.

    That is an eventfd that the ring increments for each completion, or an epoll instance (`epoll`) that contains the
    ring.  Two events happen there: writes to the eventfd, or completions of another request.  A kernel without
    4464853277d0 (6.2) can loop inside the kernel until memory is used up (seen on 5.10), and no signal ends that, so
    such kernels are not tried; nor is 6.2 itself, which cannot be told from them (`Ring.has_reg_reg_ring`).
    """
    ring: Ring = stage.keep(Ring())
    if not ring.has_reg_reg_ring:
        raise NotApplicable(
            "an io_uring that shows that it is safe to ask: IORING_FEAT_REG_REG_RING, from Linux 6.3 on"
        )
    done, tell = os.pipe()

    def act(me: Me) -> list[Any]:
        answer = _go_round(ring, kind)
        os.write(tell, b"x")
        return answer

    owner = stage.actor(act, "owner")
    # A healthy poll leaves most of the queue free; one that loops fills it, and its owner never gets any further.
    is_full = _Full(ring)
    until(
        lambda: is_full() or bool(select.select([done], [], [], 0)[0]), lambda: "the owner of the ring was not heard of"
    )
    stage.note("goes-round", "it completes again and again, until the queue is full", is_full.seen)
    if is_full.seen:
        owner.give_up()
        return
    if not (answer := owner.answer()):
        raise NotApplicable("a poll of io_uring that goes on (multishot): EINVAL")
    counts, more = answer
    stage.note("counts", "completions each time, -1 where the poll did not do as its last one had said", counts)
    stage.note("more", "its last completion says that more will come", more)
    stage.note("first-told", "the first event is reported", counts[0] > 0)
    stage.note("truth", "each event is reported, until a completion says that the poll has ended", -1 not in counts)


class _Full:
    """Whether the completion queue of a ring that another task uses was ever seen full."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self.seen = False

    def __call__(self) -> bool:
        self.seen = self.seen or sum(1 for _ in self._ring.lying()) >= self._ring.completions
        return self.seen


def _go_round(ring: Ring, kind: str) -> list[Any]:
    """How often the poll completes for each event, and whether its last completion says that more will come; empty if
    the kernel has no multishot poll."""
    if kind == "epoll":
        instance = select.epoll()
        instance.register(ring.fd, select.EPOLLIN)
        watched = instance.fileno()
    else:
        watched = os.eventfd(0, os.EFD_NONBLOCK)
        ring.tell_by(watched)
    ring.submit(rings.poll_for(multishot=True), watched, _POLL)
    ring.enter(1, 0)
    if any(completion.result == -errno.EINVAL for completion in ring.lying()):
        return []
    counts, more = [], True
    for _ in range(_TIMES):
        if kind == "epoll":
            ring.submit(Request(rings.NOP), -1, _OTHER)
            ring.enter(1, 0)
            came = list(all_of(ring))
        else:
            os.eventfd_write(watched, 1)
            came = list(all_of(ring))
            os.eventfd_read(watched)
            came += all_of(ring)
        came = [completion for completion in came if completion.tag == _POLL]
        counts.append(len(came))
        if more and came:
            more = came[-1].more
        elif more or came:  # it said that more will come, and none did; or it had ended, and completes all the same
            counts[-1] = -1
    return [counts, more]


def changed(stage: Stage) -> None:
    """A poll is changed to ask for something that is there; another one, for something that comes only later."""
    near, far = socket.socketpair()
    ring: Ring = stage.keep(Ring())
    ring.submit(rings.poll_for(select.POLLIN), near.fileno(), _POLL)
    ring.enter(1, 0)
    stage.note("before", "completions of a poll for data where there are none", len(list(all_of(ring))))
    _change(ring, select.POLLOUT)
    stage.note("ready", "what it completes with, once it is changed to ask for room", _of_the_poll(ring))
    ring.submit(rings.poll_for(select.POLLPRI), near.fileno(), _POLL)
    ring.enter(1, 0)
    _change(ring, select.POLLIN)
    stage.note(
        "not-ready",
        "what a poll completes with that is changed to ask for data where there are none",
        _of_the_poll(ring),
    )
    far.send(b"x")
    stage.fence(needed=True)
    stage.note("ready-later", "what it completes with, once there are data", _of_the_poll(ring))


def _change(ring: Ring, events: int) -> None:
    """Change the poll's events.  Raises NotApplicable if polls cannot be changed (before Linux 5.13)."""
    ring.submit(Request(rings.POLL_REMOVE, events=events, length=rings.POLL_UPDATE_EVENTS, address=_POLL), -1, _CHANGE)
    ring.enter(1, 0)
    if any(done.tag == _CHANGE and done.result == -errno.EINVAL for done in ring.lying()):
        raise NotApplicable("changing a poll of io_uring (IORING_POLL_UPDATE_EVENTS): EINVAL")


def _of_the_poll(ring: Ring) -> list[Any]:
    """The results of the poll's completions: `ready`, or the name of an errno."""
    return [said(done.result) if done.result <= 0 else "ready" for done in all_of(ring) if done.tag == _POLL]


def cancelled(stage: Stage, kind: str) -> None:
    """Two rings wait, with an accept or an exclusive poll; the first ring's is cancelled, and then an event comes."""
    if kind == "accept":
        listener = wire.listening(stage)
        listener.setblocking(True)  # io_uring does not wait on a non-blocking socket
        request, fd = Request(rings.ACCEPT), listener.fileno()
    else:
        fd = os.eventfd(0, os.EFD_NONBLOCK)
        request = rings.poll_for(select.POLLIN | rings.EPOLLEXCLUSIVE)
    first, second = stage.keep(Ring()), stage.keep(Ring())
    for ring in (first, second):
        ring.submit(request, fd, _POLL)
        ring.enter(1, 0)
        insist_on_waiting(ring, "an exclusive poll" if kind == "poll" else "an accept")
    first.submit(Request(rings.ASYNC_CANCEL, address=_POLL), -1, _OTHER)
    first.enter(1, 0)
    results = {done.tag: said(done.result) for done in all_of(first)}
    stage.note("cancel", "what cancelling gives", results.get(_OTHER))
    stage.note("request", "what the request completes with", results.get(_POLL))
    if kind == "accept":
        wire.arrive(stage, listener)
    else:
        os.eventfd_write(fd, 1)
        stage.fence(needed=True)
    stage.note("first", "completions of the first ring, once there is something", len(list(all_of(first))))
    stage.note("second", "completions of the second ring", len(list(all_of(second))))


def data_and_end(stage: Stage) -> None:
    """Data and an end of file arrive for a multishot receive before the owner of its ring enters the ring.

    With DEFER_TASKRUN nothing is processed before the owner enters, so both have arrived by then.
    """
    near, far = socket.socketpair()
    ring: Ring = stage.keep(Ring(flags=rings.SINGLE_ISSUER | rings.DEFER_TASKRUN))
    room = ctypes.create_string_buffer(4 * _ROOM)
    address = ctypes.addressof(room)
    ring.submit(Request(rings.PROVIDE_BUFFERS, address=address, length=_ROOM, group=_GROUP), 4, _BUFFERS)
    ring.enter(1, 0)
    for done in all_of(ring):
        if done.result < 0:
            raise NotApplicable(f"buffers for io_uring (IORING_OP_PROVIDE_BUFFERS): {errno_name(-done.result)}")
    receive = Request(rings.RECV, flags=rings.RECV_MULTISHOT, how=rings.BUFFER_SELECT, group=_GROUP)
    ring.submit(receive, near.fileno())
    ring.enter(1, 0)
    insist_on_multishot(ring)
    far.send(b"abc")
    far.shutdown(socket.SHUT_WR)
    stage.fence(needed=True)
    came = [done for _ in range(2) for done in all_of(ring)]
    stage.note("results", "what the completions give", [said(done.result) for done in came])
    stage.note("ended", "the last one says that no more will come", bool(came) and not came[-1].more)
