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
    """Descriptors for the waiters, and ways to make them ready.

    A descriptor is blocking only if the wait call itself takes what comes (`scenario.takes`).
    """

    fds: list[int]
    """At place i, the descriptor that waiter i waits on: the same for all, or one for each."""

    asynchronous = False
    """Whether wake-ups may still be under way when `connect` or `write` has returned: if so, `queued` must account for
    every connection or write, and a fence must follow."""

    delivery: str
    """In words, what proves that everything was delivered, once the call has returned and `queued` agrees."""

    def meet(self, pids: list[int]) -> None:
        """Learn the processes of the waiters, in their order, now that all are blocked; for events that are sent to
        them."""

    def connect(self, patience_s: float) -> socket.socket:
        """Make one connection from the calling thread, blocking.  Raises OSError (EAGAIN) after `patience_s`."""
        raise NotImplementedError(f"{type(self).__name__} takes no connections")

    def queued(self) -> int | None:
        """How many connections wait in the accept queues, or datagrams in the receive queues.

        None if the kernel does not say.
        """
        return None

    def settle(self) -> None:
        """Wait, once `queued` accounts for everything, for wake-ups for which the lab's fence does not wait."""

    def write(self, i: int) -> None:
        """Write once to what waiter i waits on (eventfd, pipe, datagram)."""
        raise NotImplementedError(f"{type(self).__name__} is not written to")

    def happen(self) -> None:
        """Cause one event that is neither a connection nor a write: a timer expires, a full pipe is read."""
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
    """Raise OSError (EADDRNOTAVAIL) if a TCP socket has connected to itself.

    That happens if the only free port (net.ipv4.ip_local_port_range) is the one on which nobody listens any more: TCP
    allows both ends to open at once (RFC 9293, 3.5), and here both ends are the same socket.
    """
    try:
        itself = sock.getsockname() == sock.getpeername()
    except OSError:  # ENOTCONN: whoever was at the other end has reset it by now
        return
    if itself:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
