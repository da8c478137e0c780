"""The catalogue in the repository is that of the tests, and every claim in it can be looked up."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from probes import catalogue, chapters, host
from probes.claims import LEVELS, TRUTHS
from probes.scenario import Scenario

from . import claims_page


@pytest.fixture(scope="module")
def claims() -> list[dict[str, Any]]:
    """The catalogue as the tests define it."""
    return catalogue.load()


def test_every_claim_is_well_formed(claims: list[dict[str, Any]]) -> None:
    for claim in claims:
        name = claim["id"]
        assert claim["level"] in LEVELS, name
        assert (claim["truth"] in TRUTHS) == (claim["level"] == "lore"), name
        assert claim["sentence"].endswith("."), name
        assert "\n" not in claim["sentence"], name
        assert claim["drawing"], f"{name}: a drawing above the test says what"
        assert claim["cases"], name
        assert claim["chapter"] == name.split(".")[0], name


def test_every_basis_can_be_opened(claims: list[dict[str, Any]]) -> None:
    """A man page with its section, a file of the kernel's source, or a commit with its release."""
    for claim in claims:
        assert claim["basis"], claim["id"]
        for basis in claim["basis"]:
            known = re.match(
                r"[a-z_0-9]+\([1-9]\)|[A-Za-z0-9_]+/[\w/.-]+\.([chS]|rst) \w|Linux \d\.\d+ [0-9a-f]{12,40} ", basis
            )
            assert known or claim["level"] == "lore", f"{claim['id']}: {basis}"


def test_documented_claims_rest_on_a_man_page(claims: list[dict[str, Any]]) -> None:
    for claim in claims:
        if claim["level"] == "documented":
            promised = r"[a-z_0-9]+\([1-9]\)|Documentation/"
            assert any(re.match(promised, basis) for basis in claim["basis"]), claim["id"]


def test_rows_look_like_rows(claims: list[dict[str, Any]]) -> None:
    rows = {row for claim in claims for row in claim["rows"]}
    assert {row for row in rows if not re.fullmatch(r"(L-[A-Z]|[A-Z])\d{1,2}", row)} == set()


def test_every_row_is_judged_or_says_why_not(claims: list[dict[str, Any]]) -> None:
    judged = {row for claim in claims for row in claim["rows"]}
    known = set(claims_page.known_rows())
    assert judged <= known
    assert known - judged == set(claims_page.NOT_JUDGED)


def test_ids_are_unique_and_can_be_typed(claims: list[dict[str, Any]]) -> None:
    ids = [claim["id"] for claim in claims]
    assert sorted(ids) == sorted(set(ids))
    assert [name for name in ids if not re.fullmatch(r"[a-z][a-z0-9.-]*", name)] == []
    assert max(map(len, ids)) <= 45, "`list` gives an id one column"


def test_sentences_are_unique(claims: list[dict[str, Any]]) -> None:
    sentences = [claim["sentence"] for claim in claims]
    assert sorted(sentences) == sorted(set(sentences))


def test_cases_are_scenarios_or_questions(claims: list[dict[str, Any]]) -> None:
    for claim in claims:
        for case in claim["cases"]:
            if "/" in case:
                assert Scenario.parse(case).id == case
            else:
                assert case.startswith("test_"), claim["id"]


def test_cases_are_those_that_pytest_collects(claims: list[dict[str, Any]]) -> None:
    """So that what the catalogue names can be given to pytest."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    listed = subprocess.run(
        [*command, "--deselect=tests/kernel/test_controls.py"],
        cwd=host.PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    named = [(claim["test"], case) for claim in claims for case in claim["cases"]]
    assert sorted(line for line in listed.splitlines() if "::" in line) == sorted(
        f"{test}[{case}]" if "/" in case else f"{test.partition('::')[0]}::{case}" for test, case in named
    )


def test_chapters_stand_together(claims: list[dict[str, Any]]) -> None:
    """The page has one heading per chapter."""
    chapters = [claim["chapter"] for claim in claims]
    blocks = [name for name, before in zip(chapters, [None, *chapters], strict=False) if name != before]
    assert sorted(blocks) == sorted(set(blocks))


def test_checkout_without_chapters_is_said(tmp_path: Path) -> None:
    with pytest.raises(chapters.NoChapters, match="holds no claims: ") as said:
        catalogue.load(tmp_path)
    assert "\n" not in str(said.value)
