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


def _workers_of(monkeypatch: pytest.MonkeyPatch, *snapshots: list[Wait], then: Wait, limit_s: float = 60) -> list[Wait]:
    """The workers that wait for the listener, where these are the waits at each rest, and the one that ran waits so
    afterwards."""
    rests = iter(snapshots)
    watch: Any = SimpleNamespace(looks=dict, look_at_candidates=lambda waits: None, at_rest=lambda *_: None)
    watch.waits = lambda holders: next(rests)
    monkeypatch.setattr(workers, "wait_of", lambda *_: then)
    monkeypatch.setattr(workers, "strategy_of", lambda *_: None)
    monkeypatch.setattr(workers, "peers_of", lambda *_: 0)
    server: Any = SimpleNamespace(holders={10: {3: 1}, 11: {3: 1}}, listener=None)
    return workers.workers_of(server, watch, limit_s).waiting


def test_one_that_was_late_for_its_wait_is_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had ticked, and waited for a CPU while the others were at rest."""
    waits = replace(HAS_THE_TURN, pid=11, tid=11)
    assert _workers_of(monkeypatch, [HAS_THE_TURN, RUNS], [HAS_THE_TURN, waits], then=waits) == [HAS_THE_TURN, waits]


def test_one_that_does_not_wait_for_the_listener_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _workers_of(monkeypatch, [HAS_THE_TURN, RUNS], then=ASKS_AGAIN) == [HAS_THE_TURN]


def test_one_that_is_always_late_is_left_out_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = replace(HAS_THE_TURN, pid=11, tid=11)
    assert _workers_of(monkeypatch, [HAS_THE_TURN, RUNS], then=waits, limit_s=-1) == [HAS_THE_TURN]
