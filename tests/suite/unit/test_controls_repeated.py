"""One disturbance during the controls does not cost the whole run; a control that is broken is never tried again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from probes.controls import ATTEMPTS, CONTROLS, ControlledLab, run_controls, why_failed
from probes.evidence import Trial
from probes.scenario import Scenario
from probes.verdict import BROKEN, HELD, INCONCLUSIVE, Inconclusive

from .builders import trial
from .fake_lab import FakeLab
from .inner import WAKES_ONE, Pytest, _own_registry, lab_fixture, run_fixture, run_json  # noqa: F401  # fixtures

pytest_plugins = ["pytester"]

NULL = CONTROLS[3]
LATE = "waiter 3 did not come to rest within 10 s"


class Disturbed(FakeLab):
    """A lab in which the first `times` tries of the null control are disturbed; `later` is what later ones give."""

    times = 1
    later: Trial | None = None
    raises = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tried = 0

    def run(self, scenario: Scenario, *, traced: bool, own_memory: bool = False) -> Trial:
        answer = super().run(scenario, traced=traced)
        if scenario.id != NULL.scenario or traced:
            return answer
        self.tried += 1
        if self.tried > self.times:
            return self.later or answer
        if self.raises:
            raise Inconclusive(LATE)
        return replace(answer, inconclusive=LATE)


def _lab(times: int, later: Trial | None = None, *, raises: bool = False) -> Any:
    lab = Disturbed()
    lab.times, lab.later, lab.raises = times, later, raises
    return lab


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_disturbed_control_is_held_later_and_says_so(times: int, raises: bool) -> None:
    lab = _lab(times, raises=raises)
    outcomes = run_controls(lab)
    assert why_failed(outcomes) is None
    assert outcomes["null"].verdict == HELD
    assert outcomes["null"].reason == f"at attempt {times + 1} of {ATTEMPTS}, after: {LATE}"
    assert outcomes["positive"].reason is None
    assert lab.tried == times + 1


def test_control_that_is_disturbed_each_time_is_inconclusive() -> None:
    lab = _lab(100)
    outcome = run_controls(lab)["null"]
    assert (outcome.verdict, outcome.reason) == (INCONCLUSIVE, f"{LATE}, at the last of {ATTEMPTS} attempts")
    assert lab.tried == ATTEMPTS


@pytest.mark.parametrize("times", [0, 1])
def test_broken_control_is_not_tried_again(times: int) -> None:
    lab = _lab(times, trial(woken=[0], order=[]))
    outcome = run_controls(lab)["null"]
    assert outcome.verdict == BROKEN
    assert outcome.reason is not None
    assert outcome.reason.startswith("woken 1, returned 0 in the untraced trial")
    assert outcome.reason.endswith(LATE) is bool(times)
    assert lab.tried == times + 1


def test_conductor_that_dies_under_the_controls_is_replaced_by_one_that_runs_them_all() -> None:
    lab = _lab(1, raises=True)
    before = lab.run

    def run(scenario: Scenario, *, traced: bool) -> Trial:
        try:
            return before(scenario, traced=traced)
        except Inconclusive:
            lab.generation = 2
            raise

    lab.run = run
    controlled = ControlledLab(lab)
    outcomes = controlled.run_controls()
    assert [outcome.reason for outcome in outcomes.values()] == [None] * len(CONTROLS)
    assert controlled.run_controls() is outcomes


def test_run_says_that_a_control_was_repeated(
    run: Pytest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.fixtures.Lab", Disturbed)
    done = run(WAKES_ONE)
    done.assert_outcomes(passed=11)
    assert done.ret == pytest.ExitCode.OK
    done.stdout.fnmatch_lines([f"control null: held at attempt 2 of {ATTEMPTS}, after: {LATE}"])
    judged = run_json(pytester)
    assert judged["controls"]["null"] == "held"
    assert judged["controls_reasons"] == {"null": f"at attempt 2 of {ATTEMPTS}, after: {LATE}"}
