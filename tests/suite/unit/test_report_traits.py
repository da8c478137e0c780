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
    found = _traits(run)
    return [found[name].order for name in names]


def test_order_of_a_healthy_kernel(healthy: dict[str, Any]) -> None:
    assert _orders(healthy, "accept", "epoll_wait.edge.epoll", "epoll_wait.exclusive.listener") == [
        "goes round",
        "always last",
        "always first",
    ]
    assert _orders(healthy, "epoll_wait.oneshot.epoll", "io_uring_multishot") == [
        "always last",
        "always first",
    ]
    assert _orders(healthy, "poll", "accept.nothing") == ["all at once", "no fixed one"]


def test_order_of_another_kernel() -> None:
    assert _orders(run_on(broken.AcceptLastInFirstOut(1)), "accept") == ["always last"]
    assert _orders(run_on(broken.PollWakesOne(1)), "poll") == ["goes round"]


def test_lock_is_needed_against_a_herd(healthy: dict[str, Any]) -> None:
    found = _traits(healthy)
    assert found["accept"].lock == "no"
    assert found["poll"].lock == "yes, 8 wake"
    assert _traits(run_on(broken.AcceptHerdsSilently(1)))["accept"].lock == "yes, 8 wake"
    assert _traits(run_on(broken.PollWakesOne(1)))["poll"].lock == "no"


def _claim(id: str, case: str, verdict: str = "held", **facts: str) -> dict[str, Any]:
    noted = [{"what": what.replace("_", " "), "expected": "?", "seen": seen} for what, seen in facts.items()]
    return {"id": id, "rows": [], "cases": [{"id": case, "verdict": verdict, "facts": noted, "scenario": None}]}


CRASHES = {
    "yes": {
        "told_once_the_first_is_dead": "1",
        "taken_by_the_survivor": "2",
        "left_waiting": "0",
    },
    "late": {
        "told_once_the_first_is_dead": "0",
        "taken_by_the_survivor": "2",
        "left_waiting": "0",
    },
    "yes, but its own": {"taken_by_the_survivor": "1", "left_waiting": "0"},
    "no, 1 left": {"taken_by_the_survivor": "1", "left_waiting": "1"},
    "no, 2 left": {"left_waiting": "2"},
    "not judged": {"told_of_the_connection": "2"},
}


@pytest.mark.parametrize("words", CRASHES)
def test_crash_is_what_was_noted_whatever_the_claim_expected(healthy: dict[str, Any], words: str) -> None:
    run = {"claims": [*healthy["claims"], _claim("death.all-told-nothing-lost", "test_x[poll]", **CRASHES[words])]}
    assert _traits(run)["poll"].crash == words
    assert _traits(run)["select"].crash == "not judged"


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ("closed", "no, ECONNRESET"),
        ("established", "yes, it moves"),
    ],
)
def test_crash_of_a_member_of_a_group(healthy: dict[str, Any], connection: str, words: str) -> None:
    facts = {"the_connection": connection, "what_the_client_reads": "ECONNRESET"}
    closing = [
        _claim("reuseport-group.close-aborts-its-queue", f"test_close_aborts[{name}]", **facts)
        for name in ("accept", "epoll_wait.level.listener")
    ]
    for one in closing:
        run = {"claims": [*healthy["claims"], one]}
        name = "accept.nothing" if "accept" in one["cases"][0]["id"] else "epoll_wait.level.nothing"
        assert _traits(run)[name].crash == words


def test_case_that_does_not_apply_says_nothing(healthy: dict[str, Any]) -> None:
    claim = _claim("death.accept-goes-on", "test_x[accept]", "not applicable", left_waiting="0")
    assert _traits({"claims": [*healthy["claims"], claim]})["accept"].crash == "not judged"


def test_locks_are_read_from_their_claims() -> None:
    run = {
        "claims": [
            _claim("accept-locks.one-in-accept", "test_a[flock]", wait_in_accept="1", wait_for_the_lock="3"),
            _claim("accept-locks.unlock-wakes-one", "test_b[flock]", lock_waiters_woken_by_each_unlock="[3, 2, 1, 0]"),
            _claim("accept-locks.first-in-first-out", "test_c[flock]", took_the_connections="w0 w2 w1"),
            _claim("accept-locks.last-user-again", "test_d[flock]", the_last_user_had_it_again="False"),
            _claim("accept-locks.killed-holder", "test_e[flock]", the_first_that_waited="still waits"),
        ]
    }
    assert traits.locks(run) == [
        traits.LockRow("flock", "1 and 3", "3", "another order", "the one that waited", "no: stuck")
    ]


def test_lock_that_was_tried_once_is_judged_once() -> None:
    run = {"claims": [_claim("accept-locks.killed-holder", "test_e[mutex]", the_first_that_waited="EOWNERDEAD")]}
    nothing = traits.NOT_JUDGED
    assert traits.locks(run) == [
        traits.LockRow("mutex", nothing, nothing, nothing, nothing, "yes, with EOWNERDEAD"),
    ]
    assert traits.locks({"claims": []}) == []
