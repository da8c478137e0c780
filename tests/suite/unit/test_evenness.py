"""Uneven groups are named, and a healthy one is not: by chance alone, as docs/statistics.md says."""

from __future__ import annotations

import random

import pytest

from probes.experiments import evenness

from . import chances


def _passes(weights: list[float], seed: int) -> bool:
    """Whether a group that gives its members these weights stays within what the claim allows."""
    members = range(len(weights))
    got = random.Random(seed).choices(members, weights, k=evenness.CONNECTIONS)
    return all(evenness.FEWEST <= got.count(member) <= evenness.MOST for member in members)


@pytest.mark.parametrize("seed", range(50))
def test_even_group_passes(seed: int) -> None:
    assert _passes([1.0] * evenness.MEMBERS, seed)


@pytest.mark.parametrize("seed", range(50))
def test_member_with_twice_its_share_is_named(seed: int) -> None:
    assert not _passes([2.0] + [1.0] * (evenness.MEMBERS - 1), seed)


def test_a_healthy_kernel_fails_less_than_once_in_a_million_runs() -> None:
    assert 2 * chances.share_outside() < 1e-6, "connections, and datagrams"
    assert chances.share_within(2) < 1e-5
