"""What a signal with a handler does to a waiter."""

from __future__ import annotations

import signal
from typing import Any

from ..lab.stage import Me, Stage
from .waiting import BLOCKED, Scene, now


def interrupted(stage: Stage, argument: dict[str, Any]) -> None:
    """A handler runs in a blocked waiter; with or without SA_RESTART.  Then a connection comes."""
    scene = Scene(stage, argument["strategy"], n=1)

    def act(me: Me) -> str:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, not argument["restart"])
        waiting = scene.strategy.waiting(0)
        me.ready()
        return scene.outcome(0, waiting, True)

    waiter = stage.actor(act, "w0").blocked_in(scene.scenario.call)
    waiter.send(signal.SIGUSR1)
    stage.note("woken by the signal", waiter.woken)
    after = now(waiter)
    stage.note("after the signal", after)
    if after == BLOCKED:
        scene.connect()
        stage.note("after a connection", waiter.answer())
