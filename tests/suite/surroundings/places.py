"""The places: what a run may find itself in that is no fault of its kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tests.suite.system import seccomp


@dataclass(frozen=True)
class Place:
    """One surrounding."""

    group: str
    what: str
    """In a few words, for the page."""
    enter: Callable[[], object] = lambda: None
    """Moves this process there, for good."""
    isolated: bool = True
    """Whether namespaces of our own were to be had before."""


DENIED_CALLS = tuple(sorted(set(seccomp.NUMBERS)))


def _places() -> dict[str, Place]:
    places = {"none": Place("none", "nothing is denied"), "host": Place("none", "no namespaces", isolated=False)}
    for call in DENIED_CALLS:
        for error in ("EPERM", "ENOSYS"):
            places[f"{call}={error}"] = Place(
                "a system call is denied", f"`{call}` gives {error}", partial(seccomp.deny, [call], error)
            )
    return places


PLACES: Mapping[str, Place] = _places()
