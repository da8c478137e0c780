"""Workers: actors that wait, return, take a connection, and may be held at a gate on the way."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterable
from typing import NoReturn

from ..errnos import errno_name
from ..lab.deadline import patience_s, until
from ..lab.stage import Me, Stage
from ..scenario import Scenario
from ..sources import Source
from ..strategies import Strategy, prepare
from ..verdict import Inconclusive

_WAITS, _RETURNED, _TOOK, _FOUND_NOTHING = b"wtcE"


class SharedListener:
    """A listener that workers of several strategies wait on, and proofs that connections have arrived."""

    def __init__(self, stage: Stage, *, listener: str = "tcp4", blocking: bool = False, n: int = 8) -> None:
        """`blocking`: for workers in accept; those in multiplexers, which accept later, need it non-blocking."""
        self.stage = stage
        self.kind = listener
        self.n = n
        call = "accept" if blocking else "poll"
        self.listener: Source = stage.source(_scenario(call, listener, n))
        self.workers: list[Worker] = []
        self.connections = 0

    def worker(self, strategy: str, *, gate: str = "none") -> Worker:
        """A worker with an epoll instance of its own, if any, proven blocked."""
        return self.crew(strategy, 1, gate=gate)[0]

    def crew(self, strategy: str, n: int, *, gate: str = "none") -> list[Worker]:
        """`n` workers that share what the strategy shares, each proven blocked before the next is forked."""
        scenario, shared = self.prepare(strategy)
        return [Worker(self, shared, scenario, gate) for _ in range(n)]

    def prepare(self, strategy: str) -> tuple[Scenario, Strategy]:
        """What the workers of one strategy share.  Raises NotApplicable."""
        scenario = _scenario(strategy, self.kind, self.n)
        return scenario, self.stage.keep(prepare(scenario, self.listener.fds))

    def connect(self) -> socket.socket:
        """Make one connection, which is kept open; returns when it is queued or taken, and all workers are at rest."""
        self.stage.insist_on_proof(self.listener)
        client: socket.socket = self.stage.keep(self.listener.connect(patience_s()))
        self.connections += 1

        def arrived() -> bool:
            queued = self.listener.queued()
            if queued is None:
                return True
            for worker in self.workers:
                worker.listen()
            return queued + sum(worker.took for worker in self.workers) >= self.connections

        until(arrived, lambda: f"{self.connections} connections were made, {self.listener.queued()} are queued")
        self.at_rest()
        return client

    def at_rest(self) -> None:
        """Return once every wake-up has been issued, and every living worker is at rest."""
        self.stage.quiet(worker.actor for worker in self.workers if worker.alive)
        for worker in self.workers:
            worker.at_rest()

    def left(self) -> int:
        """How many connections wait in the accept queue.  Raises Inconclusive if the kernel does not say."""
        queued = self.listener.queued()
        if queued is None:
            raise Inconclusive("it is not known how many connections wait in the accept queue")
        return queued


class Worker:
    """Waits; reports that its call returned; takes one connection (with `drain` all that there are); waits again.

    With a gate `before` or `after` it stops before or after it takes, until it is let through.
    """

    def __init__(
        self, shared: SharedListener, strategy: Strategy, scenario: Scenario, gate: str, drain: bool = False
    ) -> None:
        self.i = len(shared.workers)
        self._call = scenario.call
        self._takes = scenario.takes
        self._strategy = strategy
        self._fd = shared.listener.fds[0]
        self._where = gate
        self._drain = drain
        self._reports, self._report_to = os.pipe()
        self._gate, self._opener = os.pipe()
        self._log = b""
        self.alive = True
        self.actor = shared.stage.actor(self._live, f"w{self.i}").blocked_in(scenario.call)
        shared.workers.append(self)

    def _live(self, me: Me) -> NoReturn:
        waiting = self._strategy.waiting(self.i)
        while True:
            self._report(_WAITS)
            me.ready()
            result = waiting.wait()
            if result < 0:
                raise OSError(-result, errno_name(-result))
            self._report(_RETURNED)
            if self._takes:
                self._report(_TOOK)
            self._pass("before")
            taken = [result] if self._takes else self._take()
            self._pass("after")
            for connection in taken:
                os.close(connection)
            waiting.rearm()

    def _take(self) -> list[int]:
        taken: list[int] = []
        with socket.socket(fileno=os.dup(self._fd)) as listening:
            while self._drain or not taken:
                try:
                    taken.append(listening.accept()[0].detach())
                except BlockingIOError:
                    self._report(_FOUND_NOTHING)
                    break
                self._report(_TOOK)
        return taken

    def _report(self, what: int) -> None:
        os.write(self._report_to, bytes((what,)))

    def _pass(self, where: str) -> None:
        if self._where == where:
            os.read(self._gate, 1)

    def let(self, times: int = 1) -> None:
        """Let it through its gate, now or when it gets there."""
        os.write(self._opener, b"x" * times)

    def listen(self) -> None:
        """Read its reports so far."""
        while select.select([self._reports], [], [], 0)[0]:
            self._log += os.read(self._reports, 4096)

    def at_rest(self) -> None:
        """Read its reports, once it is at rest.  Raises Inconclusive if its wait call failed."""
        if self.alive and self.actor.answered:
            raise Inconclusive(f"the wait call of w{self.i} gave {self.actor.answer()}")
        self.listen()

    def blocked_again(self) -> None:
        """Return once it is proven to sleep in its wait call again."""

        def waits() -> bool:
            self.listen()
            return self._log[-1] == _WAITS

        until(waits, lambda: f"w{self.i} did not wait again")
        self.actor.blocked_in(self._call)
        self.listen()

    def kill(self) -> None:
        self.actor.kill()
        self.alive = False

    @property
    def returns(self) -> int:
        """How often its wait call returned, according to the reports read so far."""
        return self._log.count(_RETURNED)

    @property
    def took(self) -> int:
        """How many connections it took, according to the reports read so far."""
        return self._log.count(_TOOK)


def names(workers: Iterable[Worker]) -> list[str]:
    """The names of the workers: `w0`, `w2`."""
    return [f"w{worker.i}" for worker in workers]


def _scenario(strategy: str, listener: str, n: int) -> Scenario:
    return Scenario.parse(f"{strategy}/{listener}/n{n}/accept/one-connection")
