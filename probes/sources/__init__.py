"""What waiters wait on, one file per kind of source.

A new kind: a class in a file of its own with the methods of `Source`, and a row in `SOURCES` of `probes/axes.py`.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable

from ..axes import SOURCES
from ..parts import find
from ..scenario import Scenario
from ..syscalls import set_socket_option, timeval


class Source:
    """Descriptors for the waiters, and the way to stir them.

    A descriptor blocks where the wait call itself takes what comes (`scenario.takes`), and only there.
    """

    fds: list[int]
    """What waiter i waits on, at place i: the same descriptor for all, or one of its own each."""

    asynchronous = False
    """Whether wake-ups may still be under way when `connect` or `write` has returned: then `queued` must account
    for all that was made, and a fence must follow."""

    delivery: str
    """In words, what proves that what was made was delivered once the call returned and `queued` agrees."""

    def meet(self, pids: list[int]) -> None:
        """Know the processes of the waiters, in their order, now that all are blocked: for what is sent to them."""

    def connect(self, patience_s: float) -> socket.socket:
        """One connection, made by the calling thread, blocking.  OSError (EAGAIN) past `patience_s`."""
        raise NotImplementedError(f"{type(self).__name__} takes no connections")

    def queued(self) -> int | None:
        """What was made and waits to be taken: connections in the accept queues, datagrams in the receive queues.

        None if the kernel does not say.
        """
        return None

    def settle(self) -> None:
        """Wait, once `queued` accounts for all, for wake-ups that are under way where no fence of the lab's waits."""

    def write(self, i: int) -> None:
        """Write once to what waiter i waits on (eventfd, pipe, datagram)."""
        raise NotImplementedError(f"{type(self).__name__} is not written to")

    def happen(self) -> None:
        """Have one event happen that is neither a connection nor a write: a timer expires, a full pipe is read."""
        raise NotImplementedError(f"{type(self).__name__} has no events")

    def retire(self) -> None:
        """End what the waiters must not outlive: called when the trial is over, before they are ended."""

    def close(self) -> None:
        """Close every descriptor.  Nothing stays behind."""
        raise NotImplementedError


def open_source(scenario: Scenario, folder: str | None) -> Source:
    """The source of `scenario`.  A path socket is bound in `folder` (None: in a temporary
    folder that is gone when this returns) and unlinked at once.

    Raises OSError as the kernel gives it, for instance EADDRNOTAVAIL while `lo` is down.
    """
    opener: Callable[[Scenario, str | None], Source] = find(__name__, SOURCES[scenario.source].part)
    return opener(scenario, folder)


def client(family: int, kind: int, patience_s: float, protocol: int = 0) -> socket.socket:
    """A client socket whose blocking connect gives up after `patience_s`, and that closes with RST.

    SO_SNDTIMEO bounds connect, and SO_LINGER with time 0 leaves no TIME_WAIT (socket(7)).
    """
    client_end = socket.socket(family, kind, protocol)
    set_socket_option(client_end.fileno(), socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    set_socket_option(client_end.fileno(), socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(patience_s))
    return client_end


def insist_on_another_end(sock: socket.socket) -> None:
    """Raises OSError (EADDRNOTAVAIL) if a TCP socket has connected to itself.

    That comes about where the one port that is free is the port that nobody listens on any more: two that open at once
    connect (RFC 9293, 3.5), and here both are the same (net.ipv4.ip_local_port_range).
    """
    try:
        itself = sock.getsockname() == sock.getpeername()
    except OSError:  # ENOTCONN: whoever was at the other end has reset it by now
        return
    if itself:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
