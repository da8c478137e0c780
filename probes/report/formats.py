"""The formats of a run's report beside run.json and the page.  A new one: a module here, and a row in `FORMATS`.

Each row gives `wakecheck judge --herd-NAME FILE` and `wakecheck report --NAME FILE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..parts import find


@dataclass(frozen=True)
class Format:
    """A text that is made of one run."""

    part: str
    """What makes it: MODULE.FUNCTION in this folder, which takes a run and returns the whole text."""
    meaning: str


FORMATS = {
    "ktap": Format("ktap.render", "KTAP, the kernel's test format"),
}


def render(name: str, run: Mapping[str, Any]) -> str:
    """The text of this run in the format `name`."""
    writer: Callable[[Mapping[str, Any]], str] = find(__package__, FORMATS[name].part)
    return writer(run)
