"""How a herd grows: woken and returned for one connection, by the number of workers that accept at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import strategies
from .figures import Figures, over
from .herds import PEOPLE_USE

Run = Mapping[str, Any]


def by_size(run: Run) -> dict[str, dict[int, Figures]]:
    """Of each strategy that people use: the figures for every number of workers that the run tried, smallest first."""
    trials: dict[str, dict[int, list[Mapping[str, Any]]]] = {name: {} for name in PEOPLE_USE}
    for case in strategies.cases(run):
        axes = case["scenario"]
        name = strategies.place(axes)[1]
        one_connection = (axes["reaction"], axes["stimulus"]) == ("accept", "one-connection")
        if name in trials and one_connection and strategies.is_plain(axes) and case["trials"]:
            trials[name].setdefault(axes["n"], []).extend(case["trials"])
    return {
        name: {n: figures for n in sorted(sizes) if (figures := over(sizes[n])).trials and figures["woken"].known}
        for name, sizes in trials.items()
    }
