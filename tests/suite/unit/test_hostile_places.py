"""On a healthy kernel no claim is broken, whatever neighbours do to a trial or an experiment."""

from __future__ import annotations

import errno
from types import FunctionType
from typing import Any

import pytest

from probes.case import Case, Facts
from probes.refusals import REMEDIES
from probes.verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE, Inconclusive

from .hostile import PLACES, ObserversGone, Place, RecordLost
from .judging import claims_with_stars, scenarios_of, verdict_on
from .test_experiments_can_fail import _cases, _Obliging, _verdict

pytestmark = pytest.mark.long
_TOLD = [place for place in PLACES if place not in (RecordLost, ObserversGone)]
"""The places of which the lab says in each disturbed trial that it proves nothing."""


def _verdicts(place: type[Place], often: float, *, noticed: bool = True) -> dict[tuple[str, str], str]:
    """The verdict of every claim on each of its scenarios, and of each with a seed of its own."""
    verdicts = {}
    for name in claims_with_stars():
        for seed, scenario in enumerate(scenarios_of(name)):
            kernel = place(seed, often, noticed=noticed)
            verdicts[name, scenario.id] = verdict_on(kernel, name, scenario, untraced=1)[0]
    return verdicts


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_no_claim_is_broken(place: type[Place]) -> None:
    verdicts = _verdicts(place, often=0.5)
    assert {case: verdict for case, verdict in verdicts.items() if verdict not in (HELD, INCONCLUSIVE)} == {}
    assert set(verdicts.values()) >= {HELD} | ({INCONCLUSIVE} if place is not RecordLost else set())


@pytest.mark.parametrize("place", _TOLD, ids=lambda place: place.__name__)
def test_nothing_is_held_where_every_trial_is_disturbed(place: type[Place]) -> None:
    verdicts = _verdicts(place, often=1)
    assert {case: verdict for case, verdict in verdicts.items() if verdict != INCONCLUSIVE} == {}


@pytest.mark.parametrize("place", [each for each in PLACES if each.breaks], ids=lambda place: place.__name__)
def test_place_is_hostile(place: type[Place]) -> None:
    """If the lab did not notice the disturbance, claims would be broken."""
    assert BROKEN in _verdicts(place, often=1, noticed=False).values()


def test_claims_about_who_was_woken_are_not_held_by_the_blind() -> None:
    verdicts = _verdicts(ObserversGone, often=1)
    assert verdicts["accept.wakes-one", "accept/tcp4/n8/hold/one-connection"] == INCONCLUSIVE


@pytest.mark.parametrize(("test", "arguments"), list(_cases()))
def test_no_experiment_is_broken(test: FunctionType, arguments: dict[str, Any]) -> None:
    """Its k-th play cannot go on, one fact was not noted, or one is an error that tells of the surroundings."""
    expected: dict[tuple[str, str], Any] = {}
    assert _verdict(test, arguments, lambda key, case: _Obliging(expected, key, case)) == HELD
    for fact, allowed in expected.items():
        missing = _verdict(test, arguments, lambda key, case, facts=fact: _Without(expected, key, case, facts))
        assert missing == INCONCLUSIVE, fact
        for error in map(errno.errorcode.__getitem__, REMEDIES):
            for seen in (error, [error], ["blocked", error]):
                if allowed == seen:
                    continue
                altered = {**expected, fact: seen}
                verdict = _verdict(test, arguments, lambda key, case, facts=altered: _Obliging(facts, key, case))
                assert verdict in (INCONCLUSIVE, NOT_APPLICABLE), (fact, seen)
    for k in range(len({key for key, _ in expected})):
        assert _verdict(test, arguments, _Disturbed(expected, k)) == INCONCLUSIVE


class _Without(_Obliging):
    """An experiment that ended before it could note one fact."""

    def __init__(self, notes: dict[tuple[str, str], Any], key: str, case: Case, missing: tuple[str, str]) -> None:
        super().__init__(notes, key, case)
        self._missing = missing

    def expect(self, id: str, allowed: Any) -> None:
        if (self._key, id) == self._missing:
            Facts({}, self._judged).expect(id, allowed)
        super().expect(id, allowed)


class _Disturbed:
    """Plays, of which the k-th is disturbed."""

    def __init__(self, notes: dict[tuple[str, str], Any], k: int) -> None:
        self._notes, self._left = notes, k

    def __call__(self, key: str, case: Case) -> Facts:
        if self._left == 0:
            raise Inconclusive("w0 was killed by somebody else (SIGKILL)")
        self._left -= 1
        return _Obliging(self._notes, key, case)
