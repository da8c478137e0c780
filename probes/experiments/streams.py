"""The addresses of a connection's two ends, message boundaries, and how a server restarts."""

from __future__ import annotations

import errno
import socket
import threading

from ..lab.deadline import patience_s, until
from ..lab.stage import Stage
from ..sources import client
from ..sources.unread import unread
from . import wire


def names(stage: Stage) -> None:
    """Two clients of one listener, and clients that ask for a source port that is in use."""
    listener, other = wire.listening(stage), wire.listening(stage)
    first, second = wire.dial(stage, listener), wire.dial(stage, listener)
    accepted = [wire.taken(stage, listener) for _ in range(2)]
    local = [sock.getsockname() for sock in accepted]
    stage.note(
        "local-is-listener",
        "the accepted sockets' local addresses are the listener's",
        local == [listener.getsockname()] * 2,
    )
    peers = sorted(sock.getpeername() for sock in accepted)
    stage.note(
        "peers-are-clients",
        "the accepted sockets' peers are the two clients",
        peers == sorted([first.getsockname(), second.getsockname()]),
    )
    third = _from_same_port(stage, None)
    third.connect(listener.getsockname())
    same = _from_same_port(stage, third)
    stage.outcome("same-four-tuple", "the same four-tuple a second time", lambda: same.connect(listener.getsockname()))
    elsewhere = _from_same_port(stage, third)
    stage.outcome(
        "same-port-elsewhere", "the same local port to another listener", lambda: elsewhere.connect(other.getsockname())
    )


def _from_same_port(stage: Stage, other: socket.socket | None) -> socket.socket:
    """A client bound to the port that `other` is bound to, or (None) to a free one that may be shared."""
    sock: socket.socket = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(other.getsockname() if other is not None else (wire.LOOPBACK, 0))
    return sock


def udp_connect(stage: Stage) -> None:
    """A datagram socket is connected to one peer, gets datagrams from two, and is then connected to the other."""
    chosen, stranger, mine = (_udp(stage) for _ in range(3))
    mine.connect(chosen.getsockname())
    mine.send(b"default")
    stage.note("peer-reads", "what the peer reads first", wire.read(chosen))
    stranger.connect(mine.getsockname())
    stranger.send(b"from the stranger")
    until(lambda: _unreachable(stranger) or unread(mine) > 0, lambda: "a datagram was neither taken nor refused")
    chosen.sendto(b"from the peer", mine.getsockname())
    stage.note("socket-reads", "what the connected socket reads first", wire.read(mine))
    mine.sendto(b"another destination", stranger.getsockname())
    stage.note("other-reads", "what another destination reads", wire.read(stranger))
    mine.connect(stranger.getsockname())
    mine.send(b"new default")
    stage.note("second-peer-reads", "what a second peer reads after a second connect", wire.read(stranger))
    stage.outcome("send-unconnected", "send without a connect", lambda: chosen.send(b"x"))


def _unreachable(sock: socket.socket) -> bool:
    """Whether what it sent was answered by `port unreachable`, because no socket took it."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def _udp(stage: Stage) -> socket.socket:
    sock: socket.socket = stage.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.bind((wire.LOOPBACK, 0))
    return sock


def boundaries(stage: Stage, kind: str) -> None:
    """Write `ab`, `cdef`, `gh`; read up to three bytes three times.

    UDP keeps no order, not even on loopback if this task moves to another CPU between two writes, so its reads are
    sorted.
    """
    near, far = _ends(stage, kind)
    for part in (b"ab", b"cdef", b"gh"):
        far.send(part)
    if kind == "tcp":
        wire.arrived(near, 8)
    reads = [wire.read(near, 3) for _ in range(3)]
    if kind == "udp":
        reads.sort()
    stage.note("three-reads", "three reads of up to three bytes", reads)


def _ends(stage: Stage, kind: str) -> tuple[socket.socket, socket.socket]:
    if kind == "tcp":
        return wire.pair(stage)
    if kind == "seqpacket":
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return stage.keep(near), stage.keep(far)
    near, far = _udp(stage), _udp(stage)
    far.connect(near.getsockname())
    return near, far


def long_stream(stage: Stage) -> None:
    """Numbered words, 256 KiB of them, written by a thread and read in pieces of odd sizes."""
    near, far = wire.pair(stage)
    sent = b"".join(number.to_bytes(4, "big") for number in range(1 << 16))
    writer = threading.Thread(target=far.sendall, args=(sent,), daemon=True)
    writer.start()
    got = bytearray()
    while len(got) < len(sent):
        wire.wait_readable(near, f"{len(got)} bytes came, and no more")
        got += near.recv(4093)
    writer.join()
    stage.note("in-order", "the bytes read are those written, in order", bytes(got) == sent)


def restart(stage: Stage) -> None:
    """A server closes a connection before its client does, and then its listener; then others bind its port."""
    listener = _restarted(stage, None)
    address = listener.getsockname()
    theirs = stage.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    theirs.connect(address)
    wire.wait_readable(listener, "no connection came")
    ours, source = listener.accept()
    ours.close()
    wire.ended(theirs)
    theirs.shutdown(socket.SHUT_WR)
    wire.in_state(theirs, wire.CLOSE)  # its end was acknowledged, so the server's side is in TIME_WAIT
    listener.close()
    plain = stage.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    stage.outcome("bind-without", "bind without SO_REUSEADDR", lambda: plain.bind(address))
    again: list[socket.socket] = []
    stage.outcome("bind-with", "bind and listen with SO_REUSEADDR", lambda: again.append(_restarted(stage, address)))
    stage.outcome(
        "bind-while-listening", "bind with SO_REUSEADDR while that one listens", lambda: _restarted(stage, address)
    )
    if again:
        _end_time_wait(stage, source, address)


def _restarted(stage: Stage, address: tuple[str, int] | None) -> socket.socket:
    sock: socket.socket = stage.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address or (wire.LOOPBACK, 0))
    sock.listen()
    return sock


def _end_time_wait(stage: Stage, source: tuple[str, int], address: tuple[str, int]) -> None:
    """Leave nothing behind: a new connection with the same four-tuple takes the place of TIME_WAIT, and is reset."""
    sock = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(source)
    sock.connect(address)
