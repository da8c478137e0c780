"""What the terminal says at the end of a run: short, the bad news first, and where to read on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import splats
from ..cost.reading import RETURNED, SLEPT, WOKEN, WON
from ..printable import one_line, printable
from ..verdict import BROKEN, HELD, INCONCLUSIVE, MEASURED, NOT_APPLICABLE, VERDICTS
from . import expected, herds, strategies, words
from . import run as run_json
from .figures import COLUMNS, UNKNOWN, Figures
from .lineage import Kernel
from .matrix import DIFFERS, UNDECIDED, ClaimRow

STYLES = {BROKEN: "bold red", INCONCLUSIVE: "bold yellow", HELD: "green", MEASURED: "cyan", NOT_APPLICABLE: "dim"}
SHAPES = {BROKEN: "✗", INCONCLUSIVE: "?", HELD: "✓", MEASURED: "◆", NOT_APPLICABLE: "-"}
ASCII_SHAPES = {BROKEN: "x", INCONCLUSIVE: "?", HELD: "+", MEASURED: "*", NOT_APPLICABLE: "-"}

DOTS = {WON: "●", RETURNED: "◐", WOKEN: "◉", SLEPT: "○", herds.UNSEEN: "?"}
ASCII_DOTS = {WON: "#", RETURNED: "r", WOKEN: "o", SLEPT: ".", herds.UNSEEN: "?"}
"""What became of each worker: the words of the page's dots."""

_ROOM_FOR_BOTH = 116
"""Columns that hold and accept need side by side; a narrower terminal gets one table after the other."""


def summary(run: Mapping[str, Any], console: Console, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Verdict counts, what needs attention with one reason line each, and the files that were written."""
    for sentence in _summary(run, console):
        line(console, sentence)
    for sentence in _dots(run, console):
        line(console, sentence)
    for path in paths:
        line(console, Text.assemble(("report: ", "dim"), os.fspath(path)))


def table(run: Mapping[str, Any], console: Console) -> None:
    """Every strategy on the standard scene: woken, returned, won, spurious, under hold and under accept."""
    rows = strategies.rows(run)
    if not rows:
        line(console, Text(f"no strategy was tried with {strategies.N} processes on tcp4"))
        return
    reactions = list(strategies.REACTIONS)
    for group in [reactions] if console.width >= _ROOM_FOR_BOTH else [[reaction] for reaction in reactions]:
        console.print(_table(rows, group, console))


def _summary(run: Mapping[str, Any], console: Console) -> Iterator[Text]:
    counts = run_json.summary(run["claims"])
    counted = Text("claims:")
    for verdict in VERDICTS:
        if counts.get(verdict):
            counted.append("  ")
            counted.append_text(_verdict(verdict, console)).append(f" {counts[verdict]}")
    yield counted if run["claims"] else Text("no claim was judged")
    if run["partial"]:
        yield Text(f"partial: {run.get('partial_reason') or 'not every claim was judged'}")
    reasons = run.get("controls_reasons", {})
    for name, verdict in run["controls"].items():
        if verdict in (BROKEN, INCONCLUSIVE):
            yield _verdict(verdict, console).append(f" control {name}: {_reason(reasons.get(name))}", "default")
    if served := words.stand_ins(run["kernel"]):
        yield Text(f"calls that this architecture lacks: {one_line(served)}")
    complaints = run["kernel"]["splats"]
    for splat in splats.not_understood(complaints)[:1]:
        yield Text(f"the kernel complained during the run: {one_line(splat)}", "bold red")
    for splat in complaints:
        if splats.explanation(splat):
            yield Text(f"the kernel logged {one_line(splats.in_words(splat))}", "dim")
    for sentence in expected.unmet(run):
        yield Text(f"! {sentence}", "bold red")
    for verdict, reason, claims in expected.by_reason(run):
        yield _verdict(verdict, console).append(f" {len(claims)}, as expected: {one_line(reason)}", "default")
    for verdict in (BROKEN, INCONCLUSIVE):
        for claim in run["claims"]:
            if claim["verdict"] == verdict and expected.is_alarming(claim):
                yield _verdict(verdict, console).append(f" {claim['id']}", "default")
                yield Text(f"  {_reason(expected.concern(claim))}")


def _dots(run: Mapping[str, Any], console: Console) -> Iterator[Text]:
    """A row for each strategy that people use and the run saw; none of a run that saw too few to compare."""
    shown = [herd for herd in herds.herds(run) if herd.states]
    signs = ASCII_DOTS if _ascii_only(console) else DOTS
    if len(shown) < len(herds.PEOPLE_USE) / 2:
        return
    seen = {state for herd in shown for state in herd.states}
    meanings = "  ".join(f"{sign} {state}" for state, sign in signs.items() if state in seen)
    yield Text(f"one connection, {strategies.N} workers:  {meanings}", "dim")
    for herd in shown:
        yield Text(f"  {''.join(signs[state] for state in herd.states)}  {herd.name}")


def _verdict(verdict: str, console: Console) -> Text:
    """Word, shape and colour: never colour alone."""
    shapes = ASCII_SHAPES if _ascii_only(console) else SHAPES
    return Text(f"{shapes[verdict]} {verdict}", STYLES[verdict], end="")


def _reason(reason: str | None) -> str:
    return one_line(reason) if reason else "no reason was recorded"


def _table(rows: Sequence[strategies.StrategyRow], reactions: Sequence[str], console: Console) -> Table:
    title = f"one connection, {strategies.N} processes on tcp4, untraced; {UNKNOWN}: not observed"
    table = Table(title=title, title_justify="left", title_style="dim", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("\nstrategy", overflow="fold")
    for reaction in reactions:
        for place, column in enumerate(COLUMNS):
            table.add_column(f"{reaction if place == 0 else ''}\n{column}", justify="right", no_wrap=True)
    for row in rows:
        cells = [cell for reaction in reactions for cell in _cells(row, reaction)]
        if any(cells):
            table.add_row(_named(row, console), *[Text(_safe(cell, console)) for cell in cells])
    return table


def _named(row: strategies.StrategyRow, console: Console) -> Text:
    """The strategy's name, and below it its id, where that is another."""
    name, strategy = _safe(row.name, console), _safe(row.strategy, console)
    return Text(name) if name == strategy else Text.assemble(name, "\n", (strategy, "dim"))


def _cells(row: strategies.StrategyRow, reaction: str) -> list[str]:
    figures: Figures | None = row.figures[reaction]
    if figures is None:
        return ["n/a" if reaction in row.absent else ""] * len(COLUMNS)
    return [str(figures[column]) for column in COLUMNS]


def line(console: Console, text: Text) -> None:
    """As it stands: no markup, no guessed highlighting, nothing that steers the terminal or that it cannot encode."""
    text.plain = _safe(text.plain, console)
    console.print(text, soft_wrap=True, highlight=False)


def warning(sentence: str) -> Text:
    """A sentence that has to be read first."""
    return Text(f"warning: {one_line(sentence)}", "bold yellow")


def kernels(columns: Sequence[Kernel], console: Console) -> None:
    """One line for each kernel: its verdicts counted, and what has to be known of it."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("kernel", overflow="fold")
    words = {kernel.label: [claim["verdict"] for claim in kernel.run["claims"]] for kernel in columns}
    shown = [verdict for verdict in VERDICTS if any(verdict in verdicts for verdicts in words.values())]
    for verdict in shown:
        table.add_column("n/a" if verdict == NOT_APPLICABLE else verdict, justify="right", no_wrap=True)
    table.add_column("remarks", overflow="fold")
    for kernel in columns:
        counts = [Text(str(words[kernel.label].count(verdict) or ""), STYLES[verdict]) for verdict in shown]
        table.add_row(Text(_safe(kernel.label, console)), *counts, Text(_safe(", ".join(kernel.marks), console)))
    console.print(table)


def differences(rows: Sequence[ClaimRow], page: str | os.PathLike[str], console: Console) -> None:
    """The claims on which the kernels differ, each with its range in words, and where the page is."""
    differing = [row for row in rows if row.agreement == DIFFERS]
    line(console, Text(f"the kernels differ on {len(differing)} of {len(rows)} claims" + (":" if differing else "")))
    for row in sorted(differing, key=lambda row: row.only_apart):
        line(console, Text(f"  {row.id}: {row.range}"))
    if undecided := sum(row.agreement == UNDECIDED for row in rows):
        line(console, Text(f"on {undecided} more they agree wherever they could be judged"))
    line(console, Text.assemble(("report: ", "dim"), os.fspath(page)))


def _safe(text: str, console: Console) -> str:
    shown = printable(text)
    return shown.replace("\N{EN DASH}", "-").encode("ascii", "replace").decode() if _ascii_only(console) else shown


def _ascii_only(console: Console) -> bool:
    """A pipe in the C locale cannot carry more, and would end the run in a UnicodeEncodeError."""
    return console.options.ascii_only
