"""Latencies and shares: a chart for each scene, a row for each strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from statistics import fmean
from typing import Any

from ..figures import jain
from ..words import notes, scene_in_file_names, scene_in_words
from .paper import Scale, in_two_lines, microseconds, render

_LEFT, _RIGHT, _WIDTH, _TOP, _ROW = 236, 700, 920, 88, 40

Cell = Mapping[str, Any]


def draw(answer: Mapping[str, Any]) -> dict[str, str]:
    """Latencies of every scene; shares of those with more than one worker."""
    charts = {}
    scenes: Callable[[Cell], tuple[str, str, int]] = lambda cell: (cell["load"], cell["work"], cell["workers"])  # noqa: E731
    for _, group in groupby(answer["cells"], scenes):
        cells = list(group)
        name = scene_in_file_names(cells[0])
        charts[f"latency-{name}.svg"] = _latencies(answer, cells)
        if cells[0]["workers"] > 1:
            charts[f"shares-{name}.svg"] = _shares(answer, cells)
    return charts


def _latencies(answer: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    known = [cell["latency_us"] for cell in cells]
    x = Scale.over([each[part] for each in known for part in ("0", "1")], _LEFT, _RIGHT)
    rows = []
    for row, cell in _rows(answer, cells):
        at = cell["latency_us"]
        rows.append(
            {
                **row,
                **{key: x(at[part]) for key, part in _PARTS.items()},
                "said": f"{microseconds(at['0.5'])}; {microseconds(at['0.99'])}",
                "words": f"{row['whole']}: median {microseconds(at['0.5'])}, half between {microseconds(at['0.25'])} "
                f"and {microseconds(at['0.75'])}, 99 of 100 below {microseconds(at['0.99'])}, "
                f"longest {microseconds(at['1'])}.",
            }
        )
    return render(
        "latency.svg.j2",
        **_frame(answer, cells, rows, "latency", "From connect to the first byte"),
        ticks=[(x(value), microseconds(value)) for value in x.ticks()],
    )


_PARTS = {"least": "0", "q1": "0.25", "median": "0.5", "q3": "0.75", "p99": "0.99", "most": "1"}


def _shares(answer: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    rows = []
    for row, cell in _rows(answer, cells):
        # The busiest of each round first: who that is changes, how much it takes does not.
        by_rank = [
            fmean(ranked) for ranked in zip(*(sorted(each, reverse=True) for each in cell["shares"]), strict=True)
        ]
        parts, at = [], float(_LEFT)
        for share in by_rank:
            parts.append({"x": round(at, 1), "width": round(share * (_RIGHT - _LEFT), 1)})
            at += share * (_RIGHT - _LEFT)
        rows.append(
            {
                **row,
                "parts": parts,
                "said": f"{100 * by_rank[0]:.0f} %; {jain(by_rank):.2f}",
                "words": f"{row['whole']}: the busiest took {100 * by_rank[0]:.0f} %, the idlest "
                f"{100 * by_rank[-1]:.0f} %; Jain's index {cell['figures']['jain']['median']:.2f}.",
            }
        )
    workers = cells[0]["workers"]
    even = [round(_LEFT + (_RIGHT - _LEFT) * place / workers, 1) for place in range(1, workers)]
    return render(
        "shares.svg.j2",
        **_frame(answer, cells, rows, "shares", "Each worker's share of the connections, the busiest first"),
        even=even if workers <= 16 else [],
    )


def _rows(answer: Mapping[str, Any], cells: Sequence[Cell]) -> Iterator[tuple[dict[str, Any], Cell]]:
    names = {way["id"]: way["name"] for way in answer["ways"]}
    for place, cell in enumerate(cells):
        whole = names[cell["way"]]
        yield {"whole": whole, "name": in_two_lines(whole), "y": _TOP + place * _ROW}, cell


def _frame(
    answer: Mapping[str, Any], cells: Sequence[Cell], rows: Sequence[Mapping[str, Any]], kind: str, title: str
) -> dict[str, Any]:
    return {
        "id": f"{kind}-{scene_in_file_names(cells[0])}",
        "title": f"{title}: {scene_in_words(cells[0])}",
        "notes": notes(answer),
        "words": " ".join(row["words"] for row in rows),
        "rows": rows,
        "left": _LEFT,
        "right": _RIGHT,
        "top": _TOP,
        "width": _WIDTH,
        "height": _TOP + len(rows) * _ROW + 30,
    }
