"""The observers of one conductor, and what they say about one step of a trial.

For each waiter an observer has a count, or there is None: the observer is missing, denied, or switched off.  Two
observers of the same thing must agree, waiter by waiter.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from .. import observers
from ..observers import RETURNED, WOKEN, AtRest, Lost, Observer, Waking, task_files

SWITCHED_OFF = "switched off by --herd-without"


class Instruments:
    """Finds out once which observers this kernel and this user allow, and reads those."""

    def __init__(self, without: Collection[str], *, may_mount: bool) -> None:
        self.why_not: dict[str, str | None] = {}
        """For each observer, by name, why it is missing, or None."""
        self._on: list[Observer] = []
        for kind in observers.OBSERVERS:
            observer = kind()
            why_not = SWITCHED_OFF if kind.name in without else observer.why_missing(may_mount=may_mount)
            self.why_not[kind.name] = why_not
            if why_not is None:
                self._on.append(observer)
        self.why_no_syscall_file = task_files.why_no_syscall_file()

    @property
    def of_every_task(self) -> list[Observer]:
        """The active observers that can count for any task."""
        return [observer for observer in self._on if observer.sees_every_task]

    @property
    def why_blind(self) -> str:
        """Why no observer can count for any task, in words."""
        kinds = [kind for kind in observers.OBSERVERS if kind.sees_every_task]
        return "; ".join(f"{kind.name}: {self.why_not[kind.name]}" for kind in kinds)

    def forget(self) -> None:
        """Drop what was seen so far: call it just before the stimulus, so that the arrangement does not count."""
        for observer in self._on:
            observer.forget()

    def wakings(self) -> list[Waking]:
        """Who woke whom between `forget` and the last snapshot."""
        return sorted(waking for observer in self._on for waking in observer.wakings())

    def recent_wakings(self) -> list[Waking]:
        """Those wake-ups that the last snapshot added."""
        return [waking for observer in self._on for waking in observer.recent()]

    def take_in(self) -> list[Waking] | None:
        """Who woke whom since `forget`; None if records were lost."""
        try:
            for observer in self._on:
                observer.take_in()
        except Lost:
            return None
        return self.wakings()

    def snapshot(self, tasks: Sequence[AtRest]) -> Snapshot:
        """What every observer has counted by now; all of these waiters must be at rest."""
        counts: dict[str, list[int | None] | None] = dict.fromkeys(observers.names())
        lost = {}
        for observer in self._on:
            try:
                observer.take_in()
                counts[observer.name] = [observer.count(task) for task in tasks]
            except Lost as reason:
                lost[observer.name] = str(reason)
        return Snapshot(counts, lost)


@dataclass(frozen=True)
class Snapshot:
    """What every observer had counted at one moment; one list entry per waiter."""

    counts: dict[str, list[int | None] | None]
    """By observer; None for one that is missing."""
    lost: dict[str, str]
    """Observers that have lost their count since the last snapshot, with the reason."""

    def since(self, before: Snapshot) -> Moved:
        """Who moved between that snapshot and this one."""
        return Moved({name: _changed(before.counts[name], counts) for name, counts in self.counts.items()})


@dataclass(frozen=True)
class Moved:
    """The waiters that moved, according to each observer; None for an observer that is missing, or cannot say."""

    by_observer: dict[str, set[int] | None]

    @cached_property
    def woken(self) -> set[int] | None:
        """According to the first observer of wake-ups that is there (if others disagree, the trial is inconclusive)."""
        return self._first(WOKEN)

    @cached_property
    def returned(self) -> set[int] | None:
        """According to the first observer of returns that is there."""
        return self._first(RETURNED)

    def disagreement(self) -> str | None:
        """Which observers contradict each other, and about whom; None if they agree."""
        for what in (RETURNED, WOKEN):
            known = self._known(what)
            for name, seen in known[1:]:
                if seen != known[0][1]:
                    return f"{what}: {known[0][0]} saw {_names(known[0][1])}, {name} saw {_names(seen)}"
        woken, returned = self.woken, self.returned
        if woken is not None and returned is not None and not returned <= woken:
            return f"{_names(returned - woken)} returned, and the scheduler's observers saw no wake-up of it"
        return None

    def _first(self, what: str) -> set[int] | None:
        known = self._known(what)
        return known[0][1] if known else None

    def _known(self, what: str) -> list[tuple[str, set[int]]]:
        seen = [(name, self.by_observer.get(name)) for name in observers.names(what)]
        return [(name, who) for name, who in seen if who is not None]


def _changed(before: list[int | None] | None, after: list[int | None] | None) -> set[int] | None:
    if before is None or after is None or None in before or None in after:
        return None
    if before == after:
        return set()
    return {i for i, (then, now) in enumerate(zip(before, after, strict=True)) if then != now}


def _names(who: Collection[int]) -> str:
    return " ".join(f"w{i}" for i in sorted(who)) or "none"
