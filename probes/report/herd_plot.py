"""The herd against the number of workers, as this run saw it: a small chart for each strategy, all on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cost.charts.paper import Scale
from .figures import Figures
from .herds import name_of
from .sizes import by_size

WIDTH, HEIGHT = 220, 132
_LEFT, _RIGHT, _UPPER, _LOWER = 30, 184, 10, 108
_NOBODY = 0.8
"""Where a herd of 0 is drawn: a logarithmic scale has no place for it."""


@dataclass(frozen=True)
class Panel:
    """One strategy."""

    strategy: str
    name: str
    woken: tuple[tuple[float, float], ...]
    """Places on the paper, the fewest workers first."""
    returned: tuple[tuple[float, float], ...]
    last: str
    """How many were woken of the most workers."""
    words: str
    """The picture as text, for those who cannot see it."""


@dataclass(frozen=True)
class HerdPlot:
    """All panels, and the scale that they share."""

    panels: tuple[Panel, ...]
    x_ticks: tuple[tuple[float, int], ...]
    y_ticks: tuple[tuple[float, int], ...]


def herd_plot(run: Mapping[str, Any]) -> HerdPlot | None:
    """The plot; None if no strategy was tried with several numbers of workers."""
    grown = {name: sizes for name, sizes in by_size(run).items() if len(sizes) > 1}
    if not grown:
        return None
    numbers = sorted({n for sizes in grown.values() for n in sizes})
    x = Scale(numbers[0] / 1.1, numbers[-1] * 1.1, _LEFT, _RIGHT)
    y = Scale(_NOBODY, numbers[-1] * 1.1, _LOWER, _UPPER)
    panels = tuple(_panel(name, sizes, x, y) for name, sizes in grown.items())
    return HerdPlot(
        panels, tuple((x(n), n) for n in numbers), tuple((y(n), n) for n in (1, *numbers) if n in (1, 8, 64))
    )


def _panel(strategy: str, sizes: Mapping[int, Figures], x: Scale, y: Scale) -> Panel:
    largest = max(sizes)
    said = "; ".join(
        f"{figures['woken']} woken and {figures['returned']} returned of {n}" for n, figures in sizes.items()
    )
    return Panel(
        strategy,
        name_of(strategy),
        _line(sizes, "woken", x, y),
        _line(sizes, "returned", x, y),
        f"{sizes[largest]['woken']} of {largest}",
        f"{name_of(strategy)}: {said}.",
    )


def _line(sizes: Mapping[int, Figures], column: str, x: Scale, y: Scale) -> tuple[tuple[float, float], ...]:
    """The most that were seen with each number of workers; sizes at which nobody saw are left out."""
    known = [(n, high) for n, figures in sizes.items() if (high := figures[column].high) is not None]
    return tuple((x(n), y(max(_NOBODY, high))) for n, high in known)


def points(line: Sequence[tuple[float, float]]) -> str:
    """As the `points` of a polyline."""
    return " ".join(f"{x:g},{y:g}" for x, y in line)
