"""For all experiments: a listener, and actors that wait on it in the call that a scenario names."""

from __future__ import annotations

import os
import socket
from typing import Any

from ..errnos import errno_of_result
from ..lab.deadline import patience_s, until
from ..lab.stage import Actor, Me, Stage
from ..scenario import Scenario
from ..sources import Source
from ..strategies import Strategy, Waiting, prepare
from ..verdict import Inconclusive

TAKES = "took a connection"
RETURNS = "returned"
BLOCKED = "blocked"


class Scene:
    """A listener, and actors that wait on it, one after the other, in one strategy."""

    def __init__(self, stage: Stage, strategy: str, listener: str = "tcp4", n: int = 2) -> None:
        """`strategy` as in a scenario's id; room for `n` waiters.  Raises NotApplicable."""
        self.stage = stage
        self.scenario = Scenario.parse(f"{strategy}/{listener}/n{n}/accept/one-connection")
        self.listener: Source = stage.source(self.scenario)
        self.strategy: Strategy = stage.keep(prepare(self.scenario, self.listener.fds))
        self._waiters = 0

    def waiter(self, react: bool = True) -> Actor:
        """A new actor, proven blocked in the wait call; with `react` it takes a connection when the call returns."""
        i = self._waiters
        self._waiters += 1

        def act(me: Me) -> str:
            waiting = self.strategy.waiting(i)
            me.ready()
            return self.outcome(i, waiting, react)

        return self.stage.actor(act, f"w{i}").blocked_in(self.scenario.call)

    def outcome(self, i: int, waiting: Waiting, react: bool) -> str:
        """In a waiter: wait once; returns the outcome in words, or the name of an errno."""
        result = waiting.wait()
        if result < 0:
            return errno_of_result(result) or str(result)
        if self.scenario.takes:
            return TAKES
        if not react:
            return RETURNS
        try:
            taken, _ = socket.socket(fileno=os.dup(self.listener.fds[i])).accept()
            taken.close()
        except BlockingIOError:
            return "EAGAIN"
        return TAKES

    def connect(self) -> socket.socket:
        """One connection to the listener, kept open until the experiment ends.  Raises Inconclusive."""
        self.stage.insist_on_proof(self.listener)
        sock: socket.socket = self.stage.keep(self.listener.connect(patience_s()))
        return sock


def now(actor: Actor) -> Any:
    """The actor's answer, or that it is still blocked; waits until it is at rest."""
    return actor.answer() if actor.answered else BLOCKED


def await_delivery(stage: Stage, source: Source, count: int) -> None:
    """Wait until everything that was made or written is queued, `count` in all, and every wake-up for it issued.

    Nobody may take any of it meanwhile.  Raises Inconclusive if that cannot be proven.
    """
    # It waits only for what has begun, so once more after the queue; the first time says whether it can prove that.
    stage.fence(needed=True)
    if not source.asynchronous:
        return

    def delivered() -> bool:
        queued = source.queued()
        if queued is None:
            raise Inconclusive(f"this kernel does not tell what is queued ({source.delivery})")
        return queued >= count

    until(delivered, lambda: f"{source.queued()} of {count} were delivered")
    source.settle()
    stage.fence(needed=True)
