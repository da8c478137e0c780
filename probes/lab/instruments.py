"""The observers of one conductor, and what they say about one step of a trial.

Each observer answers for the waiters it was asked about, or is None: absent, denied, or switched
off.  What two of them say about the same thing must agree, waiter by waiter.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .. import observers
from ..observers import RETURNED, WOKEN, AtRest, Lost, Observer, Waking, task_files

SWITCHED_OFF = "switched off by --herd-without"


class Instruments:
    """Probes once which observers this kernel and user allow, and asks those that are on."""

    def __init__(self, without: Collection[str], *, may_mount: bool) -> None:
        self.why_not: dict[str, str | None] = {}
        """By name: why an observer is missing, or None."""
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
        """Those that are on, and can count for any task."""
        return [observer for observer in self._on if observer.sees_every_task]

    @property
    def why_blind(self) -> str:
        """Why no observer can count for any task, where none can."""
        kinds = [kind for kind in observers.OBSERVERS if kind.sees_every_task]
        return "; ".join(f"{kind.name}: {self.why_not[kind.name]}" for kind in kinds)

    def forget(self) -> None:
        """The stimulus comes next: what the arrangement itself moved does not count."""
        for observer in self._on:
            observer.forget()

    def wakings(self) -> list[Waking]:
        """Who woke whom since `forget`, as far as a snapshot has taken it in."""
        return sorted(waking for observer in self._on for waking in observer.wakings())

    def recent_wakings(self) -> list[Waking]:
        """Those of them that the last snapshot has taken in."""
        return [waking for observer in self._on for waking in observer.recent()]

    def take_in(self) -> list[Waking] | None:
        """Who woke whom since `forget`, whoever was watched; None if that was lost."""
        try:
            for observer in self._on:
                observer.take_in()
        except Lost:
            return None
        return self.wakings()

    def snapshot(self, tasks: Sequence[AtRest]) -> Snapshot:
        """Everything that is counted now, while all of these waiters are at rest."""
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
    """None for an observer that is not there."""
    lost: dict[str, str]
    """Observers that were there and lost their count since the last snapshot, with the reason."""

    def since(self, before: Snapshot) -> Moved:
        """Who moved between that snapshot and this one."""
        return Moved({name: _changed(before.counts[name], counts) for name, counts in self.counts.items()})


@dataclass(frozen=True)
class Moved:
    """The waiters that moved, as each observer saw it; None for an observer that is not there, or cannot say."""

    by_observer: dict[str, set[int] | None]

    @property
    def woken(self) -> set[int] | None:
        """As the first observer of it that is there saw it (all agree, or the trial is inconclusive)."""
        return self._first(WOKEN)

    @property
    def returned(self) -> set[int] | None:
        """Likewise."""
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
    return {i for i, (then, now) in enumerate(zip(before, after, strict=True)) if then != now}


def _names(who: Collection[int]) -> str:
    return " ".join(f"w{i}" for i in sorted(who)) or "none"
