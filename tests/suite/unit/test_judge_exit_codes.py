"""`wakecheck judge` ends as every command of Wakecheck does; pytest alone keeps its own codes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from probes.commands import judge
from probes.exits import BAD_INPUT, BROKEN, CANNOT_JUDGE, FAULT, WELL
from probes.verdict import Inconclusive

from .broken import AcceptHerdsSilently
from .fake_lab import FakeLab
from .inner import WAKES_ONE, _own_registry, lab_fixture  # noqa: F401  # fixtures

pytest_plugins = ["pytester"]

Judge = Callable[..., int]


@pytest.fixture(name="judged")
def judged_fixture(pytester: pytest.Pytester, lab: type[FakeLab], monkeypatch: pytest.MonkeyPatch) -> Judge:
    """`wakecheck judge` on one small chapter."""
    (pytester.path / "tests/kernel").mkdir(parents=True)
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    (pytester.path / "tests/kernel/test_inner.py").write_text(WAKES_ONE)
    monkeypatch.setattr(judge, "HOME", pytester.path)

    def call(*arguments: str) -> int:
        return judge.main(["-p", "no:cacheprovider", "-p", "no:randomly", "--import-mode=importlib", *arguments])

    return call


def test_well(judged: Judge) -> None:
    assert judged() == WELL


def test_broken_claim(judged: Judge, lab: type[FakeLab]) -> None:
    lab.kernel = AcceptHerdsSilently(0)
    assert judged() == BROKEN


@pytest.mark.parametrize(
    "option", ["--herd-claim=nope", "--herd-sizes=0", "--herd-trials=0", "--herd-expect=/nowhere", "--herd-run=tests"]
)
def test_bad_input(option: str, judged: Judge) -> None:
    assert judged(option) == BAD_INPUT


def test_what_could_not_be_judged_is_not_broken(judged: Judge, lab: type[FakeLab]) -> None:
    def blind(self: FakeLab, scenario: object, *, traced: bool) -> object:
        raise Inconclusive("an observer is missing")

    lab.run = blind
    assert judged() == CANNOT_JUDGE


def test_nothing_selected(judged: Judge) -> None:
    assert judged("-k", "nothing_of_this_name") == CANNOT_JUDGE


def test_stopped(judged: Judge, lab: type[FakeLab]) -> None:
    def stopped(self: FakeLab, scenario: object, *, traced: bool) -> object:
        raise KeyboardInterrupt

    lab.run = stopped
    assert judged() == BAD_INPUT


def test_fault(judged: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(self: object, cases: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("probes.reporting.Reporting.expect", faulty)
    assert judged() == FAULT
