"""What a connection does: handshake, reading, writing; and what accept accepts."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

from ..lab.deadline import patience_s
from ..lab.network import own_network, setting
from ..lab.stage import Me, Stage
from ..sources import client
from ..verdict import NotApplicable
from . import wire
from .waiting import BLOCKED, Scene, now

_CHUNK = 1 << 20
"""More than the buffers of both ends hold, which `_small_pair` bounds."""
_FAST_OPEN_WITHOUT_COOKIE = 0x1 | 0x2 | 0x4 | 0x200  # tcp(7), tcp_fastopen


def before_accept(stage: Stage) -> None:
    """A client connects, and sends, while nobody accepts; then somebody does."""
    listener = wire.listening(stage)
    sock = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    stage.outcome("connect", "connect", lambda: sock.connect(listener.getsockname()))
    stage.note("client-state", "the TCP state of the client", wire.state(sock))
    stage.outcome("bytes-sent", "bytes sent", lambda: sock.send(b"hello"))
    wire.wait_readable(listener, "the connection did not arrive")
    stage.note("queued", "connections in the accept queue", wire.queue(listener)[0])
    stage.note("accepted-reads", "what the accepted socket reads", wire.read(wire.taken(stage, listener)))


def half_handshake(stage: Stage, strategy: str) -> None:
    """A client that never gets the listener's answer, while a waiter waits; then a client that does."""
    scene = Scene(stage, strategy, n=1)
    listener = wire.of(scene.listener)
    waiter = scene.waiter()
    half = wire.deaf(stage)
    stage.outcome("connect", "connect", lambda: half.connect(listener.getsockname()))
    wire.answered_unheard(half)
    stage.note("client-state", "the TCP state of the client", wire.state(half))
    stage.note("waiter-woken", "the waiter was woken", waiter.woken)
    after = now(waiter)
    stage.note("waiter", "the waiter", after)
    if after == BLOCKED:
        scene.connect()
        stage.note("waiter-after-handshake", "the waiter, after a whole handshake", waiter.answer())


def fast_open(stage: Stage) -> None:
    """A client that never gets the answer sends data in its SYN to a listener with TCP_FASTOPEN."""
    own_network()
    setting("ipv4/tcp_fastopen", _FAST_OPEN_WITHOUT_COOKIE)
    listener = wire.listening(stage)
    if wire.outcome(lambda: listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)) != "ok":
        raise NotApplicable("this kernel refuses TCP_FASTOPEN")
    half = wire.deaf(stage)
    stage.outcome(
        "bytes-sent", "bytes sent", lambda: half.sendto(b"hello", socket.MSG_FASTOPEN, listener.getsockname())
    )
    wire.answered_unheard(half)
    stage.fence()
    stage.note("client-state", "the TCP state of the client", wire.state(half))
    who = wire.reported_by(listener)
    stage.note("readable", "calls that report the listener readable", who)
    if not who:
        return
    accepted = wire.taken(stage, listener)
    stage.note("accepted-state", "the TCP state of the accepted socket", wire.state(accepted))
    stage.note("accepted-reads", "what the accepted socket reads", wire.read(accepted))


def _small_pair(stage: Stage, family: str) -> tuple[socket.socket, socket.socket]:
    """A connection whose buffers hold less than `_CHUNK`: TCP's by their options, AF_UNIX's by default."""
    if family == "unix":
        near, far = socket.socketpair()
        return stage.keep(near), stage.keep(far)
    listener = wire.listening(stage)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    far = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    far.connect(listener.getsockname())
    return wire.taken(stage, listener), far


def read_empty(stage: Stage, family: str) -> None:
    """Read from an empty connection: without blocking, then blocking; then something comes."""
    near, far = _small_pair(stage, family)
    stage.outcome("non-blocking-read", "a non-blocking read", lambda: near.recv(1, socket.MSG_DONTWAIT))

    def act(me: Me) -> str:
        me.ready()
        return os.read(near.fileno(), 16).decode()

    reader = stage.actor(act, "reader").blocked_in("read")
    stage.note("blocking-read", "a blocking read", now(reader))
    far.send(b"x")
    stage.note("blocking-read-after", "the blocking read, after a byte came", reader.answer())


def write_full(stage: Stage, family: str) -> None:
    """Write without blocking until there is no room; then, on another connection, a blocking write of too much."""
    _, full = _small_pair(stage, family)
    stage.note("non-blocking-writes", "non-blocking writes, once the buffer is full", wire.outcome(lambda: _fill(full)))
    near, far = _small_pair(stage, family)

    def act(me: Me) -> int:
        data = bytes(_CHUNK)
        me.ready()
        return os.write(far.fileno(), data)

    writer = stage.actor(act, "writer").blocked_in("write")
    stage.note("blocking-write", "a blocking write", now(writer))
    left = _CHUNK
    while left:
        wire.wait_readable(near, f"{left} bytes did not arrive")
        left -= len(near.recv(left))
    stage.note("blocking-write-after", "bytes that the blocking write wrote, once all was read", writer.answer())


def _fill(sock: socket.socket) -> None:
    """Send more than there is room for.  Raises OSError (EAGAIN) when the buffer is full."""
    for _ in range(1024):
        sock.send(bytes(4096), socket.MSG_DONTWAIT)


def written_after_close(stage: Stage, how: str) -> None:
    """Write to a connection that the peer closed, or that this end shut down; count SIGPIPE."""
    came: list[int] = []
    signal.signal(signal.SIGPIPE, lambda number, _: came.append(number))
    if how == "unix, closed by the peer":
        near, far = _small_pair(stage, "unix")
        near.close()
    else:
        near, far = wire.pair(stage)
        if how == "tcp, closed by the peer":
            near.close()  # with RST: see wire.pair
            wire.in_state(far, wire.CLOSE)
            stage.outcome("first-write", "the first write", lambda: far.send(b"x", socket.MSG_NOSIGNAL))
        else:
            far.shutdown(socket.SHUT_WR)
    stage.outcome("write-nosignal", "a write with MSG_NOSIGNAL", lambda: far.send(b"x", socket.MSG_NOSIGNAL))
    stage.note("sigpipe-nosignal", "SIGPIPE signals after it", len(came))
    stage.outcome("write", "a write", lambda: os.write(far.fileno(), b"x"))
    stage.note("sigpipe", "SIGPIPE signals after a plain write", len(came))


def refused(stage: Stage, what: str) -> None:
    """accept on a socket that does not listen."""
    make: dict[str, Callable[[], socket.socket]] = {
        "a TCP socket that does not listen": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "a connected TCP socket": lambda: wire.pair(stage)[0],
        "a bound AF_UNIX stream socket that does not listen": lambda: _bound_unix(stage),
        "a UDP socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "an AF_UNIX datagram socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
    }
    sock = stage.keep(make[what]())
    sock.setblocking(False)
    # EOPNOTSUPP and ENOTSUP are one number on Linux (errno(3)); accept(2) speaks of the first.
    stage.note("accept", "accept", wire.outcome(sock.accept).replace("ENOTSUP", "EOPNOTSUPP"))


def _bound_unix(stage: Stage) -> socket.socket:
    sock: socket.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(f"\0wakecheck-{os.getpid()}-bound")
    return sock


def existing_clients(stage: Stage, strategy: str) -> None:
    """A waiter waits for a new connection while an old client sends and closes; then a new client comes."""
    scene = Scene(stage, strategy, n=1)
    old = scene.connect()
    listener = wire.of(scene.listener)
    served = wire.taken(stage, listener)
    waiter = scene.waiter()
    old.send(b"hello")
    wire.arrived(served, 5)
    stage.note("woken-by-data", "the waiter was woken by data of an old client", waiter.woken)
    old.shutdown(socket.SHUT_WR)
    served.recv(5)
    wire.ended(served)
    stage.note("woken-by-end", "the waiter was woken by the end of an old client", waiter.woken)
    after = now(waiter)
    stage.note("waiter", "the waiter", after)
    if after == BLOCKED:
        scene.connect()
        stage.note("waiter-after-connection", "the waiter, after a new connection", waiter.answer())
