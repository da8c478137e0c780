"""One test under one claim: its trials, its facts, and the verdict they come to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from . import facts, failure
from .claims import FAILING_LEVELS, MEASURED, Claim
from .controls import Outcome
from .seen import Seen
from .verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE, Inconclusive, NotApplicable
from .verdict import MEASURED as MEASURED_VERDICT


class Facts:
    """What an experiment noted, by id.  Facts of which the claim asks nothing are kept, too, as evidence."""

    def __init__(self, noted: Mapping[str, Mapping[str, Any]], case: Case | None) -> None:
        """`noted`: for each id `what`, the sentence, and `seen`, the value."""
        self._facts = {name: facts.fact(name, note["what"], note["seen"]) for name, note in noted.items()}
        if case is not None:
            case.facts += self._facts.values()

    def expect(self, id: str, allowed: Any) -> None:
        """The claim allows nothing but `allowed` for this fact: AssertionError otherwise.

        Raises Inconclusive where the experiment did not come so far.
        """
        if id not in self._facts:
            raise Inconclusive(f"the experiment did not note {id!r}")
        fact = self._facts[id]
        fact["expected"] = allowed
        if not facts.is_met(fact):
            raise AssertionError(facts.complaint(fact))


class Case:
    """One test under one claim: its trials, its facts, and how it ended."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.seen: list[Seen] = []
        self.facts: list[dict[str, Any]] = []


def judge(case: Case, excinfo: pytest.ExceptionInfo[BaseException] | None) -> tuple[str, str | None]:
    """The verdict of one case, and the reason in one line."""
    if excinfo is None:
        hidden = next((seen.inconclusive for seen in case.seen if seen.inconclusive), None)
        if hidden is not None:
            return INCONCLUSIVE, hidden
        if not case.seen and not any("expected" in fact for fact in case.facts):
            return INCONCLUSIVE, "the test looked at nothing"
        if not all(seen.asked for seen in case.seen):
            return INCONCLUSIVE, "the test compared nothing"
        wrong = next((fact for fact in case.facts if not facts.is_met(fact)), None)
        if wrong is not None:
            return BROKEN, facts.complaint(wrong)
        return (MEASURED_VERDICT if case.claim.level == MEASURED else HELD), None
    if excinfo.errisinstance(NotApplicable):
        return NOT_APPLICABLE, str(excinfo.value)
    if excinfo.errisinstance(Inconclusive):
        return INCONCLUSIVE, str(excinfo.value)
    if excinfo.errisinstance(AssertionError):
        found = case.seen[-1].contradictions if case.seen else []
        if not found:
            return BROKEN, _first_line(excinfo.value)
        first = failure.sentence(found[0], case.seen[-1].scenario.n)
        if _only_traced(case.seen[-1]):
            return INCONCLUSIVE, f"only the traced trial shows it, so the tracer may have caused it: {first}"
        return BROKEN, first
    if excinfo.errisinstance(pytest.skip.Exception):
        return NOT_APPLICABLE, str(excinfo.value)
    return INCONCLUSIVE, f"{excinfo.typename}: {_first_line(excinfo.value)}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["without a word"])[0]


def _only_traced(seen: Seen) -> bool:
    """Whether untraced trials were run, and none of them broke the claim.  Asked under hold alone:
    elsewhere what returns is a race, and differs by itself."""
    return (
        seen.scenario.reaction == "hold"
        and all(found.trial.traced for found in seen.contradictions)
        and any(not trial.traced and trial.inconclusive is None for trial in seen.trials)
    )


def fails(claim: Claim, last_level: str) -> bool:
    """Whether a broken claim of this level fails a run whose last failing level is `last_level`.

    A measured claim holds a number, and can break only by a mistake of the suite: that always fails.
    """
    if claim.level == MEASURED:
        return True
    return FAILING_LEVELS.index(claim.level) <= FAILING_LEVELS.index(last_level)


def numbers(case: Case) -> dict[str, list[int | None]]:
    """The four figures of each untraced trial: a tracer slows its waiters, and shifts every race among them."""
    if not case.seen:
        return {}
    trials = [trial for trial in case.seen[-1].trials if not trial.traced]
    return {name: [getattr(trial, name) for trial in trials] for name in ("woken", "returned", "won", "spurious")}


def entry(
    item: pytest.Item, case: Case, verdict: str, reason: str | None, controls: dict[str, Outcome]
) -> dict[str, Any]:
    """Everything that run.json will say about this case, as JSON can carry it."""
    claim = case.claim
    scenario = case.seen[0].scenario if case.seen else None
    if scenario is None:
        callspec = getattr(item, "callspec", None)
        scenario = callspec.params.get("scenario") if callspec else None
    return {
        "claim": {
            "id": claim.id,
            "chapter": claim.chapter,
            "sentence": claim.sentence,
            "level": claim.level,
            "truth": claim.truth,
            "basis": [str(one) for one in claim.basis],
            "rows": list(claim.rows),
            "drawing": claim.drawing,
        },
        "case": {
            "id": scenario.id if scenario else item.name,
            "verdict": verdict,
            "reason": reason,
            "scenario": scenario.as_dict() if scenario else None,
            "trials": [trial.as_json() for seen in case.seen for trial in seen.trials],
            "facts": case.facts,
            "again": failure.again(scenario.id) if scenario else f"python -m pytest {shlex.quote(item.nodeid)}",
        },
        "controls": {name: [one.verdict, one.reason] for name, one in controls.items()},
    }
