"""The ten answers follow the figures: another kernel gives another answer."""

from __future__ import annotations

import pytest

from probes.report import orders
from probes.report.answers import QUESTIONS, _oneshot_or_exclusive, _order_in_words, answers

from . import broken, broken_elsewhere
from .judging import run_on
from .model import Kernel


def _lines(kernel: Kernel) -> dict[str, str]:
    return {answered.row: answered.line for answered in answers(run_on(kernel))}


@pytest.fixture(scope="module")
def healthy() -> dict[str, str]:
    return _lines(Kernel(1))


def test_every_question_has_an_answer_or_says_that_it_is_unknown(healthy: dict[str, str]) -> None:
    assert list(healthy) == list(QUESTIONS) == [f"Q{number}" for number in range(1, 11)]
    assert all(line.endswith(".") for line in healthy.values())


def test_what_was_not_run_is_unknown() -> None:
    assert {answered.line for answered in answers({"claims": []})} == {"This run has no answer."}


def test_who_wakes(healthy: dict[str, str]) -> None:
    assert "wakes 8 of 8 under select; poll; epoll, an instance each, level-triggered" in healthy["Q1"]
    assert "It wakes 1 of 8 under accept; epoll, an instance each, EPOLLEXCLUSIVE" in healthy["Q1"]


def test_the_line_of_a_question_is_a_sentence(healthy: dict[str, str]) -> None:
    run = run_on(Kernel(1))
    said = {answered.row: answered.short for answered in answers(run)}
    assert said["Q1"] == (
        "Of 8 workers, 1 wakes in accept, 8 in poll, 8 in epoll with an instance each, 1 with EPOLLEXCLUSIVE."
    )


def test_exclusive(healthy: dict[str, str]) -> None:
    assert healthy["Q2"].startswith("Yes: it wakes 1 of 8 instead of 8.")
    ignored = _lines(broken.ExclusiveIgnored(1))["Q2"]
    assert ignored.startswith("No: it wakes 8 of 8 instead of 8.")
    assert "does not always favour" in ignored


def test_who_is_next(healthy: dict[str, str]) -> None:
    assert "accept: the one that blocked first is next." in healthy["Q3"]
    assert "accept: the one that blocked last is next." in _lines(broken.AcceptLastInFirstOut(1))["Q3"]


def test_an_order_that_differs_between_trials_is_none() -> None:
    strip = orders.Strip("accept", "case", "hold", (0, 1, 2), "2 orders in 2 trials", several_orders=True)
    assert _order_in_words(strip) == "in no reliable order"


def test_reuseport(healthy: dict[str, str]) -> None:
    assert "spread by hash" in healthy["Q6"]
    uneven = _lines(broken.ReuseportTakesTheFirst(1))["Q6"]
    assert "not spread evenly, between 0% and 100% each" in uneven
    assert "spread by hash" not in uneven


def test_lock(healthy: dict[str, str]) -> None:
    assert healthy["Q9"].startswith("No lock is needed against a herd in accept here: one connection wakes 1 of 8")
    assert _lines(broken.AcceptHerdsSilently(1))["Q9"].startswith("Yes, accept herds here: one connection wakes 8 of 8")


def test_what_is_broken_is_told_as_refuted(healthy: dict[str, str]) -> None:
    assert "Not on this kernel" not in healthy["Q8"]
    assert (
        "Not on this kernel: One connection completes the accept of exactly one of N rings"
        in _lines(broken_elsewhere.RingAcceptHerds(1))["Q8"]
    )


def test_cost_is_wake_ups_and_empty_hands(healthy: dict[str, str]) -> None:
    assert "accept: 1 woken, 0 EAGAIN" in healthy["Q10"]


@pytest.mark.parametrize(
    ("accepted", "sentence"),
    [("EPOLLONESHOT", "The two can be combined here."), ("EPOLLPRI", "The two cannot be combined (EINVAL).")],
)
def test_only_what_concerns_the_two_tells_whether_they_can_be_combined(accepted: str, sentence: str) -> None:
    cases = [
        {
            "id": f"test_refuses_others[{flag}]",
            "verdict": "broken" if flag == accepted else "held",
            "scenario": None,
            "trials": [],
            "facts": [{"id": "add", "what": "?", "seen": "ok" if flag == accepted else "EINVAL"}],
        }
        for flag in ("EPOLLONESHOT", "EPOLLPRI")
    ]
    claim = {"id": "epoll-ctl.exclusive-refuses-others", "verdict": "broken", "rows": [], "cases": cases}
    assert sentence in " ".join(_oneshot_or_exclusive({"claims": [claim]}))
