"""Which CPU a guest is kept on: those that run at once are spread over all there are."""

from __future__ import annotations

import os

import pytest

from probes.kernels import processors


@pytest.fixture(autouse=True)
def _two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 3})


def test_two_at_once_are_kept_apart() -> None:
    with processors.one() as first, processors.one() as second:
        assert (first, second) == (3, 5)


def test_the_one_that_has_come_free_is_given_next() -> None:
    with processors.one() as first:
        with processors.one():
            pass
        with processors.one() as second, processors.one() as third:
            assert second != first
            assert third in (3, 5)


def test_a_guest_that_fails_gives_its_cpu_back() -> None:
    with pytest.raises(OSError, match="boom"), processors.one():
        raise OSError("boom")
    with processors.one() as cpu:
        assert cpu == 3
