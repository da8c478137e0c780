"""A kernel on which a task that was woken looks asleep until it runs: what cannot be known is inconclusive."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from probes.controls import run_controls, why_failed
from probes.evidence import REST_IS_HIDDEN, Trial
from probes.scenario import Scenario
from probes.verdict import INCONCLUSIVE, NOT_APPLICABLE

from .fake_lab import FakeLab

ROOT = Path(__file__).resolve().parents[3]

# A trial reaps every child of its process, so it gets one of its own.
TRIAL = """
import json, sys
from dataclasses import replace
from probes.lab import conductor, isolation
from probes.lab.trial import TrialRun
from probes.scenario import Scenario
bench = replace(conductor._set_up(None, isolation.LOOPBACK, []), rest_shows=sys.argv[2] == "shows")
trial = TrialRun(Scenario.parse(sys.argv[1]), bench, traced=False).run()
print(json.dumps(trial.as_json()))
"""


def _reason(scenario: str, rest: str) -> str | None:
    command = [sys.executable, "-c", TRIAL, scenario, rest]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    reason: str | None = json.loads(done.stdout)["inconclusive"]
    return reason


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("read.nothing/eventfd/n4/hold/one-write", "3 of 4 waiters sleep on"),
        ("read/eventfd/n4/hold/nothing", "4 of 4 waiters sleep on"),
        ("read.nothing/eventfd/n4/hold/write-each", None),
        ("read/eventfd/n4/loop/writes-one-by-one/k4", None),
    ],
)
def test_only_what_was_answered_is_known(scenario: str, words: str | None) -> None:
    reason = _reason(scenario, "hidden")
    assert reason is None if words is None else words in str(reason)
    assert _reason(scenario, "shows") is None, "on Linux it is known"


class _Lab(FakeLab):
    """Every trial of it is inconclusive."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def run(self, scenario: Scenario, *, traced: bool, own_memory: bool = False) -> Trial:
        return replace(super().run(scenario, traced=traced), inconclusive=self.reason)


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (f"who knows: {REST_IS_HIDDEN}", NOT_APPLICABLE),
        # What is denied here follows each reason (probes/lab/conductor.py); gVisor of 2022 has no clone3.
        (f"who knows: {REST_IS_HIDDEN}; clone3 is denied here (ENOSYS)", NOT_APPLICABLE),
        ("8 made, 7 returned, and no more within 10 s", INCONCLUSIVE),
    ],
)
def test_a_control_is_excused_for_one_reason_alone(reason: str, verdict: str) -> None:
    lab = _Lab(reason)
    outcomes = run_controls(lab)  # type: ignore[arg-type]  # it answers like one
    assert {outcome.verdict for outcome in outcomes.values()} == {verdict}
    assert (why_failed(outcomes) is None) is (verdict == NOT_APPLICABLE)


IN_VAIN = """
from dataclasses import replace
from probes.lab import conductor, deadline, isolation
from probes.lab.trial import TrialRun
from probes.scenario import Scenario
from probes.sources.eventfd import Eventfd
Eventfd.write = lambda self, i: None
bench = replace(conductor._set_up(None, isolation.LOOPBACK, []), rest_shows=False)
deadline._patience_s = 3.0
for scenario in ("read/eventfd/n2/hold/one-write", "poll/eventfd/n2/hold/one-write"):
    print(TrialRun(Scenario.parse(scenario), bench, traced=False).run().inconclusive)
"""


def test_what_nobody_was_told_of_is_not_waited_for_as_long_again() -> None:
    done = subprocess.run([sys.executable, "-c", IN_VAIN], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "1 made, 0 returned, and no more within 3 s",
        "1 made, 0 returned, and no more, as in an earlier trial that waited longer, within 1 s",
    ]
