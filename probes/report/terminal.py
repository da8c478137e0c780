"""What the terminal says at the end of a run: short, the bad news first, and where to read on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..verdict import BROKEN, HELD, INCONCLUSIVE, MEASURED, NOT_APPLICABLE, VERDICTS
from . import expected, strategies
from .figures import COLUMNS, UNKNOWN, Figures

STYLES = {BROKEN: "bold red", INCONCLUSIVE: "bold yellow", HELD: "green", MEASURED: "cyan", NOT_APPLICABLE: "dim"}
SHAPES = {BROKEN: "✗", INCONCLUSIVE: "?", HELD: "✓", MEASURED: "◆", NOT_APPLICABLE: "-"}
ASCII_SHAPES = {BROKEN: "x", INCONCLUSIVE: "?", HELD: "+", MEASURED: "*", NOT_APPLICABLE: "-"}

_ROOM_FOR_BOTH = 104
"""Columns that hold and accept need side by side; a narrower terminal gets one table after the other."""


def summary(run: Mapping[str, Any], console: Console, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Verdict counts, what needs attention with one reason line each, and the files that were written."""
    for line in _summary(run, console):
        _print(console, line)
    for path in paths:
        _print(console, Text.assemble(("report: ", "dim"), os.fspath(path)))


def table(run: Mapping[str, Any], console: Console) -> None:
    """Every strategy on the standard scene: woken, returned, won, spurious, under hold and under accept."""
    rows = strategies.rows(run)
    if not rows:
        _print(console, Text(f"no strategy was tried with {strategies.N} processes on tcp4"))
        return
    reactions = list(strategies.REACTIONS)
    for group in [reactions] if console.width >= _ROOM_FOR_BOTH else [[one] for one in reactions]:
        console.print(_table(rows, group, console))


def _summary(run: Mapping[str, Any], console: Console) -> Iterator[Text]:
    counts = run["summary"]
    line = Text("claims:")
    for verdict in VERDICTS:
        if counts.get(verdict):
            line.append("  ")
            line.append_text(_verdict(verdict, console)).append(f" {counts[verdict]}")
    yield line if run["claims"] else Text("no claim was judged")
    if run["partial"]:
        yield Text("partial: not every claim was judged")
    reasons = run.get("controls_reasons", {})
    for name, verdict in run["controls"].items():
        if verdict in (BROKEN, INCONCLUSIVE):
            yield _verdict(verdict, console).append(f" control {name}: {_reason(reasons.get(name))}", "default")
    splats = run["kernel"]["splats"]
    if splats:
        yield Text(f"the kernel complained during the run: {_one_line(splats[0])}", "bold red")
    for told in expected.unmet(run):
        yield Text(f"! {told}", "bold red")
    for verdict, reason, claims in expected.by_reason(run):
        yield _verdict(verdict, console).append(f" {len(claims)}, as expected: {_one_line(reason)}", "default")
    for verdict in (BROKEN, INCONCLUSIVE):
        for claim in run["claims"]:
            if claim["verdict"] == verdict and expected.is_alarming(claim):
                yield _verdict(verdict, console).append(f" {claim['id']}", "default")
                yield Text(f"  {_reason(claim['reason'])}")


def _verdict(verdict: str, console: Console) -> Text:
    """Word, shape and colour: never colour alone."""
    shapes = ASCII_SHAPES if _ascii_only(console) else SHAPES
    return Text(f"{shapes[verdict]} {verdict}", STYLES[verdict], end="")


def _reason(reason: str | None) -> str:
    return _one_line(reason) if reason else "no reason was recorded"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table(rows: Sequence[strategies.Row], reactions: Sequence[str], console: Console) -> Table:
    title = f"one connection, {strategies.N} processes on tcp4; {UNKNOWN}: nobody saw"
    made = Table(title=title, title_justify="left", title_style="dim", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    made.add_column("\nstrategy", overflow="fold")
    for reaction in reactions:
        for place, column in enumerate(COLUMNS):
            made.add_column(f"{reaction if place == 0 else ''}\n{column}", justify="right", no_wrap=True)
    for row in rows:
        cells = [cell for reaction in reactions for cell in _cells(row, reaction)]
        if any(cells):
            made.add_row(row.strategy, *[_safe(cell, console) for cell in cells])
    return made


def _cells(row: strategies.Row, reaction: str) -> list[str]:
    found: Figures | None = row.figures[reaction]
    if found is None:
        return ["n/a" if reaction in row.absent else ""] * len(COLUMNS)
    return [str(found[column]) for column in COLUMNS]


def _print(console: Console, line: Text) -> None:
    """As it stands: no markup, no guessed highlighting, and nothing that the terminal cannot encode."""
    line.plain = _safe(line.plain, console)
    console.print(line, soft_wrap=True, highlight=False)


def _safe(text: str, console: Console) -> str:
    if not _ascii_only(console):
        return text
    return text.replace("\N{EN DASH}", "-").encode("ascii", "replace").decode()


def _ascii_only(console: Console) -> bool:
    """A pipe in the C locale cannot carry more, and would end the run in a UnicodeEncodeError."""
    return console.options.ascii_only
