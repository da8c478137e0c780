"""Two runs: what is worse, better, changed or only another number, and what a race may not decide."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
from rich.console import Console

from probes.report import compare
from probes.report.compare import BETTER, CHANGED, NEW, NUMBERS, WORSE, Change, changes

from . import broken
from .judging import claims_with_stars
from .model import Kernel
from .runs import run_of, say, without

Run = dict[str, Any]
PSI = "psi: inconsistent task state! task=3195:w0.130 cpu=0 psi_flags=0 clear=1 set=4"
ONE = "accept.wakes-one"


@pytest.fixture(scope="module")
def healthy() -> Run:
    return run_of("before", "6.12.22")


@pytest.fixture
def after(healthy: Run) -> Run:
    return copy.deepcopy(healthy)


def kinds(before: Run, after: Run) -> list[tuple[str, str | None, str, str]]:
    return [
        (change.kind, change.claim or change.case, change.before, change.after) for change in changes(before, after)
    ]


def test_a_run_is_like_itself(healthy: Run, after: Run) -> None:
    assert changes(healthy, after) == []


@pytest.mark.parametrize("seed", range(2, 7))
def test_nothing_that_a_hash_or_a_race_decides_is_a_change(seed: int) -> None:
    """One healthy kernel, judged twice, with one untraced trial of each case: whatever differs is chance."""
    once, again = (run_of("one", "6.12.22", Kernel(number), claims_with_stars()) for number in (1, seed))
    assert [(change.case, change.figure, change.before, change.after) for change in changes(once, again)] == []


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        ("held", "broken", WORSE),
        ("held", "inconclusive", WORSE),
        ("held", "not applicable", WORSE),
        ("measured", "inconclusive", WORSE),
        ("not applicable", "inconclusive", WORSE),
        ("not applicable", "broken", WORSE),
        ("inconclusive", "broken", WORSE),
        ("broken", "held", BETTER),
        ("inconclusive", "held", BETTER),
        ("not applicable", "measured", BETTER),
        ("broken", "inconclusive", CHANGED),
        ("inconclusive", "not applicable", CHANGED),
    ],
)
def test_verdicts(was: str, now: str, kind: str, healthy: Run, after: Run) -> None:
    before = say(copy.deepcopy(healthy), ONE, was)
    changed = [change for change in changes(before, say(after, ONE, now, "why")) if change.kind != NUMBERS]
    assert [(change.kind, change.what, change.claim, change.before, change.after) for change in changed] == [
        (kind, "claim", ONE, was, now)
    ]
    assert changed[0].reason == "why"


def test_held_and_measured_are_both_well(healthy: Run, after: Run) -> None:
    assert changes(healthy, say(after, ONE, "measured")) == []


def test_a_claim_that_is_gone_is_worse_and_a_new_one_better(healthy: Run, after: Run) -> None:
    assert kinds(healthy, without(after, ONE)) == [(WORSE, ONE, "held", "not judged")]
    assert kinds(after, healthy) == [(BETTER, ONE, "not judged", "held")]


def test_a_claim_that_was_broken_and_is_gone_has_changed(healthy: Run, after: Run) -> None:
    before = say(copy.deepcopy(healthy), ONE, "broken")
    assert kinds(before, without(after, ONE)) == [(CHANGED, ONE, "broken", "not judged")]


def test_one_more_broken_case_is_worse_though_the_claim_was_broken(healthy: Run, after: Run) -> None:
    before = copy.deepcopy(healthy)
    for run, places in ((before, (0,)), (after, (0, 1))):
        claim = next(candidate for candidate in run["claims"] if candidate["id"] == "epoll-private.wakes-all")
        claim["verdict"] = "broken"
        for place in places:
            claim["cases"][place]["verdict"] = "broken"
    (change,) = changes(before, after)
    assert (change.kind, change.what, change.before, change.after) == (WORSE, "case", "held", "broken")


def test_a_case_that_only_one_preset_has_is_no_change(healthy: Run, after: Run) -> None:
    for claim in after["claims"]:
        claim["cases"] = claim["cases"][:1]
    assert changes(healthy, after) == []


def test_a_claim_whose_broken_cases_were_not_tried_again_is_not_better(healthy: Run, after: Run) -> None:
    before = copy.deepcopy(healthy)
    old, new = (_claim_of(run, "epoll-private.wakes-all") for run in (before, after))
    old["verdict"] = old["cases"][1]["verdict"] = "broken"
    assert kinds(before, after) == [(BETTER, "epoll-private.wakes-all", "broken", "held")]
    del new["cases"][1]
    (change,) = changes(before, after)
    assert (change.kind, change.before, change.after) == (CHANGED, "broken", "held")
    assert "      its broken cases were not tried" in _shown(before, after)


def test_a_claim_whose_broken_cases_were_not_tried_before_is_not_worse(healthy: Run, after: Run) -> None:
    before = copy.deepcopy(healthy)
    old, new = (_claim_of(run, "epoll-private.wakes-all") for run in (before, after))
    new["verdict"] = new["cases"][1]["verdict"] = "broken"
    assert kinds(before, after) == [(WORSE, "epoll-private.wakes-all", "held", "broken")]
    del old["cases"][1]
    assert kinds(before, after) == [(NEW, "epoll-private.wakes-all", "held", "broken")]
    assert "      its broken cases were only tried in the second run" in _shown(before, after)


def test_a_case_that_got_worse_is_told_beside_those_that_were_not_tried_before(healthy: Run, after: Run) -> None:
    before = copy.deepcopy(healthy)
    old, new = (_claim_of(run, "epoll-private.wakes-all") for run in (before, after))
    new["verdict"] = new["cases"][1]["verdict"] = "broken"
    new["cases"][0]["verdict"] = "inconclusive"
    del old["cases"][1]
    assert kinds(before, after) == [
        (WORSE, "epoll-private.wakes-all", "held", "inconclusive"),
        (NEW, "epoll-private.wakes-all", "held", "broken"),
    ]


def test_a_broken_claim_that_was_not_judged_before_is_new(healthy: Run, after: Run) -> None:
    assert kinds(without(copy.deepcopy(healthy), ONE), say(after, ONE, "broken")) == [
        (NEW, ONE, "not judged", "broken")
    ]


def _claim_of(run: Run, id: str) -> Run:
    claim: Run = next(claim for claim in run["claims"] if claim["id"] == id)
    return claim


def test_controls_and_complaints(healthy: Run, after: Run) -> None:
    after["controls"]["silent"] = "not applicable"
    after["kernel"]["splats"] = ["BUG: sleeping function"]
    assert kinds(healthy, after) == [(WORSE, "silent", "held", "not applicable"), (WORSE, None, "silent", "complained")]


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [([], [PSI], CHANGED), ([PSI], [], CHANGED), ([PSI], [PSI, "BUG: at 1"], WORSE), (["BUG: at 1"], [PSI], BETTER)],
)
def test_a_complaint_that_is_understood_makes_nothing_worse(
    was: list[str], now: list[str], kind: str, healthy: Run, after: Run
) -> None:
    before = copy.deepcopy(healthy)
    before["kernel"]["splats"], after["kernel"]["splats"] = was, now
    (change,) = changes(before, after)
    assert (change.kind, change.what) == (kind, "kernel")
    file = io.StringIO()
    compare.show(before, after, Console(file=file, width=400))
    assert ("(known: " in file.getvalue()) is (kind == CHANGED)


def test_the_same_complaint_is_no_change(healthy: Run, after: Run) -> None:
    before = copy.deepcopy(healthy)
    before["kernel"]["splats"], after["kernel"]["splats"] = [PSI], [PSI.replace("3195", "3196")]
    assert changes(before, after) == []


def test_figures_under_hold(healthy: Run, after: Run) -> None:
    herding = run_of("after", "6.13", broken.AcceptHerdsSilently(1))
    changed = [change for change in changes(healthy, say(herding, ONE, "held")) if change.claim == ONE]
    assert {(change.kind, change.figure, change.before, change.after) for change in changed} == {
        (NUMBERS, "woken", "1", "8")
    }
    assert "accept/tcp4/n8/hold/one-connection" in {change.case for change in changed}


def test_order(healthy: Run) -> None:
    other = run_of("after", "6.13", broken.SharedEdgeFirstInFirstOut(1))
    changed = changes(healthy, say(other, "epoll-shared.last-blocked-first", "held"))
    assert ("order", "w7 w6 w5 w4 w3 w2 w1 w0", "w0 w1 w2 w3 w4 w5 w6 w7") in {
        (change.figure, change.before, change.after) for change in changed
    }


def _woken_under_accept(run: Run, *counts: int) -> Run:
    claim = next(candidate for candidate in run["claims"] if candidate["id"] == ONE)
    case = next(candidate for candidate in claim["cases"] if candidate["scenario"]["reaction"] == "accept")
    trial = case["trials"][0]
    case["trials"] = [{**trial, "woken": count, "returned": count} for count in counts]
    return run


def test_a_race_is_no_change_unless_the_ranges_do_not_meet(healthy: Run, after: Run) -> None:
    before = _woken_under_accept(copy.deepcopy(healthy), 2, 3)
    assert changes(before, _woken_under_accept(after, 3, 4)) == []
    assert [
        (change.figure, change.before, change.after) for change in changes(before, _woken_under_accept(after, 4, 5))
    ] == [("woken", "2\N{EN DASH}3", "4\N{EN DASH}5")]


def test_an_unseen_figure_is_no_change(healthy: Run, after: Run) -> None:
    for claim in after["claims"]:
        for case in claim["cases"]:
            for trial in case["trials"]:
                trial["woken"] = None
    assert changes(healthy, after) == []


def test_what_makes_the_comparison_doubtful_is_said(healthy: Run, after: Run) -> None:
    assert compare.warnings(healthy, after) == []
    after["suite"].update(revision=None, options={"herd_preset": "fast", "herd_one_in": 20})
    after.update(partial=True, controls={"silent": "broken"})
    said = " ".join(compare.warnings(healthy, after))
    for words in (
        "different revisions",
        "preset default and preset fast, one case in 20",
        "second run is partial",
        "control: silent",
    ):
        assert words in said


def _shown(before: Run, after: Run) -> list[str]:
    file = io.StringIO()
    compare.show(before, after, Console(file=file, width=200))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_for_people(healthy: Run, after: Run) -> None:
    lines = _shown(healthy, say(after, ONE, "broken", "8 of 8\nwere woken"))
    assert lines[:4] == [
        "before (6.12.22)  ->  before (6.12.22)",
        "worse (1)",
        f"  {ONE}: held -> broken",
        "      8 of 8 were woken",
    ]
    assert lines[-1] == "4 claims have the same verdict"


def test_an_expected_deviation_is_worse_all_the_same_and_says_that_it_was_expected(healthy: Run, after: Run) -> None:
    say(after, ONE, "broken")
    claim = next(claim_after for claim_after in after["claims"] if claim_after["id"] == ONE)
    claim["expected"] = [{"verdict": "broken", "reason": "it is known", "pattern": ONE, "met": True}]
    for case in claim["cases"]:
        case["expected"] = "it is known"
    (change,) = changes(healthy, after)
    assert change == Change(WORSE, "claim", ONE, None, None, "held", "broken", None, "it is known")
