"""Waits in a queue that end early: a waiter is killed, the queue is removed, or a handler runs."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

from ..errnos import errno_of_result
from ..lab.stage import Actor, Me, Stage
from ..locks.sysv import Semaphore
from ..scenario import Scenario
from ..sources import Source
from ..strategies import Strategy, prepare
from ..verdict import NotApplicable
from . import futexes
from .waiting import BLOCKED, RETURNS, now

_N = 3


class _Scene:
    """A source that is read or written to, and actors that wait for it, one after the other."""

    def __init__(self, stage: Stage, call: str, kind: str, n: int) -> None:
        stimulus = "one-read" if call == "write" else "one-write"
        self._scenario = Scenario.parse(f"{call}/{kind}/n{n}/hold/{stimulus}")
        self.stage = stage
        self.source: Source = stage.source(self._scenario)
        self._strategy: Strategy = stage.keep(prepare(self._scenario, self.source.fds))

    def waiter(self, i: int, *, restart: bool | None = None) -> Actor:
        """A blocked waiter; unless `restart` is None it has a handler for SIGUSR1, with SA_RESTART or without."""

        def act(me: Me) -> Any:
            if restart is not None:
                _handle(restart)
            waiting = self._strategy.waiting(i)
            me.ready()
            return _in_a_word(waiting.wait())

        return self.stage.actor(act, f"w{i}").blocked_in(self._scenario.call)

    def move(self) -> None:
        """Write once, or make room for one writer.  Raises Inconclusive if it could not be told when all wake-ups were
        issued."""
        self.stage.insist_on_proof(self.source)
        (self.source.happen if self._scenario.call == "write" else lambda: self.source.write(0))()


def _in_a_word(result: int) -> Any:
    return RETURNS if result >= 0 else errno_of_result(result)


def _handle(restart: bool) -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.siginterrupt(signal.SIGUSR1, not restart)


def one_killed(stage: Stage, argument: dict[str, str]) -> None:
    """The first of three waiters is killed; then something arrives for one waiter, and for another."""
    scene = _Scene(stage, argument["call"], argument["source"], _N)
    first, *others = [scene.waiter(i) for i in range(_N)]
    first.kill()
    for place, name in enumerate(("after-one", "after-two"), 1):
        scene.move()
        stage.quiet(others)
        returned = sum(waiter.answered for waiter in others)
        stage.note(name, f"of the others, those that have returned when there was something for {place}", returned)


def removed(stage: Stage, kind: str) -> None:
    """A System V message queue, or a semaphore, is removed while three wait."""
    if kind == "queue":
        scene = _Scene(stage, "msgrcv", "sysv-queue", _N)
        waiters = [scene.waiter(i) for i in range(_N)]
        scene.source.close()
    else:
        semaphore, destroy = taken_semaphore(stage)
        waiters = [_asking(stage, semaphore, i) for i in range(_N)]
        destroy()
    stage.quiet(waiters)
    stage.note("answers", "what each waiter's call gave", [now(waiter) for waiter in waiters])


def taken_semaphore(stage: Stage) -> tuple[Semaphore, Any]:
    """A System V semaphore that is taken, and a function that removes it; the stage removes it at the end anyway.

    Raises NotApplicable without an IPC namespace.
    """
    if stage.folder is None:
        raise NotApplicable("System V semaphore: there is no IPC namespace of our own")
    semaphore = Semaphore(undo=False)
    there = [semaphore]

    def destroy() -> None:
        while there:
            there.pop().destroy()

    stage.keep(SimpleNamespace(close=destroy))
    semaphore.acquire()
    return semaphore, destroy


def _asking(stage: Stage, semaphore: Semaphore, i: int, restart: bool | None = None) -> Actor:
    def act(me: Me) -> Any:
        if restart is not None:
            _handle(restart)
        me.ready()
        try:
            semaphore.acquire()
        except OSError as error:
            return _in_a_word(-(error.errno or 0))
        return RETURNS

    return stage.actor(act, f"w{i}").blocked_in(Semaphore.call)


def handled(stage: Stage, argument: dict[str, Any]) -> None:
    """A handler, with SA_RESTART or without, runs in a waiter; if it still waits, something arrives for it."""
    call, restart = argument["call"], argument["restart"]
    if call == Semaphore.call:
        semaphore, _ = taken_semaphore(stage)
        waiter, move = _asking(stage, semaphore, 0, restart), semaphore.release
    elif call == "futex":
        waiter, move = futexes.asleep(stage, lambda: _handle(restart))
    else:
        scene = _Scene(stage, call, argument["source"], 1)
        waiter, move = scene.waiter(0, restart=restart), scene.move
    waiter.send(signal.SIGUSR1)
    stage.note("woken", "the waiter was woken by the signal", waiter.woken)
    after = _where(waiter)
    stage.note("after-signal", "the waiter, after the signal", after)
    if after == BLOCKED:
        move()
        stage.quiet([waiter])
        stage.note("after-move", "the waiter, once there is something for it", _where(waiter))


def _where(waiter: Actor) -> Any:
    answer = now(waiter)
    return _in_a_word(answer) if isinstance(answer, int) else answer
