"""What the writers share: spreads, the strategies' rows, wake orders, and phrases about a trial."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from probes.report import orders, strategies, words
from probes.report.figures import Spread, over

SAMPLE = Path(__file__).parent / "samples" / "run-small-plain.json"
EN_DASH = "\N{EN DASH}"


@pytest.fixture
def run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return run


def cases_of(run: dict[str, Any], claim: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = next(candidate["cases"] for candidate in run["claims"] if candidate["id"] == claim)
    return cases


def row(run: dict[str, Any], strategy: str) -> strategies.StrategyRow:
    return next(row for row in strategies.rows(run) if row.strategy == strategy)


@pytest.mark.parametrize(
    ("values", "shown"),
    [([], "?"), ([None], "?"), ([8, 8], "8"), ([3, 1, 2], f"1{EN_DASH}3"), ([None, 2], "2"), ([0, 0], "0")],
)
def test_a_spread(values: list[int | None], shown: str) -> None:
    assert str(Spread.of(values)) == shown


def test_a_trial_that_proved_nothing_is_counted_and_not_read(run: dict[str, Any]) -> None:
    figures = over(cases_of(run, "select.wakes-all")[0]["trials"])
    assert (figures.trials, figures.inconclusive) == (1, 1)
    assert str(figures["woken"]) == "4"


def test_figures_are_of_untraced_trials(run: dict[str, Any]) -> None:
    trials = cases_of(run, "poll.wakes-all")[1]["trials"]
    assert [trial["returned"] for trial in trials if trial["traced"]] == [8]
    assert str(over(trials)["returned"]) == "1"
    assert over(trials).trials == 2


def test_a_traced_trial_alone_gives_no_figure(run: dict[str, Any]) -> None:
    trials = [trial for trial in cases_of(run, "poll.wakes-all")[1]["trials"] if trial["traced"]]
    assert (str(over(trials)["returned"]), over(trials).trials) == ("?", 0)


def test_rows_stand_in_the_order_of_the_calls(run: dict[str, Any]) -> None:
    assert [row.strategy for row in strategies.rows(run)] == [
        "accept",
        "poll",
        "epoll_wait.exclusive.listener",
        "epoll_wait.edge.epoll",
        "epoll_pwait2.level.listener",
    ]


def test_a_strategy_that_the_kernel_lacks_is_no_unknown(run: dict[str, Any]) -> None:
    lacking = row(run, "epoll_pwait2.level.listener")
    assert lacking.figures["hold"] is None
    assert lacking.absent == {"hold"}


def test_a_strategy_has_the_figures_of_its_case(run: dict[str, Any]) -> None:
    poll = row(run, "poll")
    for place, reaction in enumerate(("hold", "accept")):
        assert poll.figures[reaction] == over(cases_of(run, "poll.wakes-all")[place]["trials"])


def test_trials_that_two_claims_share_count_once(run: dict[str, Any]) -> None:
    before = strategies.rows(run)
    run["claims"].append(copy.deepcopy(run["claims"][0]))
    assert strategies.rows(run) == before


@pytest.mark.parametrize(
    "axis",
    [
        {"n": 4},
        {"source": "tcp6"},
        {"waiter": "thread"},
        {"stimulus": "burst"},
        {"blocked": "reversed"},
    ],
)
def test_other_scenes_are_not_in_the_table(axis: dict[str, Any], run: dict[str, Any]) -> None:
    for case in cases_of(run, "poll.wakes-all"):
        case["scenario"].update(axis)
    assert "poll" not in [row.strategy for row in strategies.rows(run)]


def test_wake_order(run: dict[str, Any]) -> None:
    shown, herds = orders.strips(run)
    assert [(row.strategy, row.waiters) for row in shown] == [("accept", (0, 1, 2, 3))]
    assert shown[0].remark == "the lowest number first, the same in all 2 trials"
    assert herds == ["poll"]


def test_an_order_that_differs_is_not_sold_as_one(run: dict[str, Any]) -> None:
    trials = cases_of(run, "accept.first-in-first-out")[0]["trials"]
    trials[0]["steps"].reverse()
    assert orders.strips(run)[0][0].remark == "2 orders in 2 trials; this is one of them"


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [([], ""), ([3], "w3"), ([3, 4], "w3 w4"), ([5, 0, 1, 2], "w0-w2 w5"), (range(64), "w0-w63")],
)
def test_ranges(numbers: list[int], shown: str) -> None:
    assert words.ranges(numbers) == shown


def test_a_large_herd_is_one_short_phrase(run: dict[str, Any]) -> None:
    trial = cases_of(run, "poll.wakes-all")[0]["trials"][0]
    waiter = {**trial["waiters"][0], "returned": True, "won": 0}
    trial["waiters"] = [{**waiter, "i": i, "at_us": 100 + i} for i in range(1000)]
    assert words.states(trial) == [("returned", "w0-w999 +0.10 to +1.10ms")]


def test_states_that_nobody_saw(run: dict[str, Any]) -> None:
    trial = cases_of(run, "accept.wakes-one")[0]["trials"][0]
    blind, half = trial["waiters"][0], trial["waiters"][1]
    blind.update(returned=None, woken=None)
    half.update(returned=False, woken=None)
    trial["waiters"] = [blind, half]
    assert words.states(trial) == [("did not return", "w1"), ("unknown", "w0")]


def test_a_wait_that_failed_shows_its_error(run: dict[str, Any]) -> None:
    trial = cases_of(run, "accept.wakes-one")[0]["trials"][0]
    trial["waiters"] = [{**trial["waiters"][0], "returned": True, "won": 0, "at_us": 12, "result": -4, "errno": 4}]
    assert words.states(trial) == [("returned", "w0 +0.01ms EINTR".replace(" ", "\N{NO-BREAK SPACE}"))]


def test_waiters_that_did_the_same_are_told_together(run: dict[str, Any]) -> None:
    trial = next(played for played in cases_of(run, "poll.wakes-all")[0]["trials"] if played["traced"])
    assert dict(words.remarks(trial))["syscalls"] == "w0-w7: poll = 1"


def test_who_woke_whom(run: dict[str, Any]) -> None:
    trial = next(played for played in cases_of(run, "accept.wakes-one")[0]["trials"] if not played["traced"])
    assert dict(words.remarks(trial))["woken by"] == "conductor \N{RIGHTWARDS ARROW} w0"


def test_an_untraced_trial_has_no_tracer_to_miss(run: dict[str, Any]) -> None:
    for trial in cases_of(run, "accept.wakes-one")[0]["trials"]:
        assert ("syscall exits=1" in words.observers(trial)) is trial["traced"]
