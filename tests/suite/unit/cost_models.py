"""Model workers, each with one fault.  Run with FAULT WAY LOAD WORK, this module prints a reading as JSON.

In a process of its own, because it forks, and pytest may have threads.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from probes.cost import herd, plan, rig, ways, work, worker
from probes.cost.reading import Reading
from probes.cost.tally import EMPTY, PHASE, READY, RETURNED, WON

WORKERS = 4
_BURN_NS = 2_000_000


def _switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


class Twice(worker.MeasuredWorker):
    """Answers twice."""

    def _answer(self, connection: int) -> None:
        os.write(connection, self._answer_byte)
        super()._answer(connection)


class Loses(worker.MeasuredWorker):
    """Closes every fourth connection without an answer."""

    def _answer(self, connection: int) -> None:
        if self._line[WON] % 4 == 3:
            self._line[WON] += 1
            os.close(connection)
        else:
            super()._answer(connection)


class Keeps(worker.MeasuredWorker):
    """Takes its second connection, and never answers."""

    def _answer(self, connection: int) -> None:
        if self._line[PHASE] == READY and self._line[WON] == 1:
            self._line[WON] += 1
        else:
            super()._answer(connection)


class Boasts(worker.MeasuredWorker):
    """Counts what it did not serve."""

    def _answer(self, connection: int) -> None:
        super()._answer(connection)
        self._line[WON] += 1


class Poses(worker.MeasuredWorker):
    """Answers in another's name: worker 0 in worker 1's, except in its first answer, and all others in worker 0's.

    Without that exception the sums would be right where workers 0 and 1 take one half each.
    """

    def _answer(self, connection: int) -> None:
        own = self._answer_byte
        self._answer_byte = b"\0" if own[0] or self._line[WON] == 0 else b"\1"
        super()._answer(connection)
        self._answer_byte = own


class Herds(worker.MeasuredWorker):
    """Hides that it was woken in vain: counts neither the return nor that nothing was there."""

    def _came_back(self, result: int, fd: int) -> None:
        won = self._line[WON]
        super()._came_back(result, fd)
        if self._line[WON] == won:
            self._line[RETURNED] -= 1
            self._line[EMPTY] = 0


class Burns(worker.MeasuredWorker):
    """Uses two milliseconds of CPU time more for each connection, after the answer."""

    def _answer(self, connection: int) -> None:
        super()._answer(connection)
        end = time.thread_time_ns() + _BURN_NS
        while time.thread_time_ns() < end:
            pass


class Dozes(worker.MeasuredWorker):
    """Sleeps once more for each connection."""

    def _answer(self, connection: int) -> None:
        super()._answer(connection)
        before = _switches()
        while _switches() == before:  # a timer may end before its sleep has begun
            time.sleep(1e-4)


class Hurries(worker.MeasuredWorker):
    """Treats each request as a short one."""

    def _is_long(self, connection: int) -> bool:
        return False


class Recounts(worker.MeasuredWorker):
    """Sets its counts back to 0."""

    def _answer(self, connection: int) -> None:
        super()._answer(connection)
        if self._line[WON] == 3:
            self._line[RETURNED] = -1_000


FAULTS = {
    "none": worker.MeasuredWorker,
    **{
        kind.__name__.lower(): kind
        for kind in (Twice, Loses, Keeps, Boasts, Poses, Herds, Burns, Dozes, Hurries, Recounts)
    },
}


def read(fault: str, way: str, load: str, does: str) -> Reading:
    """One reading with these workers."""
    herd.MeasuredWorker = FAULTS[fault]  # type: ignore[misc]
    fresh = rig.Rig()
    if fault == "keeps":  # the clients' patience alone: nothing comes of waiting for what will never be
        rig.patience_s = lambda: 1.0
    return fresh.read(0, plan.LoadScene(load, work.parse(does), WORKERS), ways.parse(way))


if __name__ == "__main__":
    print(json.dumps(read(*sys.argv[1:]).as_json()))
