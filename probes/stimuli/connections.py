"""Connections to the waiters' listener: k at once, or k one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import Stimulus


def burst(stimulus: Stimulus) -> Iterator[None]:
    """k connections, one right after the other; one of them is `one-connection`."""
    for _ in range(stimulus.scenario.k):
        stimulus.connect()
    yield


def one_by_one(stimulus: Stimulus) -> Iterator[None]:
    """k connections, each when all waiters are at rest again."""
    for _ in range(stimulus.scenario.k):
        stimulus.connect()
        yield
