"""Ctrl-C, and the other signals that end a program, end a run once, however often they come."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import interrupt
from probes.host import PROJECT
from probes.report import run as run_json

pytestmark = pytest.mark.long


@pytest.fixture
def default() -> Iterator[None]:
    """As Python starts: SIGINT raises KeyboardInterrupt, and the others end it."""
    before = {number: signal.getsignal(number) for number in interrupt.ENDS}
    for number, handler in interrupt._DEFAULTS.items():
        signal.signal(number, handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("default")
def test_second_one_is_ignored() -> None:
    with pytest.raises(KeyboardInterrupt):
        _pressed()
    signal.raise_signal(signal.SIGINT)


def _pressed() -> None:
    with interrupt.heeded_once():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("default")
@pytest.mark.parametrize("number", interrupt.ENDS)
def test_signal_that_ends_a_program_is_named(number: signal.Signals) -> None:
    """After it none of them interrupts the clean-up."""
    assert interrupt.heed_once(interrupt.ENDS)
    with pytest.raises(KeyboardInterrupt) as caught:
        signal.raise_signal(number)
    assert str(caught.value) == ("" if number == signal.SIGINT else number.name)
    for later in interrupt.ENDS:
        signal.raise_signal(later)


@pytest.mark.usefixtures("default")
def test_what_is_ignored_stays_ignored() -> None:
    """For example by nohup: the terminal closes, and the run goes on."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert signal.SIGHUP not in interrupt.heed_once(interrupt.ENDS)
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.usefixtures("default")
def test_what_must_be_done_whole_is_not_interrupted() -> None:
    heeded = interrupt.heed_once(interrupt.ENDS)
    interrupt.ignore(heeded)
    for number in interrupt.ENDS:
        signal.raise_signal(number)
    interrupt.heed_again(heeded)
    assert {number: signal.getsignal(number) for number in interrupt.ENDS} == interrupt._DEFAULTS


@pytest.mark.usefixtures("default")
def test_run_inside_a_run_leaves_the_handlers_of_the_outer_one() -> None:
    interrupt.heed_once(interrupt.ENDS)
    inner = interrupt.heed_once(interrupt.ENDS)
    interrupt.ignore(inner)
    interrupt.heed_again(inner)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.usefixtures("default")
def test_without_one_all_is_as_before() -> None:
    with interrupt.heeded_once():
        assert signal.getsignal(signal.SIGINT) is interrupt._first
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handler_of_somebody_else_stays() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert interrupt.heed_once() == []
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


_TWICE = """
import os, signal, sys
from probes.lab import session

number = int(sys.argv[2])
# A shell that starts this in the background has SIGINT ignored, and Python keeps it so.
signal.signal(signal.SIGINT, signal.default_int_handler)

def close(self):
    os.kill(os.getpid(), number)
    real(self)

def run(self, scenario, *, traced, own_memory=False):
    os.kill(os.getpid(), number)

real = session.Lab.close
session.Lab.close, session.Lab.run = close, run
"""
"""A signal in the first trial, and again while the conductor is ended."""


_WAKECHECK = "from probes.__main__ import main; raise SystemExit(main(['run', 'poll/tcp4/n8/hold/nothing']))"
_PYTEST = """
import pytest
raise SystemExit(pytest.main(['-q', 'tests/kernel/test_accept.py', '--herd-report=' + sys.argv[1]]))
"""


def _twice(start: str, number: signal.Signals, report: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{_TWICE}\n{start}", str(report), str(int(number))]
    ended = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended


def test_wakecheck_pressed_twice_is_stopped(tmp_path: Path) -> None:
    ended = _twice(_WAKECHECK, signal.SIGINT, tmp_path)
    assert ended.returncode == 130
    assert "wakecheck: stopped" in ended.stderr


@pytest.mark.parametrize("number", interrupt.ENDS)
def test_run_that_is_stopped_writes_a_partial_report(number: signal.Signals, tmp_path: Path) -> None:
    ended = _twice(_PYTEST, number, tmp_path)
    assert ended.returncode == pytest.ExitCode.INTERRUPTED
    words = "Ctrl-C" if number == signal.SIGINT else number.name
    assert f"! stopped ({words}) !" in ended.stdout
    assert "KeyboardInterrupt" not in ended.stdout
    run = run_json.load(tmp_path / "run.json")
    assert run["partial"] is True
    assert run["partial_reason"].startswith(f"stopped ({words}): 0 of ")
    assert (tmp_path / "index.html").exists()
