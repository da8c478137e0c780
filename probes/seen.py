"""What the trials of one case showed, and how a test asks them.

`seen.woken == 1` is asked of every trial.  It is False as soon as one trial answers otherwise; it
raises Inconclusive where no trial does, but one of them could not tell; only then is it True.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .evidence import Trial
from .scenario import Scenario
from .verdict import Inconclusive

_ALLOWS: dict[str, str] = {
    "==": "exactly {}",
    "!=": "anything but {}",
    "<=": "at most {}",
    ">=": "at least {}",
    "<": "less than {}",
    ">": "more than {}",
}
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


_MOST_ITEMS = 16


@dataclass(frozen=True)
class Contradiction:
    """What broke a claim: the trial, what it showed, and what the claim allows."""

    what: str
    value: Any
    allowed: str
    trial: Trial


@dataclass(frozen=True)
class TrialValue:
    """One trial's value for one question; None with a reason where it could not tell."""

    trial: Trial
    value: Any
    unknown: str | None = None


class Each:
    """One question put to every trial.  Compares with a value, or with another Each trial by trial."""

    __hash__ = None  # type: ignore[assignment]  # its == is a question, not an identity

    def __init__(self, what: str, values: Iterable[TrialValue], case: Seen) -> None:
        self.what = what
        self.values = tuple(values)
        self._case = case

    def __eq__(self, other: object) -> bool:
        return self._ask("==", other)

    def __ne__(self, other: object) -> bool:
        return self._ask("!=", other)

    def __le__(self, other: Any) -> bool:
        return self._ask("<=", other)

    def __ge__(self, other: Any) -> bool:
        return self._ask(">=", other)

    def __lt__(self, other: Any) -> bool:
        return self._ask("<", other)

    def __gt__(self, other: Any) -> bool:
        return self._ask(">", other)

    def __bool__(self) -> bool:
        raise TypeError(f"{self.what} is no yes or no: compare it with what the claim allows")

    def __repr__(self) -> str:
        return f"{self.what} " + ", ".join("?" if mine.unknown else str(mine.value) for mine in self.values)

    def _ask(self, sign: str, other: Any) -> bool:
        self._case.asked += 1
        if not self.values:
            raise Inconclusive(f"{self.what}: there is nothing to compare")
        if isinstance(other, Each) and len(other.values) != len(self.values):
            raise ValueError(f"{self.what} and {other.what} do not answer for the same trials")
        unknown: str | None = None
        failing: list[Contradiction] = []
        for place, mine in enumerate(self.values):
            against = other.values[place] if isinstance(other, Each) else TrialValue(mine.trial, other)
            reason = mine.unknown or against.unknown
            if reason is not None:
                unknown = unknown or reason
            elif not _TESTS[sign](mine.value, against.value):
                allowed = _ALLOWS[sign].format(plain(against.value))
                if isinstance(other, Each):
                    allowed += f" ({other.what})"
                failing.append(Contradiction(self.what, mine.value, allowed, mine.trial))
        self._case.note(failing)
        if failing:
            return False
        if unknown is not None:
            raise Inconclusive(unknown)
        return True


_SEEN_BY_SOME = ("woken", "returned", "won", "spurious", "order", "order of return")
"""What some observers see and others do not: *woken* by those that look at the scheduler, the others by the rest."""


class Seen:
    """The trials of one case."""

    def __init__(
        self,
        scenario: Scenario,
        trials: Iterable[Trial],
        why_not: Mapping[str, str | None],
        see_woken: Collection[str],
    ) -> None:
        """`why_not`: why each observer is missing, or None; `see_woken`: the observers that see who was woken."""
        self._see_woken = see_woken
        self.scenario = scenario
        self.trials = tuple(trials)
        self._why_not = why_not
        self.contradictions: list[Contradiction] = []
        """What the last comparison found; empty if it did not fail."""
        self.asked = 0
        """How many comparisons were made; without any, nothing was judged."""
        if not self.trials:
            raise Inconclusive("no trial was run")

    @property
    def woken(self) -> Each:
        """Waiters that moved at all."""
        return self.each("woken", lambda trial: trial.woken)

    @property
    def returned(self) -> Each:
        """Waiters whose wait call came back to user space."""
        return self.each("returned", lambda trial: trial.returned)

    @property
    def won(self) -> Each:
        """Waiters that took a connection."""
        return self.each("won", lambda trial: trial.won)

    @property
    def spurious(self) -> Each:
        """Waiters that came back and found nothing; unknown under hold."""
        return self.each("spurious", lambda trial: trial.spurious)

    @property
    def connections(self) -> Each:
        """Connections taken, by whomever."""
        return self.each("connections taken", lambda trial: trial.connections)

    @property
    def order(self) -> Each:
        """Waiters in the order in which they returned, step after step."""
        return self.each("order of return", lambda trial: trial.order)

    def each(self, what: str, of: Callable[[Trial], Any]) -> Each:
        """Any question to each trial; `of` gives None if the trial cannot tell."""

        def value_of(trial: Trial) -> TrialValue:
            if trial.inconclusive is not None:
                return TrialValue(trial, None, trial.inconclusive)
            value = of(trial)
            return TrialValue(trial, value, self._why_unknown(what) if value is None else None)

        return Each(what, map(value_of, self.trials), self)

    def each_step(self, name: str) -> Each:
        """One figure (woken, returned, won, connections, spurious, order, queued) of every step of every trial."""

        def values() -> Iterable[TrialValue]:
            for trial in self.trials:
                if trial.inconclusive is not None:
                    yield TrialValue(trial, None, trial.inconclusive)
                    continue
                for step in trial.steps:
                    value = getattr(step, name)
                    yield TrialValue(trial, value, self._why_unknown(name) if value is None else None)

        return Each(f"{name} per step", values(), self)

    def note(self, contradictions: list[Contradiction]) -> None:
        """Keep what the last comparison found, for the failure text."""
        self.contradictions = contradictions

    @property
    def inconclusive(self) -> str | None:
        """Why a trial could not be judged; None if all could."""
        return next((trial.inconclusive for trial in self.trials if trial.inconclusive is not None), None)

    def _why_unknown(self, what: str) -> str:
        missing = [
            f"{name}: {why}"
            for name, why in self._why_not.items()
            if why is not None and (what not in _SEEN_BY_SOME or (name in self._see_woken) is (what == "woken"))
        ]
        return f"{what} was not observed ({'; '.join(missing) or 'this scenario does not show it'})"


def plain(value: Any) -> str:
    """A value in words: a sequence as its items, the first sixteen of a long one."""
    if not isinstance(value, (list, tuple)):
        return str(value)
    shown = " ".join(map(str, value[:_MOST_ITEMS]))
    return shown if len(value) <= _MOST_ITEMS else f"{shown} ... ({len(value)} in all)"
