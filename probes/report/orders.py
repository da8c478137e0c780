"""Wake order: which waiter returned for the first connection, for the second, and so on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .figures import conclusive
from .strategies import N, Rank, cases, is_plain, place

MOST_BOXES = 16
"""A longer series is cut: its order shows in the first connections."""


@dataclass(frozen=True)
class Strip:
    """One strategy's waiters, one for each connection."""

    strategy: str
    case: str
    reaction: str
    waiters: tuple[int, ...]
    remark: str
    several_orders: bool = False
    """Whether the trials differ, so that this is one of several."""


def strips(run: Mapping[str, Any]) -> tuple[list[Strip], list[str]]:
    """One strip for each strategy that returns one waiter per connection, and the names of the others.

    Of several series of one strategy the plain one is shown, under hold rather than accept: hold
    is free of races.
    """
    series: dict[tuple[Rank, str], list[tuple[Mapping[str, Any], list[tuple[int, ...]]]]] = {}
    for case in cases(run):
        axes = case["scenario"]
        if axes["stimulus"] == "one-by-one" and axes["reaction"] in ("hold", "accept"):
            orders = [_returned_first(trial) for trial in conclusive(case["trials"]) if len(trial["steps"]) > 1]
            if orders:
                series.setdefault(place(axes), []).append((case, orders if all(orders) else []))
    shown, herds = [], []
    for (_, name), candidates in sorted(series.items()):
        case, orders = min(candidates, key=lambda candidate: _preference(*candidate))
        if orders:
            shown.append(_strip(name, case, orders))
        else:
            herds.append(name)
    return shown, herds


def _returned_first(trial: Mapping[str, Any]) -> tuple[int, ...]:
    """The waiter of each step; nothing if a step returned none, or several (no order to show then)."""
    orders = [step["order"] for step in trial["steps"]]
    return tuple(order[0] for order in orders) if all(len(order) == 1 for order in orders) else ()


def _preference(case: Mapping[str, Any], orders: Sequence[tuple[int, ...]]) -> tuple[bool, bool, bool, int, str]:
    """The smaller, the better to show: of several sizes, the one nearest to that of the strategies' table."""
    axes = case["scenario"]
    return not orders, not is_plain(axes), axes["reaction"] != "hold", abs(axes["n"] - N), case["id"]


def _strip(name: str, case: Mapping[str, Any], orders: Sequence[tuple[int, ...]]) -> Strip:
    different = len(set(orders))
    first = orders[0]
    if different > 1:
        remark = f"{different} orders in {len(orders)} trials; this is one of them"
    else:
        remark = _direction(first) + ("" if len(orders) == 1 else f", the same in all {len(orders)} trials")
    if len(first) > MOST_BOXES:
        remark += f"; the first {MOST_BOXES} of {len(first)} connections"
    return Strip(name, case["id"], case["scenario"]["reaction"], first[:MOST_BOXES], remark, different > 1)


def _direction(order: tuple[int, ...]) -> str:
    if len(set(order)) == 1:
        return "always the same waiter"
    if list(order) == sorted(set(order)):
        return "the lowest number first"
    if list(order) == sorted(set(order), reverse=True):
        return "the highest number first"
    return "in no simple order"
