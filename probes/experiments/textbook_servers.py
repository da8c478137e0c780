"""The servers of `probes/servers`, started as a user starts them, with their workers watched as actors."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
from typing import Any, NoReturn

from .. import syscalls
from ..lab.deadline import patience_s
from ..lab.features import insist_on_exclusive, join_group
from ..lab.stage import Actor, Stage
from ..servers import serve
from ..servers.listening import listen
from ..sources import client
from ..verdict import Inconclusive
from . import wire
from .instances import EPOLL_WAIT

_SLEEPS_IN = {"serialised": ("accept4", "flock")}
"""The calls in which a worker may wait for a connection: Python's accept is accept4, its epoll.poll epoll_wait."""
_WORKER = re.compile(r"worker (\d+) is process (\d+)")


class StartedServer:
    """One server, and its workers as they have announced themselves."""

    def __init__(self, stage: Stage, *arguments: str) -> None:
        """`arguments` as on the command line: the server's name, and options."""
        self.stage, self._name = stage, arguments[0]
        _insist_on_features(arguments)
        self._said, out = os.pipe()
        self._unread = b""
        mine = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _be_server(arguments, out, mine)
        os.close(out)
        host, port = re.fullmatch(r"listening on (\S+) port (\d+)", self._line()).groups()  # type: ignore[union-attr]
        self.address = (host, int(port))

    def workers(self, n: int) -> list[Actor]:
        """The next `n` workers that announce themselves, each proven blocked."""
        return [self._worker() for _ in range(n)]

    def _worker(self) -> Actor:
        while not (announced := _WORKER.fullmatch(self._line())):
            pass
        # A worker announces itself just before it waits; that is the mark if the kernel does not name the call.
        actor = self.stage.watch(int(announced[2]), f"worker {announced[1]}")
        calls = _SLEEPS_IN.get(self._name, (EPOLL_WAIT, EPOLL_WAIT))
        actor.blocked_in_either(calls, lambda: True)
        return actor

    def _line(self) -> str:
        """The next line that the server prints.  Raises Inconclusive at the deadline, or if it ended."""
        while b"\n" not in self._unread:
            if not select.select([self._said], [], [], patience_s())[0]:
                raise Inconclusive(f"the server said nothing within {patience_s():.0f} s")
            part = os.read(self._said, 4096)
            if not part:
                raise Inconclusive("the server ended")
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def client(self) -> socket.socket:
        """A connected client; it closes with RST."""
        sock: socket.socket = self.stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
        sock.connect(self.address)
        return sock


def _insist_on_features(arguments: tuple[str, ...]) -> None:
    """Raise NotApplicable if the kernel lacks a feature that this server needs."""
    if "exclusive" in arguments:
        insist_on_exclusive()
    if arguments[0] == "reuseport":
        with socket.socket() as sock:
            join_group(sock)


def _be_server(arguments: tuple[str, ...], out: int, parent: int) -> NoReturn:
    try:
        syscalls.die_with_parent(parent)
        os.dup2(out, 1)
        serve.main(arguments)
    finally:
        os._exit(1)


def one_connection(stage: Stage, argument: dict[str, Any]) -> None:
    """All workers are blocked; one client connects, sends a word, and gets it back."""
    server = StartedServer(stage, *argument["server"])
    workers = server.workers(argument["n"])
    client = server.client()
    client.send(b"word")
    stage.note("client-reads", "what the client reads", wire.read_exactly(client, 4))
    stage.quiet(workers)
    stage.note("woken", "workers that were woken", sum(worker.woken for worker in workers))


def all_killed(stage: Stage, argument: dict[str, Any]) -> None:
    """All workers are stopped; a client connects and sends a word; all workers are killed."""
    server = StartedServer(stage, *argument["server"])
    workers = server.workers(argument["n"])
    for worker in workers:
        worker.stop()
    client = server.client()
    client.send(b"word")
    stage.fence()
    for worker in workers:
        worker.send(signal.SIGKILL)
    server.workers(argument["n"])
    stage.note("client-reads", "what the client reads", wire.read_exactly(client, 4))


def killed_parent(stage: Stage) -> None:
    """A child of the fork server serves a client, and the server is killed; another server takes its port."""
    server = StartedServer(stage, "fork")
    old = server.client()
    old.send(b"word")
    stage.note("child-client-reads", "what the child's client reads", wire.read_exactly(old, 4))
    os.kill(server.pid, signal.SIGKILL)
    os.waitpid(server.pid, 0)
    stage.outcome("other-server", "another server's bind and listen", lambda: stage.keep(listen(*server.address)))
    old.send(b"more")
    stage.note("child-client-reads-again", "what the child's client reads then", wire.read_exactly(old, 4))
