"""The race of EPOLL_CTL_MOD and epoll_wait: a kernel that loses one MOD in two hundred is named."""

from __future__ import annotations

import os
import random
import select
import signal
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from probes.experiments import modified


class _Stage:
    """As much of a stage as this experiment asks."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.pids: list[int] = []

    def keep(self, resource: Any) -> Any:
        return resource

    def actor(self, act: Callable[[Any], Any], name: str) -> Any:
        self.pids.append(os.fork())
        if self.pids[-1] == 0:
            act(SimpleNamespace(ready=lambda: None))
        return SimpleNamespace(blocked_in=lambda call: None)

    def quiet(self, actors: list[Any]) -> None:
        pass

    def note(self, id: str, what: str, seen: Any) -> None:
        self.seen[id] = seen


class _Forgetful:
    """An instance of a kernel that does not look, one time in two hundred, whether what MOD arms is ready."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._chance = random.Random(1)
        self.register, self.poll = self._epoll.register, self._epoll.poll

    def modify(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, 0 if self._chance.random() < 1 / 200 else events)


@pytest.fixture
def stage() -> Iterator[_Stage]:
    fresh = _Stage()
    yield fresh
    for pid in fresh.pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _play(stage: _Stage) -> dict[str, Any]:
    modified.against_a_wait(stage)  # type: ignore[arg-type]  # a double
    return stage.seen


def test_healthy_kernel_tells_of_each(stage: _Stage) -> None:
    assert _play(stage) == {"told": modified.ROUNDS, "more": False}


def test_kernel_that_loses_one_in_two_hundred_is_named(stage: _Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("EPOLLIN", "EPOLLET", "select")
    forgetful = SimpleNamespace(epoll=_Forgetful, **{name: getattr(select, name) for name in names})
    monkeypatch.setattr(modified, "select", forgetful)
    monkeypatch.setattr(modified, "patience_s", lambda: 0.2)
    seen = _play(stage)
    assert seen["told"] < modified.ROUNDS
    assert not seen["more"]
