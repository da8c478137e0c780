"""What a signal with a handler does to a waiter; and SIGIO, which a listener sends."""

from __future__ import annotations

import fcntl
import os
import signal
from typing import Any

from ..lab.stage import Actor, Me, Stage
from . import wire
from .waiting import BLOCKED, Scene, now


def interrupted(stage: Stage, argument: dict[str, Any]) -> None:
    """A handler, installed with or without SA_RESTART, runs in a blocked waiter.  Then a connection comes."""
    scene = Scene(stage, argument["strategy"], n=1)

    def act(me: Me) -> str:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, not argument["restart"])
        waiting = scene.strategy.waiting(0)
        me.ready()
        return scene.outcome(0, waiting, True)

    waiter = stage.actor(act, "w0").blocked_in(scene.scenario.call)
    waiter.send(signal.SIGUSR1)
    stage.note("woken-by-signal", "the waiter was woken by the signal", waiter.woken)
    after = now(waiter)
    stage.note("after-signal", "the waiter, after the signal", after)
    if after == BLOCKED:
        scene.connect()
        stage.note("after-connection", "the waiter, after a connection", waiter.answer())


def owners(stage: Stage, n: int) -> None:
    """N processes wait for SIGIO, and each has made itself the owner of one listener; then a connection."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    listener = wire.listening(stage)

    def waiter(i: int) -> Actor:
        def act(me: Me) -> str:
            _own(listener.fileno())
            me.ready()
            return signal.Signals(signal.sigwaitinfo({signal.SIGIO}).si_signo).name

        return stage.actor(act, f"w{i}").blocked_in("rt_sigtimedwait")

    waiters = [waiter(i) for i in range(n)]
    wire.dial(stage, listener)
    wire.queued(listener, 1)
    stage.note("woken", "waiters woken by a connection", _names([waiter for waiter in waiters if waiter.woken]))
    answered = [waiter for waiter in waiters if waiter.answered]
    stage.note(
        "received-sigio",
        "waiters that received SIGIO",
        _names([waiter for waiter in answered if waiter.answer() == "SIGIO"]),
    )


def told_once(stage: Stage) -> None:
    """How many SIGIOs the owner of a listener gets, for one connection, and for a burst of three."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    listener = wire.listening(stage)
    _own(listener.fileno())
    for fact, what, already, more in (
        ("signals-one", "one connection", 0, 1),
        ("signals-burst", "a burst of three", 1, 3),
    ):
        for place in range(more):
            wire.dial(stage, listener)
            wire.queued(listener, already + place + 1)
        stage.fence()
        stage.note(fact, f"SIGIO signals received for {what}", taken(signal.SIGIO))
    stage.note("queued", "connections in the accept queue", wire.queue(listener)[0])


def _own(fd: int) -> None:
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)


def taken(number: signal.Signals) -> int:
    """How often a blocked signal can be taken now."""
    count = 0
    while signal.sigtimedwait({number}, 0) is not None:
        count += 1
    return count


def _names(actors: list[Actor]) -> list[str]:
    return [actor.name for actor in actors]
