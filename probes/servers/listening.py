"""A listener, and accept with everything that it may answer."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

BACKLOG = 128
"""Connections that may wait to be accepted; net.core.somaxconn caps it (claim sockets.somaxconn-caps)."""
RETRY_S = 1.0
"""When to try again what the system had no room for, in seconds."""

_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_CLIENTS_FAULT = (
    errno.ECONNABORTED,
    errno.EPERM,  # a firewall's rule
    errno.EPROTO,
    errno.ENOPROTOOPT,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENONET,
    errno.ETIMEDOUT,
)
"""Errors of accept that concern only one connection, not the listener or the next connection (accept(2), ERRORS)."""


class NoRoom(Exception):
    """accept has no descriptor, or no memory, for a connection, which stays in the queue."""


def listen(host: str, port: int, *, backlog: int = BACKLOG, group: bool = False) -> socket.socket:
    """A blocking TCP listener; `port` 0 means any free port; with `group` other sockets may share the address.

    Like every descriptor that Python creates, it has O_CLOEXEC (PEP 446).  Raises OSError.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # So that a restart works while old connections are in TIME_WAIT: claim sockets.reuseaddr-restarts.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if group:  # Every member, and before bind: claim reuseport-group.every-member-sets-it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection; None if a non-blocking listener has none.

    Raises NoRoom; the connection then stays in the queue (claim server.emfile-keeps-the-connection).  Python repeats
    the call after EINTR, unless a handler raises (PEP 475).
    """
    while True:
        try:
            return listener.accept()[0]
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise NoRoom(os.strerror(error.errno)) from error
            if error.errno not in _CLIENTS_FAULT:
                raise


def say(text: str) -> None:
    """Print a line in one write, because other processes print, too; it does not matter if nobody reads it."""
    with contextlib.suppress(OSError):
        os.write(1, f"{text}\n".encode())
