"""Which CPU a guest is kept on: those that run at once are spread over all there are."""

from __future__ import annotations

import os

import pytest

from probes.kernels import processors


@pytest.fixture(autouse=True)
def _two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 3})


def test_two_at_once_are_kept_apart() -> None:
    with processors.lent() as first, processors.lent() as second:
        assert (first, second) == (3, 5)


def test_the_one_that_has_come_free_is_given_next() -> None:
    with processors.lent() as first:
        with processors.lent():
            pass
        with processors.lent() as second, processors.lent() as third:
            assert second != first
            assert third in (3, 5)


def test_a_guest_that_fails_gives_its_cpu_back() -> None:
    with pytest.raises(OSError, match="boom"), processors.lent():
        raise OSError("boom")
    with processors.lent() as cpu:
        assert cpu == 3
