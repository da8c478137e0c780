"""The page's plots as files: the herds of a run as dots and against the number of workers, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cost import charts
from ..cost.charts import dots, growth
from ..cost.charts.paper import count
from . import herds, sizes
from .strategies import N

Run = Mapping[str, Any]


def pictures(run: Run) -> dict[str, str]:
    """File names, and the SVG; those for which the run has nothing are left out."""
    measured = (
        {f"cost-{name}": drawing for name, drawing in charts.draw(run["cost"]).items()} if run.get("cost") else {}
    )
    return {**drawn(about(run), herd_dots(run), herd_lines(run)), **measured}


def drawn(
    lines: list[str], seen: Mapping[str, list[str]], grown: Mapping[str, list[tuple[int, int]]]
) -> dict[str, str]:
    """`herd-dots.svg` and `herd-growth.svg`, of states and of (workers, woken) by strategy; `lines` say where from."""
    files = {}
    if seen:
        rows = [(herds.name_of(strategy), states) for strategy, states in seen.items()]
        files["herd-dots.svg"] = dots.picture(f"One connection comes, {N} workers wait", lines, rows)
    if grown:
        files["herd-growth.svg"] = growth.picture(
            "herd-growth",
            "Workers woken by one connection, by the number of workers",
            [*lines, "Both scales are logarithmic."],
            grown,
            {strategy: herds.name_of(strategy) for strategy in grown},
            count,
        )
    return files


def about(run: Run) -> list[str]:
    """Which run it is, in a line."""
    kernel = run["kernel"]
    emulated = ", emulated" if kernel["emulated"] else ""
    cpus = "1 CPU" if kernel["cpus"] == 1 else f"{kernel['cpus']} CPUs"
    return [f"Linux {kernel['release']} {kernel['machine']}{emulated}, {cpus}"]


def herd_dots(run: Run) -> dict[str, list[str]]:
    """The states of each strategy's workers; those that somebody could not see are left out."""
    states_of = {herd.strategy: list(herd.states) for herd in herds.herds(run)}
    return {strategy: states for strategy, states in states_of.items() if states and herds.UNSEEN not in states}


def herd_lines(run: Run) -> dict[str, list[tuple[int, int]]]:
    """The most that were woken of each number of workers, where at least one was and several numbers were tried."""
    lines = {
        strategy: [(n, high) for n, figures in grown.items() if (high := figures["woken"].high)]
        for strategy, grown in sizes.by_size(run).items()
    }
    return {strategy: line for strategy, line in lines.items() if len(line) > 1}
