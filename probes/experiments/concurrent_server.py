"""The concurrent server: what its sockets and its children do.  It forks a process for each connection."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

from .. import syscalls
from ..lab.deadline import patience_s, until
from ..lab.stage import Me, Stage
from ..observers.task_files import parse_status
from ..sources import client, insist_on_another_end
from . import wire
from .signals import taken
from .waiting import BLOCKED, Scene, now


def child_has_both(stage: Stage) -> None:
    """A server accepts and forks; the child answers the client, and accepts the next one."""
    listener = wire.listening(stage)
    first = wire.dial(stage, listener)
    accepted = wire.taken(stage, listener)
    second = wire.dial(stage, listener)
    wire.queued(listener, 1)

    def act(_: Me) -> None:
        accepted.send(b"from the child")
        listener.accept()[0].send(b"from the child too")

    child = stage.actor(act, "child")
    child.answer()
    stage.note("accepted-client-reads", "what the accepted client reads", wire.read(first))
    stage.note("next-client-reads", "what the next client reads", wire.read(second))


def port_kept_by_child(stage: Stage) -> None:
    """A server with a child that never closed the listener is killed; then its child is."""
    listener = wire.listening(stage)
    address = listener.getsockname()
    server, child = (stage.actor(lambda _: True, name) for name in ("server", "child"))
    server.answer()
    child.answer()
    listener.close()
    server.kill()
    stage.outcome("bind-after-server", "bind, once the server is gone", lambda: _bind(stage, address))
    stage.outcome("connect-after-server", "connect, once the server is gone", lambda: _connect(stage, address))
    child.kill()
    stage.outcome("connect-after-child", "connect, once its child is gone too", lambda: _connect(stage, address))
    stage.outcome("bind-after-child", "bind, once its child is gone too", lambda: _bind(stage, address))


def _bind(stage: Stage, address: tuple[str, int]) -> None:
    stage.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM)).bind(address)


def _connect(stage: Stage, address: tuple[str, int]) -> None:
    sock = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    sock.connect(address)
    insist_on_another_end(sock)


def kept_by_parent(stage: Stage) -> None:
    """The child says goodbye, closes the accepted socket and is killed; its parent kept a copy, and closes it later."""
    listener = wire.listening(stage)
    theirs = wire.dial(stage, listener)
    accepted = wire.taken(stage, listener, resets=False)

    def act(_: Me) -> None:
        accepted.send(b"bye")
        accepted.close()

    child = stage.actor(act, "child")
    child.answer()
    child.kill()
    # Had the end of file been sent by now, this would be the error EPIPE, and not be read.
    stage.outcome("parent-write", "bytes that the parent wrote, once the child was done", lambda: accepted.send(b"!"))
    stage.note("client-reads", "what the client reads", wire.read_exactly(theirs, 4))
    accepted.close()
    stage.note(
        "client-reads-after-close", "what the client reads, once the parent has closed its copy", wire.read(theirs)
    )


def another_is_served(stage: Stage, strategy: str) -> None:
    """A child is blocked in a read from its client; a second client connects to the server."""
    scene = Scene(stage, strategy, n=1)
    listener = wire.of(scene.listener)
    first = scene.connect()
    accepted = wire.taken(stage, listener)

    def act(me: Me) -> str:
        me.ready()
        return os.read(accepted.fileno(), 16).decode()

    child = stage.actor(act, "child").blocked_in("read")
    server = scene.waiter()
    scene.connect()
    stage.note("server", "the server", server.answer())
    stage.note("child-woken", "the child was woken", child.woken)
    first.send(b"late")
    stage.note("child-reads", "what the child reads in the end", child.answer())


def ports_of_their_own(stage: Stage, strategy: str) -> None:
    """Two workers, each with a listener of its own on a port of its own; a client for the second, then the first."""
    scenes = [Scene(stage, strategy, n=1) for _ in range(2)]
    first, second = (scene.waiter() for scene in scenes)
    scenes[1].connect()
    stage.note("worker", "the worker of that port", second.answer())
    stage.note("other-worker-woken", "the other worker was woken", first.woken)
    after = now(first)
    stage.note("other-worker", "the other worker", after)
    if after == BLOCKED:
        scenes[0].connect()
        stage.note("other-worker-own-client", "the other worker, after a client of its own port", first.answer())


def _child(code: int = 0, gate: int | None = None) -> int:
    """A child that ends at once, or once `gate` can be read.  It dies with this process."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        syscalls.die_with_parent(parent)
        if gate is not None:
            os.read(gate, 1)
        os._exit(code)
    return pid


def _state(pid: int) -> str:
    """State letter of a process, or `gone`."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return parse_status(file.read())[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def zombie(stage: Stage) -> None:
    """A child ends with code 7; its parent looks, and waits for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = _child(7)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    stage.note("child-state", "the state of a child that ended", _state(pid))
    stage.note("exit-code", "its exit code, from waitpid", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    stage.note("child-state-after-wait", "the state of the child, once it was waited for", _state(pid))


def ignored(stage: Stage) -> None:
    """A child ends while SIGCHLD is ignored; its parent waits for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    pid = _child(7)
    stage.outcome("waitpid", "waitpid", lambda: os.waitpid(pid, 0)[0] == pid)
    # X is on its way out: wait(2) does not count it any more, and nobody can wait for it.
    until(lambda: _state(pid) != "X", lambda: "a dead child did not go away")
    stage.note("child-state", "the state of a child that ended", _state(pid))


def one_signal(stage: Stage) -> None:
    """Three children end while SIGCHLD is blocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pids = [_child() for _ in range(3)]
    for pid in pids:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    stage.note("sigchld", "SIGCHLD signals received", taken(signal.SIGCHLD))
    reaped = 0
    while reaped < len(pids) and os.waitpid(-1, os.WNOHANG)[0]:
        reaped += 1
    stage.note("reaped", "children that could be waited for without blocking", reaped)


def child_ends(stage: Stage, argument: dict[str, Any]) -> None:
    """A server is blocked, and a child of it ends; with a handler for SIGCHLD, or none."""
    scene = Scene(stage, argument["strategy"], n=1)
    gate, opener = os.pipe()
    restart = argument["handler"] == "SA_RESTART"

    def act(me: Me) -> str:
        if argument["handler"] != "none":
            signal.signal(signal.SIGCHLD, lambda *_: None)
            signal.siginterrupt(signal.SIGCHLD, not restart)
        pid_writer.send(str(_child(gate=gate)).encode())
        waiting = scene.strategy.waiting(0)
        me.ready()
        return scene.outcome(0, waiting, True)

    pid_reader, pid_writer = socket.socketpair()
    server = stage.actor(act, "server").blocked_in(scene.scenario.system_call)
    server.may_be_interrupted = argument["handler"] != "none"
    child = int(pid_reader.recv(16))
    os.write(opener, b"x")
    until(lambda: _state(child) == "Z", lambda: "the server's child did not end")
    # exit_notify (kernel/exit.c) shows the zombie and sends SIGCHLD under one tasklist_lock, which this takes.
    os.killpg(os.getpgrp(), 0)
    stage.note("server-woken", "the server was woken", server.woken)
    after = now(server)
    stage.note("server", "the server", after)
    if after == BLOCKED:
        scene.connect()
        stage.note("server-after-connection", "the server, after a connection", server.answer())
