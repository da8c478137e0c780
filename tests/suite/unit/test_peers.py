"""The table of other suites' cases is true: its claims are there, each case is judged or has a reason."""

from __future__ import annotations

import pytest

from probes import catalogue
from tests.kernel.graph_cases import BOTH, JUST_ONE, LOOKS, ONE_INSIDE

from .peers import PEERS, PeerCase

CASES = [pytest.param(case, id=f"{case.name[:30]}") for cases in PEERS.values() for case in cases]


@pytest.mark.parametrize("case", CASES)
def test_it_is_judged_or_there_is_a_reason(case: PeerCase) -> None:
    assert bool(case.claims) != bool(case.why_not)
    known = {claim["id"] for claim in catalogue.load()}
    assert [claim for claim in case.claims if claim not in known] == []


def test_the_arrangements_are_numbered_as_the_kernels_are() -> None:
    """One that is left out, or counted twice, would shift all that follow."""
    numbers = sorted(graph.number for graphs in (LOOKS, BOTH, JUST_ONE, ONE_INSIDE) for graph in graphs)
    assert numbers == list(range(1, 59))


def test_arrangements_in_words_differ() -> None:
    words = [graph.in_words for graph in LOOKS]
    assert len(set(words)) == len(words)
