"""What the harness does to an arrangement, once: one file per family of stimuli.

A stimulus is a generator.  Each `yield` ends one step: the conductor then proves delivery, lets the
waiters come to rest, and writes down what moved.  A new stimulus: a generator here, and a row in `STIMULI` of
`probes/axes.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

from ..axes import STIMULI
from ..parts import find
from ..scenario import Scenario
from ..sources import Source


class Stimulus:
    """Runs one stimulus and keeps the clients' ends of its connections."""

    def __init__(self, scenario: Scenario, source: Source, elsewhere: Callable[[], Source], patience_s: float) -> None:
        self._scenario = scenario
        self._source = source
        self._open_elsewhere = elsewhere
        self._patience_s = patience_s
        self.clients: list[socket.socket] = []
        """Ends of the connections made to the waiters' listener and not yet closed."""
        self.count = 0
        """Connections made to the waiters' listener, or writes to what they wait on, so far."""
        self.elsewhere: Source | None = None
        """The other listener, once there is a connection to it."""
        self._elsewhere_client: socket.socket | None = None

    def steps(self) -> Iterator[None]:
        """Stir, once per step."""
        generator: Callable[[Stimulus], Iterator[None]] = find(__name__, STIMULI[self._scenario.stimulus].part)
        return generator(self)

    @property
    def scenario(self) -> Scenario:
        return self._scenario

    @property
    def source(self) -> Source:
        return self._source

    def connect(self) -> None:
        """Make one connection to what the waiters wait on."""
        self.clients.append(self._source.connect(self._patience_s))
        self.count += 1

    def write(self, i: int) -> None:
        """Write once to what waiter `i` reads."""
        self._source.write(i)
        self.count += 1

    def happen(self) -> None:
        """Have one event of the source happen: a timer expires, a full pipe is read."""
        self._source.happen()
        self.count += 1

    def connect_elsewhere(self) -> None:
        """Make one connection to another listener of the same kind, which nobody waits on."""
        self.elsewhere = self._open_elsewhere()
        self._elsewhere_client = self.elsewhere.connect(self._patience_s)

    def write_elsewhere(self) -> None:
        """Write once to another source of the same kind, which nobody waits for."""
        self.elsewhere = self._open_elsewhere()
        self.elsewhere.write(0)

    def hang_up(self) -> None:
        """Close the clients' ends, with RST where the kind has it."""
        for end in self.clients:
            end.close()
        self.clients.clear()
        if self._elsewhere_client is not None:
            self._elsewhere_client.close()
        if self.elsewhere is not None:
            self.elsewhere.close()
