"""What a strategy is like, in words that follow from the run: another kernel gives others."""

from __future__ import annotations

from typing import Any

import pytest

from probes.report import strategies, traits

from . import broken
from .judging import run_on
from .model import Kernel


def _traits(run: dict[str, Any]) -> dict[str, traits.Traits]:
    return traits.of(strategies.rows(run), run)


@pytest.fixture(scope="module")
def healthy() -> dict[str, Any]:
    return run_on(Kernel(1))


def _orders(run: dict[str, Any], *names: str) -> list[str]:
    traits_of = _traits(run)
    return [traits_of[name].order for name in names]


def test_order_of_a_healthy_kernel(healthy: dict[str, Any]) -> None:
    assert _orders(healthy, "accept", "epoll_wait.edge.epoll", "epoll_wait.exclusive.listener") == [
        "round robin",
        "always last",
        "always first",
    ]
    assert _orders(healthy, "epoll_wait.oneshot.epoll", "io_uring_multishot") == [
        "always last",
        "always first",
    ]
    assert _orders(healthy, "poll", "accept.nothing") == ["all at once", "irregular"]


def test_order_of_another_kernel() -> None:
    assert _orders(run_on(broken.AcceptLastInFirstOut(1)), "accept") == ["always last"]
    assert _orders(run_on(broken.PollWakesOne(1)), "poll") == ["round robin"]


def test_lock_is_needed_against_a_herd(healthy: dict[str, Any]) -> None:
    traits_of = _traits(healthy)
    assert traits_of["accept"].lock == "no"
    assert traits_of["poll"].lock == "yes, 8 wake"
    assert _traits(run_on(broken.AcceptHerdsSilently(1)))["accept"].lock == "yes, 8 wake"
    assert _traits(run_on(broken.PollWakesOne(1)))["poll"].lock == "no"


def _claim(id: str, case: str, verdict: str = "held", **facts: Any) -> dict[str, Any]:
    noted = [{"id": name.replace("_", "-"), "what": "?", "seen": seen} for name, seen in facts.items()]
    return {"id": id, "rows": [], "cases": [{"id": case, "verdict": verdict, "facts": noted, "scenario": None}]}


CRASHES = {
    "yes": {"survivor_returned": 1, "survivor_took": 2, "left": 0},
    "only when the next one arrives": {"survivor_returned": 0, "survivor_took": 2, "left": 0},
    "yes, except the one it had taken": {"survivor_returned": 0, "survivor_took": 1, "left": 0},
    "no, 1 of 2 left in the queue": {"survivor_returned": 0, "survivor_took": 1, "left": 1},
    "no, 2 of 2 left in the queue": {"left": 2},
    "not judged": {"returned": 2},
}


@pytest.mark.parametrize("words", CRASHES)
def test_crash_is_what_was_noted_whatever_the_claim_expected(healthy: dict[str, Any], words: str) -> None:
    run = {"claims": [*healthy["claims"], _claim("death.all-told-nothing-lost", "test_x[poll]", **CRASHES[words])]}
    assert _traits(run)["poll"].crash == words
    assert _traits(run)["select"].crash == "not judged"


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ("closed", "no, the client reads ECONNRESET"),
        ("established", "yes, it moves to another member"),
    ],
)
def test_crash_of_a_member_of_a_group(healthy: dict[str, Any], connection: str, words: str) -> None:
    facts = {"connection": connection, "client_reads": "ECONNRESET"}
    closing = [
        _claim("reuseport-group.close-aborts-its-queue", f"test_close_aborts[{name}]", **facts)
        for name in ("accept", "epoll_wait.level.listener")
    ]
    for way in closing:
        run = {"claims": [*healthy["claims"], way]}
        name = "accept.nothing" if "accept" in way["cases"][0]["id"] else "epoll_wait.level.nothing"
        assert _traits(run)[name].crash == words


def test_case_that_does_not_apply_says_nothing(healthy: dict[str, Any]) -> None:
    claim = _claim("death.accept-goes-on", "test_x[accept]", "not applicable", left=0, survivor_took=1)
    assert _traits({"claims": [*healthy["claims"], claim]})["accept"].crash == "not judged"


def test_locks_are_read_from_their_claims() -> None:
    run = {
        "claims": [
            _claim("accept-locks.one-in-accept", "test_a[flock]", in_accept=1, at_lock=3),
            _claim("accept-locks.unlock-wakes-one", "test_b[flock]", woken_by_unlock=[3, 2, 1, 0]),
            _claim("accept-locks.first-in-first-out", "test_c[flock]", takers=[0, 2, 1]),
            _claim("accept-locks.last-user-again", "test_d[flock]", last_user_again=False),
            _claim("accept-locks.killed-holder", "test_e[flock]", first_in_line="still waits"),
        ]
    }
    assert traits.locks(run) == [
        traits.LockRow(
            "flock",
            "1 and 3",
            "3",
            "not first come, first served",
            "the one that waited gets it",
            "no, the lock is stuck",
        )
    ]


def test_lock_that_was_tried_once_is_judged_once() -> None:
    run = {"claims": [_claim("accept-locks.killed-holder", "test_e[mutex]", first_in_line="EOWNERDEAD")]}
    nothing = traits.NOT_JUDGED
    assert traits.locks(run) == [
        traits.LockRow("mutex", nothing, nothing, nothing, nothing, "yes, with EOWNERDEAD"),
    ]
    assert traits.locks({"claims": []}) == []
