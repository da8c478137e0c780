"""When select, poll and epoll report a socket readable or writable."""

from __future__ import annotations

import socket
from collections.abc import Callable

from ..lab.deadline import patience_s
from ..lab.network import counted
from ..lab.stage import Stage
from ..sources import client
from . import wire


def readable(stage: Stage, why: str) -> None:
    """Ask before and after something arrives that makes the socket readable; its arrival is proven without asking."""
    ways: dict[str, Callable[[Stage], None]] = {
        "data": lambda stage: _data(stage, 1),
        "SO_RCVLOWAT": lambda stage: _data(stage, 8),
        "a new connection": _new_connection,
        "the end of file": _end_of_file,
        "an error": _error,
    }
    ways[why](stage)


def _data(stage: Stage, low_water: int) -> None:
    near, far = wire.pair(stage)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)
    if low_water > 1:
        far.send(bytes(low_water - 1))
        wire.arrived(near, low_water - 1)
    stage.note("readable-before", "calls that report it readable before", wire.reported_by(near))
    far.send(b"x")
    wire.arrived(near, low_water)
    stage.note("readable-after", "calls that report it readable after", wire.reported_by(near))


def _new_connection(stage: Stage) -> None:
    listener = wire.listening(stage)
    stage.note("readable-before", "calls that report it readable before", wire.reported_by(listener))
    wire.dial(stage, listener)
    wire.queued(listener, 1)
    stage.note("readable-after", "calls that report it readable after", wire.reported_by(listener))


def _end_of_file(stage: Stage) -> None:
    near, far = wire.pair(stage)
    stage.note("readable-before", "calls that report it readable before", wire.reported_by(near))
    far.shutdown(socket.SHUT_WR)
    wire.ended(near)
    stage.note("readable-after", "calls that report it readable after", wire.reported_by(near))


def _error(stage: Stage) -> None:
    near, far = wire.pair(stage)
    stage.note("readable-before", "calls that report it readable before", wire.reported_by(near))
    far.close()
    wire.in_state(near, wire.CLOSE)
    stage.note("readable-after", "calls that report it readable after", wire.reported_by(near))


def writable(stage: Stage, why: str) -> None:
    """Ask before and after something happens that makes the socket writable."""
    ways: dict[str, Callable[[Stage], None]] = {
        "room": _room,
        "a connect that came through": _connected,
        "a connect that was refused": _refused,
        "the peer's end": _peer_gone,
    }
    ways[why](stage)


def _room(stage: Stage) -> None:
    """On AF_UNIX, where no data are ever under way: what was sent is with the peer at once."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    _fill(far)
    stage.note("writable-before", "calls that report it writable before", wire.reported_by(far, write=True))
    _drain(near)
    stage.note("writable-after", "calls that report it writable after", wire.reported_by(far, write=True))


def _peer_gone(stage: Stage) -> None:
    near, far = socket.socketpair()
    far.setblocking(False)
    _fill(far)
    stage.note("writable-before", "calls that report it writable before", wire.reported_by(far, write=True))
    near.close()
    stage.note("writable-after", "calls that report it writable after", wire.reported_by(far, write=True))
    stage.note("write", "a write", wire.outcome(lambda: far.send(b"x", socket.MSG_NOSIGNAL)))


def _fill(sock: socket.socket) -> None:
    try:
        while True:
            sock.send(bytes(4096))
    except BlockingIOError:
        pass


def _drain(sock: socket.socket) -> None:
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        pass


def _connecting(stage: Stage) -> tuple[socket.socket, socket.socket]:
    """A client whose connect is under way, because its listener has a full queue; and a listener that has room."""
    full = wire.listening(stage, backlog=1)
    for place in range(2):
        wire.dial(stage, full)
        wire.queued(full, place + 1)
    late = _non_blocking(stage)
    with counted("ListenOverflows", lambda: wire.state(late) != wire.SYN_SENT):
        wire.outcome(lambda: late.connect(full.getsockname()))
    return late, wire.listening(stage)


def _non_blocking(stage: Stage) -> socket.socket:
    sock: socket.socket = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    sock.setblocking(False)
    return sock


def _connected(stage: Stage) -> None:
    late, listener = _connecting(stage)
    stage.note("writable-before", "calls that report it writable before", wire.reported_by(late, write=True))
    sock = _non_blocking(stage)
    wire.outcome(lambda: sock.connect(listener.getsockname()))
    wire.in_state(sock, wire.ESTABLISHED)
    stage.note("writable-after", "calls that report it writable after", wire.reported_by(sock, write=True))
    stage.note("so-error", "SO_ERROR", sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def _refused(stage: Stage) -> None:
    late, listener = _connecting(stage)
    stage.note("writable-before", "calls that report it writable before", wire.reported_by(late, write=True))
    address = listener.getsockname()
    listener.close()
    refused = _non_blocking(stage)
    wire.outcome(lambda: refused.connect(address))
    wire.in_state(refused, wire.CLOSE)
    stage.note("writable-after", "calls that report it writable after", wire.reported_by(refused, write=True))
    stage.note("so-error", "SO_ERROR", refused.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
