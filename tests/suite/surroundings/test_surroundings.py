"""No surroundings break a claim, and no reason is a line of Python."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.suite.system.runs import SEED

from .neighbours import NEIGHBOURS
from .outcomes import CODE, beside, outcomes
from .places import PLACES


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_broken(place: str) -> None:
    judged = outcomes(place)
    assert [each for each in judged if each[2] == "broken"] == []
    assert [each for each in judged if each[3] and CODE.search(each[3])] == []


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_nothing_is_broken_beside(neighbour: str) -> None:
    """Every experiment, each disturbed once, at a random moment (WAKECHECK_SEED repeats it)."""
    judged = beside(neighbour, SEED)
    assert [each for each in judged if each[2] == "broken"] == [], SEED
    assert [each for each in judged if each[3] and CODE.search(each[3])] == [], SEED
    disturbed = Counter(each[2] for each in judged if each[4])
    print(f"{neighbour}: {disturbed.total()} of {len(judged)} experiments were disturbed: {dict(disturbed)}")
    assert disturbed["inconclusive"]
