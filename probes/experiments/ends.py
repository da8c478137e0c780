"""While somebody waits on a listener, a descriptor of it is closed, here or elsewhere, or it is shut down."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
import threading
from typing import Any

from ..lab.deadline import patience_s, until
from ..lab.herd import SWITCH_INTERVAL_S
from ..lab.stage import Actor, Me, Stage
from ..sources import tcp
from ..verdict import Inconclusive
from . import wire
from .death import arrived
from .waiting import Scene, now


def closed_in_thread(stage: Stage, argument: dict[str, Any]) -> None:
    """Another thread closes the descriptor that a thread waits on; a copy of it stays open, or none."""
    scene = Scene(stage, argument["strategy"], argument.get("listener", "tcp4"), n=1)
    go, start = os.pipe()
    done, said = os.pipe()

    def close() -> None:
        os.read(go, 1)
        os.close(scene.listener.fds[0])
        os.write(said, b"x")

    def act(me: Me) -> str:
        # No other thread requests the interpreter's lock before the call (which releases it anyway).
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        threading.Thread(target=close, daemon=True).start()
        waiting = scene.strategy.waiting(0)
        me.ready()
        return scene.outcome(0, waiting, False)

    waiter = stage.actor(act, "w0").blocked_in(scene.scenario.call)
    if argument["last"]:
        scene.listener.close()
    os.write(start, b"x")
    if not select.select([done], [], [], patience_s())[0]:
        raise Inconclusive("the other thread did not close the descriptor")
    # While that thread lives it may hold the interpreter's lock, and a waiter that was woken would sleep on the lock.
    until(lambda: len(os.listdir(f"/proc/{waiter.pid}/task")) == 1, lambda: "the other thread did not end")
    _note_what_follows(scene, waiter)


def closed_elsewhere(stage: Stage, strategy: str) -> None:
    """Another process closes its copy of the descriptor that somebody waits on."""
    scene = Scene(stage, strategy, n=1)
    waiter = scene.waiter(react=False)
    closer = stage.actor(lambda me: os.close(scene.listener.fds[0]), "closer")
    closer.answer()
    _note_what_follows(scene, waiter)


def _note_what_follows(scene: Scene, waiter: Actor) -> None:
    scene.stage.note("after-close", "the waiter, once the descriptor is closed", now(waiter))
    connected = _connect(scene)
    scene.stage.note("connection", "a connection to the listener", connected)
    if connected != "refused":
        arrived(scene, waiter)
        # A listener that is closed here cannot be asked for its queue, and those that it woke may not have run yet.
        scene.stage.quiet([waiter])
    scene.stage.note("waiter-after-connection", "the waiter, after the connection", now(waiter))


def shut_down(stage: Stage, argument: dict[str, Any]) -> None:
    """The listener is shut down for reading while two, or `n`, wait on it; then what poll, accept and connect return.

    `reports`: how often the kernel reports the shutdown to those that poll the listener.
    """
    scene = Scene(stage, argument["strategy"], argument["listener"], argument.get("n", 2))
    waiters = [scene.waiter(react=False) for _ in range(scene.scenario.n)]
    with socket.socket(fileno=os.dup(scene.listener.fds[0])) as listening:
        stage.outcome("shutdown", "shutdown(SHUT_RD)", lambda: listening.shutdown(socket.SHUT_RD))
        stage.quiet(waiters)
        states = sorted(now(waiter) for waiter in waiters)
        stage.note("waiters", "the waiters", states)
        if "reports" in argument:
            returned = states.count("returned")
            words = "at least one waiter returned, and no more than the shutdown is reported"
            stage.note("one-for-a-report", words, 1 <= returned <= argument["reports"])
        stage.note("polled", "what poll reports", _polled(listening))
        listening.setblocking(False)
        stage.outcome("non-blocking-accept", "a non-blocking accept", listening.accept)
        stage.note("polled-again", "what poll reports the second time", _polled(listening))
    stage.note("connection", "a connection to the listener", _connect(scene))


def listens_again(stage: Stage, strategy: str) -> None:
    """A listener is shut down, and listens again; then somebody waits on it, and a connection comes."""
    scene = Scene(stage, strategy, n=1)
    with socket.socket(fileno=os.dup(scene.listener.fds[0])) as listening:
        listening.shutdown(socket.SHUT_RD)
        stage.outcome("listen", "listen, once more", lambda: listening.listen(7))
        waiter = scene.waiter()
        wire.dial(stage, listening)  # its port may be another one by now, because the kernel chose it
        arrived(scene, waiter)
        stage.quiet([waiter])
    stage.note("waiter", "the waiter, after a connection", now(waiter))


def _polled(listening: socket.socket) -> str:
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    names = {"POLLIN": select.POLLIN, "POLLHUP": select.POLLHUP, "POLLERR": select.POLLERR}
    return "|".join(name for name, bit in names.items() for _, events in poll.poll(0) if events & bit) or "nothing"


def _connect(scene: Scene) -> str:
    try:
        client = scene.connect()
        if scene.listener.asynchronous and scene.listener.queued() is None:
            _arrives(client)
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        # It was established (a reset before that is ECONNREFUSED, tcp_reset, net/ipv4/tcp_input.c).  Then the
        # waiter it woke let go of the listener, on one CPU before connect itself came back.
        return "accepted"
    return "accepted"


def _arrives(client: socket.socket) -> None:
    """Return once the other end has handled the whole handshake; for listeners that cannot be asked for their queue.

    The last segment of the handshake may still be under way when connect returns; a byte that is sent after it is
    acknowledged after it.
    """
    with contextlib.suppress(BrokenPipeError):
        client.send(b"x")
    until(lambda: _is_acknowledged(client), lambda: "the other end did not acknowledge a byte")


def _is_acknowledged(client: socket.socket) -> bool:
    """Whether everything that was sent is acknowledged, or the connection was reset (the first byte of struct tcp_info
    is tcpi_state; 1 is TCP_ESTABLISHED)."""
    with contextlib.suppress(OSError, struct.error):
        return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1 or tcp.queue(client)[0] == 0
    return True
