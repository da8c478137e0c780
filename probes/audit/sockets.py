"""Listening sockets, as the kernel lists them by netlink (sock_diag.py), and how to connect to them."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from .namespace import network_of
from .sock_diag import CLOSE, ESTABLISHED, LISTEN, SYN_RECV, InetSocket, inet_sockets, unix_listeners

_LOOPBACK6 = ipaddress.IPv6Address("::1").packed
_FAMILIES = {socket.AF_INET: "tcp4", socket.AF_INET6: "tcp6"}
_DATAGRAMS = {socket.AF_INET: "udp4", socket.AF_INET6: "udp6"}


@dataclass(frozen=True)
class ListeningSocket:
    """One listener: a socket, or all sockets of a reuseport group, in one network namespace."""

    kind: str
    """tcp4, tcp6, unix or unix-abstract, as in a scenario; udp4 or udp6, which do not listen, for a datagram server."""
    address: str
    """An IP address; for a unix socket the path, or @ and the abstract name (which may contain any bytes)."""
    port: int
    """0 for a unix socket."""
    inodes: tuple[int, ...]
    """One inode per socket; more than one is a reuseport group."""
    namespace: int
    """Inode of the network namespace."""
    file: tuple[int, int] | None = None
    """Device and inode of a unix socket's path, as the kernel records them."""

    @property
    def takes_datagrams(self) -> bool:
        """Whether it is a UDP socket, to which nobody connects."""
        return self.kind in _DATAGRAMS.values()

    @property
    def name(self) -> str:
        """For people: 127.0.0.1:8000, [::]:80, /run/app.sock, @name."""
        if self.port and ":" in self.address:
            return f"[{self.address}]:{self.port}"
        return f"{self.address}:{self.port}" if self.port else self.address


def listeners(pid: int | str) -> list[ListeningSocket]:
    """Every listener in the network namespace of process `pid` (or "self").

    Raises OSError if the process is gone, or if its namespace may not be entered.
    """
    namespace = network_of(pid)
    sockets: dict[tuple[str, str, int], list[int]] = {}
    for family, kind in _FAMILIES.items():
        with _no_ipv6(family):
            for listener in inet_sockets(pid, family, socket.IPPROTO_TCP, 1 << LISTEN):
                sockets.setdefault((kind, _text(listener.local[0]), listener.local[1]), []).append(listener.inode)
    # Unix sockets form no groups.  If two are bound to one path, it was removed in between, and leads to the second.
    unix = []
    for bound in unix_listeners(pid):
        kind = "unix-abstract" if bound.name.startswith(b"\0") else "unix"
        address = os.fsdecode(b"@" + bound.name[1:] if kind == "unix-abstract" else bound.name)
        unix.append(ListeningSocket(kind, address, 0, (bound.inode,), namespace, bound.file))
    return [*(ListeningSocket(*key, tuple(sorted(inodes)), namespace) for key, inodes in sockets.items()), *unix]


def datagram_sockets(pid: int | str) -> list[ListeningSocket]:
    """Every UDP socket that is bound and takes datagrams from anybody, in the network namespace of process `pid`.

    Raises OSError as `listeners`.
    """
    namespace = network_of(pid)
    sockets: dict[tuple[str, str, int], list[int]] = {}
    for family, kind in _DATAGRAMS.items():
        with _no_ipv6(family):
            for datagram in inet_sockets(pid, family, socket.IPPROTO_UDP, 1 << CLOSE):
                if datagram.local[1]:
                    sockets.setdefault((kind, _text(datagram.local[0]), datagram.local[1]), []).append(datagram.inode)
    return [ListeningSocket(*key, tuple(sorted(inodes)), namespace) for key, inodes in sockets.items()]


def udp_inodes(pid: int | str) -> set[int]:
    """The inode of every UDP socket that is bound, connected ones too, in the network namespace of process `pid`.

    Raises OSError as `listeners`.
    """
    inodes: set[int] = set()
    for family in _DATAGRAMS:
        with _no_ipv6(family):
            sockets = inet_sockets(pid, family, socket.IPPROTO_UDP, 1 << CLOSE | 1 << ESTABLISHED)
            inodes.update(datagram.inode for datagram in sockets if datagram.local[1])
    return inodes


def is_udp_port(pid: int | str, port: int) -> bool:
    """Whether a UDP socket is bound to this port in the network namespace of process `pid` (or "self")."""
    for family in _FAMILIES:
        with _no_ipv6(family):
            if any(inet_sockets(pid, family, socket.IPPROTO_UDP, 1 << CLOSE, local_port=port)):
                return True
    return False


def _no_ipv6(family: int) -> contextlib.suppress:
    """Ignore ENOENT for IPv6: a kernel without it refuses to list such sockets.  Every kernel here has IPv4."""
    return contextlib.suppress(*((FileNotFoundError,) if family == socket.AF_INET6 else ()))


def _text(packed: bytes) -> str:
    """The address as text; an IPv4-mapped IPv6 address as IPv4."""
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def server_end(pid: int, port: int, client: tuple[str, int]) -> InetSocket | None:
    """The server's end of the connection from `client` to `port`; None if there is none (yet)."""
    for family in _FAMILIES:
        with _no_ipv6(family):
            for end in inet_sockets(pid, family, socket.IPPROTO_TCP, local_port=port, remote_port=client[1]):
                if _text(end.remote[0]) == client[0]:
                    return end
    return None


def is_half_open(end: InetSocket) -> bool:
    """Whether the server's end has not completed the handshake: with TCP_DEFER_ACCEPT it waits for data (tcp(7))."""
    return end.state == SYN_RECV


def destination(listener: ListeningSocket, pid: int) -> tuple[int, object]:
    """Family and address to connect to; `pid` is a process in the listener's namespace.

    If it listens on all addresses, this is the loopback address.
    """
    if listener.port and ":" not in listener.address:  # a tcp6 socket bound to ::ffff:127.0.0.1 takes only IPv4, too
        return socket.AF_INET, ("127.0.0.1" if listener.address == "0.0.0.0" else listener.address, listener.port)
    if listener.kind in ("tcp6", "udp6"):
        if listener.address == "::" and not any(packed == _LOOPBACK6 for packed, _ in _addresses6(pid)):
            # A container without IPv6 addresses, Docker's default: a listener on :: takes IPv4, too.
            return socket.AF_INET, ("127.0.0.1", listener.port)
        address = "::1" if listener.address == "::" else listener.address
        return socket.AF_INET6, (address, listener.port, 0, _scope(address, pid))
    if listener.kind == "unix-abstract":
        return socket.AF_UNIX, b"\0" + os.fsencode(listener.address[1:])
    raise ValueError(f"{listener.kind} is reached by its path (unix_path.py)")


def _scope(address: str, pid: int) -> int:
    """The interface of a link-local address; 0 for any other address."""
    packed = ipaddress.ip_address(address)
    if packed.is_link_local:
        return next((index for known, index in _addresses6(pid) if known == packed.packed), 0)
    return 0


def _addresses6(pid: int) -> Iterator[tuple[bytes, int]]:
    """Each IPv6 address of the namespace of process `pid`, and its interface: /proc/PID/net/if_inet6."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/net/if_inet6") as lines:
        for line in lines:
            fields = line.split()
            yield bytes.fromhex(fields[0]), int(fields[1], 16)
