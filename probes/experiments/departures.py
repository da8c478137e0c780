"""A TCP listener is closed while clients connect, or wait to be accepted; and room after a send's time limit."""

from __future__ import annotations

import select
import socket

from ..errnos import errno_of
from ..lab.stage import Me, Stage
from ..syscalls import set_socket_option, timeval
from . import wire
from .instances import EPOLL_WAIT
from .waiting import now


def under_clients(stage: Stage, how: str) -> None:
    """Two clients wait, in recvfrom and in poll; the listener, which has not accepted them, is closed or shut down."""
    listener = wire.listening(stage)
    clients = [wire.dial(stage, listener) for _ in range(2)]
    wire.queued(listener, len(clients))

    def reads(me: Me) -> str:
        listener.close()
        me.ready()
        try:
            return repr(clients[0].recv(1))
        except OSError as error:
            return errno_of(error)

    def polls(me: Me) -> str:
        listener.close()
        asking = select.poll()
        asking.register(clients[1], select.POLLIN)
        me.ready()
        return "hung up" if asking.poll()[0][1] & select.POLLHUP else "told of something else"

    for client in clients:
        client.settimeout(None)
    waiters = [stage.actor(reads, "reader").blocked_in("recvfrom"), stage.actor(polls, "poller").blocked_in("poll")]
    if how == "close":
        listener.close()
    else:
        listener.shutdown(socket.SHUT_RD)
    for client in clients:
        wire.in_state(client, wire.CLOSE)  # tcp_reset wakes after that, in the same softirq
    stage.fence(needed=True)
    stage.quiet(waiters)
    stage.note("reader", "the client in recvfrom", now(waiters[0]))
    stage.note("poller", "the client in poll", now(waiters[1]))


def under_a_connect(stage: Stage) -> None:
    """A client waits in connect for a listener whose queue is full; the listener is closed."""
    listener = wire.listening(stage, backlog=0)
    wire.dial(stage, listener)
    wire.queued(listener, 1)

    def act(me: Me) -> str:
        address = listener.getsockname()
        listener.close()
        with socket.socket() as late:
            me.ready()
            try:
                late.connect(address)
            except OSError as error:
                return errno_of(error)
            return "connected"

    waiter = stage.actor(act, "client").blocked_in("connect")
    listener.close()
    stage.note("connect", "what connect gives once the request is repeated", waiter.answer())


def room_after_limit(stage: Stage) -> None:
    """A send ends for want of room, as its time is over (SO_SNDTIMEO); somebody waits for an edge, and room comes."""
    near, far = wire.pair(stage)
    instance: select.epoll = stage.keep(select.epoll())
    instance.register(near, select.EPOLLOUT | select.EPOLLET)
    instance.poll(0)  # there is room, which is reported once; nothing looks at the socket after this
    set_socket_option(near.fileno(), socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0.001))
    ended = _sent_until_full(near)
    stage.fence(needed=True)
    # What was under way when the send ended may have made room; take that event, so that the waiter does not get it.
    while instance.poll(0):
        ended = _sent_until_full(near)
        stage.fence(needed=True)
    stage.note("send", "what the send gives in the end", ended)

    def act(me: Me) -> bool:
        me.ready()
        return bool(instance.poll()[0][1] & select.EPOLLOUT)

    waiter = stage.actor(act, "w0").blocked_in(EPOLL_WAIT)
    wire.drained(near, far)
    stage.fence(needed=True)
    stage.quiet([waiter])
    stage.note("told", "the waiter, once the peer has read everything", now(waiter))


def _sent_until_full(sock: socket.socket) -> str:
    """Send until that fails; the errno's name."""
    try:
        while True:
            sock.send(bytes(65536))
    except OSError as error:
        return errno_of(error)
