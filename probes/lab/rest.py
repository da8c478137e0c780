"""Rest: how the lab decides that tasks sleep, everywhere in the same way.

Waiters, actors and the threads of a server are looked at from outside until two successive looks are equal: then none
of them moved in between.  So there was an instant between the two looks at which all of them slept, and from then on a
wake-up can only come from outside.

The caller decides what a look is, and which look shows rest.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from ..observers.task_files import Sighting, TaskFiles
from ..verdict import Inconclusive
from .deadline import until

Look = TypeVar("Look")


def two_equal_looks(
    look: Callable[[], Look],
    rests: Callable[[Look], bool],
    otherwise: Callable[[Look | None], str],
    *,
    scale: float = 1.0,
    limit_s: float | None = None,
) -> Look:
    """Look until two successive looks are equal and, according to `rests`, show rest; returns the second.

    Raises Inconclusive at the deadline (see `until`), with what `otherwise` returns for the last look.
    """
    last: Look | None = None

    def equal() -> bool:
        nonlocal last
        before, last = last, look()
        return last == before and rests(last)

    until(equal, lambda: otherwise(last), scale, limit_s=limit_s)
    assert last is not None
    return last


class Sleeper(Protocol):
    """A task of the lab: a waiter or an actor."""

    @property
    def name(self) -> str: ...

    def look(self) -> Sighting:
        """Look at it once.  Raises Inconclusive if somebody else has killed or stopped it."""


SomeSleeper = TypeVar("SomeSleeper", bound=Sleeper)


def all_at_rest(
    sleepers: Sequence[SomeSleeper],
    rests: Callable[[SomeSleeper, Sighting], bool],
    *,
    before_each_look: Callable[[], object] = lambda: None,
    scale: float = 1.0,
) -> list[Sighting]:
    """Return once all of them are at rest at the same time; returns the last look at each.

    `rests` says whether a look shows a sleeper at rest.  Raises Inconclusive at the deadline.
    """

    def look() -> tuple[list[Sighting], SomeSleeper | None]:
        """A look at each, up to the first one that is not at rest, and that one; the others need no look then."""
        before_each_look()
        sightings = []
        for sleeper in sleepers:
            sightings.append(sleeper.look())
            if not rests(sleeper, sightings[-1]):
                return sightings, sleeper
        return sightings, None

    def otherwise(last: tuple[list[Sighting], SomeSleeper | None] | None) -> str:
        restless = last[1] if last else None
        if last is None or restless is None:
            return f"{', '.join(sleeper.name for sleeper in sleepers)} did not come to rest: they kept moving"
        return f"{restless.name} did not come to rest ({in_words(last[0][-1])})"

    return two_equal_looks(look, lambda last: last[1] is None, otherwise, scale=scale)[0]


def all_at_rest_again(
    sleepers: Sequence[SomeSleeper],
    rests: Callable[[SomeSleeper, Sighting], bool],
    rested: Sequence[Sighting],
    *,
    likely: Callable[[], Iterable[int]],
    before_each_look: Callable[[], object] = lambda: None,
    scale: float = 1.0,
) -> list[Sighting]:
    """The same for sleepers that were all at rest once, and looked like `rested` then: most have not moved since.

    Who still looks the same has slept since then, and one look shows that.  Those who moved are looked at twice.  Once
    each of them has been looked at for the first time, all others are, and then each of them again: so all of them
    slept when the last one was looked at for the first time.  This needs looks that read the switches last: they were
    as many when it was already seen asleep (`TaskFiles.look`).  `likely` names those who have probably moved, by their
    places: they are looked at first, so that few must be looked at again.
    """
    seen: dict[int, Sighting] = {}
    restless: int | None = None

    def slept_at_once() -> bool:
        nonlocal restless
        before_each_look()
        first = dict.fromkeys(likely())
        order = [*first, *(place for place in range(len(sleepers)) if place not in first)]
        for place in order:
            restless = place
            seen[place] = sleepers[place].look()
            if not rests(sleepers[place], seen[place]):
                return False
        restless = None
        moved = {place for place in order if seen[place] != rested[place] or not _shows_a_move(seen[place])}
        behind = max((order.index(place) for place in moved), default=0)
        before_each_look()
        again = [place for place in order[:behind] if place not in moved]
        return all(sleepers[place].look() == seen[place] for place in (*again, *moved))

    def otherwise() -> str:
        if restless is None:
            return f"{', '.join(sleeper.name for sleeper in sleepers)} did not come to rest: they kept moving"
        return f"{sleepers[restless].name} did not come to rest ({in_words(seen[restless])})"

    until(slept_at_once, otherwise, scale)
    return [seen[place] for place in range(len(sleepers))]


def _shows_a_move(sighting: Sighting) -> bool:
    """Whether it would look otherwise if the sleeper had run since it last looked like this.

    Without a count of switches, who slept, ran and sleeps again looks the same.  And so does who ran and was preempted
    just before it sleeps again, if the kernel does not say that it is off the run queue (`TaskFiles.syscall`).
    """
    return sighting.switches is not None and sighting.syscall is not None


def look_at(files: TaskFiles, name: str, *, stands: bool | None = False) -> Sighting:
    """Look once at a task of the lab; `stands`: whether the lab itself has stopped it (None: it is just doing so).

    Raises Inconclusive if somebody else has killed, stopped or continued it: what it does from then on, or does not do,
    may be due to that, and says nothing about the kernel.
    """
    try:
        sighting = files.look()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Inconclusive(f"{name} was killed by somebody else: it is gone") from error
    if sighting.state in "ZXx":
        raise Inconclusive(f"{name} was killed by somebody else, or ended on its own: it is dead")
    if stands is not None and (sighting.state == "T") != stands:
        raise Inconclusive(f"{name} was {'let go on' if stands else 'stopped'} by somebody else")
    return sighting


def in_words(sighting: Sighting | None) -> str:
    """A look in words, for a reason: `state S in system call 43`."""
    if sighting is None:
        return "never seen"
    return f"state {sighting.state}" + ("" if sighting.syscall is None else f" in system call {sighting.syscall}")


def signal_name(number: int) -> str:
    """`SIGSTOP` for 19; a real-time signal has only its number."""
    return next((each.name for each in signal.Signals if each == number), f"signal {number}")
