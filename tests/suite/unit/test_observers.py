"""An observer is one class: it is listed, asked, compared with the others, and can be switched off."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from probes import observers
from probes.commands import host
from probes.lab.instruments import Moved, Snapshot
from probes.observers import OBSERVERS, RETURNED, WOKEN, AtRest, Observer, names
from probes.observers.counters import Counters
from probes.observers.sched_waking import SchedWaking
from probes.observers.switches import Switches
from probes.observers.syscall_exit import SyscallExit
from probes.observers.task_files import Sighting, TaskFiles
from probes.options import add_options

from .fake_lab import FakeLab

ROOT = Path(__file__).resolve().parents[3]

# A trial reaps every child of its process, so it gets one of its own.
TRIAL = """
import json, sys
from probes import observers
from probes.lab import conductor, isolation, stage
from probes.lab.trial import TrialRun
from probes.scenario import Scenario
from tests.suite.unit.test_observers import LIAR, TRUTHFUL

observers.OBSERVERS = (*observers.OBSERVERS, {"truthful": TRUTHFUL, "liar": LIAR}[sys.argv[1]])
bench = conductor._set_up(None, isolation.LOOPBACK, sys.argv[2:])
trial = TrialRun(Scenario.parse("accept/tcp4/n3/hold/one-connection"), bench, traced=False).run()
played = stage.play("concurrent_server.child_ends", bench, {"strategy": "accept", "handler": "none"})
print(json.dumps([bench.instruments.why_not, trial.as_json(), played]))
"""


class TRUTHFUL(Observer):
    """Counts the same switches as `switches`, and reads them for itself."""

    name = "made_up"
    sees = WOKEN
    how = "made up for a test"
    remedy = "run this test"
    sees_every_task = True

    def count(self, task: AtRest) -> int | None:
        return task.files.look().switches


class LIAR(TRUTHFUL):
    """An observer that says that all waiters moved, between any two looks."""

    _looks = 0

    def take_in(self) -> None:
        self._looks += 1

    def count(self, task: AtRest) -> int | None:
        self._looks += task.place is None
        return self._looks


def _observed(kind: str, *without: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    command = [sys.executable, "-c", TRIAL, kind, *without]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    why_not, trial, played = json.loads(done.stdout)
    return why_not, trial, played


def test_one_class_is_asked_and_agrees() -> None:
    why_not, trial, played = _observed("truthful")
    assert why_not["made_up"] is None
    assert trial["observers"]["made_up"] == trial["woken"] == 1
    assert trial["inconclusive"] is None
    assert "facts" in played


def test_it_is_compared_with_the_others() -> None:
    _, trial, played = _observed("liar")
    assert "made_up saw w0 w1 w2" in trial["inconclusive"]
    assert trial["agree"] is False
    assert "made_up says yes" in played["inconclusive"]


def test_it_is_enough_alone() -> None:
    others = [kind.name for kind in OBSERVERS if kind.sees == WOKEN]
    _, trial, played = _observed("truthful", *others)
    assert trial["woken"] == 1
    assert [trial["observers"][name] for name in others] == [None] * len(others)
    assert "facts" in played


def test_it_can_be_switched_off() -> None:
    why_not, trial, _ = _observed("liar", "made_up")
    assert why_not["made_up"] == "switched off by --herd-without"
    assert trial["observers"]["made_up"] is None
    assert trial["inconclusive"] is None


def test_host_lists_it_with_its_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(observers, "OBSERVERS", (*OBSERVERS, TRUTHFUL))
    monkeypatch.setattr(host, "Lab", lambda: FakeLab(("made_up",)))
    host.run(None)  # type: ignore[arg-type]  # it has no options
    printed = capsys.readouterr().out
    assert "observer   made_up       no: switched off by --herd-without\n" in printed
    assert "-> run this test\n" in printed


def test_the_option_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observers, "OBSERVERS", (*OBSERVERS, TRUTHFUL))
    parser = pytest.Parser(_ispytest=True)
    add_options(parser)
    assert parser.parse(["--herd-without", "made_up"]).herd_without == ["made_up"]


@pytest.mark.parametrize("kind", OBSERVERS)
def test_every_observer_says_what_it_is(kind: type[Observer]) -> None:
    assert kind.sees in (RETURNED, WOKEN)
    assert kind.how
    assert kind.remedy or kind().why_missing(may_mount=False) is None


def test_names_are_those_of_the_classes() -> None:
    assert len(set(names())) == len(OBSERVERS)
    assert (*names(RETURNED), *names(WOKEN)) == names(), "each sees one of the two, and they stand in this order"


def _moved(switches: set[int] | None, run_counts: set[int] | None, counters: set[int] | None) -> Moved:
    return Moved({"switches": switches, "run_counts": run_counts, "counters": counters})


@pytest.mark.parametrize(
    ("moved", "complaint"),
    [
        (_moved({1}, {1}, {1}), None),
        (_moved({1, 2}, None, {1}), None),
        (_moved(None, None, {1}), None),
        (_moved({1}, {1, 2}, {1}), "woken: switches saw w1, run_counts saw w1 w2"),
        (_moved({1}, {1}, {2}), "w2 returned, and the scheduler's observers saw no wake-up of it"),
    ],
)
def test_who_contradicts_whom(moved: Moved, complaint: str | None) -> None:
    assert moved.disagreement() == complaint


def test_who_moved_is_whose_count_changed() -> None:
    before = Snapshot({"switches": [7, 7, 7], "run_counts": [1, None, 1], "counters": None}, {})
    after = Snapshot({"switches": [7, 9, 8], "run_counts": [1, 2, 2], "counters": [0, 1, 1]}, {})
    moved = after.since(before)
    assert moved.by_observer == {"switches": {1, 2}, "run_counts": None, "counters": None}
    assert moved.woken == {1, 2}
    assert moved.returned is None, "nobody was there that could say"


def test_a_task_that_is_asked_about_is_looked_at_once() -> None:
    """`switches` counts by the very look that proved the rest."""
    task = AtRest(TaskFiles(0, 0, syscall_readable=False), Sighting("S", 41, 0), returns=3, exits=None)
    kinds = (Counters, SyscallExit, Switches, SchedWaking)
    counts = {kind.name: kind().count(task) for kind in kinds}
    assert counts == {"counters": 3, "syscall_exit": None, "switches": 41, "sched_waking": 0}
