"""TCP and Multipath TCP on loopback: one listener for all, or a reuseport group with one listener per waiter."""

from __future__ import annotations

import socket
import struct
from functools import cache

from ..refusals import unavailable
from ..scenario import Scenario
from . import Source, client, insist_on_another_end

BACKLOG = 4096
"""The kernel caps it at somaxconn (listen(2)).  A larger burst of which nobody takes anything is inconclusive."""

_IPPROTO_MPTCP = 262  # include/uapi/linux/in.h; Python has the name from 3.10 on, if its build machine had it
_SOL_MPTCP, _MPTCP_INFO = 284, 1  # include/linux/socket.h, include/uapi/linux/mptcp.h
_PATIENCE_S = 10.0
_TCP_INFO_UNACKED = 24
"""Offset in bytes of tcpi_unacked, and after it tcpi_sacked, in struct tcp_info (include/uapi/linux/tcp.h)."""

NOT_TOLD = "this kernel does not tell the length of an accept queue (TCP_INFO)"


def queue(listening: socket.socket) -> tuple[int, int]:
    """A listener's accept queue, and its limit: tcpi_unacked and tcpi_sacked (net/ipv4/tcp.c tcp_get_info).

    Raises OSError or struct.error if the kernel does not show them.
    """
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    length, limit = struct.unpack_from("=II", info, _TCP_INFO_UNACKED)
    return int(length), int(limit)


@cache
def tells_queue() -> bool:
    """Whether TCP_INFO of a listener shows its queue: if it shows the limit, it shows the length as well."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        try:
            return queue(listening)[1] == 1
        except (OSError, struct.error):
            return False


class Tcp(Source):
    """Listening sockets on an ephemeral port of loopback."""

    asynchronous = True
    delivery = "the accept queue (TCP_INFO) and the winners account for every connection, then a fence"

    def __init__(self, scenario: Scenario, family: int, address: str, protocol: int = 0) -> None:
        grouped = scenario.sharing == "nothing"
        self._family, self._protocol = family, protocol
        self._sockets: list[socket.socket] = []
        self._address: tuple[str, int] = (address, 0)
        try:
            for _ in range(scenario.n if grouped else 1):
                listening = socket.socket(family, socket.SOCK_STREAM, protocol)
                self._sockets.append(listening)
                if grouped:
                    # Every member sets it before bind, the first one too (socket(7), SO_REUSEPORT).
                    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                listening.bind(self._address)
                listening.listen(BACKLOG)
                listening.setblocking(scenario.takes)
                # The first bind chose the port; every other member of a group binds the same.
                self._address = listening.getsockname()[:2]
        except OSError:
            self.close()
            raise
        fds = [listening.fileno() for listening in self._sockets]
        self.fds = fds if grouped else fds * scenario.n

    def connect(self, patience_s: float) -> socket.socket:
        sock = client(self._family, socket.SOCK_STREAM, patience_s, self._protocol)
        try:
            sock.connect(self._address)
            insist_on_another_end(sock)
        except OSError:
            sock.close()
            raise
        return sock

    def queued(self) -> int | None:
        if not tells_queue():
            return None
        try:
            return sum(queue(listening)[0] for listening in self._sockets)
        except OSError:
            return None  # closed here, and kept by somebody else: nobody can be asked

    def write(self, i: int) -> None:
        raise NotImplementedError("a TCP listener takes connections")

    def close(self) -> None:
        for listening in self._sockets:
            listening.close()


def tcp4(scenario: Scenario, folder: str | None) -> Tcp:
    return Tcp(scenario, socket.AF_INET, "127.0.0.1")


def tcp6(scenario: Scenario, folder: str | None) -> Tcp:
    return Tcp(scenario, socket.AF_INET6, "::1")


def mptcp4(scenario: Scenario, folder: str | None) -> Tcp:
    """Raises NotApplicable if the kernel was built without MPTCP, has it switched off, or falls back to TCP."""
    try:
        listener = Tcp(scenario, socket.AF_INET, "127.0.0.1", _IPPROTO_MPTCP)
        try:
            _prove_mptcp()
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise unavailable("mptcp4", error) from error
    return listener


def _prove_mptcp() -> None:
    """Make a connection apart, and ask whether it is MPTCP: one that fell back has no MPTCP_INFO.  OSError then."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, _IPPROTO_MPTCP) as apart,
        client(socket.AF_INET, socket.SOCK_STREAM, _PATIENCE_S, _IPPROTO_MPTCP) as asking,
    ):
        apart.bind(("127.0.0.1", 0))
        apart.listen()
        asking.connect(apart.getsockname())
        asking.getsockopt(_SOL_MPTCP, _MPTCP_INFO, 64)


def lo_has_ipv4_alone() -> bool:
    """Whether 127.0.0.1 can be bound and ::1 cannot: IPv6 is switched off, as in many containers."""

    def can_bind(family: int, address: str) -> bool:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.bind((address, 0))
        except OSError:
            return False
        return True

    return can_bind(socket.AF_INET, "127.0.0.1") and not can_bind(socket.AF_INET6, "::1")
