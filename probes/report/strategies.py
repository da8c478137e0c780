"""The table that people copy: every strategy, eight waiters, one connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import axes as known_axes
from .. import scenario
from ..axes import SHARINGS
from ..names import strategy_in_words
from ..verdict import NOT_APPLICABLE
from .figures import Figures, over

N = 8
REACTIONS = {
    "hold": "a waiter that returned touches nothing and parks: this shows the wake policy of the kernel",
    "accept": "it takes the connection at once, then parks: this is what a server sees",
}


Rank = tuple[int, int, int]


@dataclass(frozen=True)
class StrategyRow:
    """A strategy, and its figures under each reaction: None if it was not run."""

    strategy: str
    """Its id."""
    name: str
    """The same for people."""
    figures: Mapping[str, Figures | None]
    absent: frozenset[str]
    """Reactions under which this kernel was asked and lacks the strategy."""


def rows(run: Mapping[str, Any]) -> list[StrategyRow]:
    """One row for each strategy that was tried on the standard scene, siblings next to each other."""
    tried: dict[tuple[Rank, str], dict[str, list[Mapping[str, Any]]]] = {}
    for case in cases(run):
        axes = case["scenario"]
        if is_standard(axes):
            reactions = tried.setdefault(place(axes), {})
            reactions.setdefault(axes["reaction"], []).append(case)
    return [_row(name, reactions) for (_, name), reactions in sorted(tried.items())]


def cases(run: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every case of the run that has a scenario, over all claims."""
    for claim in run["claims"]:
        yield from (case for case in claim["cases"] if case["scenario"])


def place(axes: Mapping[str, Any]) -> tuple[Rank, str]:
    """Where a strategy stands among the others, and its name: by call, sharing and trigger, as the nouns list them."""
    rank = (
        _rank(axes["call"], list(known_axes.CALLS)),
        _rank(axes["sharing"], list(known_axes.SHARINGS)),
        _rank(axes["trigger"], list(known_axes.TRIGGERS)),
    )
    return rank, scenario.strategy_name(axes["call"], axes["trigger"], axes["sharing"])


def _rank(word: str | None, known: Sequence[str]) -> int:
    """The place of a word in its order; words of a newer suite come last."""
    return known.index(word) if word in known else len(known)


def is_plain(axes: Mapping[str, Any]) -> bool:
    """Whether every axis that a strategy's table does not name has its default value."""
    default = scenario.default_registered(axes["sharing"])
    return (
        axes["source"] == "tcp4"
        and axes["waiter"] == "process"
        and axes["registered"] in (None, default)
        and axes.get("blocked", "in-order") == "in-order"
    )


def is_standard(axes: Mapping[str, Any]) -> bool:
    return is_plain(axes) and axes["n"] == N and axes["reaction"] in REACTIONS and axes["stimulus"] == "one-connection"


def _row(name: str, reactions: Mapping[str, Sequence[Mapping[str, Any]]]) -> StrategyRow:
    figures: dict[str, Figures | None] = {}
    absent = set()
    for reaction in REACTIONS:
        same = reactions.get(reaction, [])
        trials = _distinct(trial for case in same for trial in case["trials"])
        figures[reaction] = over(trials) if trials else None
        if not trials and any(case["verdict"] == NOT_APPLICABLE for case in same):
            absent.add(reaction)
    return StrategyRow(name, in_words(name), figures, frozenset(absent))


def in_words(strategy: str) -> str:
    """The name of a strategy for people, from its id."""
    call, *rest = strategy.split(".")
    sharing = next((word for word in rest if word in SHARINGS), "listener")
    trigger = next((word for word in rest if word not in SHARINGS), None)
    return strategy_in_words(call, trigger, sharing)


def _distinct(trials: Iterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each trial once: two claims may have been judged by the same trials.  No two take the same times."""
    return list({_what_happened(trial): trial for trial in trials}.values())


def _what_happened(trial: Mapping[str, Any]) -> tuple[Any, ...]:
    each = tuple((waiter["woken"], waiter["returned"], waiter["won"], waiter["at_us"]) for waiter in trial["waiters"])
    return trial["traced"], trial["inconclusive"], tuple(trial["timing_us"].items()), each
