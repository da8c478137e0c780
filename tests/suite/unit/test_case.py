"""The verdict of one case, and what of it goes into the report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from probes.case import Case, fails, judge
from probes.claims import DOCUMENTED, LORE, MEASURED, OBSERVED, Claim
from probes.controls import ControlOutcome
from probes.evidence import Trial
from probes.expectations import Expectation, Expectations
from probes.judged import JudgedCase
from probes.outcome import properties
from probes.refusals import REMEDIES
from probes.scenario import Scenario
from probes.verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE, Inconclusive, NotApplicable

from .builders import made_claim, seen, step, trial

ONE = trial(woken=[0], order=[0])
TWO = trial(woken=[0, 1], order=[0])
TRACED_ONE = trial(woken=[0], order=[0], traced=True)
TRACED_TWO = trial(woken=[0, 1], order=[0], traced=True)
UNJUDGED = trial(inconclusive="waiter 3 did not come to rest within 10 s")


def _excinfo(error: BaseException) -> pytest.ExceptionInfo[BaseException]:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught


def _asked(*trials: Trial, level: str = OBSERVED, reaction: str = "hold", **changes: Any) -> tuple[str, str | None]:
    """The verdict on a test that asserts `woken == 1` of these trials."""
    case = Case(made_claim(level, **changes))
    case.seen.append(seen(*trials, scenario=Scenario("poll", reaction=reaction)))
    try:
        assert case.seen[0].woken == 1
    except (AssertionError, Inconclusive) as error:
        return judge(case, _excinfo(error))
    return judge(case, None)


def test_held() -> None:
    assert _asked(ONE, TRACED_ONE) == (HELD, None)


def test_number_without_a_verdict_is_measured() -> None:
    assert _asked(ONE, level=MEASURED) == ("measured", None)


def test_broken_says_what_was_seen() -> None:
    assert _asked(ONE, TWO) == (BROKEN, "2 of 8 waiters were woken; the claim allows exactly 1")


def test_trial_that_could_not_be_judged_leaves_it_inconclusive() -> None:
    assert _asked(ONE, UNJUDGED) == (INCONCLUSIVE, "waiter 3 did not come to rest within 10 s")


def test_trial_that_could_not_be_judged_cannot_be_hidden() -> None:
    """A test that asks nothing of its trials, or asks the wrong thing, passes; the case does not."""
    case = Case(made_claim())
    case.seen += [seen(ONE), seen(UNJUDGED)]
    assert judge(case, None) == (INCONCLUSIVE, "waiter 3 did not come to rest within 10 s")


def test_broken_trial_beats_one_that_could_not_be_judged() -> None:
    assert _asked(UNJUDGED, TWO)[0] == BROKEN


def test_test_that_looked_at_nothing() -> None:
    assert judge(Case(made_claim()), None) == (INCONCLUSIVE, "the test looked at nothing")


def test_answers_of_the_kernel_are_something_to_look_at() -> None:
    case = Case(made_claim())
    case.facts.append({"what": "epoll_ctl", "expected": "EINVAL", "seen": "EINVAL"})
    assert judge(case, None) == (HELD, None)


@pytest.mark.parametrize(
    ("error", "verdict", "reason"),
    [
        (NotApplicable("epoll_pwait2: ENOSYS"), NOT_APPLICABLE, "epoll_pwait2: ENOSYS"),
        (Inconclusive("the conductor died (SIGKILL)"), INCONCLUSIVE, "the conductor died (SIGKILL)"),
        (pytest.skip.Exception("no IPv6 here"), NOT_APPLICABLE, "no IPv6 here"),
        (
            AssertionError("epoll_ctl: EINVAL; the claim allows None\nand more"),
            BROKEN,
            "epoll_ctl: EINVAL; the claim allows None",
        ),
        (ValueError("first line\nsecond line"), INCONCLUSIVE, "a fault of the test: first line"),
        (KeyError(), INCONCLUSIVE, "a fault of the test: without a word"),
        (OSError(24, "Too many open files"), INCONCLUSIVE, f"the test could not go on: EMFILE: {REMEDIES[24]}"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_how_a_test_ends(error: BaseException, verdict: str, reason: str) -> None:
    assert judge(Case(made_claim()), _excinfo(error)) == (verdict, reason)


def test_assertion_without_a_word_is_broken() -> None:
    assert judge(Case(made_claim()), _excinfo(AssertionError()))[0] == BROKEN


# --- what only the traced trial shows ----------------------------------------------------------


def test_only_the_traced_trial_shows_it() -> None:
    verdict, reason = _asked(ONE, TRACED_TWO)
    assert verdict == INCONCLUSIVE
    assert reason == (
        "only the traced trial shows it, so the tracer may have caused it: "
        "2 of 8 waiters were woken; the claim allows exactly 1"
    )


def test_an_untraced_trial_shows_it_too() -> None:
    assert _asked(ONE, TWO, TRACED_TWO)[0] == BROKEN


def test_where_returning_is_a_race_the_traced_trial_is_believed() -> None:
    assert _asked(ONE, TRACED_TWO, reaction="accept")[0] == BROKEN


@pytest.mark.parametrize("others", [(), (UNJUDGED,)], ids=["none", "unjudged"])
def test_without_an_untraced_trial_to_compare_the_traced_one_is_believed(others: tuple[Trial, ...]) -> None:
    assert _asked(*others, TRACED_TWO)[0] == BROKEN


# --- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "failing"),
    [(DOCUMENTED, {DOCUMENTED}), (OBSERVED, {DOCUMENTED, OBSERVED}), (LORE, {DOCUMENTED, OBSERVED, LORE})],
)
def test_levels_up_to_the_last_one_fail_the_run(last: str, failing: set[str]) -> None:
    claims = [made_claim(DOCUMENTED), made_claim(OBSERVED), made_claim(LORE, truth="true")]
    assert {claim.level for claim in claims if fails(claim, last)} == failing


def test_measured_claim_that_breaks_has_a_rank_too() -> None:
    """An assert in a measured claim that fails must end as a verdict, not as an internal error."""
    assert fails(made_claim(MEASURED), LORE)


# --- what goes into the report -----------------------------------------------------------------


def _item(claim: Claim, **params: Any) -> Any:
    test = SimpleNamespace(claim=claim)
    nodeid = "tests/kernel/test_x.py::test_x[plain]"
    return SimpleNamespace(
        name="test_x[plain]", nodeid=nodeid, function=test, callspec=SimpleNamespace(indices={}, params=params)
    )


def _case_of(claim: Claim, **params: Any) -> Case:
    case = Case.of(_item(claim, **params))
    assert case is not None
    return case


CONTROLS = {"positive": ControlOutcome(HELD, None), "silent": ControlOutcome(NOT_APPLICABLE, "woken is not observed")}


def test_judged_case_crosses_as_text() -> None:
    """From a worker of xdist to the session, and into the journal."""
    case = _case_of(made_claim(drawing="w0 --- L"), scenario=Scenario("poll"))
    case.seen.append(seen(trial(woken=[0], order=[0], answers=[(0,)], steps=[step(1, 1, order=[0])]), TRACED_ONE))
    assert case.seen[0].woken == 1
    judged = case.judged(None, CONTROLS, None, LORE)
    text = judged.as_text()
    assert text.isascii()
    assert "\n" not in text
    read = JudgedCase.from_text(text)
    assert read.as_text() == text
    assert read.key == ("made.up", "poll/tcp4/n8/hold/one-connection")
    assert (read.verdict, read.fails) == (HELD, False)
    assert read.claim["basis"] == ["poll(2) NOTES"]
    assert Scenario(**read.case["scenario"]) == Scenario("poll")
    assert tuple(Trial.from_json(trial) for trial in read.case["trials"]) == case.seen[0].trials
    assert read.controls == {"positive": (HELD, None), "silent": (NOT_APPLICABLE, "woken is not observed")}
    assert read.case["again"].startswith("wakecheck run poll/tcp4/n8/hold/one-connection")
    assert "expected" not in read.case


def test_judged_question_names_the_command_that_puts_it_again() -> None:
    case = _case_of(made_claim())
    case.facts.append({"id": "errno", "what": "epoll_ctl", "expected": "EINVAL", "seen": "ok"})
    judged = case.judged(None, {}, None, LORE)
    assert (judged.verdict, judged.fails) == (BROKEN, True)
    assert judged.case["id"] == "test_x[plain]"
    assert judged.case["scenario"] is None
    assert judged.case["facts"] == case.facts
    assert judged.case["again"] == "wakecheck judge 'tests/kernel/test_x.py::test_x[plain]'"


def test_case_that_never_ran_knows_its_scenario() -> None:
    case = _case_of(made_claim(), scenario=Scenario("poll"))
    judged = case.judged(_excinfo(Inconclusive("the conductor died")), {}, None, LORE)
    assert judged.case["id"] == "poll/tcp4/n8/hold/one-connection"
    assert judged.case["scenario"]["call"] == "poll"
    assert judged.case["trials"] == []


@pytest.mark.parametrize(
    ("level", "error", "expected", "fails_run"),
    [
        (OBSERVED, AssertionError("2 were woken"), None, True),
        (LORE, AssertionError("2 were woken"), None, False),
        (LORE, Inconclusive("it died"), None, True),
        (OBSERVED, AssertionError("2 were woken"), "broken", False),
        (OBSERVED, Inconclusive("it died"), "broken", True),
        (OBSERVED, NotApplicable("ENOSYS"), None, False),
    ],
)
def test_what_fails_the_run(level: str, error: BaseException, expected: str | None, fails_run: bool) -> None:
    """With --herd-level observed, and where broken is expected."""
    case = _case_of(made_claim(level, truth="true" if level == LORE else None))
    entries = (Expectation(expected, "known", ("made.up",)),) if expected else ()
    judged = case.judged(_excinfo(error), CONTROLS, Expectations("known.toml", "", entries), OBSERVED)
    assert judged.fails is fails_run


def test_figures_of_junit_are_those_of_each_trial() -> None:
    case = _case_of(made_claim(), scenario=Scenario("poll"))
    case.seen.append(seen(TWO, trial(woken=None, order=[3])))
    noted = dict(properties(case.judged(_excinfo(AssertionError("no")), {}, None, LORE)))
    assert noted["wakecheck.verdict"] == BROKEN
    assert noted["wakecheck.reason"] == "no"
    assert noted["wakecheck.woken"] == "[2, null]"
    assert noted["wakecheck.spurious"] == "[null, null]"
    assert "wakecheck.expected" not in noted


def test_case_that_compared_nothing_is_inconclusive() -> None:
    case = Case(made_claim())
    case.seen.append(seen(ONE))
    assert judge(case, None) == (INCONCLUSIVE, "the test compared nothing")


def test_fact_that_differs_breaks_without_an_exception() -> None:
    """Even if the exception was swallowed."""
    case = Case(made_claim())
    case.facts.append({"what": "epoll_ctl", "expected": "EINVAL", "seen": "None"})
    assert judge(case, None) == (BROKEN, "epoll_ctl: None; the claim allows EINVAL")
