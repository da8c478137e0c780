"""Workers that take turns are counted even if one of them runs at the moment of the look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from probes.audit import workers
from probes.audit.waits import Wait

HAS_THE_TURN = Wait(10, 10, "nginx", "epoll_wait", True)
ASKS_AGAIN = Wait(11, 11, "nginx", "epoll_wait", False, limited=True)
RUNS = Wait(11, 11, "nginx", None, False)


def count(monkeypatch: pytest.MonkeyPatch, at_first: Wait, *later: Wait) -> int:
    """Peers of the one that has the turn, where the other looks so at first, and so at each further look."""
    looks: Iterator[Wait] = iter(later)
    last = at_first

    def wait_of(pid: int, tid: int, held: object) -> Wait:
        nonlocal last
        last = next(looks, last)
        return last

    server: Any = SimpleNamespace(holders={10: {3: 1}, 11: {3: 1}})
    monkeypatch.setattr(workers, "wait_of", wait_of)
    monkeypatch.setattr(workers, "parent_of", lambda pid: 9)
    monkeypatch.setattr(workers, "_TURN_S", 0.01)
    return workers.peers_of(server, workers.in_their_calls(server, [HAS_THE_TURN, at_first]), [HAS_THE_TURN])


def test_who_asks_again_later_is_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(monkeypatch, ASKS_AGAIN) == 1


def test_who_runs_at_the_look_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(monkeypatch, RUNS, RUNS, ASKS_AGAIN) == 1


def test_who_got_the_turn_meanwhile_is_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(monkeypatch, RUNS, replace(HAS_THE_TURN, pid=11, tid=11)) == 1


def test_who_runs_all_the_time_takes_no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(monkeypatch, RUNS) == 0


def test_who_waits_for_something_else_is_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(monkeypatch, RUNS, replace(ASKS_AGAIN, call="futex", limited=False)) == 0
