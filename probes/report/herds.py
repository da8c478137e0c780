"""The herd of the strategies that people use: what happened to each of eight workers when one connection arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cost.reading import RETURNED, SLEPT, WOKEN, WON
from . import strategies
from .figures import Figures, conclusive
from .strategies import N

Run = Mapping[str, Any]

UNSEEN = "unseen"
"""The state of a worker that nobody could see."""

MEANINGS = {
    SLEPT: "slept on",
    WOKEN: "was woken, and slept again inside the kernel",
    RETURNED: "its call returned, and nothing was there",
    WON: "took the connection",
    UNSEEN: "nobody could see it",
}
"""What each dot says, in the order of the legend."""

_LACKING = "this kernel lacks it"

PEOPLE_USE = (
    "accept",
    "poll",
    "epoll_wait.level.listener",
    "epoll_wait.exclusive.listener",
    "epoll_wait.level.epoll",
    "epoll_wait.edge.epoll",
    "accept.nothing",
    "epoll_wait.level.nothing",
)
"""The strategies that servers use, in the order in which they are shown."""


@dataclass(frozen=True)
class ShownHerd:
    """One strategy, and one trial that stands for most of them."""

    strategy: str
    name: str
    states: tuple[str, ...]
    """One for each worker, in the order in which they blocked; empty if nothing was seen."""
    figures: Figures | None
    """Over all trials of eight workers that accept at once."""
    why_not: str | None
    """Why there are no dots, in words."""

    @property
    def words(self) -> str:
        """`8 of 8 woken, 2 returned, 1 took it`: what the dots show, for those who cannot see them."""
        if self.why_not is not None:
            return self.why_not
        count = Counter(self.states)
        if count[UNSEEN]:
            return f"{count[WON]} took it; nobody could see who was woken"
        woken = len(self.states) - count[SLEPT]
        return f"{woken} of {len(self.states)} woken, {count[RETURNED] + count[WON]} returned, {count[WON]} took it"

    @property
    def in_all_trials(self) -> str | None:
        """`2–3 woken in all trials`, where they differ."""
        if self.figures is None or self.figures["woken"].low == self.figures["woken"].high:
            return None
        return f"{self.figures['woken']} woken in {self.figures.trials} trials"

    @property
    def lacking(self) -> bool:
        """Whether this kernel was asked, and does not have it."""
        return self.why_not == _LACKING

    @property
    def most(self) -> int | None:
        """How many one connection woke at most; None if nobody saw."""
        return self.figures["woken"].high if self.figures is not None else None


def herds(run: Run) -> list[ShownHerd]:
    """The strategies that people use, each with its dots."""
    rows = {row.strategy: row for row in strategies.rows(run)}
    trials: dict[str, list[Mapping[str, Any]]] = {}
    for case in strategies.cases(run):
        axes = case["scenario"]
        if strategies.is_standard(axes) and axes["reaction"] == "accept":
            trials.setdefault(strategies.place(axes)[1], []).extend(conclusive(case["trials"]))
    return [_herd(name, trials.get(name, []), rows.get(name)) for name in PEOPLE_USE]


def _herd(strategy: str, trials: Sequence[Mapping[str, Any]], row: strategies.StrategyRow | None) -> ShownHerd:
    figures = row.figures.get("accept") if row is not None else None
    if not trials:
        lacking = row is not None and "accept" in row.absent
        why_not = _LACKING if lacking else "not tried in this run"
        return ShownHerd(strategy, name_of(strategy), (), None, why_not)
    return ShownHerd(strategy, name_of(strategy), states_of(_typical(trials)), figures, None)


def name_of(strategy: str) -> str:
    """The strategy's name for people, from its id; `one listener` is added if the name would only be a call."""
    name = strategies.in_words(strategy)
    return f"{name}, one listener" if "." not in strategy else name


def _typical(trials: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first of those trials whose figures are the most frequent."""
    alike: dict[tuple[int | None, ...], list[Mapping[str, Any]]] = {}
    for trial in trials:
        alike.setdefault((trial["woken"], trial["returned"], trial["won"]), []).append(trial)
    return max(alike.values(), key=len)[0]


def states_of(trial: Mapping[str, Any]) -> tuple[str, ...]:
    """What became of each worker of a trial."""
    return tuple(_state(waiter) for waiter in trial["waiters"])


def _state(waiter: Mapping[str, Any]) -> str:
    if waiter["won"]:
        return WON
    if waiter["returned"]:
        return RETURNED
    if waiter["woken"] is None or waiter["returned"] is None:
        return UNSEEN
    return WOKEN if waiter["woken"] else SLEPT


_IN_PROSE = {
    "accept": "accept",
    "poll": "poll",
    "epoll_wait.level.listener": "epoll with an instance each",
    "epoll_wait.exclusive.listener": "epoll with EPOLLEXCLUSIVE",
    "epoll_wait.level.epoll": "one level-triggered epoll instance for all",
    "epoll_wait.edge.epoll": "one edge-triggered epoll instance for all",
    "accept.nothing": "SO_REUSEPORT with accept",
    "epoll_wait.level.nothing": "SO_REUSEPORT with epoll",
}
_BOTH = {"SO_REUSEPORT with accept", "SO_REUSEPORT with epoll"}


def sentence(shown: Sequence[ShownHerd]) -> str:
    """What the dots say: under which strategies one connection wakes all, several, one, or nobody."""
    wakes: dict[str, list[str]] = {}
    for herd in shown:
        if herd.most is not None:
            wakes.setdefault(how_many(herd.most), []).append(_IN_PROSE[herd.strategy])
    parts = [f"{number} under {joined(_merged(wakes[number]))}" for number in _NUMBERS if number in wakes]
    return f"One connection wakes {'; '.join(parts)}." if parts else "Nobody could see whom a connection wakes."


def in_prose(strategy: str) -> str:
    """The strategy within a sentence: `epoll with EPOLLEXCLUSIVE`."""
    return _IN_PROSE[strategy]


_NUMBERS = (f"all {N} workers", "several", "one", "none")


def how_many(most: int) -> str:
    """`all 8 workers`, `several`, `one` or `none`."""
    return _NUMBERS[0] if most == N else "several" if most > 1 else "one" if most else "none"


def _merged(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in _BOTH] + ["SO_REUSEPORT"] if set(names) >= _BOTH else list(names)


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
