"""Ctrl-C ends a run once, however often it is pressed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from probes import interrupt
from probes.host import PROJECT


@pytest.fixture
def default() -> Iterator[None]:
    """As Python starts: SIGINT raises KeyboardInterrupt."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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
def test_without_one_all_is_as_before() -> None:
    with interrupt.heeded_once():
        assert signal.getsignal(signal.SIGINT) is interrupt._first
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handler_of_somebody_else_stays() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert not interrupt.heed_once()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


_TWICE = """
import os, signal
from probes.lab import session

# A shell that starts this in the background has SIGINT ignored, and Python keeps it so.
signal.signal(signal.SIGINT, signal.default_int_handler)

def close(self):
    os.kill(os.getpid(), signal.SIGINT)
    real(self)

def run(self, scenario, *, traced):
    os.kill(os.getpid(), signal.SIGINT)

real = session.Lab.close
session.Lab.close, session.Lab.run = close, run
"""
"""Ctrl-C in the first trial, and again while the conductor is ended."""


@pytest.mark.parametrize(
    ("start", "code", "words"),
    [
        (
            "from probes.__main__ import main; raise SystemExit(main(['run', 'poll/tcp4/n8/hold/nothing']))",
            130,
            "stopped",
        ),
        (
            "import pytest\n"
            "raise SystemExit(pytest.main(['-q', 'tests/kernel/test_accept.py', '--herd-report=' + sys.argv[1]]))",
            2,
            "KeyboardInterrupt",
        ),
    ],
    ids=["wakecheck", "pytest"],
)
def test_pressed_twice_there_is_no_traceback(
    start: str, code: int, words: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    command = [sys.executable, "-c", f"import sys\n{_TWICE}\n{start}", str(tmp_path_factory.mktemp("report"))]
    ended = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == code
    assert words in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
