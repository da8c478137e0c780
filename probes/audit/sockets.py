"""Listening sockets, as the kernel lists them: /proc/PID/net/tcp, tcp6 and unix (proc_pid_net(5)).

The files show the network namespace of the process PID, whoever reads them.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_LISTEN, _SYN_RECV = "0A", "03"
"""Socket states as numbers (include/net/tcp_states.h)."""
_LOOPBACK6 = ipaddress.IPv6Address("::1").packed
_ACCEPTS = 1 << 16  # __SO_ACCEPTCON, include/uapi/linux/net.h: the unix socket listens


@dataclass(frozen=True)
class Listener:
    """One listener: a socket, or all sockets of a reuseport group, in one network namespace."""

    kind: str
    """tcp4, tcp6, unix or unix-abstract, as in a scenario."""
    address: str
    """An IP address; of a unix socket the path, or @name."""
    port: int
    """0 for a unix socket."""
    inodes: tuple[int, ...]
    """One inode per socket; more than one is a reuseport group."""
    namespace: int
    """Inode of the network namespace."""

    @property
    def name(self) -> str:
        """For people: 127.0.0.1:8000, [::]:80, /run/app.sock, @name."""
        if self.port and ":" in self.address:
            return f"[{self.address}]:{self.port}"
        return f"{self.address}:{self.port}" if self.port else self.address


class Row(NamedTuple):
    """One line of /proc/PID/net/tcp or tcp6."""

    local: tuple[str, int]
    remote: tuple[str, int]
    state: str
    inode: int
    """0 while the connection was not accepted yet (or is closed)."""


def listeners(pid: int | str) -> list[Listener]:
    """Every listener in the network namespace of process `pid` (or "self").  OSError where it is gone."""
    namespace = os.stat(f"/proc/{pid}/ns/net").st_ino
    sockets: dict[tuple[str, str, int], list[int]] = {}
    for file, kind in (("tcp", "tcp4"), ("tcp6", "tcp6")):
        for row in tcp_rows(_lines(pid, file)):
            if row.state == _LISTEN:
                sockets.setdefault((kind, *row.local), []).append(row.inode)
    # Never a group: a path that two are bound to was removed in between, and is that of the second.
    unix = []
    for path, inode in unix_listeners(_lines(pid, "unix")):
        unix.append(Listener("unix-abstract" if path.startswith("@") else "unix", path, 0, (inode,), namespace))
    return [*(Listener(*key, tuple(sorted(inodes)), namespace) for key, inodes in sockets.items()), *unix]


def _lines(pid: int | str, file: str) -> list[str]:
    # A kernel without IPv6 has no tcp6.
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/net/{file}", errors="surrogateescape") as opened:
        return opened.read().splitlines()[1:]
    return []


def tcp_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of /proc/PID/net/tcp or tcp6, without its heading."""
    for line in lines:
        fields = line.split()
        if len(fields) >= 10:
            yield Row(_end(fields[1]), _end(fields[2]), fields[3], int(fields[9]))


def unix_listeners(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Path (or @name) and inode of every listening socket in the lines of /proc/PID/net/unix."""
    for line in lines:
        fields = line.split(None, 7)
        if len(fields) == 8 and int(fields[3], 16) & _ACCEPTS:
            yield fields[7], int(fields[6])


def _end(text: str) -> tuple[str, int]:
    """`0100007F:1F90` as ("127.0.0.1", 8000): words of 32 bits, each in this machine's byte order."""
    address, port = text.split(":")
    words = [bytes.fromhex(address[at : at + 8]) for at in range(0, len(address), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    found = ipaddress.ip_address(packed)
    # An IPv4 client of an IPv6 listener.
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found), int(port, 16)


def server_end(pid: int, port: int, client: tuple[str, int]) -> Row | None:
    """The server's end of the connection from `client` to `port`; None where there is none (yet)."""
    for file in ("tcp", "tcp6"):
        for row in tcp_rows(_lines(pid, file)):
            if row.local[1] == port and row.remote == client and row.state != _LISTEN:
                return row
    return None


def is_half_open(row: Row) -> bool:
    """Whether the handshake is not over for the server: under TCP_DEFER_ACCEPT it waits for data (tcp(7))."""
    return row.state == _SYN_RECV


def destination(listener: Listener, pid: int) -> tuple[int, object]:
    """Family and address to connect to; `pid` is a process in the listener's namespace.

    Where it listens on all addresses, the loopback one.
    """
    if listener.port and ":" not in listener.address:  # tcp6, too: bound to ::ffff:127.0.0.1, it takes IPv4 alone
        return socket.AF_INET, ("127.0.0.1" if listener.address == "0.0.0.0" else listener.address, listener.port)
    if listener.kind == "tcp6":
        if listener.address == "::" and not any(packed == _LOOPBACK6 for packed, _ in _addresses6(pid)):
            # A container without IPv6, as Docker makes them by default: what listens on all takes IPv4, too.
            return socket.AF_INET, ("127.0.0.1", listener.port)
        address = "::1" if listener.address == "::" else listener.address
        return socket.AF_INET6, (address, listener.port, 0, _scope(address, pid))
    if listener.kind == "unix-abstract":
        return socket.AF_UNIX, b"\0" + os.fsencode(listener.address[1:])
    return socket.AF_UNIX, listener.address


def _scope(address: str, pid: int) -> int:
    """The interface of a link-local address; 0 for any other address."""
    packed = ipaddress.ip_address(address)
    if packed.is_link_local:
        return next((index for one, index in _addresses6(pid) if one == packed.packed), 0)
    return 0


def _addresses6(pid: int) -> Iterator[tuple[bytes, int]]:
    """Each IPv6 address of the namespace of process `pid`, and its interface: /proc/PID/net/if_inet6."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/net/if_inet6") as lines:
        for line in lines:
            fields = line.split()
            yield bytes.fromhex(fields[0]), int(fields[1], 16)
