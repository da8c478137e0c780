"""A process for each connection: the parent accepts, forks, closes, and waits for its children.

The classic concurrent server.  A client that is slow holds up nobody but its own child (claim
server.served-client-holds-nobody-up).  SIGHUP reads the greeting again, for the clients to come.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from pathlib import Path
from signal import SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGTERM
from typing import NoReturn

from .echo import echo
from .listening import RETRY_S, NoRoom, accept, listen, say
from .prefork import reaped
from .signals import Signals


class ForkServer:
    """The parent."""

    def __init__(self, listener: socket.socket, greeting: Path | None, idle_s: float, most: int) -> None:
        """At most `most` children at once.  Raises OSError if the greeting cannot be read."""
        # The parent must sleep only in poll, where it also sees signals: claim sockets.readiness-may-be-gone.
        listener.setblocking(False)
        self._listener = listener
        self._file, self._greeting = greeting, greeting.read_bytes() if greeting else b""
        self._idle_s, self._most = idle_s, most
        self._children: set[int] = set()
        self._signals = Signals(SIGCHLD, SIGHUP, SIGTERM, SIGINT)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        room = True
        while not self._told_to_end():
            full = len(self._children) >= self._most
            # Without POLLIN, connections wait in the queue.
            poll.register(self._listener, 0 if full or not room else select.POLLIN)
            ready = dict(poll.poll(None if room else RETRY_S * 1000))
            room = True
            if ready.get(self._listener.fileno()):
                try:
                    if client := accept(self._listener):
                        self._fork(client)
                except NoRoom:
                    room = False  # or poll would return again and again: claim server.emfile-keeps-the-connection

    def _told_to_end(self) -> bool:
        """Whether SIGTERM or SIGINT came; handles the other signals."""
        came = self._signals.take()
        # Otherwise dead children stay as zombies: claim server.zombie-until-waited-for.
        self._children.difference_update(reaped())
        if SIGHUP in came:
            self._reload()
        return not came.isdisjoint({SIGTERM, SIGINT})

    def _reload(self) -> None:
        """For the clients to come: a child goes on with what was true when it was forked."""
        try:
            self._greeting = self._file.read_bytes() if self._file else b""
            say("reloaded")
        except OSError as error:  # a mistake in a reload must not end the service
            say(f"not reloaded: {self._file}: {error.strerror}")

    def _fork(self, client: socket.socket) -> None:
        # Our copy of the client's socket is closed at once: with it the client would see no end of file when the
        # child is done (claim server.parent-keeps-client-waiting), and we would soon have no descriptor left.
        with self._signals.held_back(), client:
            try:
                pid = os.fork()
            except OSError as error:
                say(f"a client was turned away: fork: {error.strerror}")
                return
            if pid == 0:
                self._be_child(client)
            self._children.add(pid)

    def _be_child(self, client: socket.socket) -> NoReturn:
        """Serve, and end; it does so also when the parent was killed, for a client's sake."""
        try:
            # It has both sockets (claim server.child-has-both), and must not keep the port from the next server.
            self._listener.close()  # claim server.child-keeps-the-port
            self._signals.leave(SIGINT, SIGHUP)  # Ctrl-C is for the whole group: let the parent decide
            with contextlib.suppress(OSError):
                client.settimeout(self._idle_s)
                client.sendall(self._greeting)
                echo(client, self._idle_s)
        finally:
            os._exit(0)

    def end(self, grace_s: float) -> None:
        """Wait for children that serve clients, until `grace_s` is over or the signal comes again; then end them."""
        self._listener.close()  # now, so that the next server can have the port
        until = time.monotonic() + grace_s
        self._told_to_end()
        if self._children:
            say(f"clients still served: {len(self._children)}; the same signal again ends them")
        while self._children and (left := until - time.monotonic()) > 0:
            select.select([self._signals], [], [], left)
            if self._told_to_end():
                break
        for pid in self._children:
            os.kill(pid, SIGTERM)
            os.kill(pid, SIGCONT)  # a stopped process dies of SIGTERM only when it goes on
        for pid in self._children:
            os.waitpid(pid, 0)


def serve(host: str, port: int, backlog: int, greeting: Path | None, idle_s: float, most: int, grace_s: float) -> None:
    """Serve until SIGTERM or SIGINT.  Raises OSError if it cannot listen, or read the greeting."""
    listener = listen(host, port, backlog=backlog)
    server = ForkServer(listener, greeting, idle_s, most)
    address = listener.getsockname()
    say(f"listening on {address[0]} port {address[1]}")
    server.run()
    server.end(grace_s)
