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
from .test_experiments_can_fail import _tests

one_by_one = pytest.mark.parametrize("one", REGRESSIONS, ids=lambda one: one.commit)


@one_by_one
def test_it_is_seen_or_there_is_a_reason(one: Regression) -> None:
    assert bool(one.claims) != bool(one.why_not)
    assert bool(one.claims) == bool(one.seen_on or one.models or one.facts)
    known = {claim["id"] for claim in catalogue.load()}
    assert [claim for claim in one.claims if claim not in known] == []


@one_by_one
def test_its_models_break_its_claims(one: Regression) -> None:
    assert [model.__name__ for model in one.models if not BREAKS[model] & set(one.claims)] == []


@one_by_one
def test_its_kernels_are_expected_to_break_its_claims(one: Regression) -> None:
    names = {kernel.name for kernel in CATALOGUE}
    for name in one.seen_on:
        assert name in names
        entries = expectation_file.load(str(PROJECT / "expectations" / f"{name}.toml")).entries
        patterns = [pattern for each in entries if each.verdict == BROKEN for pattern in each.claims]
        assert [claim for claim in one.claims if any(fnmatch(claim, pattern) for pattern in patterns)], name


@one_by_one
def test_its_facts_are_an_experiments(one: Regression) -> None:
    if one.facts:
        assert set(one.claims) <= set(_tests())


def test_each_commit_is_there_once() -> None:
    commits = [one.commit for one in REGRESSIONS]
    assert len(set(commits)) == len(commits)
    assert [commit for commit in commits if not re.fullmatch(r"[0-9a-f]{12}|bugzilla \d+", commit)] == []
