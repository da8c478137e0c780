"""What an epoll instance tells, and how often."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ..lab.stage import Stage


@contextmanager
def _watched(flags: int) -> Iterator[tuple[select.epoll, socket.socket, socket.socket]]:
    """An instance that watches one end of a socket pair for input; the instance, that end, the other."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far, select.epoll() as instance:
        instance.register(near, select.EPOLLIN | flags)
        yield instance, near, far


def _told(instance: select.epoll) -> int:
    return len(instance.poll(0))


def how_often(stage: Stage, trigger: str) -> None:
    """One write; look three times without reading; then read a part, write again, read all."""
    flags = {"level": 0, "edge": select.EPOLLET, "oneshot": select.EPOLLONESHOT}[trigger]
    with _watched(flags) as (instance, near, far):
        stage.note("told before anything was written", _told(instance))
        far.send(b"xx")
        stage.note("told after a write", _told(instance))
        stage.note("told again, nothing read", _told(instance))
        near.recv(1)
        stage.note("told with a part left", _told(instance))
        far.send(b"x")
        stage.note("told after another write", _told(instance))
        near.recv(16)
        stage.note("told when all is read", _told(instance))
        instance.modify(near, select.EPOLLIN | flags)
        stage.note("told after MOD with nothing to read", _told(instance))
        far.send(b"x")
        stage.note("told after MOD and a write", _told(instance))


def last_copy(stage: Stage) -> None:
    """A watched descriptor is closed while a copy of it stays open; then the copy is closed too."""
    with _watched(0) as (instance, near, far):
        copy = os.dup(near.fileno())
        far.send(b"x")
        near.close()
        stage.note("told while a copy is open", _told(instance))
        os.close(copy)
        stage.note("told when the last copy is closed", _told(instance))
