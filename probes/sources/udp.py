"""UDP on loopback: one socket for all to receive from, or one of its own for each."""

from __future__ import annotations

import select
import socket
import struct

from ..scenario import Scenario
from ..verdict import Inconclusive
from . import Source

_SO_MEMINFO = 55
"""include/uapi/asm-generic/socket.h; its first word is SK_MEMINFO_RMEM_ALLOC, bytes that the receive queue holds."""
_PROBE_S = 10.0


class Udp(Source):
    """Sockets with nothing to receive: a read sleeps until a datagram comes (recv(2)).

    A datagram on loopback is handled in a softirq, so wake-ups may still be under way when send has returned.
    """

    asynchronous = True
    delivery = "the receive queue (SO_MEMINFO) and the winners account for every datagram, then a fence"

    def __init__(self, scenario: Scenario, family: int, address: str) -> None:
        own = scenario.sharing == "nothing"
        self._sender = socket.socket(family, socket.SOCK_DGRAM)
        self._sockets: list[socket.socket] = []
        try:
            for _ in range(scenario.n if own else 1):
                sock = socket.socket(family, socket.SOCK_DGRAM)
                self._sockets.append(sock)
                sock.bind((address, 0))
                sock.setblocking(scenario.takes)
            self._receivers = self._sockets if own else self._sockets * scenario.n
            self.fds = [receiver.fileno() for receiver in self._receivers]
            self._each = self._weigh()
        except BaseException:
            self.close()
            raise

    def _weigh(self) -> int:
        """How many bytes of the receive queue one datagram takes; all are alike.  0 if the kernel does not say."""
        self.write(0)
        if not select.select([self._sockets[0]], [], [], _PROBE_S)[0]:
            raise Inconclusive(f"a datagram to ourselves did not arrive within {_PROBE_S:.0f} s")
        weight = _held(self._sockets[0])
        self._sockets[0].recv(1)
        return weight

    def queued(self) -> int | None:
        """Datagrams that wait to be received."""
        return sum(map(_held, self._sockets)) // self._each if self._each else None

    def write(self, i: int) -> None:
        """One datagram of one byte."""
        self._sender.sendto(b"x", self._receivers[i].getsockname())

    def close(self) -> None:
        for sock in (self._sender, *self._sockets):
            sock.close()


def udp4(scenario: Scenario, folder: str | None) -> Udp:
    return Udp(scenario, socket.AF_INET, "127.0.0.1")


def udp6(scenario: Scenario, folder: str | None) -> Udp:
    return Udp(scenario, socket.AF_INET6, "::1")


def _held(receiver: socket.socket) -> int:
    try:
        info = receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    except OSError:
        return 0
    return int(struct.unpack_from("=I", info)[0])
