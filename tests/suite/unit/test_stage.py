"""A stage sees its actors with the observers that are on, and says so where none is."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probes import experiments, syscalls
from probes.experiments import limits
from probes.lab.actor import Actor, Me
from probes.lab.isolation import LOOPBACK, NAMESPACES
from probes.lab.network import _counters
from probes.lab.session import Lab
from probes.lab.stage import Stage
from probes.observers import OBSERVERS
from probes.observers.run_counts import RunCounts
from probes.observers.switches import Switches
from probes.observers.task_files import Sighting
from probes.scenario import Scenario
from probes.verdict import Inconclusive

ROOT = Path(__file__).resolve().parents[3]
CHILD_ENDS = ("concurrent_server.child_ends", {"strategy": "accept", "handler": "none"})
"""An experiment that asks whether an actor was woken."""

OF_ACTORS = tuple(kind.name for kind in OBSERVERS if kind.sees_every_task)


@pytest.fixture(params=[(), ("switches",), ("run_counts",)], ids=["all", "no-switches", "no-run-counts"])
def seeing(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def test_either_observer_is_enough(seeing: Lab) -> None:
    if all(seeing.greeting["why_not"][name] is not None for name in OF_ACTORS):
        pytest.skip("this kernel has neither observer")
    assert seeing.play(*CHILD_ENDS)["server-woken"]["seen"] is False


def test_observers_that_are_off_are_not_used() -> None:
    with (
        Lab(OF_ACTORS) as lab,
        pytest.raises(
            Inconclusive, match="it is not known whether server was woken: switches: switched off by --herd-without;"
        ),
    ):
        lab.play(*CHILD_ENDS)


class _Instruments:
    why_no_syscall_file = why_blind = None
    of_every_task = ()


class _Bench:
    """As much of a bench as a stage asks before it has actors."""

    folder = None
    rest_shows = True
    instruments = _Instruments()


@pytest.mark.parametrize(("kind", "carried"), [("tcp4", False), ("vsock", True), ("pty", True)])
def test_who_carries_what_wakes_is_known_of_every_source(
    kind: str, carried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever experiment opens it: inside a PID namespace a thread of the kernel would look like a stranger."""
    monkeypatch.setattr("probes.lab.stage.open_source", lambda scenario, folder: io.BytesIO())
    stage = Stage(_Bench(), os.getpid())
    stage.source(Scenario.parse(f"poll/{kind}/n1/hold/{'one-write' if kind == 'pty' else 'one-connection'}"))
    assert stage.carried is carried
    stage.close()


def test_no_experiment_opens_a_source_by_itself() -> None:
    for module in pkgutil.iter_modules(experiments.__path__):
        code = Path(experiments.__path__[0], f"{module.name}.py").read_text()
        assert "open_source" not in code, module.name


def test_an_actor_that_computes_for_ever_does_not_keep_a_stage_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else that a call spins would be noted, and never told: nobody who spins comes to rest."""
    monkeypatch.setattr(limits, "_SPINS_S", 0.05)
    stage = Stage(_Bench(), os.getpid())

    def act(me: Me) -> None:
        me.ready()
        while True:
            pass

    done, said = os.pipe()
    spinner = stage.actor(act, "w0")
    try:
        assert limits.spins(spinner, done)
        stage.insist_on_all()
    finally:
        os.kill(spinner.pid, signal.SIGKILL)
        os.waitpid(spinner.pid, 0)
        os.close(done)
        os.close(said)


HUNG_UP = """
import os, signal
from probes.experiments import limits
from probes.lab import conductor, isolation
from probes.lab.stage import play
limits.hung_up = lambda stage: os.killpg(os.getpgrp(), signal.SIGHUP)
print(play("limits.hung_up", conductor._set_up(None, isolation.LOOPBACK, []), None))
"""


def test_a_signal_to_the_group_of_an_experiment_ends_no_conductor() -> None:
    """gVisor sends SIGHUP to it where one of it ends while another is stopped."""
    command = [sys.executable, "-c", HUNG_UP]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, start_new_session=True)
    assert done.stdout == "{'inconclusive': 'the experiment limits.hung_up died'}\n"


@pytest.mark.parametrize(
    ("isolation", "steered", "complains"),
    [
        (LOOPBACK, "steered", True),
        (LOOPBACK, None, False),
        (NAMESPACES, "steered", False),
    ],
)
def test_steering_of_the_lo_that_is_used_is_no_fault_of_the_kernel(
    isolation: str, steered: str | None, complains: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it a connection arrives on another CPU than its client's; /sys shows the lo of another namespace."""
    monkeypatch.setattr(_Bench, "isolation", isolation, raising=False)
    monkeypatch.setattr("probes.lab.stage.why_steered", lambda: steered)
    stage = Stage(_Bench(), os.getpid())
    with pytest.raises(Inconclusive, match="steered") if complains else contextlib.nullcontext():
        stage.insist_on_the_senders_cpu()


class _Asleep:
    """An actor's files, whose two counts can be set."""

    switches, runs = 5, 7

    def look(self) -> Sighting:
        return Sighting("S", self.switches, 0)

    def run_count(self) -> int:
        return self.runs


class _Stage:
    """As much of a stage as an actor asks."""

    syscall_readable = False
    why_blind = "nobody looks"

    def __init__(self) -> None:
        self.observers = [Switches(), RunCounts()]

    def fence(self) -> None:
        pass


@pytest.mark.parametrize(("switches", "runs", "woken"), [(5, 7, False), (6, 8, True), (6, 9, True)])
def test_woken_is_what_both_say(switches: int, runs: int, woken: bool) -> None:
    actor, files = _actor()
    files.switches, files.runs = switches, runs
    assert actor.woken is woken


@pytest.mark.parametrize(("switches", "runs"), [(5, 8), (6, 7)])
def test_observers_that_disagree_leave_it_open(switches: int, runs: int) -> None:
    actor, files = _actor()
    files.switches, files.runs = switches, runs
    with pytest.raises(Inconclusive, match="observers disagree whether w0 was woken: switches says"):
        _ = actor.woken


_INTERRUPTED = "somebody interrupted the wait of w0: a debugger, a freezer, or a signal"


@pytest.mark.parametrize("said", ["EINTR", -4, [["EINTR", True], ["EAGAIN", True]]])
def test_wait_that_nobody_of_ours_has_interrupted_tells_nothing(said: Any) -> None:
    with _that_says(said) as actor, pytest.raises(Inconclusive, match=_INTERRUPTED):
        actor.answer()


def test_interruption_that_nobody_has_heard_of_is_told_at_the_end() -> None:
    with _that_says("EINTR") as actor, pytest.raises(Inconclusive, match=_INTERRUPTED):
        actor.complain_about_interruption()


def test_interruption_by_a_signal_of_our_own_is_evidence() -> None:
    with _that_says("EINTR") as actor:
        actor.send(0)  # kill(2): 0 sends none, but is otherwise treated as any
        actor.complain_about_interruption()
    with _that_says("EINTR") as actor:
        actor.send(0)
        assert actor.answer() == "EINTR"


def test_signal_that_is_blocked_interrupts_nobody() -> None:
    with _that_says(["EINTR", False]) as actor:
        actor.send(0, interrupts=False)
        with pytest.raises(Inconclusive, match=_INTERRUPTED):
            actor.answer()


@contextlib.contextmanager
def _that_says(what: Any) -> Iterator[Actor]:
    ear, mouth = os.pipe()
    os.write(mouth, json.dumps(what).encode() + b"\n")
    try:
        yield Actor("w0", os.getpid(), ear, None, _Stage())  # type: ignore[arg-type]  # neither is asked for more
    finally:
        os.close(ear)
        os.close(mouth)


def _actor() -> tuple[Actor, _Asleep]:
    actor = Actor("w0", 0, -1, None, _Stage())  # type: ignore[arg-type]  # neither is asked for more
    files = _Asleep()
    actor._files = files  # type: ignore[assignment]
    actor._counts = actor._count(actor.look())
    return actor, files


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("call", ["poll", "ppoll"])
def test_a_call_that_stands_in_for_two_is_told_apart_by_what_was_said(
    call: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on arm64, where parked waiters are in ppoll, too, and ppoll takes the place of poll."""
    number = syscalls.number_of("ppoll")
    monkeypatch.setattr(syscalls, "number", lambda call: number)
    monkeypatch.setattr(_Stage, "syscall_readable", True)
    actor, files = _actor()
    monkeypatch.setattr(files, "look", lambda: Sighting("S", files.switches, number))
    assert actor.blocked_in_either((call, "ppoll"), lambda: waits) is waits


def test_counters_of_both_files_are_known() -> None:
    assert "ListenOverflows" in _counters("netstat", "TcpExt:")
    assert "OutRsts" in _counters("snmp", "Tcp:")
    assert _counters("snmp", "NoSuchGroup:") == {}
