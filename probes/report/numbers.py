"""Numbers of one case that can be compared between runs: what a hash or a race decides is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..axes import ACCEPTS, WRITTEN
from . import strategies
from .figures import UNKNOWN, Spread, conclusive, over

FREE_OF_RACES = "hold"
"""Only where waiters touch nothing does a figure say what the kernel decided; else it is a race."""


def is_left_to_chance(axes: Mapping[str, Any]) -> bool:
    """Whether a hash or a race decides how many waiters are woken, so that two runs of one kernel may differ."""
    acts = axes["reaction"] != FREE_OF_RACES
    # A hash of the flow chooses the members of a group: its seed is drawn at boot, and the port is another each time.
    hashed = axes["sharing"] == "nothing" and axes["source"] not in WRITTEN and axes["k"] > 1
    # Each return wakes the next waiter of the instance, until one of those that act has taken the connection.
    passed_on = acts and axes["sharing"] == "epoll" and axes["trigger"] in ("level", "exclusive")
    # Waiters of a burst run while it goes on.  Only accept, under hold, has a waiter of its own for each connection.
    burst = axes["stimulus"] == "burst" and axes["k"] > 1 and (acts or axes["call"] not in ACCEPTS)
    return hashed or passed_on or burst


def comparable(case: Mapping[str, Any]) -> dict[str, str]:
    """What can be compared of a case: `woken` and `returned` under hold, and the order of a series.

    What nobody saw, what is left to chance, and an order that was not the same in all trials of the run, is not there.
    """
    axes = case["scenario"]
    if axes is None or axes["reaction"] != FREE_OF_RACES or not case["trials"] or is_left_to_chance(axes):
        return {}
    figures = over(case["trials"])
    numbers = {name: str(figures[name]) for name in ("woken", "returned") if figures[name].known}
    order = _order(case["trials"]) if axes["stimulus"] == "one-by-one" else None
    return {**numbers, "order": order} if order is not None else numbers


def woken_of_all(claim: Mapping[str, Any]) -> str | None:
    """`8/8`: how many were woken on the standard scene, where all cases of the claim there say the same.

    Under hold, or where the claim has no such case, under accept.  `?/8` if nobody saw.
    """
    for reaction in strategies.REACTIONS:
        spreads = {
            str(over(case["trials"])["woken"])
            for case in claim["cases"]
            if case["trials"] and strategies.is_standard(case["scenario"]) and case["scenario"]["reaction"] == reaction
        }
        if spreads:
            return f"{spreads.pop()}/{strategies.N}" if len(spreads) == 1 else None
    return None


def decided(claim: Mapping[str, Any]) -> str | None:
    """The same number where no race had a part in it and somebody saw; else None."""
    standard = [case for case in claim["cases"] if case["trials"] and strategies.is_standard(case["scenario"])]
    if not any(case["scenario"]["reaction"] == FREE_OF_RACES for case in standard):
        return None
    number = woken_of_all(claim)
    return None if number is None or number.startswith(UNKNOWN) else number


def races_apart(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, str] | None:
    """Woken in the same case of two runs, where waiters act: only if the two ranges do not meet.

    None, too, where chance decides: then ranges of few trials need not meet.
    """
    axes = before["scenario"]
    if not (before["trials"] and after["trials"]) or axes is None or is_left_to_chance(axes):
        return None
    old, new = (over(case["trials"])["woken"] for case in (before, after))
    return (str(old), str(new)) if _disjoint(old, new) else None


def _disjoint(spread: Spread, other: Spread) -> bool:
    if spread.low is None or spread.high is None or other.low is None or other.high is None:
        return False
    return spread.high < other.low or other.high < spread.low


def _order(trials: Sequence[Mapping[str, Any]]) -> str | None:
    orders = {
        " ".join("+".join(f"w{i}" for i in sorted(step["order"])) or "nobody" for step in trial["steps"])
        for trial in conclusive(trials)
        if trial["steps"]
    }
    return orders.pop() if len(orders) == 1 else None
