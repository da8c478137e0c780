"""Writes to what waiters wait on: eventfds, pipes, sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import Stimulus


def one_write(stimulus: Stimulus) -> Iterator[None]:
    """One write: to what all share, or to what is the last waiter's own."""
    stimulus.write(stimulus.scenario.n - 1)
    yield


def each(stimulus: Stimulus) -> Iterator[None]:
    """One write for each waiter."""
    for i in range(stimulus.scenario.n):
        stimulus.write(i)
    yield


def burst(stimulus: Stimulus) -> Iterator[None]:
    """k writes, one right after the other: to what all share, or to one after the other's own."""
    for turn in range(stimulus.scenario.k):
        stimulus.write(turn % stimulus.scenario.n)
    yield


def one_by_one(stimulus: Stimulus) -> Iterator[None]:
    """k writes, each when all waiters are at rest again."""
    for turn in range(stimulus.scenario.k):
        stimulus.write(turn % stimulus.scenario.n)
        yield
