"""A kernel on which a task that was woken looks asleep until it runs: what cannot be known is inconclusive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from probes.controls import run_controls, why_failed
from probes.evidence import REST_IS_HIDDEN, Trial
from probes.lab import deadline, slowness
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
        "1 made, 0 returned, and no more, as before with a longer deadline, within 1 s",
    ]


ON_STAGE = """
from dataclasses import replace
from probes.experiments import hang_ups
from probes.lab import conductor, deadline, isolation
from probes.lab.stage import play
hang_ups._finish = lambda source: None
bench = replace(conductor._set_up(None, isolation.LOOPBACK, []), rest_shows=False)
deadline._patience_s = 3.0
for kind in ("unix-connected", "unix-connected", "tcp4-connected"):
    print(play("hang_ups.half_closed", bench, kind)["inconclusive"])
"""


def test_what_an_experiment_waited_for_in_vain_is_known_to_later_ones() -> None:
    """Each runs in a process of its own."""
    done = subprocess.run([sys.executable, "-c", ON_STAGE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "w0 gave no answer within 3 s",
        "w0 gave no answer, as before with a longer deadline, within 1 s",
        "w0 gave no answer within 3 s",
    ]


@pytest.mark.parametrize(
    ("round_trip_s", "fork_s", "waited_s"),
    [(0.0002, 0.03, 10.0), (0.003, 0.03, 30.0), (0.003, 0.002, 20.0), (1.0, 1.0, 60.0)],
    ids=["gVisor, idle", "loaded", "never longer than other deadlines", "at most a minute"],
)
def test_wake_ups_are_waited_for_as_long_as_wake_ups_take(
    round_trip_s: float, fork_s: float, waited_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork, which takes a hundred times as long on gVisor, scales the other deadlines alone."""
    for measured in ("_patience_s", "_answer_patience_s"):
        monkeypatch.setattr(deadline, measured, 10.0)
    deadline.measure_patience(fork_s)
    deadline.measure_answer_patience(round_trip_s)
    assert deadline.answer_patience_s() == waited_s


def test_a_round_trip_takes_time_and_leaves_nothing() -> None:
    def held() -> tuple[list[str], str]:
        """Descriptors and children of this process; an earlier test's conductor may be among them."""
        children = Path("/proc/thread-self/children")  # CONFIG_PROC_CHILDREN
        return os.listdir("/proc/self/fd"), children.read_text() if children.exists() else ""

    before = held()
    assert 0 < slowness.round_trip_s() < 10
    assert held() == before
