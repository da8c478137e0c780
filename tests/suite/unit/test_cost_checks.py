"""The checks of a reading: a good one passes all, and each of them fails where it should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from probes.cost import checks
from probes.cost.reading import SLEPT, Reading

from .cost_readings import reading, under_load


@pytest.mark.parametrize("good", [reading(), under_load()], ids=lambda good: good.load)
def test_good_reading_passes(good: Reading) -> None:
    assert checks.wrong(good) is None


def _after(**columns: Any) -> dict[str, Any]:
    return {"after": replace(reading().after, **columns)}


SPOILED = [
    ({"unanswered": 1}, checks.answered_once, "1 of 10 connections got no answer"),
    ({"answered_again": 2}, checks.answered_once, "2 answers more than the 10 connections"),
    ({"latencies_ns": [1000] * 9}, checks.answered_once, "9 of 10 connections got an answer"),
    (_after(failed=[0, 1, 0, 0]), checks.no_failures, "workers could not answer 1 connections that they had taken"),
    (_after(voluntary=[15, 4, 15, 15]), checks.counters_grow, "voluntary of worker 1 went backwards"),
    (_after(involuntary=[0, 0, 0, -1]), checks.counters_grow, "involuntary of worker 3 went backwards"),
    (_after(cpu_ns=[-1, 0, 0, 0]), checks.counters_grow, "cpu_ns of worker 0 went backwards"),
    (_after(returned=[4, 3, -2, 3]), checks.counters_grow, "returned of worker 2 went backwards"),
    (_after(empty=[0, 0, 0, -2]), checks.counters_grow, "empty of worker 3 went backwards"),
    ({"workers": 5}, checks.counters_grow, "voluntary was counted of 4 of 5 workers"),
    (
        _after(won=[5, 3, 2, 1]),
        checks.winners_agree,
        "worker 0 counted 5 connections, and the clients 4 answers from it",
    ),
    ({"answers": {0: 4, 1: 3, 2: 2, 9: 1}}, checks.winners_agree, "worker 3 counted 1 connections, and the clients 0"),
    (
        {"answers": {0: 4, 1: 3, 2: 2, 3: 1, 9: 1}},
        checks.winners_agree,
        "an answer came from worker 9, and there is none",
    ),
    (
        _after(returned=[4, 3, 2, 2]),
        checks.returns_add_up,
        "worker 3 returned 2 times, and found something or nothing 3",
    ),
    (_after(empty=[0, 1, 0, 2]), checks.returns_add_up, "worker 1 returned 3 times, and found something or nothing 4"),
    (_after(won=[4, 3, 2, 0]), checks.shares_are_whole, "the workers' shares are 90.0 % together"),
    ({"latencies_ns": [-1, *[1000] * 9]}, checks.time_adds_up, "a latency is negative"),
    ({"latencies_ns": [10_001] * 10}, checks.time_adds_up, "the latencies together are longer than the time"),
    (
        {"user_ns": [0] * 4, "system_ns": [0] * 4, **_after(cpu_ns=[2_000_000] * 4)},
        checks.cpu_adds_up,
        "the CPU clocks",
    ),
    ({"long_connections": 1}, checks.work_was_done, "clients meant 1 requests to be long, and workers took 0 for that"),
    (_after(work_ns=[1_000_000] * 4), checks.work_was_done, "the work asked for was 0, and workers worked 4.0 ms"),
    ({"work": "50"}, checks.work_was_done, "the work asked for was 50, and workers worked 0.0 ms"),
    ({"work": "50", **_after(work_ns=[200_000] * 4)}, checks.work_was_done, "workers worked 0.8 ms, and used 0.4 ms"),
    ({"each_woken": [4] * 9}, checks.sleepers_were_woken, "9 of 10 connections were looked at"),
    ({"each_woken": [4] * 9 + [0]}, checks.sleepers_were_woken, "a connection was served, and no worker was woken"),
    ({"each_woken": [5] * 10}, checks.sleepers_were_woken, "50 workers woken one by one, and 40 in all"),
    ({"dots": [SLEPT] * 4}, checks.sleepers_were_woken, "the picture of one connection shows no worker"),
]


@pytest.mark.parametrize(("changes", "check", "sentence"), SPOILED, ids=[sentence for *_, sentence in SPOILED])
def test_each_check_can_fail(changes: dict[str, Any], check: Any, sentence: str) -> None:
    spoiled = reading(**changes)
    assert (check(spoiled) or "").startswith(sentence)
    # Whichever check speaks first, the reading does not count.
    assert (checks.wrong(spoiled) or "").startswith("poll, ")


def test_every_check_is_tried_here() -> None:
    assert {check for _, check, _ in SPOILED} == set(checks.CHECKS)


def test_under_load_as_many_at_once_as_were_outstanding() -> None:
    assert checks.time_adds_up(under_load(latencies_ns=[20_000] * 10)) is None
    assert checks.time_adds_up(under_load(latencies_ns=[20_001] * 10)) is not None


def test_the_sentence_says_which_reading() -> None:
    assert checks.wrong(reading(unanswered=3, round=4)) == (
        "poll, 4 workers, rest, work 0, round 5: 3 of 10 connections got no answer"
    )


def test_who_drains_finds_more_than_it_returns() -> None:
    edge = under_load(way="epoll_wait.edge.listener", **_after(returned=[1, 1, 1, 1]))
    assert checks.returns_add_up(edge) is None
    assert checks.returns_add_up(replace(edge, **_after(returned=[5, 1, 1, 1]))) is not None
