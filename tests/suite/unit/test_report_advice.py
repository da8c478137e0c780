"""What to use here: another kernel gets other advice, and what a run does not know is not recommended."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from probes.report import advice

from . import broken
from .judging import run_on
from .model import Kernel

FEW, MANY = "Few workers (2)", "Many workers (8 or more)"
EXCLUSIVE = "epoll_wait.exclusive.listener"


def _chosen(run: dict[str, Any]) -> dict[str, list[str | None]]:
    return {each.situation: [choice.strategy for choice in each.choices] for each in advice.advice(run)}


def _noted(run: dict[str, Any], claim: str, case: str, **facts: Any) -> None:
    """What an experiment noted, as the report reads it."""
    seen = [{"id": name.replace("_", "-"), "what": "?", "seen": value} for name, value in facts.items()]
    case_of = {"id": f"test[{case}]", "verdict": "held", "facts": seen, "scenario": None}
    run["claims"].append({"id": claim, "rows": [], "verdict": "held", "sentence": "", "cases": [case_of]})


@pytest.fixture(scope="module")
def healthy() -> dict[str, Any]:
    """With what mainline does when a worker is killed."""
    return _with_crashes(run_on(Kernel(1)))


def _with_crashes(run: dict[str, Any]) -> dict[str, Any]:
    for strategy in ("epoll_wait.level.listener", "epoll_wait.level.epoll"):
        _noted(run, "death.all-told-nothing-lost", strategy, left=0, survivor_took=2, survivor_returned=1)
    _noted(run, "death.exclusive-waits-for-next", EXCLUSIVE, left=0, survivor_took=2, survivor_returned=0)
    _noted(run, "death.edge-stays-behind", "epoll_wait.edge.epoll", left=1, survivor_took=1)
    _noted(run, "death.accept-goes-on", "accept", left=0, survivor_took=1)
    for group in ("accept", "epoll_wait.level.listener"):
        _noted(run, "reuseport-group.close-aborts-its-queue", group, connection="closed", client_reads="ECONNRESET")
    return run


def test_on_a_healthy_kernel(healthy: dict[str, Any]) -> None:
    chosen = _chosen(healthy)
    assert {blocking for blocking, _ in chosen.values()} == {"accept"}
    assert chosen[FEW][1] == "epoll_wait.level.listener"
    assert chosen[MANY][1] == EXCLUSIVE
    assert chosen["Uneven requests, some of them long"][1] == EXCLUSIVE
    assert chosen["Rolling restarts"][1] == EXCLUSIVE


def test_a_kernel_that_ignores_exclusive_gets_other_advice() -> None:
    for kernel in (broken.ExclusiveIgnored(1), broken.ExclusiveWakesTwo(1)):
        many = _chosen(_with_crashes(run_on(kernel)))[MANY][1]
        assert many is not None
        assert many != EXCLUSIVE


def test_exclusive_that_loses_wake_ups_is_shut_out() -> None:
    run = _with_crashes(run_on(broken.ExclusiveWakesNobody(1)))
    for claim in run["claims"]:
        for case in claim["cases"]:
            if claim["id"] == "every.no-lost-wake-up" and case["scenario"]["trigger"] == "exclusive":
                case["verdict"] = claim["verdict"] = "broken"
    assert EXCLUSIVE not in [chosen for pair in _chosen(run).values() for chosen in pair]
    said = {remark.strategy: remark.sentences for remark in advice.remarks(run)}
    assert said[EXCLUSIVE] == ("Not recommended: every.no-lost-wake-up is broken for it.",)


def test_where_accept_herds_a_group_serves_many_workers() -> None:
    run = _with_crashes(run_on(broken.AcceptHerdsSilently(1)))
    assert _chosen(run)[MANY][0] == "accept.nothing"
    # One queue for all still matters more where requests are uneven.
    assert _chosen(run)["Uneven requests, some of them long"][0] == "accept"


def test_nothing_is_recommended_by_a_run_that_saw_nothing() -> None:
    empty: dict[str, Any] = {"claims": []}
    assert {choice for pair in _chosen(empty).values() for choice in pair} == {None}
    first = advice.advice(empty)[0].choices[0]
    assert first.reason == "None of them qualifies: this run did not observe who was woken."


def test_reasons_are_of_this_run(healthy: dict[str, Any]) -> None:
    reasons = {each.situation: [choice.reason for choice in each.choices] for each in advice.advice(healthy)}
    assert reasons[FEW][0].startswith("It wakes ")
    assert reasons[MANY][1] == "It wakes 1 of 8."
    wakes_two = advice.advice(_with_crashes(run_on(broken.AcceptWakesTwo(1))))
    assert "It wakes 2 of 8. That is a herd" not in wakes_two[1].choices[0].reason  # a group wakes one
    assert wakes_two[1].choices[0].strategy == "accept.nothing"


def test_what_has_to_be_known_is_said(healthy: dict[str, Any]) -> None:
    said = {remark.strategy: " ".join(remark.sentences) for remark in advice.remarks(healthy)}
    assert "The worker that registered first gets every connection" in said[EXCLUSIVE]
    assert "delays that connection until the next one arrives" in said[EXCLUSIVE]
    assert said["accept.nothing"] == "A worker that exits takes its queue with it, and those clients read ECONNRESET."
    goes_round = _with_crashes(run_on(broken.ExclusiveGoesRound(1)))
    assert "registered first" not in {r.strategy: " ".join(r.sentences) for r in advice.remarks(goes_round)}[EXCLUSIVE]


def test_a_size_that_was_not_tried_is_no_observation(healthy: dict[str, Any]) -> None:
    """The quick preset tries eight workers alone: its figure for two is what the ranking supposes."""
    run = copy.deepcopy(healthy)
    for claim in run["claims"]:
        claim["cases"] = [case for case in claim["cases"] if not case["scenario"] or case["scenario"]["n"] == 8]
    few = {each.situation: [choice.reason for choice in each.choices] for each in advice.advice(run)}[FEW]
    assert few[0].startswith("It wakes 1 of 8; this run did not try 2 workers; a worker that is killed costs ")
    assert not any(" of 2" in reason or "so few" in reason for reason in few)
