"""Writes to the eventfds that readers wait on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import Stimulus


def one(stimulus: Stimulus) -> Iterator[None]:
    """One write: to the eventfd that all share, or to that of the last waiter."""
    stimulus.listener.write(stimulus.scenario.n - 1)
    yield


def each(stimulus: Stimulus) -> Iterator[None]:
    """One write to the eventfd of each waiter."""
    for i in range(stimulus.scenario.n):
        stimulus.listener.write(i)
    yield
