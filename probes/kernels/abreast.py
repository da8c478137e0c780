"""Several pieces of work at once, each in its own thread; all of them end when the user stops one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopped(BaseException):
    """The work is to end, because another piece of it was ended."""


class Stop:
    """Tells every thread that the work is to end."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        """From now on, `heed` raises."""
        self._asked.set()

    def heed(self) -> None:
        """Raises Stopped if the work is to end."""
        if self._asked.is_set():
            raise Stopped


def abreast(
    work: Callable[[Item, Stop], Result],
    items: Sequence[Item],
    at_once: int,
    waits: Callable[[Item], bool] = lambda _: False,
    takes: Callable[[Item], float] = lambda _: 1.0,
) -> list[Result]:
    """What `work` makes of each item, in their order; `at_once` of them at a time.

    Those that take longest begin first, so that none of them runs alone at the end; of equal ones the first.

    `waits`: whether the work on an item waits for part of its time.  Such items take turns beside the others.
    What one raises, and Ctrl-C, is raised here, once all the others have heeded the stop.
    """
    stop = Stop()
    all_wait = all(map(waits, items))
    with ThreadPoolExecutor(at_once) as pool, ThreadPoolExecutor(1) as beside:
        try:
            futures = {
                place: (beside if waits(items[place]) and not all_wait else pool).submit(work, items[place], stop)
                for place in sorted(range(len(items)), key=lambda place: -takes(items[place]))
            }
            return [futures[place].result() for place in range(len(items))]
        except BaseException:
            stop.ask()
            for each in (pool, beside):
                each.shutdown(wait=False, cancel_futures=True)
            raise
