"""Calls by name: their numbers on every architecture, and the stand-ins for calls that an architecture lacks."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from probes import host, strategies, syscalls
from probes.experiments.waiting import TAKES
from probes.report import lineage, page, terminal, words
from probes.scenario import Scenario
from probes.verdict import NotApplicable

from .runs import run_of

ROOT = Path(__file__).resolve().parents[3]
ARCHITECTURES = sorted(set(syscalls._TABLES.values()))
LACKING = ("poll", "select", "epoll_wait", "pause", "epoll_create")
"""What arm64, riscv64 and loongarch64 lack (include/uapi/asm-generic/unistd.h)."""

# A trial reaps every child of its process, so it gets one of its own.
TRIALS = """
import json, sys
from probes import syscalls
for name in json.loads(sys.argv[1]):
    del syscalls.NUMBERS[name]
from probes.lab import conductor, isolation, stage
from probes.lab.trial import TrialRun
from probes.scenario import Scenario

bench = conductor._set_up(None, isolation.LOOPBACK, [])
for id in sys.argv[2:]:
    trial = TrialRun(Scenario.parse(id), bench, traced=True).run()
    print(json.dumps([trial.inconclusive, trial.agree, trial.woken, trial.returned, [end.call for end in trial.exits]]))
print(json.dumps(stage.play("accept_queue.handed_over", bench, {"strategy": "select", "by": "SCM_RIGHTS"})["facts"]))
"""


@pytest.fixture
def as_on_arm64(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has no calls that arm64 lacks."""
    for name in LACKING:
        monkeypatch.delitem(syscalls.NUMBERS, name, raising=False)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_serves_every_call(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the lab itself makes, too; epoll_create alone has a claim of its own."""
    monkeypatch.setattr(syscalls, "NUMBERS", syscalls._numbers(architecture))
    used = {*syscalls.STAND_INS, "accept4", "epoll_pwait2", "io_uring_enter", "membarrier", "perf_event_open", "tgkill"}
    assert [name for name in used if syscalls.number(name) is None] == []


@pytest.mark.parametrize(
    ("architecture", "name", "number"),
    [
        ("x86_64", "poll", 7),
        ("arm64", "poll", 73),  # ppoll
        ("arm64", "epoll_wait", 22),  # epoll_pwait
        ("i386", "select", 142),  # _newselect: 82 takes all its arguments in a struct
        ("arm", "fcntl", 221),  # fcntl64
        ("s390x", "accept", 364),  # accept4
        ("riscv32", "ppoll", 414),  # ppoll_time64
    ],
)
def test_number_is_that_of_what_libc_calls(
    architecture: str, name: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "NUMBERS", syscalls._numbers(architecture))
    assert syscalls.number(name) == number


def test_numbers_are_those_of_this_program() -> None:
    assert syscalls.call(syscalls.NUMBERS["getpid"]) == os.getpid()


@pytest.mark.usefixtures("as_on_arm64")
@pytest.mark.parametrize(
    "strategy",
    ["poll", "select", "epoll_wait.level.listener", "epoll_wait.exclusive.listener", "epoll_wait.edge.epoll"],
)
def test_strategy_waits_in_what_stands_for_its_call(strategy: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()):
        way = strategies.prepare(Scenario.parse(f"{strategy}/tcp4/n1/hold/one-connection"), [listening.fileno()])
        assert way.waiting(0).wait() == 1
        way.close()


def test_call_without_a_stand_in_is_not_applicable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(syscalls.NUMBERS, "io_uring_enter")
    with pytest.raises(NotApplicable) as caught:
        strategies.prepare(Scenario.parse("io_uring_poll/tcp4/n1/hold/one-connection"), [0])
    assert str(caught.value) == "this architecture has no io_uring_enter system call, and no other that does its work"


def test_trials_where_calls_are_lacking() -> None:
    """Proven blocked in the stand-in, and counted as returns of it, with ids that are the same everywhere."""
    ids = [
        f"{call}/tcp4/n3/hold/one-connection"
        for call in ("poll", "select", "epoll_wait.level.listener", "epoll_wait.exclusive.listener")
    ]
    program = [sys.executable, "-c", TRIALS, json.dumps(LACKING), *ids]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *trials, facts = map(json.loads, done.stdout.splitlines())
    poll, select, level, exclusive = trials
    assert poll == [None, True, 3, 3, ["ppoll"] * 3]
    assert select == [None, True, 3, 3, ["pselect6"] * 3]
    assert level == [None, True, 3, 3, ["epoll_pwait"] * 3]
    assert exclusive == [None, True, 1, 1, ["epoll_pwait"]]
    assert {name: fact["seen"] for name, fact in facts.items()} == {"connect": "ok", "waiter": TAKES}


@pytest.mark.usefixtures("as_on_arm64")
def test_what_stands_for_a_call_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    stand_ins = host.stand_ins()
    assert {name: stand_ins[name] for name in ("poll", "select", "epoll_wait")} == {
        "poll": "ppoll",
        "select": "pselect6",
        "epoll_wait": "epoll_pwait",
    }
    run = run_of("arm64", "6.12.0", machine="aarch64", stand_ins={"poll": "ppoll"})
    assert words.stand_ins(run["kernel"]) == "poll: ppoll here"
    terminal.summary(run, Console(), [])
    assert "poll: ppoll here" in capsys.readouterr().out
    assert "poll: ppoll here" in page.render(run)
    (kernel,) = lineage.ordered([run])
    assert "poll: ppoll here" in kernel.notes


def test_nothing_is_told_where_nothing_is_lacking() -> None:
    run: dict[str, Any] = run_of("6.12", "6.12.0")
    assert words.stand_ins(run["kernel"]) == ""
    assert " here" not in " ".join(lineage.ordered([run])[0].notes)


def test_timeval_is_as_wide_as_its_option() -> None:
    assert syscalls.timeval(2.5, 20) == struct.pack("ll", 2, 500_000)
    assert syscalls.timeval(2.5, 67) == struct.pack("qq", 2, 500_000)
