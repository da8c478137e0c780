"""A figure against the number of workers: a small chart for each strategy, all on one scale, the others behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..plan import REST
from ..ways import BASE
from ..words import notes
from .paper import Scale, count, in_two_lines, microseconds, render

_CHARTS: dict[str, tuple[str, str, Callable[[float], str]]] = {
    "woken": ("woken.svg", "Workers woken per connection, by the number of workers", count),
    "cpu_us": ("cpu.svg", "CPU time of all workers per connection, by the number of workers", microseconds),
}
NOTHING: Mapping[str, str] = {}
_COLUMNS, _WIDTH, _HEIGHT, _TOP = 4, 228, 196, 76
_LEFT, _RIGHT, _UPPER, _LOWER = 50, 196, 52, 158
"""Of the drawing within its panel."""


def draw(answer: Mapping[str, Any]) -> dict[str, str]:
    """One chart for each figure; none with fewer than two sizes at rest."""
    charts = {}
    for figure, (file, title, show) in _CHARTS.items():
        lines = _lines(answer, figure)
        if lines and len(next(iter(lines.values()))) > 1:
            charts[file] = _chart(answer, figure, title, show, lines)
    return charts


def _lines(answer: Mapping[str, Any], figure: str) -> dict[str, list[tuple[int, float]]]:
    """Size and figure of each strategy, at rest and without work; those without that figure left out."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for cell in answer["cells"]:
        spread = cell["figures"][figure]
        if cell["load"] == REST and cell["work"] == "0" and spread is not None and spread["median"] > 0:
            lines.setdefault(cell["way"], []).append((cell["workers"], spread["median"]))
    return lines


def _chart(
    answer: Mapping[str, Any],
    figure: str,
    title: str,
    show: Callable[[float], str],
    lines: Mapping[str, Sequence[tuple[int, float]]],
) -> str:
    names = {way["id"]: way["name"] for way in answer["ways"]}
    grown = {row["way"]: _grown(row[figure]) for row in answer["growth"]}
    return picture(
        figure.replace("_", "-"),
        title,
        notes(answer, "at rest, without work; both scales logarithmic"),
        lines,
        names,
        show,
        grown,
    )


def picture(
    id: str,
    title: str,
    below: Sequence[str],
    lines: Mapping[str, Sequence[tuple[int, float]]],
    names: Mapping[str, str],
    show: Callable[[float], str],
    grown: Mapping[str, str] = NOTHING,
) -> str:
    """A panel for each line as SVG: size and figure, by strategy.  `below` stands below the title, `show` writes a
    figure, and `grown` ends the words of a strategy."""
    sizes = sorted({size for line in lines.values() for size, _ in line})
    x = Scale.over(sizes, _LEFT, _RIGHT)
    y = Scale.over([value for line in lines.values() for _, value in line], _LOWER, _UPPER)
    paths = {way: " ".join(f"{x(size)},{y(value)}" for size, value in line) for way, line in lines.items()}
    panels: list[dict[str, Any]] = [
        {
            "x": 16 + place % _COLUMNS * _WIDTH,
            "y": _TOP + place // _COLUMNS * _HEIGHT,
            "name": in_two_lines(names[way]),
            "path": paths[way],
            "points": [(x(size), y(value)) for size, value in line],
            "last": show(line[-1][1]),
            "words": f"{names[way]}: {_in_words(line, show)}{grown.get(way, '')}.",
        }
        for place, (way, line) in enumerate(lines.items())
    ]
    return render(
        "growth.svg.j2",
        id=id,
        title=title,
        notes=below,
        words=" ".join(panel["words"] for panel in panels),
        panels=panels,
        others=list(paths.values()),
        base=paths.get(BASE, ""),
        base_name=names.get(BASE, ""),
        x_ticks=[(x(size), str(size)) for size in sizes],
        y_ticks=[(y(value), show(value)) for value in y.ticks()],
        box=(_LEFT, _UPPER, _RIGHT, _LOWER),
        width=16 + _COLUMNS * _WIDTH,
        height=_TOP + -(-len(panels) // _COLUMNS) * _HEIGHT + 8,
    )


def _in_words(line: Sequence[tuple[int, float]], show: Callable[[float], str]) -> str:
    return ", ".join(f"{show(value)} with {size}" for size, value in line)


def _grown(grown: Mapping[str, Any] | None) -> str:
    return f"; exponent {grown['exponent']['median']:.2f}, {grown['word']}" if grown else ""
