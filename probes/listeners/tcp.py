"""TCP on loopback: one listener for all, or a reuseport group with one listener per waiter."""

from __future__ import annotations

import socket
import struct
from functools import cache

from ..scenario import Scenario
from . import client

BACKLOG = 4096
"""Capped by the kernel's somaxconn (listen(2)).  A larger burst, with nobody who takes, is inconclusive."""

_TCP_INFO_UNACKED = 24
"""Offset in bytes of tcpi_unacked, and after it tcpi_sacked, in struct tcp_info (include/uapi/linux/tcp.h)."""

NOT_TOLD = "this kernel does not tell the length of an accept queue (TCP_INFO)"


def queue(listening: socket.socket) -> tuple[int, int]:
    """A listener's accept queue, and its limit: tcpi_unacked and tcpi_sacked (net/ipv4/tcp.c tcp_get_info).

    Raises OSError and struct.error where the kernel has no such answer.
    """
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    length, limit = struct.unpack_from("=II", info, _TCP_INFO_UNACKED)
    return int(length), int(limit)


@cache
def tells_queue() -> bool:
    """Whether TCP_INFO of a listener tells of its queue: one that knows the limit knows the length."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        try:
            return queue(listening)[1] == 1
        except (OSError, struct.error):
            return False


class Tcp:
    """Listening sockets on an ephemeral port of loopback."""

    asynchronous = True
    delivery = "the accept queue (TCP_INFO) and the winners account for every connection, then a fence"

    def __init__(self, scenario: Scenario, family: int, address: str) -> None:
        grouped = scenario.sharing == "nothing"
        self._family = family
        self._sockets: list[socket.socket] = []
        self._address: tuple[str, int] = (address, 0)
        try:
            for _ in range(scenario.n if grouped else 1):
                made = socket.socket(family, socket.SOCK_STREAM)
                self._sockets.append(made)
                if grouped:
                    # Every member sets it before bind, the first one too (socket(7), SO_REUSEPORT).
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                made.bind(self._address)
                made.listen(BACKLOG)
                made.setblocking(scenario.takes)
                # The first bind chose the port; every other member of a group binds the same.
                self._address = made.getsockname()[:2]
        except OSError:
            self.close()
            raise
        fds = [made.fileno() for made in self._sockets]
        self.fds = fds if grouped else fds * scenario.n

    def connect(self, patience_s: float) -> socket.socket:
        made = client(self._family, socket.SOCK_STREAM, patience_s)
        try:
            made.connect(self._address)
        except OSError:
            made.close()
            raise
        return made

    def queued(self) -> int | None:
        return sum(queue(listening)[0] for listening in self._sockets) if tells_queue() else None

    def write(self, i: int) -> None:
        raise NotImplementedError("a TCP listener takes connections")

    def close(self) -> None:
        for made in self._sockets:
            made.close()


def tcp4(scenario: Scenario, folder: str | None) -> Tcp:
    return Tcp(scenario, socket.AF_INET, "127.0.0.1")


def tcp6(scenario: Scenario, folder: str | None) -> Tcp:
    return Tcp(scenario, socket.AF_INET6, "::1")


def lo_has_ipv4_alone() -> bool:
    """Whether 127.0.0.1 can be bound and ::1 cannot: IPv6 is switched off, as in many containers."""

    def can_bind(family: int, address: str) -> bool:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as made:
                made.bind((address, 0))
        except OSError:
            return False
        return True

    return can_bind(socket.AF_INET, "127.0.0.1") and not can_bind(socket.AF_INET6, "::1")
