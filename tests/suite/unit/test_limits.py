"""The experiment about time limits tells a call that spins from one that returns, and from one that does neither."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from probes import syscalls
from probes.experiments import limits
from probes.lab import deadline
from probes.verdict import Inconclusive


@contextmanager
def _process(act: Callable[[], None], *, ready: bool = True) -> Iterator[Any]:
    pid = os.fork()
    if pid == 0:
        act()
        os._exit(0)
    try:
        yield SimpleNamespace(pid=pid, about_to_block=ready, give_up=lambda: None)
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
        assert limits.spins(spinning, done[0])


def test_what_leads_to_the_call_does_not_count(monkeypatch: pytest.MonkeyPatch, done: tuple[int, int]) -> None:
    monkeypatch.setattr(limits, "_SPINS_S", 0.05)
    monkeypatch.setattr(deadline, "LONGEST_S", 0.5)
    monkeypatch.setattr(deadline, "patience_s", lambda: 0.5)
    with _process(_for_ever, ready=False) as busy, pytest.raises(Inconclusive, match="neither returned nor"):
        limits.spins(busy, done[0])


def test_what_led_to_the_call_before_the_first_look_does_not_count(
    monkeypatch: pytest.MonkeyPatch, done: tuple[int, int]
) -> None:
    monkeypatch.setattr(limits, "_SPINS_S", 0.05)
    monkeypatch.setattr(deadline, "LONGEST_S", 0.5)
    ready, tell = os.pipe()

    def act() -> None:
        while time.process_time() < 0.2:
            pass
        os.write(tell, b"x")
        signal.pause()

    with _process(act) as asleep:
        os.read(ready, 1)
        with pytest.raises(Inconclusive, match="neither returned nor"):
            limits.spins(asleep, done[0])
    os.close(ready)
    os.close(tell)


def test_call_that_returned_does_not_spin(done: tuple[int, int]) -> None:
    os.write(done[1], b"x")
    with _process(signal.pause) as ended:
        assert not limits.spins(ended, done[0])


def test_call_that_does_neither_is_no_verdict(monkeypatch: pytest.MonkeyPatch, done: tuple[int, int]) -> None:
    monkeypatch.setattr(deadline, "LONGEST_S", 0.2)
    monkeypatch.setattr(deadline, "patience_s", lambda: 0.2)
    with _process(signal.pause) as asleep, pytest.raises(Inconclusive, match="neither returned nor took CPU time"):
        limits.spins(asleep, done[0])


@pytest.mark.parametrize("call", ["poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"])
def test_each_call_waits_on_the_descriptor_that_it_got(call: str, done: tuple[int, int]) -> None:
    """Otherwise it would be the time limit of a wait that no event could end."""
    os.write(done[1], b"x")
    wait = limits.waiting(call, done[0], 60 * 10**9)
    assert wait() == 1
    assert select.select([done[0]], [], [], 0)[0]


@pytest.mark.parametrize("call", ["poll", "select", "epoll_wait"])
def test_what_stands_in_for_a_call_gets_the_same_limit(
    call: str, done: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on arm64, which has none of the three: no time limit is not applicable there."""
    monkeypatch.delitem(syscalls.NUMBERS, call)
    limits.insist_on_call(call)
    began = time.monotonic_ns()
    assert limits.waiting(call, done[0], 20_000_000)() == 0
    assert time.monotonic_ns() - began >= 20_000_000
    os.write(done[1], b"x")
    assert limits.waiting(call, done[0], 60 * 10**9)() == 1


class _Stage:
    """As much of a stage as the experiment about one call asks: actors that answer, and what was noted."""

    answer_limit_s = None

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.pids: list[int] = []

    def actor(self, act: Callable[[Any], Any], name: str) -> Any:
        ear, mouth = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(mouth, json.dumps(act(SimpleNamespace(ready=lambda: None))).encode())
            os._exit(0)
        os.close(mouth)
        self.pids.append(pid)
        hears = {"answer": lambda: json.loads(os.read(ear, 4096)), "give_up": lambda: None}
        return SimpleNamespace(pid=pid, about_to_block=True, **hears)

    def note(self, id: str, what: str, seen: Any) -> None:
        self.seen[id] = seen


@pytest.fixture
def stage() -> Iterator[_Stage]:
    fresh = _Stage()
    yield fresh
    for pid in fresh.pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


_LIMIT_NS = 30 * 10**6


def _facts_of(
    stage: _Stage, monkeypatch: pytest.MonkeyPatch, took_ns: int, then: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """What is noted of a call that takes so long, by a clock that nothing else moves, and `then` returns."""
    now_ns = 0

    def wait() -> int:
        nonlocal now_ns
        now_ns += took_ns
        then()
        return 0

    clock = SimpleNamespace(monotonic_ns=lambda: now_ns, time_ns=lambda: now_ns)
    monkeypatch.setattr(limits, "time", clock)
    monkeypatch.setattr(limits, "waiting", lambda call, fd, limit_ns: wait)
    limits.expires(stage, {"call": "poll", "ns": _LIMIT_NS})  # type: ignore[arg-type]  # a double
    return stage.seen


@pytest.mark.parametrize(
    ("took_ns", "not_early"),
    [(_LIMIT_NS, True), (2 * _LIMIT_NS, True), (_LIMIT_NS - 1, False), (_LIMIT_NS * 2 // 3, False)],
)
def test_kernel_that_returns_too_early_is_named(
    stage: _Stage, monkeypatch: pytest.MonkeyPatch, took_ns: int, not_early: bool
) -> None:
    assert _facts_of(stage, monkeypatch, took_ns) == {"spins": False, "result": 0, "not-early": not_early}


def test_kernel_whose_expired_limit_spins_is_named(stage: _Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SPINS_S", 0.05)
    assert _facts_of(stage, monkeypatch, _LIMIT_NS, _for_ever) == {"spins": True}
