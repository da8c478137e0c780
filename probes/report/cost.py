"""What each strategy costs, where `wakecheck cost --into` has put figures into the run: table, charts, comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..cost import charts
from ..cost.plan import LIGHT, REST, SATURATING
from ..cost.words import notes, scene_in_words

Run = Mapping[str, Any]
Cell = Mapping[str, Any]

COLUMNS = (
    ("cpu_us", REST, "CPU time per connection"),
    ("rate", SATURATING, "connections a second"),
    ("latency_median_us", SATURATING, "median latency"),
    ("latency_p99_us", SATURATING, "p99 latency"),
)
"""The ratios of the page's table: figure, load, heading."""
COMPARED = ("cpu_us", "rate", "latency_median_us", "latency_p99_us")
"""The figures whose ratios are compared between runs.  The longest latency is one connection's luck."""

CHARTS = ("cpu.svg", f"latency-{LIGHT}-", f"latency-{SATURATING}-", f"shares-{SATURATING}-")
"""The charts of the page, by how their names begin; `wakecheck cost --plots` draws all."""


@dataclass(frozen=True)
class CostTable:
    """Ratios to `accept`, for the largest herd of each load."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(id, name, a cell for each heading)."""


def about(run: Run) -> list[str]:
    """Where the figures come from, and why they are to be taken with care, a line each."""
    return notes(run["cost"])


def table(run: Run) -> CostTable:
    """The ratios that most people ask for."""
    document = run["cost"]
    chosen = [(figure, cells) for figure, load, _ in COLUMNS if (cells := _largest(document, load))]
    headings = [
        f"{heading} ({scene_in_words(next(iter(cells.values())))})"
        for figure, load, heading in COLUMNS
        if (cells := _largest(document, load))
    ]
    rows = tuple(
        (way["id"], way["name"], tuple(_in_words(cells.get(way["id"]), figure) for figure, cells in chosen))
        for way in document["ways"]
        if not way["not_applicable"]
    )
    return CostTable(tuple(headings), rows)


def _largest(document: Mapping[str, Any], load: str) -> dict[str, Cell]:
    """The cells of the most workers under this load, by strategy; of the last kind of work, which is the mixed one."""
    cells = [cell for cell in document["cells"] if cell["load"] == load]
    if not cells:
        return {}
    most = max(cell["workers"] for cell in cells)
    work = [cell["work"] for cell in cells if cell["workers"] == most][-1]
    return {cell["way"]: cell for cell in cells if (cell["workers"], cell["work"]) == (most, work)}


def ratio(run: Run, strategy: str, figure: str, load: str) -> tuple[float, str] | None:
    """The figure as a multiple of that of `accept`, and the scene in words; None if it was not measured."""
    cell = _largest(run["cost"], load).get(strategy) if run.get("cost") else None
    spread = cell["ratios"][figure] if cell else None
    return (spread["median"], scene_in_words(cell)) if cell and spread else None


def _in_words(cell: Cell | None, figure: str) -> str:
    """`1.52 (1.40 to 1.61)`: median, and the lowest and highest of the rounds."""
    spread = cell["ratios"][figure] if cell else None
    return f"{spread['median']:.2f} ({spread['low']:.2f} to {spread['high']:.2f})" if spread else "?"


def drawings(run: Run) -> list[str]:
    """The charts of the page, as SVG."""
    return [drawing for name, drawing in charts.draw(run["cost"]).items() if name.startswith(CHARTS)]


def moved(before: Run, after: Run) -> Iterator[tuple[str, str, str, str]]:
    """Ratios of which the rounds of one run and those of the other have nothing in common: (scene and strategy,
    figure, before, after)."""
    if not before.get("cost") or not after.get("cost"):
        return
    later = {_place(cell): cell for cell in after["cost"]["cells"]}
    for cell in before["cost"]["cells"]:
        other = later.get(_place(cell))
        for figure in COMPARED if other else ():
            old, new = cell["ratios"][figure], other["ratios"][figure] if other else None
            if old and new and (old["high"] < new["low"] or new["high"] < old["low"]):
                place = f"{cell['way']}, {scene_in_words(cell)}"
                yield place, f"{figure} in times accept", _in_words(cell, figure), _in_words(other, figure)


def _place(cell: Cell) -> tuple[Any, ...]:
    return cell["way"], cell["load"], cell["work"], cell["workers"]


def side_by_side(runs: Mapping[str, Run]) -> list[tuple[str, str, dict[str, str]]]:
    """Of the runs with such figures, by label: (id, name, {label: CPU time at rest as a multiple of accept's})."""
    measured = {label: run for label, run in runs.items() if run.get("cost")}
    names = {way["id"]: way["name"] for run in measured.values() for way in run["cost"]["ways"]}
    rows = []
    for strategy, name in names.items():
        cells = {label: _largest(run["cost"], REST).get(strategy) for label, run in measured.items()}
        rows.append((strategy, name, {label: _in_words(cell, "cpu_us") for label, cell in cells.items() if cell}))
    return rows
