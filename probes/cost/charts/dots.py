"""The herd of each strategy as a row of dots: what became of each worker when one connection came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..plan import REST
from ..reading import RETURNED, SLEPT, WOKEN, WON
from ..words import notes
from .paper import in_two_lines, render

MEANINGS = {
    SLEPT: "slept on",
    WOKEN: "was woken, and slept again inside the kernel",
    RETURNED: "its call returned, and nothing was there",
    WON: "took the connection",
}
_WANTED = 8
_PER_LINE, _STEP, _LEFT, _TOP, _ROW = 16, 26, 236, 134, 44


def draw(answer: Mapping[str, Any]) -> dict[str, str]:
    """The picture; none if nothing was measured at rest with more than one worker."""
    cells = [cell for cell in answer["cells"] if cell["load"] == REST and cell["workers"] > 1 and cell["dots"]]
    if not cells:
        return {}
    size = min((cell["workers"] for cell in cells), key=lambda workers: abs(workers - _WANTED))
    work = next(cell["work"] for cell in cells if cell["workers"] == size)
    chosen = [cell for cell in cells if (cell["workers"], cell["work"]) == (size, work)]
    names = {way["id"]: way["name"] for way in answer["ways"]}
    rows = [(names[cell["way"]], cell["dots"]) for cell in chosen]
    return {"dots.svg": picture(f"One connection comes, {size} workers wait", notes(answer), rows)}


def picture(title: str, lines: Sequence[str], herds: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Rows of dots as SVG: `herds` are names and the states of each worker; `lines` stand below the title."""
    size = max(len(states) for _, states in herds)
    height = _ROW + (-(-size // _PER_LINE) - 1) * _STEP
    rows = [
        {
            "name": in_two_lines(name),
            "y": _TOP + number * height,
            "dots": [
                {"state": state, "x": _LEFT + place % _PER_LINE * _STEP, "y": place // _PER_LINE * _STEP}
                for place, state in enumerate(states)
            ],
            "words": row_in_words(name, states),
            "woken": len(states) - states.count(SLEPT),
        }
        for number, (name, states) in enumerate(herds)
    ]
    return render(
        "dots.svg.j2",
        title=title,
        notes=lines,
        words=" ".join(str(row["words"]) for row in rows),
        rows=rows,
        meanings=MEANINGS,
        size=size,
        width=max(720, _LEFT + min(size, _PER_LINE) * _STEP + 150),
        height=_TOP + len(rows) * height + 4,
        left=_LEFT,
        right=_LEFT + min(size, _PER_LINE) * _STEP + 10,
    )


def row_in_words(name: str, states: Sequence[str]) -> str:
    """`poll, one listener: 8 of 8 woken, 2 returned, 1 took it.`"""
    returned = states.count(RETURNED) + states.count(WON)
    woken = len(states) - states.count(SLEPT)
    return f"{name}: {woken} of {len(states)} woken, {returned} returned, {states.count(WON)} took it."
