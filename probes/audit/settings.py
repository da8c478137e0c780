"""Settings of a live listener: backlog, SO_REUSEPORT, TCP_DEFER_ACCEPT; None for what cannot be read.

pidfd_getfd(2) gives us a copy of the descriptor, which is closed as soon as its options are read; the server does not
notice.  The call needs the permission to trace (ptrace(2), "Ptrace access mode checking"), but traces nothing.
"""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

from .. import syscalls

_TCPI_SACKED = 28
"""Offset of tcpi_sacked in struct tcp_info: the backlog, for a listener (tcp_get_info, net/ipv4/tcp.c)."""


@dataclass(frozen=True)
class ListenerSettings:
    """The settings of one listening socket."""

    backlog: int | None = None
    reuseport: bool | None = None
    defer_accept_s: int | None = None
    """How long a connection waits for data before it wakes anybody (tcp(7), TCP_DEFER_ACCEPT); 0: not at all."""
    why_not: str | None = None
    """Why they could not be read, or None."""


def settings_of(pid: int, fd: int) -> ListenerSettings:
    """The settings of the listener that is descriptor `fd` of process `pid`."""
    number = syscalls.number("pidfd_getfd")
    if number is None:
        return ListenerSettings(why_not="pidfd_getfd: not known for this architecture")
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        return ListenerSettings(why_not=f"pidfd_open: {error.strerror}")
    try:
        copy = syscalls.call(number, pidfd, fd)
    finally:
        os.close(pidfd)
    if copy < 0:
        return ListenerSettings(why_not=f"pidfd_getfd: {os.strerror(-copy)}")
    with socket.socket(fileno=copy) as lent:
        return _asked(lent)


def _asked(lent: socket.socket) -> ListenerSettings:
    if lent.type == socket.SOCK_DGRAM:
        reuseport = bool(lent.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
        return ListenerSettings(defer_accept_s=0, reuseport=reuseport)
    if lent.family not in (socket.AF_INET, socket.AF_INET6):
        return ListenerSettings(defer_accept_s=0, reuseport=False)
    info = lent.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCPI_SACKED + 4)
    return ListenerSettings(
        backlog=struct.unpack_from("=I", info, _TCPI_SACKED)[0] if len(info) >= _TCPI_SACKED + 4 else None,
        reuseport=bool(lent.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)),
        defer_accept_s=lent.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT),
    )
