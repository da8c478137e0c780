"""Observer `counters`: what each waiter itself wrote on the board (probes/lab/board.py)."""

from __future__ import annotations

from .observer import RETURNED, AtRest, Observer


class Counters(Observer):
    name = "counters"
    sees = RETURNED
    how = "each waiter counts for itself, in shared memory; won and spurious, too"

    def count(self, task: AtRest) -> int | None:
        return task.returns
