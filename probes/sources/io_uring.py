"""An io_uring as a source: its descriptor is readable when there is a completion in its queue."""

from __future__ import annotations

from ..errnos import errno_name
from ..rings import NOP, Request, Ring
from ..scenario import Scenario
from ..verdict import Inconclusive
from . import Source


class IoUringRing(Source):
    """One ring for all, or one of its own for each; to write to it is to hand over a request that does nothing."""

    delivery = "io_uring_enter returned: it had completed the request, and called back whoever polls the ring"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if the kernel has no io_uring."""
        self._rings: list[Ring] = []
        try:
            for _ in range(scenario.n if scenario.sharing == "nothing" else 1):
                self._rings.append(Ring())
        except BaseException:
            self.close()
            raise
        self._ends = self._rings if scenario.sharing == "nothing" else self._rings * scenario.n
        self.fds = [ring.fd for ring in self._ends]

    def write(self, i: int) -> None:
        self._ends[i].submit(Request(NOP), -1)
        done = self._ends[i].enter(1, 0)
        if done != 1:
            raise Inconclusive(f"io_uring_enter took no request: {errno_name(-done) if done < 0 else done}")

    def close(self) -> None:
        for ring in self._rings:
            ring.close()
