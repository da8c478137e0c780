"""Events of what is neither connected to nor written to: a timer expires, a process ends, a full pipe is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import Stimulus


def one_event(stimulus: Stimulus) -> Iterator[None]:
    """One event."""
    stimulus.happen()
    yield


def one_by_one(stimulus: Stimulus) -> Iterator[None]:
    """k events, each when all waiters are at rest again."""
    for _ in range(stimulus.scenario.k):
        stimulus.happen()
        yield
