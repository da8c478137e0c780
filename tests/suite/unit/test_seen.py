"""A comparison is made on every trial: False outweighs unknown, and unknown outweighs True."""

from __future__ import annotations

from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import pytest

from probes.evidence import Trial
from probes.scenario import Scenario
from probes.seen import Seen
from probes.verdict import Inconclusive

from .builders import ALL_THERE, seen, step, trial

Sign = Callable[[Any, Any], bool]

ONE = trial(woken=[0], order=[0], won=[1, 0, 0, 0, 0, 0, 0, 0])
TWO = trial(woken=[0, 3], order=[0])
UNSEEN = trial(woken=None, order=[0])
UNJUDGED = trial(woken=[0], order=[0], inconclusive="waiter 3 did not come to rest within 10 s")


def test_true_when_every_trial_says_so() -> None:
    assert seen(ONE, ONE).woken == 1


@pytest.mark.parametrize("other", [UNSEEN, UNJUDGED], ids=["unseen", "unjudged"])
def test_unknown_beats_true(other: Trial) -> None:
    with pytest.raises(Inconclusive):
        bool(seen(ONE, other).woken == 1)


@pytest.mark.parametrize("other", [UNSEEN, UNJUDGED], ids=["unseen", "unjudged"])
def test_false_beats_unknown(other: Trial) -> None:
    for trials in [(TWO, other), (other, TWO)]:
        assert eq(seen(*trials).woken, 1) is False


def test_an_unjudged_trial_does_not_vote() -> None:
    """What an inconclusive trial shows cannot break a claim."""
    unproven = trial(woken=range(8), order=range(8), inconclusive="observers disagree")
    with pytest.raises(Inconclusive, match="observers disagree"):
        bool(seen(ONE, unproven).woken == 1)


@pytest.mark.parametrize(
    ("sign", "value", "answer"),
    [
        (eq, 2, True),
        (ne, 2, False),
        (le, 1, False),
        (ge, 2, True),
        (lt, 3, True),
        (gt, 2, False),
    ],
)
def test_every_comparison(sign: Sign, value: int, answer: bool) -> None:
    assert sign(seen(TWO).woken, value) is answer


@pytest.mark.parametrize(
    ("sign", "value", "allowed"),
    [
        (eq, 1, "exactly 1"),
        (ne, 2, "anything but 2"),
        (le, 1, "at most 1"),
        (ge, 3, "at least 3"),
        (lt, 2, "less than 2"),
        (gt, 2, "more than 2"),
    ],
)
def test_contradiction_says_what_is_allowed(sign: Sign, value: int, allowed: str) -> None:
    case = seen(TWO)
    assert sign(case.woken, value) is False
    (contradiction,) = case.contradictions
    assert (contradiction.what, contradiction.value, contradiction.allowed, contradiction.trial) == (
        "woken",
        2,
        allowed,
        TWO,
    )


def test_contradictions_are_those_of_the_trials_that_differ() -> None:
    case = seen(ONE, TWO, UNSEEN, TWO)
    assert eq(case.woken, 1) is False
    assert [contradiction.trial for contradiction in case.contradictions] == [TWO, TWO]


def test_nothing_is_noted_when_nothing_differs() -> None:
    case = seen(ONE)
    assert case.woken == 1
    assert case.contradictions == []


def test_trials_are_compared_with_each_other_one_by_one() -> None:
    case = seen(ONE, TWO)
    more = case.each("returned + 1", lambda seen_once: seen_once.returned + 1)
    assert eq(case.woken, more) is False
    (contradiction,) = case.contradictions
    assert contradiction.trial is ONE
    assert contradiction.allowed == "exactly 2 (returned + 1)"


def test_unknown_on_the_other_side_is_unknown_too() -> None:
    case = seen(ONE)
    with pytest.raises(Inconclusive, match="a guess was not observed"):
        bool(case.woken == case.each("a guess", lambda _: None))


def test_unknown_without_observers_says_which_and_why() -> None:
    why_not = {**ALL_THERE, "switches": "no voluntary_ctxt_switches", "sched_waking": "Permission denied"}
    with pytest.raises(Inconclusive) as refused:
        bool(seen(UNSEEN, why_not=why_not).woken == 1)
    assert str(refused.value) == (
        "woken was not observed (switches: no voluntary_ctxt_switches; sched_waking: Permission denied)"
    )


def test_only_those_are_named_that_would_have_seen_it() -> None:
    why_not: dict[str, str | None] = dict.fromkeys(ALL_THERE, "switched off")
    with pytest.raises(Inconclusive) as refused:
        bool(seen(trial(woken=[0], order=None), why_not=why_not).returned == 1)
    assert str(refused.value) == "returned was not observed (counters: switched off; syscall_exit: switched off)"


def test_unknown_with_all_observers_is_the_scenarios_nature() -> None:
    with pytest.raises(Inconclusive, match=r"spurious was not observed \(this scenario does not show it\)"):
        bool(seen(ONE).spurious == 0)


def test_every_figure_is_that_of_the_trial() -> None:
    whole = trial(woken=[1, 2, 3], order=[2, 1], won=[0, 0, 2, 0, 0, 0, 0, 0], spurious=1)
    case = seen(whole)
    assert case.woken == 3
    assert case.returned == 2
    assert case.won == 1
    assert case.connections == 2
    assert case.spurious == 1
    assert case.order == (2, 1)


def test_steps_are_asked_one_by_one() -> None:
    taken = trial(steps=[step(won=1), step(won=1)])
    lost = trial(steps=[step(won=1), step(won=0)])
    assert seen(taken, taken).each_step("connections") == 1
    case = seen(taken, lost)
    assert eq(case.each_step("connections"), 1) is False
    (contradiction,) = case.contradictions
    assert (contradiction.what, contradiction.value, contradiction.trial) == ("connections per step", 0, lost)


def test_step_of_an_unjudged_trial_is_unknown() -> None:
    with pytest.raises(Inconclusive, match="did not come to rest"):
        bool(seen(UNJUDGED).each_step("connections") == 1)


def test_step_that_was_not_observed_is_unknown() -> None:
    with pytest.raises(Inconclusive, match="woken was not observed"):
        bool(seen(trial(steps=[step(None)])).each_step("woken") == 1)


def test_no_steps_at_all_are_no_yes() -> None:
    """A comparison that looked at nothing must not be True."""
    with pytest.raises(Inconclusive):
        bool(seen(ONE).each_step("connections") == 1)


def test_no_trial_at_all_is_inconclusive() -> None:
    with pytest.raises(Inconclusive, match="no trial was run"):
        Seen(Scenario("poll"), [], ALL_THERE, ())


def test_repr_shows_every_trial() -> None:
    """It is what pytest prints of a failing assert."""
    assert repr(seen(ONE, UNSEEN, TWO).woken) == "woken 1, ?, 2"


def test_case_names_the_first_trial_that_could_not_be_judged() -> None:
    assert seen(ONE, UNJUDGED).inconclusive == "waiter 3 did not come to rest within 10 s"
    assert seen(ONE, UNSEEN).inconclusive is None


def test_figure_is_no_yes_or_no() -> None:
    """`assert seen.spurious` would always pass."""
    with pytest.raises(TypeError, match="compare it"):
        bool(seen(ONE).woken)
