"""The queue between the kernel's handshake and accept: its order, and what accept does with it."""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from .. import syscalls
from ..errnos import errno_of_result
from ..lab.deadline import patience_s, until
from ..lab.features import asking_for
from ..lab.network import counted, needs, needs_room
from ..lab.stage import Me, Stage
from ..scenario import Scenario
from ..sources import client
from ..strategies import prepare
from ..verdict import NotApplicable
from . import wire
from .waiting import BLOCKED, TAKES, Scene, now

_DEFER_S = 30


def in_order(stage: Stage, kind: str) -> None:
    """Three clients connect one after the other, each with its name; then three accepts."""
    needs_room(3)
    listener = wire.opened(stage, kind)
    accepting = wire.of(listener)
    for place, name in enumerate((b"first", b"second", b"third")):
        sock = stage.keep(listener.connect(patience_s()))
        sock.send(name)
        if listener.queued() is not None:
            # On TCP connect may return a moment before the connection is queued.
            wire.queued(accepting, place + 1)
    got = []
    for _ in range(3):
        wire.wait_readable(accepting, "a connection is missing")
        got.append(wire.read(stage.keep(accepting.accept()[0])))
    stage.note("accepted", "what the accepted connections read, in order", got)
    stage.outcome("fourth-accept", "a fourth accept", accepting.accept)


def flags(stage: Stage, kind: str) -> None:
    """accept4 on a listener with O_NONBLOCK and O_ASYNC set; the flags of what it returns."""
    listener = wire.opened(stage, kind)
    fd = listener.fds[0]
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    for fact, asked, flag in (
        ("flags-none", "no flags", 0),
        ("flags-nonblock", "SOCK_NONBLOCK", socket.SOCK_NONBLOCK),
    ):
        stage.keep(listener.connect(patience_s()))
        wire.wait_readable(wire.of(listener), "no connection came")
        accepted = syscalls.call(syscalls.NUMBERS["accept4"], fd, 0, 0, flag)
        if accepted < 0:
            raise NotApplicable(f"accept4: {errno_of_result(accepted)}")
        got = fcntl.fcntl(accepted, fcntl.F_GETFL)
        names = [name for name in ("O_NONBLOCK", "O_ASYNC") if got & getattr(os, name)]
        stage.note(fact, f"status flags of what accept4 returns, asked for {asked}", names)


def sigio(stage: Stage, kind: str) -> None:
    """A listener with O_ASYNC, owned by this process: a client connects while SIGIO is blocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    listener = wire.opened(stage, kind)
    fd = listener.fds[0]
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    stage.note("sigio-before", "SIGIO is pending before a connection", signal.SIGIO in signal.sigpending())
    stage.keep(listener.connect(patience_s()))
    wire.wait_readable(wire.of(listener), "no connection came")
    stage.fence()
    stage.note("sigio-after", "SIGIO is pending after a connection", signal.SIGIO in signal.sigpending())


def gone(stage: Stage) -> None:
    """A listener is reported readable; another process takes the connection; then a blocking and a non-blocking
    accept."""
    scene = Scene(stage, "accept", n=1)
    listener = wire.of(scene.listener)
    scene.connect()
    wire.wait_readable(listener, "no connection came")
    stage.note("readable", "calls that report the listener readable", wire.reported_by(listener))
    taker = stage.actor(lambda _: bool(listener.accept()), "taker")
    stage.note("other-took-it", "another process took the connection", taker.answer())
    waiter = scene.waiter()
    stage.note("blocking-accept", "a blocking accept", now(waiter))
    os.set_blocking(listener.fileno(), False)
    stage.outcome("non-blocking-accept", "a non-blocking accept", listener.accept)


def out_of_descriptors(stage: Stage) -> None:
    """A connection waits, and this process has no descriptor left; then it has one."""
    listener = wire.listening(stage)
    theirs = wire.dial(stage, listener)
    wire.queued(listener, 1)
    with select.epoll() as instance:
        instance.register(listener, select.EPOLLIN)
        with _no_descriptor_left():
            stage.outcome("accept-without-descriptor", "accept without a free descriptor", listener.accept)
            stage.note(
                "reported-in-three-waits",
                "events in three waits, level-triggered",
                sum(len(instance.poll(0)) for _ in range(3)),
            )
    stage.note("queued", "connections in the accept queue", wire.queue(listener)[0])
    peers: list[tuple[str, int]] = []
    wire.outcome(lambda: peers.append(listener.accept()[1]))
    stage.note(
        "accept-with-descriptor",
        "accept with a free descriptor returns that connection",
        peers == [theirs.getsockname()],
    )


@contextmanager
def _no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def reset_before_accept(stage: Stage) -> None:
    """A client connects and resets the connection before anybody accepts it."""
    listener = wire.listening(stage)
    theirs = wire.dial(stage, listener)
    wire.queued(listener, 1)
    source, port = theirs.getsockname()[1], listener.getsockname()[1]
    until(lambda: _known(port, source), lambda: "the connection is not listed in /proc/net/tcp")
    theirs.close()
    until(lambda: not _known(port, source), lambda: "the connection was not reset")
    stage.note("queued", "connections in the accept queue", wire.queue(listener)[0])
    stage.note("readable", "calls that report the listener readable", wire.reported_by(listener))
    taken: list[socket.socket] = []
    stage.outcome("accept", "accept", lambda: taken.append(listener.accept()[0]))
    if taken:
        stage.note("read", "a read", wire.read(stage.keep(taken[0])))


def _known(port: int, peer: int) -> bool:
    """Whether the kernel has a connection of local `port` with port `peer`: a reset one is no longer listed."""
    with open("/proc/net/tcp") as file:
        return any(f":{port:04X} " in line and f":{peer:04X} " in line for line in file)


def deferred(stage: Stage, strategy: str) -> None:
    """A waiter, and a listener with TCP_DEFER_ACCEPT: a client connects, and later it sends."""
    # With syncookies the kernel keeps no request, so the last ACK makes a connection, with data or without
    # (cookie_v4_check, net/ipv4/syncookies.c).
    needs("ipv4/tcp_syncookies", lambda value: value != 2, 1, "0 or 1")
    scene = Scene(stage, strategy, n=1)
    listener = wire.of(scene.listener)
    with asking_for("TCP_DEFER_ACCEPT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_S)
    waiter = scene.waiter()
    with counted("TCPDeferAcceptDrop", lambda: wire.queue(listener)[0] > 0 or waiter.answered):
        connection = scene.connect()
    stage.note("woken-without-data", "the waiter was woken by a connection without data", waiter.woken)
    after = now(waiter)
    stage.note("waiter", "the waiter", after)
    if after == BLOCKED:
        connection.send(b"x")
        stage.note("waiter-after-data", "the waiter, after data", waiter.answer())


def deferral_over(stage: Stage) -> None:
    """A waiter, and a listener with TCP_DEFER_ACCEPT: a client connects, and never sends; its time runs out."""
    needs("ipv4/tcp_syncookies", lambda value: value != 2, 1, "0 or 1")
    scene = Scene(stage, "accept", n=1)
    with asking_for("TCP_DEFER_ACCEPT"):
        wire.of(scene.listener).setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    waiter = scene.waiter()
    scene.connect()
    stage.note("waiter", "the waiter", waiter.answer())


def handed_over(stage: Stage, argument: dict[str, str]) -> None:
    """A waiter whose descriptor came by SCM_RIGHTS, or is a dup of that; nobody else has one any more."""
    scenario = Scenario.parse(f"{argument['strategy']}/tcp4/n1/accept/one-connection")
    ours, theirs = socket.socketpair()

    def act(me: Me) -> str:
        fd = socket.recv_fds(theirs, 1, 1)[1][0]
        if argument["by"] == "dup":
            fd, original = os.dup(fd), fd
            os.close(original)
        waiting = prepare(scenario, [fd]).waiting(0)
        me.ready()
        result = waiting.wait()
        if result >= 0 and not scenario.takes:
            socket.socket(fileno=fd).accept()
        return TAKES if result >= 0 else errno_of_result(result) or str(result)

    waiter = stage.actor(act, "w0")
    with wire.listening(stage) as listener:
        listener.setblocking(scenario.takes)
        address = listener.getsockname()
        socket.send_fds(ours, [b"x"], [listener.fileno()])
    waiter.blocked_in(scenario.system_call)
    sock = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    stage.outcome("connect", "connect", lambda: sock.connect(address))
    stage.note("waiter", "the waiter", waiter.answer())
