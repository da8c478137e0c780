"""The evidence of a case, short: like trials as one, and nothing lost that tells them apart."""

from __future__ import annotations

from typing import Any

from probes.report import evidence
from probes.report.page import render

from .builders import trial
from .model import Kernel
from .runs import run_of


def _json(**facts: Any) -> dict[str, Any]:
    return {**trial(**facts).as_json(), "timing_us": {}}


def test_trials_that_went_alike_are_one() -> None:
    trials = [
        _json(woken=(0,), order=(0,), won=(1, *[0] * 7), at_us=(at, *[None] * 7), spurious=0) for at in (210, 480, 300)
    ]
    (only,) = evidence.alike(trials)
    assert only.head == "3 untraced"
    assert dict(only.parts)["returned"] == "w0\N{NO-BREAK SPACE}+0.21 to +0.48ms\N{NO-BREAK SPACE}won"


def test_whatever_else_differs_sets_them_apart() -> None:
    first = _json(woken=(0,), order=(0,))
    others = [
        _json(woken=(1,), order=(1,)),
        _json(woken=(0, 1), order=(0,)),
        _json(woken=(0,), order=(0,), inconclusive="late"),
        _json(woken=(0,), order=(0,), agree=False),
        _json(woken=(0,), order=(0,), traced=True),
    ]
    for other in others:
        assert len(evidence.alike([first, other])) == 2
    assert [group.void for group in evidence.alike([first, *others])] == [False, False, False, True, True, False]


def test_numbers_are_said_where_they_are_not_those_of_the_case() -> None:
    less, two = _json(woken=(0,), order=(0,)), _json(woken=(0, 1), order=(0,))
    assert [group.head for group in evidence.alike([less, two])] == [
        "untraced: 1 woken, 1 returned, 0 won, ? spurious",
        "untraced: 2 woken, 1 returned, 0 won, ? spurious",
    ]


def test_a_trial_that_takes_fewer_steps_says_so() -> None:
    """The fast preset traces 12 connections of 48; the numbers of the waiters would be those of both."""
    whole = {**_json(woken=(0,), order=(0,)), "steps": [{"order": [0]}] * 4}
    part = {**whole, "traced": True, "steps": whole["steps"][:1]}
    stopped = {**part, "inconclusive": "late"}
    assert [group.head.partition(":")[0] for group in evidence.alike([whole, part, stopped])] == [
        "untraced",
        "traced (1 of 4 steps)",
        "traced",
    ]


def test_observers_that_disagree_are_shown_each() -> None:
    (group,) = evidence.alike([_json(woken=(0,), order=(0,), agree=False)])
    assert dict(group.parts)["observers"].startswith("counters=1")


def test_proofs_are_numbered_and_the_usual_one_is_said_once() -> None:
    run = run_of("a", "6.12", Kernel(1))
    run["claims"][0]["cases"][0]["trials"][0]["proof"]["blocked"] = "by another look"
    numbers = evidence.proofs(run["claims"])
    assert sorted(numbers.values()) == [1, 2]
    page = render(run)
    assert page.count('href="#proof-2"') == 1
    assert "by another look; or" in page


def test_cases_with_the_same_facts_name_the_first() -> None:
    fact = {"id": "left", "what": "left", "seen": 0}
    cases = [{"id": name, "facts": [{**fact, "seen": seen}]} for name, seen in (("a", 0), ("b", 1), ("c", 0))]
    assert evidence.same_facts({"cases": cases}) == {"c": "a"}


def test_a_case_takes_less_than_a_kilobyte() -> None:
    """So that a default run, of some 950 cases, is less than a megabyte."""
    few, many = run_of("a", "6.12", ids=("accept.wakes-one",)), run_of("a", "6.12")
    cases = [sum(len(claim["cases"]) for claim in run["claims"]) for run in (few, many)]
    claims = [len(run["claims"]) for run in (few, many)]
    more = len(render(many).encode()) - len(render(few).encode())
    assert more / (cases[1] - cases[0] + claims[1] - claims[0]) < 1000
