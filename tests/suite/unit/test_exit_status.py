"""The exit status of a run is that of its verdicts, whatever another plugin makes of a failed test."""

from __future__ import annotations

import pytest

from probes import catalogue

from .broken import AcceptHerdsSilently
from .fake_lab import FakeLab
from .inner import (  # noqa: F401  # fixtures
    WAKES_ONE,
    Pytest,
    _own_registry,
    cases_of_wakes_one,
    lab_fixture,
    run_fixture,
    run_json,
)

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _no_other_claims(_own_registry: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811  # comes after it
    monkeypatch.setattr(catalogue, "cases", cases_of_wakes_one)


FORGIVING = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        report.outcome = "rerun"
    return report

def pytest_sessionfinish(session):
    session.exitstatus = 0
"""


def test_exit_status_is_that_of_the_report(run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester) -> None:
    """Whatever another plugin makes of a failed test."""
    lab.kernel = AcceptHerdsSilently(0)
    pytester.makeconftest(FORGIVING)
    done = run(WAKES_ONE)
    assert run_json(pytester)["claims"][0]["verdict"] == "broken"
    assert done.ret == pytest.ExitCode.TESTS_FAILED


RERUNS = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for attempt in range(2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        last = attempt == 1 or not any(report.failed for report in reports)
        for report in reports:
            if report.failed and not last:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if last:
            return True
        item._initrequest()
"""


def test_case_that_is_run_again_stays_what_it_was_at_worst(
    run: Pytest, lab: type[FakeLab], pytester: pytest.Pytester
) -> None:
    """As pytest-rerunfailures does: no case is repeated until it is held, and each try is judged by itself."""
    tries = []

    def better(self: FakeLab, scenario: object, *, traced: bool, **_: bool) -> object:
        self.kernel = AcceptHerdsSilently(0) if len(tries) < 4 else FakeLab.kernel
        if scenario.call == "accept":
            tries.append(scenario)
        return FakeLab.run(self, scenario, traced=traced)

    lab.run = better
    pytester.makeconftest(RERUNS)
    done = run(WAKES_ONE)
    assert len(tries) == 4 * 11
    claims = run_json(pytester)["claims"]
    assert [claim["verdict"] for claim in claims] == ["broken", "held"]
    assert [len(claim["cases"]) for claim in claims] == [2, 9]
    assert len(claims[0]["cases"][0]["trials"]) == 4
    assert done.ret == pytest.ExitCode.TESTS_FAILED
