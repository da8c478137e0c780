"""One client, who gets back every byte (RFC 862) until it has ended its side: once blocking, once not."""

from __future__ import annotations

import contextlib
import select
import socket

PIECE = 65536
"""Bytes that are read at once, and the most that is kept for one client."""
TURN = 16
"""Pieces after which a client who always has more gives way to the others."""
BLOCKED, HAS_MORE, ENDED = "blocked", "has more", "ended"


def echo(client: socket.socket, idle_s: float) -> None:
    """Serve one client, blocking, to its end; a client that does nothing for `idle_s` is given up.

    Python ignores SIGPIPE, so a client that left is an error, and no death of this process (claim
    sockets.write-after-end-raises-sigpipe; in C: MSG_NOSIGNAL).  Whatever it is, it is this client's.
    """
    client.settimeout(idle_s)
    with contextlib.suppress(OSError):
        while piece := client.recv(PIECE):
            client.sendall(piece)  # goes on after a partial write


class Conversation:
    """One client on a non-blocking socket, as a state machine; `epoll` says when to go on.

                 --- a piece came --->
        reading                         writing
           |     <---- all is sent ---
           '-- end of file --> ended

    Who does not read is not read from either, so a client costs one piece of memory at most; and at
    the end of file nothing is left to be sent, so one that only shut down its side gets everything.
    """

    def __init__(self, client: socket.socket) -> None:
        # Not inherited from the listener: claim sockets.accepted-inherit-no-flags.  A loop that must come
        # back to its other clients cannot afford a read that sleeps: claim epoll-instances.edge-needs-non-blocking.
        client.setblocking(False)
        self.client = client
        self._unsent = memoryview(b"")

    @property
    def waits_for(self) -> int:
        """What epoll has to tell of, level-triggered: EPOLLIN or EPOLLOUT."""
        return select.EPOLLOUT if self._unsent else select.EPOLLIN

    def go_on(self) -> str:
        """Write and read until the socket would block, which is what an edge asks for; how it ended, in a word.

        `has more`: its turn is over and nothing blocks; an edge would not be told again (claim
        epoll-triggers.edge-told-once-per-change), so the loop has to come back by itself.
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
        except OSError:  # reset, timed out, unreachable: this client's affair, and its end
            return ENDED
        return HAS_MORE
