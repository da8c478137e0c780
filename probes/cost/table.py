"""The terminal: one table for each scene, then how the cost grows, then what has to be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .plan import REST
from .ways import BASE
from .words import notes, scene_in_words

_ROOM_FOR_SPREADS, _ROOM_FOR_IDS = 122, 156
"""Columns that the widest table takes with them.  In a narrower terminal the ids stand below, once."""

UNKNOWN = "?"
"""Shown if nobody could see."""


@dataclass(frozen=True)
class _Column:
    heading: str
    figure: str
    ratio: bool = False
    narrow: bool = True
    """Whether a narrow terminal shows it, too."""


_AT_REST: tuple[_Column, ...] = (
    _Column("woken", "woken"),
    _Column("in vain", "in_vain", narrow=False),
    _Column("returned", "returned"),
    _Column("CPU us", "cpu_us"),
    _Column("CPU", "cpu_us", ratio=True),
    _Column("median us", "latency_median_us"),
    _Column("median", "latency_median_us", ratio=True),
)
_UNDER_LOAD: tuple[_Column, ...] = (
    _Column("woken", "woken"),
    _Column("preempted", "preempted", narrow=False),
    _Column("CPU", "overhead_us", ratio=True),
    _Column("rate", "rate", ratio=True),
    _Column("median us", "latency_median_us", narrow=False),
    _Column("median", "latency_median_us", ratio=True),
    _Column("p99", "latency_p99_us", ratio=True),
    _Column("busiest", "busiest"),
    _Column("Jain", "jain"),
)


def show(answer: Mapping[str, Any], console: Console) -> None:
    """Everything, in short."""
    names = {way["id"]: way["name"] for way in answer["ways"]}
    first, *care = notes(answer)
    spread = "" if _is_narrow(console) else ", \N{PLUS-MINUS SIGN} half the interquartile range"
    _line(console, f"{first}: medians; x: times {names[BASE]!r} of the same round{spread}")
    for line in care:
        _line(console, line, "bold yellow")
    for _, cells in groupby(answer["cells"], lambda cell: (cell["load"], cell["work"], cell["workers"])):
        console.print(_scene(list(cells), names, console))
    if any(row["woken"] for row in answer["growth"]):
        console.print(_growth(answer["growth"], names, console))
    for way in answer["ways"]:
        if way["not_applicable"]:
            _line(console, f"not applicable here: {way['name']}: {way['not_applicable']}")
    _line(console, disturbance(answer))
    if console.width < _ROOM_FOR_IDS:
        for way in answer["ways"]:
            _line(console, f"  {way['name']:40} {way['id']}", "dim")


def disturbance(answer: Mapping[str, Any]) -> str:
    """How clients and workers are in each other's way, in a sentence."""
    busy = [cell["figures"]["client_busy"]["median"] for cell in answer["cells"] if cell["figures"]["client_busy"]]
    apart = answer["options"]["apart"]
    where = "has a CPU of its own" if apart else "shares the CPUs with the workers, so each slows the other"
    used = f"; under load it used {100 * min(busy):.0f} to {100 * max(busy):.0f} % of a CPU" if busy else ""
    return f"The client {where}{used}."


def _scene(cells: Sequence[Mapping[str, Any]], names: Mapping[str, str], console: Console) -> Table:
    whole = _AT_REST if cells[0]["load"] == REST else _UNDER_LOAD
    columns = [column for column in whole if column.narrow or not _is_narrow(console)]
    table = _table(scene_in_words(cells[0]), console)
    for column in columns:
        table.add_column(column.heading + (" x" if column.ratio else ""), justify="right", no_wrap=True)
    for cell in cells:
        values = [
            _ratio(cell["ratios"][column.figure], console) if column.ratio else _number(cell["figures"][column.figure])
            for column in columns
        ]
        table.add_row(*_name(cell["way"], names, console), *values)
    return table


def _growth(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], console: Console) -> Table:
    sizes = ", ".join(str(size) for size in rows[0]["sizes"])
    table = _table(f"at rest: figure ~ workers^exponent, over {sizes} workers", console)
    for heading in ("woken ^", "", "CPU ^", "", "us a worker"):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    for row in rows:
        cells: list[str] = []
        for name in ("woken", "cpu_us"):
            grown = row[name]
            cells += [_ratio(grown["exponent"], console), grown["word"]] if grown else [UNKNOWN, ""]
        cells.append(_ratio(row["cpu_us"]["per_worker"], console) if row["cpu_us"] else UNKNOWN)
        table.add_row(*_name(row["way"], names, console), *cells)
    return table


def _table(title: str, console: Console) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("strategy", overflow="fold")
    if console.width >= _ROOM_FOR_IDS:
        table.add_column("id", no_wrap=True, style="dim")
    return table


def _name(id: str, names: Mapping[str, str], console: Console) -> list[str]:
    return [names[id], id] if console.width >= _ROOM_FOR_IDS else [names[id]]


def _is_narrow(console: Console) -> bool:
    """Too narrow for spreads, which are in the JSON, and for the columns that say least."""
    return console.width < _ROOM_FOR_SPREADS


def _number(spread: Mapping[str, float] | None) -> str:
    return UNKNOWN if spread is None else _short(spread["median"])


def _short(value: float) -> str:
    """Three figures are enough."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _ratio(spread: Mapping[str, float] | None, console: Console) -> str:
    """`1.52 ±.06`: the median of the rounds, and half of what the middle half of them spans."""
    if spread is None:
        return UNKNOWN
    if _is_narrow(console):
        return f"{spread['median']:.2f}"
    half = f"{(spread['q3'] - spread['q1']) / 2:.2f}".removeprefix("0")
    return _safe(f"{spread['median']:.2f} \N{PLUS-MINUS SIGN}{half}", console)


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(_safe(text, console), style), soft_wrap=True, highlight=False)


def _safe(text: str, console: Console) -> str:
    """What the terminal can show."""
    return text.replace("\N{PLUS-MINUS SIGN}", "+-") if console.options.ascii_only else text
