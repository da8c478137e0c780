"""In no surrounding is a claim broken, and no reason is a line of Python."""

from __future__ import annotations

import pytest

from .outcomes import CODE, outcomes
from .places import PLACES


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_broken(place: str) -> None:
    judged = outcomes(place)
    assert [each for each in judged if each[2] == "broken"] == []
    assert [each for each in judged if each[3] and CODE.search(each[3])] == []
