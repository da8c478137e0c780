"""How long the queue between the handshake and accept may grow, and what happens to a client when it is full."""

from __future__ import annotations

import errno
import os
import socket

from ..errnos import errno_name
from ..lab.deadline import patience_s, until
from ..lab.features import asking_for
from ..lab.network import counted, counter, needs_room, own_network, setting
from ..lab.stage import Stage
from ..sources import client
from . import wire

_DEFER_S = 30


def full_unix(stage: Stage, backlog: int) -> None:
    """Connect to an AF_UNIX listener, without blocking, until it is refused; accept one, and try again."""
    needs_room(backlog)
    _full_unix(stage, backlog)


def _full_unix(stage: Stage, backlog: int) -> None:
    listener = stage.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    name = f"\0wakecheck-{os.getpid()}-full"
    listener.bind(name)
    listener.listen(backlog)
    stage.note("connected", "connections made before one was refused", _connected_until_refused(stage, name))
    stage.outcome("one-more", "one more connect", lambda: _unix_client(stage).connect(name))
    listener.accept()
    stage.outcome(
        "one-more-after-accept", "one more connect, after an accept", lambda: _unix_client(stage).connect(name)
    )


def _unix_client(stage: Stage) -> socket.socket:
    sock: socket.socket = stage.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    sock.setblocking(False)
    return sock


def _connected_until_refused(stage: Stage, name: str) -> int:
    taken = 0
    while taken < 100:
        try:
            _unix_client(stage).connect(name)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                break
            raise
        taken += 1
    return taken


def full_tcp(stage: Stage, backlog: int) -> None:
    """Fill a TCP listener's queue, one client after the other; then one more, without blocking."""
    needs_room(backlog)
    listener = wire.listening(stage, backlog=backlog)
    for place in range(backlog + 1):
        wire.dial(stage, listener)
        wire.queued(listener, place + 1)
    late = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    late.setblocking(False)
    with counted("ListenOverflows", lambda: wire.state(late) != wire.SYN_SENT):
        stage.outcome("one-more", "one more connect", lambda: late.connect(listener.getsockname()))
    stage.fence()
    stage.note("late-client", "the TCP state of the late client", wire.state(late))
    stage.note("queued", "connections in the accept queue", wire.queue(listener)[0])


def capped(stage: Stage) -> None:
    """somaxconn is set to 2; then listeners ask for a queue of 100."""
    own_network()
    setting("core/somaxconn", 2)
    stage.note("queue-limit", "the limit of a TCP listener's queue", wire.queue(wire.listening(stage, backlog=100))[1])
    _full_unix(stage, 100)


def overflow(stage: Stage, abort: int) -> None:
    """A handshake completes when the queue is full: with data, after a bare ACK was deferred."""
    own_network()
    setting("ipv4/tcp_abort_on_overflow", abort)
    listener = wire.listening(stage)
    with asking_for("TCP_DEFER_ACCEPT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_S)
    late, first = (_unfinished(stage, listener) for _ in range(2))
    listener.listen(0)  # only now: a small queue would answer these two with syncookies
    first.send(b"x")
    wire.queued(listener, 1)
    resets = counter("OutRsts")
    with counted("ListenOverflows", lambda: wire.queue(listener)[0] > 1):
        stage.outcome("bytes-sent", "bytes sent", lambda: late.send(b"x"))
    # tcp_check_req (net/ipv4/tcp_minisocks.c) sends the reset before the handler that counted the overflow ends.
    stage.fence(needed=True)
    if counter("OutRsts") > resets:
        until(lambda: wire.state(late) == wire.CLOSE, lambda: "a reset was sent, and did not arrive")
    stage.note("late-client", "the TCP state of the late client", wire.state(late))
    error = late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    stage.note("late-client-error", "the error of the late client (SO_ERROR)", errno_name(error) if error else "none")
    stage.note("queued", "connections in the accept queue", wire.queue(listener)[0])


def _unfinished(stage: Stage, listener: socket.socket) -> socket.socket:
    """A connected client whose bare ACK the listener has deferred."""
    with counted("TCPDeferAcceptDrop", lambda: False):
        return wire.dial(stage, listener)
