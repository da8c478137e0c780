"""Workers that are killed or stopped between a connection's arrival and its accept."""

from __future__ import annotations

import select
import signal
import socket
from typing import Any

from .. import syscalls
from ..lab.deadline import patience_s, until
from ..lab.stage import Actor, Me, Stage
from ..verdict import Inconclusive
from .waiting import BLOCKED, Scene, now
from .workers import SharedListener

_AN_HOUR = syscalls.timeval(3600)
"""For SO_RCVTIMEO: longer than any experiment lasts."""


def killed_when_notified(stage: Stage, strategy: str) -> None:
    """Of two workers one returns for a connection, and is killed before it accepts.  Then another connection comes."""
    shared = SharedListener(stage, blocking=strategy == "accept")
    workers = shared.crew(strategy, 2, gate="before")
    shared.connect()
    returned = [worker for worker in workers if worker.returns]
    stage.note("returned", "workers that returned for the connection", len(returned))
    if not returned:
        return
    victim = returned[0]
    survivor = workers[1 - victim.i]
    victim.kill()
    shared.at_rest()
    stage.note("survivor-returned", "returns of the survivor, once the first worker is dead", survivor.returns)
    shared.connect()
    stage.note("survivor-returned-again", "returns of the survivor, after the next connection", survivor.returns)
    survivor.let(3)
    survivor.blocked_again()
    stage.note("survivor-took", "connections that the survivor took", survivor.took)
    stage.note("left", "connections left in the accept queue", shared.left())


def killed_with_connection(stage: Stage, argument: dict[str, Any]) -> None:
    """A worker took a connection, and is killed before it answers; what the client sees."""
    shared = SharedListener(stage, listener=argument["listener"], blocking=True)
    winner, other = shared.crew("accept", 2, gate="after")
    client = shared.connect()
    if winner.took != 1:
        winner, other = other, winner
    if argument["sent"]:
        client.send(b"x")
    winner.kill()
    shared.at_rest()
    stage.note("other-took", "connections that the other worker took", other.took)
    if not select.select([client], [], [], patience_s())[0]:
        raise Inconclusive(f"the client heard nothing within {patience_s():.0f} s")
    stage.outcome("client-reads", "what the client reads", lambda: client.recv(1).decode() or "end of file")


def stopped(stage: Stage, argument: dict[str, Any]) -> None:
    """One of two blocked waiters is stopped; a connection comes; then the stopped one goes on."""
    scene = Scene(stage, argument["strategy"])
    waiters = [scene.waiter(), scene.waiter()]
    halted, other = (waiters[i] for i in ((0, 1) if argument["stopped"] == "first" else (1, 0)))
    halted.stop()
    scene.connect()
    arrived(scene, other)
    stage.note("running", "the waiter that was not stopped", now(other))
    halted.go_on()
    stage.note("stopped", "the stopped waiter, once it continues", now(halted))


def arrived(scene: Scene, *waiters: Actor) -> None:
    """The connection is queued, or one of the waiters has returned; and every wake-up for it was issued."""

    def there() -> bool:
        return scene.listener.queued() != 0 or any(waiter.answered for waiter in waiters)

    until(there, lambda: "the connection did not arrive")
    scene.stage.fence()


def all_stopped(stage: Stage, strategy: str) -> None:
    """Every waiter is stopped when a connection comes; then one goes on, and waits again after an EINTR."""
    scene = Scene(stage, strategy)

    def waiter(i: int) -> Actor:
        def act(me: Me) -> str:
            waiting = scene.strategy.waiting(i)
            me.ready()
            outcome = "EINTR"
            while outcome == "EINTR":
                outcome = scene.outcome(i, waiting, True)
            return outcome

        return stage.actor(act, f"w{i}").blocked_in(scene.scenario.call)

    waiters = [waiter(0), waiter(1)]
    for each in waiters:
        each.stop()
    scene.connect()
    arrived(scene)
    stage.note("all-stopped", "the waiters, while they are stopped", [now(each) for each in waiters])
    waiters[0].go_on()
    stage.note("first-continued", "the first waiter that continues", now(waiters[0]))


def resumed(stage: Stage, argument: dict[str, Any]) -> None:
    """A blocked waiter without a handler is stopped and goes on; with SO_RCVTIMEO or without."""
    scene = Scene(stage, argument["strategy"], n=1)
    _limit(scene, argument["limit"])
    waiter = scene.waiter()
    waiter.stop()
    waiter.go_on()
    after = now(waiter)
    stage.note("after-sigcont", "the waiter, after SIGSTOP and SIGCONT", after)
    if after == BLOCKED:
        scene.connect()
        arrived(scene, waiter)
        stage.note("after-connection", "the waiter, after a connection", now(waiter))


def handled(stage: Stage, restart: bool) -> None:
    """A handler runs in an accept that has a time limit (SO_RCVTIMEO)."""
    scene = Scene(stage, "accept", n=1)
    _limit(scene, True)

    def act(me: Me) -> str:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, not restart)
        waiting = scene.strategy.waiting(0)
        me.ready()
        return scene.outcome(0, waiting, True)

    waiter = stage.actor(act, "w0").blocked_in("accept")
    waiter.send(signal.SIGUSR1)
    stage.note("after-signal", "the waiter, after the signal", now(waiter))


def _limit(scene: Scene, limited: bool) -> None:
    if limited:
        with socket.socket(fileno=socket.dup(scene.listener.fds[0])) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _AN_HOUR)
