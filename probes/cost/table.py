"""The terminal: one table for each scene, then how the cost grows, then what has to be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .plan import LOADS, REST
from .ways import BASE

_ROOM_FOR_IDS = 120
"""In a narrower terminal the ids stand below, once."""

UNKNOWN = "?"
"""Shown where nobody could see."""

_AT_REST = (
    ("woken", "woken", "figures"),
    ("in vain", "in_vain", "figures"),
    ("returned", "returned", "figures"),
    ("CPU us", "cpu_us", "figures"),
    ("CPU", "cpu_us", "ratios"),
    ("median us", "latency_median_us", "figures"),
    ("median", "latency_median_us", "ratios"),
)
_UNDER_LOAD = (
    ("woken", "woken", "figures"),
    ("preempted", "preempted", "figures"),
    ("CPU", "overhead_us", "ratios"),
    ("rate", "rate", "ratios"),
    ("median us", "latency_median_us", "figures"),
    ("median", "latency_median_us", "ratios"),
    ("p99", "latency_p99_us", "ratios"),
    ("busiest", "busiest", "figures"),
    ("Jain", "jain", "figures"),
)


def show(answer: Mapping[str, Any], console: Console) -> None:
    """Everything, in short."""
    kernel = answer["kernel"]
    names = {way["id"]: way["name"] for way in answer["ways"]}
    said = f"Linux {kernel['release']} {kernel['machine']}, {kernel['cpus']} CPUs; median of {answer['rounds']} rounds"
    _line(
        console, f"{said}; x: times {names[BASE]!r} of the same round, \N{PLUS-MINUS SIGN} half the interquartile range"
    )
    for mark in answer["marks"]:
        _line(console, f"take care: {mark}", "bold yellow")
    for (load, work, workers), cells in groupby(
        answer["cells"], lambda cell: (cell["load"], cell["work"], cell["workers"])
    ):
        console.print(_scene(load, work, workers, list(cells), names, console))
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


def _scene(
    load: str, work: str, workers: int, cells: Sequence[Mapping[str, Any]], names: Mapping[str, str], console: Console
) -> Table:
    columns = _AT_REST if load == REST else _UNDER_LOAD
    number = "1 worker" if workers == 1 else f"{workers} workers"
    title = f"{number}, {load} ({LOADS[load]}), work {work if work == 'mixed' else work + ' us'}"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    _add_names(table, console)
    for heading, _, kind in columns:
        table.add_column(heading + (" x" if kind == "ratios" else ""), justify="right", no_wrap=True)
    for cell in cells:
        values = [
            _ratio(cell["ratios"][name]) if kind == "ratios" else _number(cell["figures"][name])
            for _, name, kind in columns
        ]
        table.add_row(*_name(cell["way"], names, console), *[_safe(value, console) for value in values])
    return table


def _growth(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], console: Console) -> Table:
    sizes = ", ".join(str(size) for size in rows[0]["sizes"])
    title = f"growth with the number of workers ({sizes}), at rest: figure ~ workers^exponent"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    _add_names(table, console)
    for heading in ("woken ^", "", "CPU ^", "", "CPU us per further worker"):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    for row in rows:
        cells: list[str] = []
        for name in ("woken", "cpu_us"):
            grown = row[name]
            cells += [_spread(grown["exponent"], "{:.2f}"), grown["word"]] if grown else [UNKNOWN, ""]
        cells.append(_spread(row["cpu_us"]["per_worker"], "{:.2f}") if row["cpu_us"] else UNKNOWN)
        table.add_row(*_name(row["way"], names, console), *[_safe(cell, console) for cell in cells])
    return table


def _add_names(table: Table, console: Console) -> None:
    table.add_column("strategy", overflow="fold")
    if console.width >= _ROOM_FOR_IDS:
        table.add_column("id", no_wrap=True, style="dim")


def _name(id: str, names: Mapping[str, str], console: Console) -> list[str]:
    return [names[id], id] if console.width >= _ROOM_FOR_IDS else [names[id]]


def _number(spread: Mapping[str, float] | None) -> str:
    return UNKNOWN if spread is None else _short(spread["median"])


def _short(value: float) -> str:
    """Three figures are enough."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _ratio(spread: Mapping[str, float] | None) -> str:
    return UNKNOWN if spread is None else _spread(spread, "{:.2f}")


def _spread(spread: Mapping[str, float], how: str) -> str:
    """`1.52 ±0.06`: the median of the rounds, and half of what the middle half of them spans."""
    half = how.format((spread["q3"] - spread["q1"]) / 2)
    return f"{how.format(spread['median'])} \N{PLUS-MINUS SIGN}{half.removeprefix('0')}"


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(_safe(text, console), style), soft_wrap=True, highlight=False)


def _safe(text: str, console: Console) -> str:
    """What the terminal can show."""
    return text.replace("\N{PLUS-MINUS SIGN}", "+-") if console.options.ascii_only else text
