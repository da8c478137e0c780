"""The verdict of a claim from those of its cases."""

from __future__ import annotations

from itertools import permutations

import pytest

from probes.verdict import BROKEN, HELD, INCONCLUSIVE, MEASURED, NOT_APPLICABLE, VERDICTS, of_claim


@pytest.mark.parametrize("verdict", VERDICTS)
def test_cases_that_agree(verdict: str) -> None:
    assert of_claim([verdict, verdict]) == verdict


@pytest.mark.parametrize(
    ("cases", "verdict"),
    [
        ((HELD, BROKEN, INCONCLUSIVE), BROKEN),
        ((HELD, INCONCLUSIVE, NOT_APPLICABLE), INCONCLUSIVE),
        ((HELD, NOT_APPLICABLE), HELD),
        ((MEASURED, NOT_APPLICABLE), MEASURED),
    ],
)
def test_the_one_that_needs_attention_wins_in_any_order(cases: tuple[str, ...], verdict: str) -> None:
    assert {of_claim(order) for order in permutations(cases)} == {verdict}


def test_no_case_is_no_yes() -> None:
    assert of_claim([]) == INCONCLUSIVE
