"""nginx's accept mutex, the accept of a loser, and the System V semaphore of a killed owner."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from contextlib import suppress
from typing import Any

from .. import syscalls
from ..errnos import errno_of_result
from ..lab.deadline import until
from ..lab.stage import Actor, Me, Stage
from ..locks.sysv import Semaphore, find, remove, value
from ..servers import accept_mutex
from ..verdict import NotApplicable
from .instances import EPOLL_WAIT
from .serialised import SharedNumbers
from .waiting import TAKES, Scene, now

HELD, TOOK = range(2)


class _Worker(accept_mutex.AcceptMutexWorker):
    """A worker of the accept-mutex server that records what it does; its timer does not expire meanwhile."""

    def __init__(self, workers: _Workers, me: Me, i: int) -> None:
        workers.mutex.attach()
        super().__init__(workers.listener, workers.mutex, delay_s=3600.0, most=2)
        self._board, self._me, self._i = workers.board, me, i
        super().adopt(workers.old_clients[i][1])

    def wait(self, timeout_s: float | None = None) -> list[int]:
        self._me.ready()
        return super().wait(timeout_s)

    def watch_listener(self) -> None:
        super().watch_listener()
        self._board.put(self._i, HELD, 1)

    def leave_listener(self) -> None:
        super().leave_listener()
        self._board.put(self._i, HELD, 0)

    def adopt(self, client: socket.socket) -> None:
        super().adopt(client)
        self._board.put(self._i, TOOK, 1 + self._board.get(self._i, TOOK))


class _Workers:
    """Workers of the accept-mutex server, with an old client each, and room for one more."""

    def __init__(self, stage: Stage, n: int) -> None:
        self.mutex, self._scene = accept_mutex.AcceptMutex(), Scene(stage, "ppoll", n=1)
        self.listener = socket.socket(fileno=os.dup(self._scene.listener.fds[0]))
        self.board = SharedNumbers(n, 2)
        self.old_clients = [socket.socketpair() for _ in range(n)]
        self.actors = [self._start(stage, i) for i in range(n)]

    def _start(self, stage: Stage, i: int) -> Actor:
        actor = stage.actor(lambda me: _Worker(self, me, i).run(), f"w{i}")
        return actor.blocked_in(EPOLL_WAIT)

    def connect(self) -> None:
        self._scene.connect()

    def queued(self) -> bool:
        """Whether one connection waits in the accept queue (or the kernel does not say)."""
        return self._scene.listener.queued() in (1, None)

    def woken(self) -> int:
        return sum(actor.woken for actor in self.actors)


def nginx(stage: Stage, n: int) -> None:
    """N workers; a connection, which leaves no room for another; one more; then an old client of the last worker."""
    workers = _Workers(stage, n)
    stage.note("registered", "workers that have registered the listener", workers.board.total(HELD))
    workers.connect()
    until(lambda: workers.board.total(TOOK) == 1, lambda: "the first connection was not taken")
    stage.note("woken-by-connection", "workers woken by one connection, and by the unlock after it", workers.woken())
    workers.connect()
    until(workers.queued, lambda: "the second connection was not delivered")
    stage.note("woken-without-holder", "workers woken by a connection while nobody holds the mutex", workers.woken())
    stage.note("taken-without-holder", "connections taken by then", workers.board.total(TOOK))
    workers.old_clients[n - 1][0].send(b"!")
    until(lambda: workers.board.total(TOOK) == 2, lambda: "the second connection was not taken")
    stage.note("woken-by-old-client", "workers woken by one worker's old client", workers.woken())
    stage.note("that-worker-took", "connections that this worker then took", workers.board.get(n - 1, TOOK))


def late(stage: Stage, argument: dict[str, Any]) -> None:
    """A waiter returns from poll, another process takes the connection, and only then the waiter calls accept."""
    scene = Scene(stage, "ppoll", argument["listener"], n=1)
    listener = socket.socket(fileno=os.dup(scene.listener.fds[0]))
    near, far = socket.socketpair()
    board = SharedNumbers(1, 1)

    def act(me: Me) -> str:
        me.ready()
        scene.strategy.waiting(0).wait()
        board.put(0, 0, 1)
        far.recv(1)
        result = syscalls.call(syscalls.NUMBERS["accept4"], listener.fileno(), 0, 0, 0)
        return TAKES if result >= 0 else str(errno_of_result(result))

    loser = stage.actor(act, "w0").blocked_in("ppoll")
    scene.connect()
    until(lambda: bool(board.get(0, 0)), lambda: "poll did not return")
    listener.accept()
    listener.setblocking(argument["blocking"])
    near.send(b"x")
    if not argument["blocking"]:
        stage.note("late-accept", "accept, when another has taken the connection", loser.answer())
        return
    loser.blocked_in("accept4")
    stage.note("late-accept", "accept, when another has taken the connection", now(loser))
    scene.connect()
    stage.note("after-another", "the same accept, after another connection", loser.answer())


def owner_killed(stage: Stage) -> None:
    """An owner creates a System V semaphore with a key made from a file, takes it, and is killed."""
    board = SharedNumbers(1, 2)
    key = _unused_key()

    def own(me: Me) -> None:
        semaphore = Semaphore(undo=False, key=key)
        semaphore.acquire()
        board.put(0, 0, 1)
        board.put(0, 1, semaphore.id)

    owner = stage.actor(own, "owner")
    try:
        owner.answer()
        owner.kill()
        stage.outcome("key-after-kill", "the key, once the owner was killed", lambda: _same(find(key), board.get(0, 1)))
        stage.outcome(
            "value-after-kill", "the semaphore's value, once the owner was killed", lambda: value(board.get(0, 1))
        )
    finally:
        with suppress(OSError):
            remove(find(key))
    stage.outcome("key-after-removal", "the key, once the set was removed", lambda: _same(find(key), board.get(0, 1)))


def own_namespace(stage: Stage) -> None:
    """The same key in another IPC namespace.  Raises NotApplicable if none can be created."""
    key = _unused_key()
    semaphore = Semaphore(undo=False, key=key)
    try:
        elsewhere = stage.actor(lambda me: _from_elsewhere(key), "elsewhere").answer()
        if isinstance(elsewhere, int):
            raise NotApplicable(f"an IPC namespace of our own: {os.strerror(-elsewhere)}")
        stage.note("key-elsewhere", "the key, in another IPC namespace", elsewhere)
        stage.outcome("key-here", "the key, in this IPC namespace", lambda: _same(find(key), semaphore.id))
    finally:
        semaphore.destroy()


def _from_elsewhere(key: int) -> str | int:
    """What the key finds in another namespace; minus the errno if that could not be created."""
    unshare = syscalls.NUMBERS["unshare"]
    refused = syscalls.call(unshare, syscalls.NEWIPC)
    if refused == -errno.EPERM:
        refused = syscalls.call(unshare, syscalls.NEWUSER | syscalls.NEWIPC)
    if refused:
        return refused
    find(key)
    return "found"


def _same(identifier: int, expected: int) -> str:
    return "finds the same set" if identifier == expected else "finds another set"


def _unused_key() -> int:
    """A key made from a file by ftok(3) that no semaphore set has.  Raises OSError if every key is in use."""
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.memfd_create("wakecheck-key")
    for project in range(1, 256):
        key: int = libc.ftok(f"/proc/self/fd/{file}".encode(), project)
        try:
            find(key)
        except FileNotFoundError:
            return key
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
