"""Serves one client, which gets back every byte (RFC 862) until it closes its side: blocking, and non-blocking."""

from __future__ import annotations

import contextlib
import select
import socket

PIECE = 65536
"""How many bytes are read at once, and kept for one client at most."""
TURN = 16
"""After this many pieces, a client that always has more gives way to the others."""
BLOCKED, HAS_MORE, ENDED = "blocked", "has more", "ended"


def echo(client: socket.socket, idle_s: float) -> None:
    """Serve one client, blocking, to its end; a client that does nothing for `idle_s` is dropped.

    Python ignores SIGPIPE, so writing to a client that left is an error, and does not kill this process (claim
    sockets.write-after-end-raises-sigpipe; in C: MSG_NOSIGNAL).  Any error concerns only this client.
    """
    client.settimeout(idle_s)
    with contextlib.suppress(OSError):
        while piece := client.recv(PIECE):
            client.sendall(piece)  # goes on after a partial write


class Conversation:
    """One client on a non-blocking socket, as a state machine that epoll drives.

                 --- a piece came --->
        reading                         writing
           |     <---- all is sent ---
           '-- end of file --> ended

    Nothing is read from a client that does not read, so a client takes at most one piece of memory; and at the end of
    file nothing is left to be sent, so a client that only shut down its side gets everything.
    """

    def __init__(self, client: socket.socket) -> None:
        # Not inherited from the listener: claim sockets.accepted-inherit-no-flags.  A read must not sleep, because the
        # other clients would have to wait: claim epoll-instances.edge-needs-non-blocking.
        client.setblocking(False)
        self.client = client
        self._unsent = memoryview(b"")

    @property
    def waits_for(self) -> int:
        """The event to wait for, level-triggered: EPOLLIN or EPOLLOUT."""
        return select.EPOLLOUT if self._unsent else select.EPOLLIN

    def go_on(self) -> str:
        """Write and read until the socket would block, as an edge requires; returns how it ended, in a word.

        `has more`: its turn is over although nothing blocks.  An edge is not reported again (claim
        epoll-triggers.edge-told-once-per-change), so the loop must come back by itself.
        """
        try:
            for _ in range(TURN):
                while self._unsent:
                    self._unsent = self._unsent[self.client.send(self._unsent) :]
                piece = self.client.recv(PIECE)
                if not piece:
                    return ENDED
                self._unsent = memoryview(piece)
        except BlockingIOError:
            return BLOCKED
        except OSError:  # reset, timed out, unreachable: this ends only this client
            return ENDED
        return HAS_MORE
