"""Stimuli that must move nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import Stimulus


def nothing(stimulus: Stimulus) -> Iterator[None]:
    """No stimulus at all."""
    yield


def elsewhere(stimulus: Stimulus) -> Iterator[None]:
    """A connection to another listener of the same kind, which nobody waits on."""
    stimulus.connect_elsewhere()
    yield


def write_elsewhere(stimulus: Stimulus) -> Iterator[None]:
    """A write to another source of the same kind, which nobody waits for."""
    stimulus.write_elsewhere()
    yield
