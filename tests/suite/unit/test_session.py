"""The test process's end of the lab."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from probes import syscalls
from probes.lab import session
from probes.lab.session import Lab
from probes.scenario import Scenario
from probes.verdict import Inconclusive


def test_interpreter_that_cannot_be_started_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.touch(mode=0o600)
    monkeypatch.setattr("sys.executable", str(program))
    with pytest.raises(Inconclusive) as caught:
        Lab().greeting  # noqa: B018
    assert str(caught.value) == f"no conductor could be started: {program}: Permission denied"


@pytest.mark.parametrize(("n", "seconds"), [(8, 1), (2000, 3)])
def test_silent_conductor_is_given_up_later_where_there_are_many_waiters(
    n: int, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER_PATIENCE_S", 1.0)
    with Lab() as lab:
        os.kill(lab.greeting["pid"], signal.SIGSTOP)
        with pytest.raises(Inconclusive) as caught:
            lab.run(Scenario("accept", n=n), traced=False)
    assert str(caught.value) == f"the conductor gave no answer within {seconds} s"


DIES_AT_FIRST = """
import os
from probes.lab.herd import Herd
opening = Herd.open_gate
def die_with_a_waiter_of_our_memory(herd, *gate):
    opening(herd, *gate)
    if herd.what_runs == "only system calls, in the conductor's memory":
        os.kill(os.getpid(), 9)
Herd.open_gate = die_with_a_waiter_of_our_memory
conductor.main"""


@pytest.mark.skipif(syscalls.ARCHITECTURE != "x86_64", reason="elsewhere no waiter shares the conductor's memory")
def test_waiters_that_may_have_killed_the_conductor_get_memory_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The OOM killer, and on older kernels a core dump, end the conductor with a waiter that runs in its memory."""
    monkeypatch.setattr(session, "_START", session._START.replace("conductor.main", DIES_AT_FIRST))
    with Lab() as lab:
        with pytest.raises(Inconclusive) as caught:
            lab.run(Scenario("accept", n=2), traced=False)
        trial = lab.run(Scenario("accept", n=2), traced=False)
    assert str(caught.value) == (
        "the conductor died (SIGKILL), maybe with a waiter in its memory: from now on they have their own"
    )
    assert (trial.inconclusive, trial.woken) == (None, 1)


NO_MACHINE = """
from probes.lab import machine
def have_none(*_):
    raise OSError
machine.start = have_none
"""
"""All waiters run Python then."""
LOSES_A_PID = """
from probes.lab import herd
from probes.lab.plain import PlainWaiters
def lose_a_pid(pids):
    raise MemoryError
forking = herd.fork
def fork_and_lose_it():
    pid = forking()
    if pid:
        raise MemoryError
    return pid
PlainWaiters.pids, herd.fork = lose_a_pid, fork_and_lose_it
conductor.main"""


@pytest.mark.parametrize("first", ["", NO_MACHINE], ids=["system calls", "Python"])
def test_memory_that_ends_between_a_fork_and_the_note_of_the_pid(
    first: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody can kill a waiter whose pid nobody knows, and the conductor waited for its end."""
    monkeypatch.setattr(session, "ANSWER_PATIENCE_S", 30.0)
    monkeypatch.setattr(session, "_START", session._START.replace("conductor.main", first + LOSES_A_PID))
    with Lab() as lab, pytest.raises(Inconclusive, match="the conductor ended: ENOMEM: no memory is left"):
        lab.run(Scenario("accept", n=2), traced=False)
    assert capfd.readouterr().err == ""


NONE_FOR_A_WAITER = """
from probes.lab import waiter
def have_none(*_):
    raise MemoryError
waiter._stand_at_gate = have_none
conductor.main"""


def test_a_waiter_for_which_no_memory_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_START", session._START.replace("conductor.main", NO_MACHINE + NONE_FOR_A_WAITER))
    with Lab() as lab:
        trial = lab.run(Scenario("accept", n=2), traced=False)
    assert str(trial.inconclusive).startswith("waiter 0 could not get ready: ENOMEM: no memory is left")


FAULTY = """
from probes.lab.trial import TrialRun
def fail(run):
    raise ValueError("too many")
TrialRun._open = fail
conductor.main"""


def test_a_fault_in_a_trial_does_not_end_the_conductor(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "_START", session._START.replace("conductor.main", FAULTY))
    with Lab() as lab:
        with pytest.raises(
            Inconclusive, match=r"^a fault of Wakecheck in the trial \(trial\.py, line \d+\): too many$"
        ):
            lab.run(Scenario("accept", n=2), traced=False)
        assert lab.generation == 1
    assert capfd.readouterr().err == ""
