"""What the charts share: scales, names in two lines, and the environment of the templates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent


def render(template: str, **values: Any) -> str:
    """A chart from its template."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def in_two_lines(name: str) -> tuple[str, str]:
    """`epoll, an instance each, level` as (`epoll, an instance each`, `level`): the second may be empty."""
    head, comma, tail = name.rpartition(", ")
    if comma:
        return head, tail
    head, bracket, tail = name.partition(" (")
    return (head, f"({tail}") if bracket else (name, "")


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale: values from `low` to `high` (above 0) become places from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> Scale:
        """Wide enough for all of them, and for a little beside them."""
        low, high = min(values), max(values)
        return cls(low / 1.1, high * 1.1, start, end)

    def __call__(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """1, 10, 100 within the scale; with 2 and 5 between, or every digit, if there would be fewer than two."""
        for steps in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [step * 10.0**power for power in powers for step in steps]
            within = [value for value in values if self.low <= value <= self.high]
            if len(within) >= 2:
                return within
        return [self.low, self.high]


def microseconds(us: float) -> str:
    """`62 µs`, `1.5 ms`, `2.0 s`: two figures, which is what a glance takes in."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if us >= size:
            return f"{_two(us / size)} {unit}"
    return f"{_two(us)} µs"


def _two(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def count(value: float) -> str:
    """`1`, `7.9`, `64`."""
    return f"{value:g}" if value == round(value) else _two(value) if value >= 0.1 else f"{value:.2f}"
