"""The command that names the models that break a claim says what breaks.py says."""

from __future__ import annotations

import pytest

from .breakers import main
from .breaks import BREAKS

CLAIM = "read.pipe-wakes-one"


def test_names_the_models_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([CLAIM]) == 0
    named = capsys.readouterr().out.partition(": ")[2].split()
    assert named == [make.__name__ for make, claims in BREAKS.items() if CLAIM in claims]


@pytest.mark.parametrize("claims", [[], ["read.nonsense"], ["sockets.no-such"]])
def test_what_is_no_claim_about_a_herd_is_named(claims: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(claims) == 2
    assert capsys.readouterr().err == f"no claim about a herd: {' '.join(claims) or 'name one'}\n"
