"""What waiters wait on, one file per kind.

A new kind: a class in a file of its own with the methods of `Source`, and a row in `SOURCES` of `probes/axes.py`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Protocol

from ..axes import SOURCES
from ..parts import find
from ..scenario import Scenario
from ..syscalls import set_socket_option, timeval


class Source(Protocol):
    """Descriptors for the waiters, and the way to stir them."""

    fds: list[int]
    """What waiter i waits on, at place i: the same descriptor for all, or one of its own each."""

    asynchronous: bool
    """Whether wake-ups may still be under way when `connect` has returned: then `queued` must account
    for every connection, and a fence must follow."""

    delivery: str
    """In words, what proves that a connection was delivered once `connect` returned and `queued` agrees."""

    def connect(self, patience_s: float) -> socket.socket:
        """One connection, made by the calling thread, blocking.  OSError (EAGAIN) past `patience_s`."""

    def queued(self) -> int | None:
        """Connections that wait in the accept queues now (datagrams: in the receive queues); None where the
        kernel does not say."""

    def write(self, i: int) -> None:
        """Make what waiter i waits on readable without a connection (eventfd, pipe, datagram)."""

    def close(self) -> None:
        """Close every descriptor.  Nothing stays behind."""


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
