"""The table of regressions is true: its claims, kernels and models are there, and each breaks what it says."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest

from probes import catalogue, expectation_file
from probes.host import PROJECT
from probes.kernels.catalogue import CATALOGUE
from probes.verdict import BROKEN

from .breaks import BREAKS
from .regressions import REGRESSIONS, Regression
from .tests_of_claims import of_experiments

one_by_one = pytest.mark.parametrize("regression", REGRESSIONS, ids=lambda regression: regression.commit)


@one_by_one
def test_it_is_seen_or_there_is_a_reason(regression: Regression) -> None:
    assert bool(regression.claims) != bool(regression.why_not)
    assert bool(regression.claims) == bool(regression.seen_on or regression.models or regression.facts)
    known = {claim["id"] for claim in catalogue.load()}
    assert [claim for claim in regression.claims if claim not in known] == []


@one_by_one
def test_its_models_break_its_claims(regression: Regression) -> None:
    assert [model.__name__ for model in regression.models if not BREAKS[model] & set(regression.claims)] == []


@one_by_one
def test_its_kernels_are_expected_to_break_its_claims(regression: Regression) -> None:
    names = {kernel.name for kernel in CATALOGUE}
    for name in regression.seen_on:
        assert name in names
        entries = expectation_file.load(str(PROJECT / "expectations" / f"{name}.toml")).entries
        patterns = [pattern for each in entries if each.verdict == BROKEN for pattern in each.claims]
        assert [claim for claim in regression.claims if any(fnmatch(claim, pattern) for pattern in patterns)], name


@one_by_one
def test_its_facts_are_an_experiments(regression: Regression) -> None:
    if regression.facts:
        assert set(regression.claims) <= set(of_experiments())


def test_each_commit_is_there_once() -> None:
    commits = [regression.commit for regression in REGRESSIONS]
    assert len(set(commits)) == len(commits)
    assert [commit for commit in commits if not re.fullmatch(r"[0-9a-f]{12}|bugzilla \d+", commit)] == []
