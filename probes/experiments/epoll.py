"""What an epoll instance reports, and how often."""

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


def _events_now(instance: select.epoll) -> int:
    return len(instance.poll(0))


def how_often(stage: Stage, trigger: str) -> None:
    """One write; look three times without reading; then read a part, write again, read all."""
    flags = {"level": 0, "edge": select.EPOLLET, "oneshot": select.EPOLLONESHOT}[trigger]
    with _watched(flags) as (instance, near, far):
        stage.note("before-write", "events before anything was written", _events_now(instance))
        far.send(b"xx")
        stage.note("after-write", "events after a write", _events_now(instance))
        stage.note("again-unread", "events in the next wait, nothing having been read", _events_now(instance))
        near.recv(1)
        stage.note("partly-read", "events when a part was read", _events_now(instance))
        far.send(b"x")
        stage.note("after-second-write", "events after another write", _events_now(instance))
        near.recv(16)
        stage.note("all-read", "events when all was read", _events_now(instance))
        instance.modify(near, select.EPOLLIN | flags)
        stage.note("mod-empty", "events after EPOLL_CTL_MOD with nothing to read", _events_now(instance))
        far.send(b"x")
        stage.note("mod-and-write", "events after EPOLL_CTL_MOD and a write", _events_now(instance))


def last_copy(stage: Stage) -> None:
    """A watched descriptor is closed while a copy of it stays open; then the copy is closed too."""
    with _watched(0) as (instance, near, far):
        copy = os.dup(near.fileno())
        far.send(b"x")
        near.close()
        stage.note("copy-open", "events while a copy of the descriptor is open", _events_now(instance))
        os.close(copy)
        stage.note("last-copy-closed", "events once the last copy is closed", _events_now(instance))
