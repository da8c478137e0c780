"""The pages made from the tests are up to date, and what they promise is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import catalogue, host
from probes.scenario import Scenario
from probes.seen import Seen
from probes.star import PRESETS, scenarios
from probes.verdict import Inconclusive

from . import chances
from .breaks import BREAKS
from .caught import CAUGHT
from .judging import claims_with_stars
from .pages import PAGES

CLAIMS = {claim["id"]: claim["chapter"] for claim in catalogue.load()}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_is_up_to_date(path: Path) -> None:
    if path.read_text(encoding="utf-8") != PAGES[path]():
        pytest.fail(
            f"{path.relative_to(host.PROJECT)} is not what the tests say: "
            "run `python -m tests.suite.unit.pages`, and commit what it writes"
        )


def test_every_chapter_says_which_broken_kernel_it_would_catch() -> None:
    played = {claim.lstrip("?").split(".")[0] for claims in BREAKS.values() for claim in claims}
    assert played | set(CAUGHT) == set(CLAIMS.values())


def test_claims_that_would_break_exist_in_their_chapter() -> None:
    for chapter, kernels in CAUGHT.items():
        assert {CLAIMS[claim] for claim in kernels.values()} == {chapter}


def test_lost_wake_up_in_twenty_is_caught_by_the_default_run() -> None:
    """Under whatever one strategy it is lost, with more than 99.9 %."""
    assert chances.rare_fault_passes(chances.fewest_chances(PRESETS["default"])) < 0.001


def test_healthy_reuseport_group_fails_less_than_once_in_a_million_runs() -> None:
    for preset in PRESETS.values():
        count = len(chances.scenarios("reuseport.spreads", preset)) * chances.trials(preset)
        assert count * (chances.within_half_of_the_sockets() + chances.one_socket_gets(28)) < 1e-6


@pytest.mark.parametrize("claim", chances.ORDERS)
@pytest.mark.parametrize("preset", PRESETS)
def test_order_by_chance_does_not_pass(claim: str, preset: str) -> None:
    assert chances.random_order_passes(claim, PRESETS[preset]) < 1e-15


def test_the_claims_that_are_counted_in_part_are_those_that_ask_for_it() -> None:
    """What docs/statistics.md says of the fast preset rests on that list."""
    asked = []

    def herd(scenario: Scenario, *, in_part: bool = False) -> Seen:
        asked.append(in_part)
        raise Inconclusive("nothing is run")

    for test in claims_with_stars().values():
        with pytest.raises(Inconclusive):
            test(herd, next(iter(scenarios(test, PRESETS["default"]).values())))
    assert {claim for claim, in_part in zip(claims_with_stars(), asked, strict=True) if in_part} == set(chances.IN_PART)


def test_every_claim_on_an_order_is_in_the_table() -> None:
    """N2 is the row of the wake orders."""
    orders = {claim["id"] for claim in catalogue.load() if "N2" in claim["rows"] and "/" in claim["cases"][0]}
    assert orders <= set(chances.ORDERS)
