"""Many clients on one epoll instance, level- or edge-triggered, and the listener that they come from."""

from __future__ import annotations

import select
import socket
import sys
from typing import NoReturn

from .echo import ENDED, HAS_MORE, Conversation
from .listening import RETRY_S, NoRoom, accept

_LISTENER = {
    "level": select.EPOLLIN,
    "edge": select.EPOLLIN | select.EPOLLET,
    "exclusive": select.EPOLLIN | select.EPOLLEXCLUSIVE,
}
TRIGGERS = tuple(_LISTENER)
_BOTH_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


class Loop:
    """One worker's clients and its listener, which several workers may have in a loop of their own.

    Make it in the worker: an instance that is shared by fork would tell one worker of another's clients.
    """

    def __init__(self, listener: socket.socket, trigger: str) -> None:
        """`trigger`: level, edge, or exclusive (level, and the listener with EPOLLEXCLUSIVE)."""
        # Readable, and yet empty: another worker was faster (claim sockets.readiness-may-be-gone).  On a
        # blocking listener this one would sleep in accept, and all its clients with it.
        listener.setblocking(False)
        self.listener = listener
        self.clients: dict[int, Conversation] = {}
        self.no_room = False
        self._trigger = trigger
        self._edge = trigger == "edge"
        self._instance = select.epoll()
        self._unfinished: set[int] = set()
        self._listens = False

    def run(self) -> NoReturn:
        """Serve for good."""
        self.watch_listener()
        while True:
            self.turn()

    def turn(self) -> None:
        """Wait once, accept new clients, and serve those that are ready."""
        ready = self.wait()
        if self.listener.fileno() in ready:
            self.accept_all()
        self.serve(ready)

    def wait(self, timeout_s: float | None = None) -> list[int]:
        """Wait for descriptors that epoll reports, at most `timeout_s` (None: no limit); goes on after EINTR (PEP
        475)."""
        if self._unfinished:
            timeout_s = 0
        elif self.no_room and not self.clients:
            timeout_s = RETRY_S  # other processes use up the files, so no client of ours will free one
        ready = [fd for fd, _ in self._instance.poll(timeout_s)]
        if not ready and self.no_room:
            self.has_room_again()
        return ready

    def watch_listener(self) -> None:
        """Wait for connections, too; those in the queue are reported at once (claim epoll-instances.empty-blocks)."""
        if not self._listens:
            self._instance.register(self.listener, _LISTENER[self._trigger])
        self._listens = True

    def leave_listener(self) -> None:
        """Wait for no connections.  By DEL, because MOD is refused for an exclusive item (claim
        epoll-ctl.exclusive-not-modified)."""
        if self._listens:
            self._instance.unregister(self.listener)
        self._listens = False

    def accept_all(self, most: int = sys.maxsize) -> None:
        """Accept until EAGAIN: an edge comes once for a whole burst (claim epoll-instances.edge-burst-leaves).

        A loop that stops earlier, with `most` clients, must be level-triggered.
        """
        try:
            while len(self.clients) < most and (client := accept(self.listener)):
                self.adopt(client)
        except NoRoom:
            # A level-triggered listener would be reported again and again (claim server.emfile-keeps-the-connection),
            # an edge-triggered one never again; so do not watch it until a client has ended.  (With EPOLLEXCLUSIVE the
            # other workers do not hear of this connection before the next one: claim death.exclusive-waits-for-next.)
            self.leave_listener()
            self.no_room = True

    def has_room_again(self) -> None:
        """A descriptor may be free now."""
        self.no_room = False
        self.watch_listener()

    def adopt(self, client: socket.socket) -> None:
        """Serve this client from now on."""
        fd = client.fileno()
        self.clients[fd] = Conversation(client)
        # Data that are already there are reported at once, even edge-triggered.  With both edges no MOD is needed.
        self._instance.register(fd, _BOTH_EDGES if self._edge else select.EPOLLIN)

    def serve(self, ready: list[int]) -> None:
        """Let these clients go on, and those that had more than one turn allows."""
        for fd in {*ready, *self._unfinished}:
            # If a client has ended and a new one has its number, this is needless but harmless.
            if fd in self.clients:
                self._go_on(fd, self.clients[fd])

    def _go_on(self, fd: int, conversation: Conversation) -> None:
        before = conversation.waits_for
        came_to = conversation.go_on()
        self._unfinished.discard(fd)
        if came_to == ENDED:
            del self.clients[fd]
            # This is the last copy, so epoll forgets it: claim epoll-triggers.leaves-with-last-copy.
            conversation.client.close()
            if self.no_room:
                self.has_room_again()
        elif self._edge:
            if came_to == HAS_MORE:
                self._unfinished.add(fd)
        elif conversation.waits_for != before:
            # Ask for EPOLLOUT only when needed: it is reported as long as there is room (claim
            # epoll-instances.write-level).
            self._instance.modify(fd, conversation.waits_for)
