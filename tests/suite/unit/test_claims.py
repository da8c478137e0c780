"""The decorator refuses what could not be printed, sorted or looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from probes import claims
from probes.claims import CLAIMS, LEVELS, LORE, OBSERVED, TRUTHS, claim, kernel, linux, man, text

BASIS = [man("poll", 2)]


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is claimed here is forgotten afterwards."""
    monkeypatch.setattr(claims, "_judges", dict(claims._judges))
    before = dict(CLAIMS)
    yield
    CLAIMS.clear()
    CLAIMS.update(before)


def _test() -> None:
    """
    w0 --- L
    """


def _claim_with(**changes: Any) -> Callable[..., Any]:
    given: dict[str, Any] = {"id": "made.up", "sentence": "So it is.", "level": OBSERVED, "basis": BASIS, **changes}
    return claim(given.pop("id"), given.pop("sentence"), **given)


def test_good_claim_is_registered_and_stays_a_function() -> None:
    assert _claim_with(rows=["N1"])(_test) is _test
    registered = CLAIMS["made.up"]
    assert registered is _test.claim
    assert (registered.chapter, registered.level, registered.truth, registered.rows) == (
        "made",
        OBSERVED,
        None,
        ("N1",),
    )
    assert "w0 --- L" in registered.drawing


@pytest.mark.parametrize(
    "id",
    [
        "",
        "made",
        "made.",
        ".up",
        "Made.up",
        "made up.now",
        "made.up!",
        "made_up.now",
        "made..up",
        "mäde.up",
        "made.up\n",
    ],
)
def test_id_that_cannot_be_typed_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match=r"a claim's id is chapter\.words-with-dashes"):
        _claim_with(id=id)


def test_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="level 'certain' is none of documented, observed, measured, lore"):
        _claim_with(level="certain")


def test_claim_without_basis_is_refused() -> None:
    with pytest.raises(ValueError, match=r"made\.up: no claim without a basis"):
        _claim_with(basis=[])


@pytest.mark.parametrize(
    ("level", "truth"),
    [(LORE, None), (LORE, "maybe"), *((level, "true") for level in LEVELS if level != LORE)],
)
def test_truth_belongs_to_lore_and_only_there(level: str, truth: str | None) -> None:
    with pytest.raises(ValueError, match="lore, and only lore, has a truth"):
        _claim_with(level=level, truth=truth)


@pytest.mark.parametrize("truth", TRUTHS)
def test_lore_with_a_truth_is_taken(truth: str) -> None:
    _claim_with(level=LORE, truth=truth)(_test)
    assert CLAIMS["made.up"].truth == truth


def test_truth_that_is_none_of_the_words_is_refused_everywhere() -> None:
    with pytest.raises(ValueError, match="truth"):
        _claim_with(truth="perhaps")


def test_two_judges_of_one_claim_are_refused() -> None:
    def another() -> None:
        """Another."""

    _claim_with()(_test)
    with pytest.raises(ValueError, match=r"made\.up: two tests judge it, .*_test and .*another"):
        _claim_with()(another)


def test_module_imported_again_is_no_second_judge() -> None:
    _claim_with()(_test)
    _claim_with(sentence="So it is, still.")(_test)
    assert CLAIMS["made.up"].sentence == "So it is, still."


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        (man("epoll_ctl", 2, "EPOLLEXCLUSIVE"), "epoll_ctl(2) EPOLLEXCLUSIVE"),
        (man("poll", 2), "poll(2)"),
        (kernel("fs/select.c", "do_poll"), "fs/select.c do_poll"),
        (linux("4.5", "df0108c5da56"), "Linux 4.5 df0108c5da56"),
        (text("Kerrisk, The Linux Programming Interface, 63.4"), "Kerrisk, The Linux Programming Interface, 63.4"),
    ],
)
def test_basis_in_words(basis: claims.Basis, words: str) -> None:
    assert str(basis) == words


@pytest.mark.parametrize("commit", ["", "df0108c", "DF0108C5DA56", "df0108c5da5g", "0" * 41])
def test_commit_that_cannot_be_looked_up_is_refused(commit: str) -> None:
    with pytest.raises(ValueError, match="12 hex digits"):
        linux("4.5", commit)
