"""How the lab decides that tasks sleep, on invented looks."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from probes.lab import deadline
from probes.lab.rest import all_at_rest, all_at_rest_again, look_at, two_equal_looks
from probes.observers.task_files import Sighting
from probes.verdict import Inconclusive

ASLEEP, RUNNING = Sighting("S", 7, 43), Sighting("R", 7, None)


class _Task:
    """Shows these looks one after the other, the last one for ever."""

    name = "w3"

    def __init__(self, *looks: Sighting) -> None:
        self._looks = list(looks)
        self.taken = 0

    def look(self) -> Sighting:
        self.taken += 1
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]


def _sleeps(_: object, sighting: Sighting) -> bool:
    return sighting.state == "S"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_patience_s", 0.0)


def _numbers(*values: int) -> Iterator[int]:
    yield from values


@pytest.mark.parametrize(
    ("values", "last"),
    [((4, 4), 4), ((1, 2, 1, 2, 2), 2), ((3, 3, 4, 4), 4)],
    ids=["at once", "only successive ones count", "three is no rest"],
)
def test_two_successive_looks(values: tuple[int, ...], last: int) -> None:
    numbers = _numbers(*values)
    assert two_equal_looks(lambda: next(numbers), lambda number: number != 3, lambda _: "") == last
    assert list(numbers) == []


def test_one_look_is_not_enough() -> None:
    task = _Task(ASLEEP)
    assert all_at_rest([task], _sleeps) == [ASLEEP]
    assert task.taken == 2


def test_one_that_moves_in_between_begins_it_anew_for_all() -> None:
    still, moving = _Task(ASLEEP), _Task(ASLEEP, Sighting("S", 8, 43), Sighting("S", 8, 43))
    assert all_at_rest([still, moving], _sleeps)[1].switches == 8
    assert still.taken == 3


def test_who_runs_ends_the_look() -> None:
    """Those behind it are not looked at: the look at all of them will have to be taken again."""
    running, behind = _Task(RUNNING, ASLEEP), _Task(ASLEEP)
    all_at_rest([running, behind], _sleeps)
    assert (running.taken, behind.taken) == (3, 2)


class _World:
    """Sleepers in a world in which each look takes one tick; each runs in some of the ticks, and counts that."""

    def __init__(self, *runs: set[int]) -> None:
        self.now = 0
        self.looks: list[int] = []
        self.sleepers = [_Sleeper(place, self, runs_in) for place, runs_in in enumerate(runs)]
        self.rested = [Sighting("S", 0, 43) for _ in runs]

    def all_slept_at_once(self) -> bool:
        return any(not any(tick in each.runs_in for each in self.sleepers) for tick in range(self.now))

    def rest(self, *likely: int) -> list[Sighting]:
        return all_at_rest_again(self.sleepers, _sleeps, self.rested, likely=lambda: likely)


class _Sleeper:
    def __init__(self, place: int, world: _World, runs_in: set[int]) -> None:
        self.name = f"w{place}"
        self.runs_in = runs_in
        self._place, self._world = place, world

    def look(self) -> Sighting:
        now = self._world.now
        self._world.now += 1
        self._world.looks.append(self._place)
        return Sighting("R" if now in self.runs_in else "S", sum(tick < now for tick in self.runs_in), 43)


STAYS: set[int] = set()
EARLIER = {-1}
"""Runs before the first look, and not again."""


@pytest.mark.parametrize(
    ("runs", "likely", "looks"),
    [
        ((STAYS, STAYS, STAYS), (), [0, 1, 2]),
        ((STAYS, EARLIER, STAYS), (1,), [1, 0, 2, 1]),
        ((STAYS, EARLIER, STAYS), (), [0, 1, 2, 0, 1]),
        ((EARLIER, EARLIER), (1, 0), [1, 0, 0, 1]),
        ((STAYS, STAYS), (1,), [1, 0]),
        (({0}, STAYS), (), [0, 0, 1, 0]),
        (({-1, 2}, STAYS), (0,), [0, 1, 0, 0, 1, 0]),
    ],
    ids=[
        "who did not move is looked at once",
        "who moved, before and after all others",
        "those before whom it stands, again",
        "all moved",
        "it did not move after all",
        "it runs still",
        "it ran once more",
    ],
)
def test_who_slept_on_is_looked_at_once(runs: tuple[set[int], ...], likely: tuple[int, ...], looks: list[int]) -> None:
    world = _World(*runs)
    world.rest(*likely)
    assert world.looks == looks


@pytest.mark.parametrize("still", [Sighting("S", None, 43), Sighting("S", 7, None)], ids=["no switches", "no call"])
def test_where_a_look_may_hide_a_move_all_are_looked_at_twice(still: Sighting) -> None:
    tasks = [_Task(still), _Task(still)]
    assert all_at_rest_again(tasks, _sleeps, [still, still], likely=lambda: ()) == [still, still]
    assert [task.taken for task in tasks] == [2, 2]


def test_there_was_an_instant_at_which_all_slept() -> None:
    """Whoever runs when, and whoever is expected to have moved."""
    chance = random.Random(4)
    for _ in range(2000):
        world = _World(*({tick for tick in range(-3, 25) if chance.random() < 0.25} for _ in range(3)))
        world.rest(*(place for place in range(3) if chance.random() < 0.5))
        assert world.all_slept_at_once(), [each.runs_in for each in world.sleepers]


@pytest.mark.usefixtures("impatient")
def test_who_did_not_come_to_rest_again_is_named() -> None:
    with pytest.raises(Inconclusive, match=r"w1 did not come to rest \(state R in system call 43\)"):
        _World(STAYS, set(range(10_000))).rest()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        ((RUNNING,), r"w3 did not come to rest \(state R\) within 0 s"),
        (
            tuple(Sighting("S", count, 43) for count in range(500)),
            "w3 did not come to rest: they kept moving within 0 s",
        ),
    ],
)
def test_deadline_says_what_was_seen(looks: tuple[Sighting, ...], reason: str) -> None:
    task = _Task(*looks)
    with pytest.raises(Inconclusive, match=reason):
        all_at_rest([task], _sleeps)
    assert task.taken > deadline.FEWEST_LOOKS, "a machine that stood still decides nothing"


class _Files:
    """The files of a task in this state; None: they are gone."""

    def __init__(self, state: str | None) -> None:
        self._state = state

    def look(self) -> Sighting:
        if self._state is None:
            raise ProcessLookupError
        return Sighting(self._state, 1, None)


@pytest.mark.parametrize(
    ("state", "stands", "reason"),
    [
        (None, False, "w3 was killed by somebody else"),
        ("Z", False, "w3 was killed by somebody else"),
        ("X", True, "w3 was killed by somebody else"),
        ("T", False, "w3 was stopped by somebody else"),
        ("S", True, "w3 was let go on by somebody else"),
    ],
)
def test_what_others_do_is_no_rest(state: str | None, stands: bool, reason: str) -> None:
    with pytest.raises(Inconclusive, match=reason):
        look_at(_Files(state), "w3", stands=stands)  # type: ignore[arg-type]  # asked for no more


@pytest.mark.parametrize(("state", "stands"), [("S", False), ("R", False), ("t", False), ("T", True), ("T", None)])
def test_what_may_be(state: str, stands: bool | None) -> None:
    assert look_at(_Files(state), "w3", stands=stands).state == state  # type: ignore[arg-type]
