"""Waiting for what may never come: looks are frequent at first, and a vain wait leaves the CPU to others."""

from __future__ import annotations

import pytest

from probes.lab import deadline
from probes.lab.deadline import FEWEST_LOOKS, until
from probes.verdict import Inconclusive


class _Clock:
    """Time that passes by itself only during a look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, look_s: float = 0.0001) -> None:
        self.now_s = 1000.0
        self.looks = 0
        self._look_s = look_s
        monkeypatch.setattr(deadline.time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(deadline.time, "sleep", self._pass)

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds

    def look(self) -> bool:
        self.looks += 1
        self.now_s += self._look_s
        return False


def test_a_wait_that_may_be_vain_leaves_the_cpu_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    with pytest.raises(Inconclusive, match="nobody came within 10 s"):
        until(clock.look, lambda: "nobody came", limit_s=10.0, may_be_vain=True)
    assert clock.looks * 0.0001 < 0.6  # of ten seconds
    assert 1010.0 <= clock.now_s < 1010.1


def test_what_comes_soon_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    until(lambda: clock.look() or clock.now_s >= 1000.05, lambda: "late", limit_s=10.0, may_be_vain=True)
    assert clock.now_s < 1000.051


def test_what_must_come_is_looked_for_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may look at whoever waits, and must not take a pause for its rest."""
    clock = _Clock(monkeypatch)
    with pytest.raises(Inconclusive):
        until(clock.look, lambda: "nobody came", limit_s=1.0)
    assert clock.looks >= 10_000


def test_a_machine_that_stood_still_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch, look_s=3600.0)
    with pytest.raises(Inconclusive):
        until(clock.look, lambda: "nobody came", limit_s=10.0, may_be_vain=True)
    assert clock.looks == FEWEST_LOOKS + 1
