"""Sockets that are connected to the conductor's end: AF_UNIX pairs, and TCP on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable

from ..scenario import Scenario
from . import Source, client
from .unread import unread

_PATIENCE_S = 10.0
_CLOSE_WAIT = 8  # include/net/tcp_states.h


class Connected(Source):
    """A connected socket that all read from, or one of its own for each; the conductor has the other ends."""

    delivery = "send returned: on AF_UNIX the sending task issues the wake-ups itself"

    def __init__(self, scenario: Scenario, pair: Callable[[], tuple[socket.socket, socket.socket]]) -> None:
        own = scenario.sharing == "nothing"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        try:
            for _ in range(scenario.n if own else 1):
                self._pairs.append(pair())
                self._pairs[-1][0].setblocking(scenario.takes)
        except OSError:
            self.close()
            raise
        self._ends = self._pairs if own else self._pairs * scenario.n
        self.fds = [theirs.fileno() for theirs, _ in self._ends]

    def write(self, i: int) -> None:
        """One byte: as much as a reader of a stream asks for, and one datagram of another kind."""
        self._ends[i][1].send(b"x")

    def finish(self) -> None:
        """Shut the conductor's ends down for writing: the waiters' end of file."""
        for _, ours in self._pairs:
            ours.shutdown(socket.SHUT_WR)

    def finished(self) -> bool:
        """Whether the waiters' ends have heard of it; then their wake-ups were issued, or are under way (a fence)."""
        return True

    def close(self) -> None:
        for ends in self._pairs:
            for end in ends:
                end.close()


class TcpConnected(Connected):
    """A byte on loopback is handled in a softirq, so that wake-ups may still be under way when send has returned."""

    asynchronous = True
    delivery = "the receive queue (FIONREAD) and the readers account for every byte, then a fence"

    def queued(self) -> int | None:
        """Bytes that wait to be read (tcp(7), FIONREAD)."""
        return sum(unread(theirs) for theirs, _ in self._pairs)

    def finished(self) -> bool:
        """Whether each end is in CLOSE_WAIT: net/ipv4/tcp_input.c tcp_fin wakes after that, in the same softirq."""
        states = (theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] for theirs, _ in self._pairs)
        return all(state == _CLOSE_WAIT for state in states)


def unix_stream(scenario: Scenario, folder: str | None) -> Connected:
    return Connected(scenario, lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))


def unix_seqpacket(scenario: Scenario, folder: str | None) -> Connected:
    return Connected(scenario, lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))


def unix_datagram(scenario: Scenario, folder: str | None) -> Connected:
    return Connected(scenario, lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))


def tcp4(scenario: Scenario, folder: str | None) -> Connected:
    return TcpConnected(scenario, _tcp_pair)


def _tcp_pair() -> tuple[socket.socket, socket.socket]:
    """The server's end for the waiters, and the client's end for the conductor; it resets when it is closed."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        ours = client(socket.AF_INET, socket.SOCK_STREAM, _PATIENCE_S)
        try:
            ours.connect(listening.getsockname())
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            theirs, _ = listening.accept()
        except OSError:
            ours.close()
            raise
    return theirs, ours
