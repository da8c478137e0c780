"""With workers of pytest-xdist: what was left out, whose folder it is, and what a worker takes with it when it dies."""

from __future__ import annotations

import fcntl
import os

import pytest

from probes.host import PROJECT

from .inner import WAKES_ONE, run_json

pytestmark = pytest.mark.long

pytest_plugins = ["pytester"]

ON_A_MODEL = """
from probes import catalogue, fixtures
from tests.suite.unit.fake_lab import FakeLab
from tests.suite.unit.inner import cases_of_wakes_one

fixtures.Lab = FakeLab
catalogue.cases = cases_of_wakes_one
catalogue.load = lambda: [{"test": f"test_inner.py::{name}"} for name in ("test_wakes_one", "test_also_here")]
"""


@pytest.fixture
def two(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder whose tests run on a model kernel, also in a process of their own."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    pytester.makeconftest(ON_A_MODEL)
    pytester.makepyfile(test_inner=WAKES_ONE)
    return pytester


def _run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "probes.plugin", "-p", "no:cacheprovider", "-n2", *options)


def test_whole_run_is_whole(two: pytest.Pytester) -> None:
    done = _run(two, "--herd-journal=journal")
    done.assert_outcomes(passed=11)
    assert '["cases",11]' in (two.path / "journal").read_text().splitlines()
    run = run_json(two)
    assert run["partial"] is False
    assert [len(claim["cases"]) for claim in sorted(run["claims"], key=lambda claim: claim["id"])] == [9, 2]


def test_selection_is_partial(two: pytest.Pytester) -> None:
    _run(two, "test_inner.py::test_also_here")
    assert run_json(two, "report/partial")["partial_reason"] == "9 of 11 cases were judged"
    assert not (two.path / "report" / "run.json").exists()


def test_worker_that_dies_takes_a_case_with_it(two: pytest.Pytester) -> None:
    dies = "\nimport os, pytest\n@pytest.fixture(autouse=True)\ndef dies(request):\n"
    dies += "    if 'unix-abstract' in request.node.name: os._exit(1)\n"
    two.makepyfile(test_inner=WAKES_ONE + dies)
    done = _run(two)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert run_json(two, "report/partial")["partial_reason"] == "10 of 11 cases were judged"


def test_chapter_that_cannot_be_imported_is_told_by_pytest(two: pytest.Pytester) -> None:
    two.makeconftest(ON_A_MODEL + "catalogue.load = lambda: 1 / 0\n")
    two.makepyfile(test_other="import nowhere")
    done = _run(two, "--continue-on-collection-errors")
    assert "INTERNALERROR" not in done.stdout.str()
    done.assert_outcomes(passed=11, errors=1)


def test_second_run_into_one_folder_is_refused(two: pytest.Pytester) -> None:
    (two.path / "report").mkdir()
    descriptor = os.open(two.path / "report", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    done = _run(two)
    os.close(descriptor)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "passed" not in done.stdout.str(), "it was refused before a case was judged"
    assert "another run writes to report now: choose another place with --herd-report" in done.stderr.str()
    assert list((two.path / "report").iterdir()) == []
