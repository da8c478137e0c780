"""The experiment about time limits tells a call that spins from one that returns, and from one that does neither."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from probes.experiments import limits
from probes.lab import deadline
from probes.verdict import Inconclusive


@contextmanager
def _process(act: Callable[[], None]) -> Iterator[Any]:
    pid = os.fork()
    if pid == 0:
        act()
        os._exit(0)
    try:
        yield SimpleNamespace(pid=pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _for_ever() -> None:
    while True:
        pass


@pytest.fixture
def done() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_call_that_spins_is_named(monkeypatch: pytest.MonkeyPatch, done: tuple[int, int]) -> None:
    monkeypatch.setattr(limits, "_SPINS_S", 0.05)
    with _process(_for_ever) as spinning:
        assert limits._spins(spinning, done[0])


def test_call_that_returned_does_not_spin(done: tuple[int, int]) -> None:
    os.write(done[1], b"x")
    with _process(signal.pause) as ended:
        assert not limits._spins(ended, done[0])


def test_call_that_does_neither_is_no_verdict(monkeypatch: pytest.MonkeyPatch, done: tuple[int, int]) -> None:
    monkeypatch.setattr(deadline, "LONGEST_S", 0.2)
    monkeypatch.setattr(deadline, "patience_s", lambda: 0.2)
    with _process(signal.pause) as asleep, pytest.raises(Inconclusive, match="neither returned nor took CPU time"):
        limits._spins(asleep, done[0])


@pytest.mark.parametrize("call", ["poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"])
def test_each_call_waits_on_the_descriptor_that_it_got(call: str, done: tuple[int, int]) -> None:
    """Else the time limit would be that of a wait for nothing, which no event could end."""
    os.write(done[1], b"x")
    wait = limits._waiting(call, done[0], 60 * 10**9)
    assert wait() == 1
    assert select.select([done[0]], [], [], 0)[0]
