"""One test under one claim: its trials, its facts, and the verdict they come to."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from . import facts, failure, refusals
from .claims import FAILING_LEVELS, MEASURED, Claim
from .controls import ControlOutcome, why_failed
from .errnos import errno_name
from .expectations import Expectations
from .judged import JudgedCase
from .scenario import Scenario
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

        Raises Inconclusive if the experiment did not come so far, or (NotApplicable for ENOSYS) if an error was
        seen that tells of the surroundings (probes/refusals.py).
        """
        if id not in self._facts:
            raise Inconclusive(f"the experiment did not note {id!r}")
        fact = self._facts[id]
        fact["expected"] = allowed
        if facts.is_met(fact):
            return
        error = refusals.held_by(fact["seen"])
        if error is not None:
            # Evidence that tells of the surroundings must not be judged anew when the case is.
            del fact["expected"]
            kind = NotApplicable if error == errno.ENOSYS else Inconclusive
            raise kind(f"{fact['what']}: {errno_name(error)}, which tells nothing: {refusals.REMEDIES[error]}")
        raise AssertionError(facts.complaint(fact))


class Case:
    """One test under one claim, while it runs: its trials, and its facts."""

    def __init__(
        self,
        claim: Claim,
        id: str = "",
        nodeid: str = "",
        scenario: Scenario | None = None,
        *,
        is_first: bool = False,
    ) -> None:
        self.claim = claim
        self.id = id
        """The scenario's, or pytest's name for a test that has none: as the catalogue has it."""
        self.nodeid = nodeid
        self.scenario = scenario
        self.is_first = is_first
        """Whether it is the first of those that its test is tried on."""
        self.seen: list[Seen] = []
        self.facts: list[dict[str, Any]] = []
        self.experiments: list[str] = []
        """Which of them were played, with their arguments."""

    @classmethod
    def of(cls, item: pytest.Item) -> Case | None:
        """The case that this test judges; None if it judges no claim."""
        claim = claim_of(item)
        if claim is None:
            return None
        callspec = getattr(item, "callspec", None)
        scenario = callspec.params.get("scenario") if callspec else None
        if callspec is None or not isinstance(scenario, Scenario):
            return cls(claim, item.name, item.nodeid)
        first = not any(callspec.indices.values())
        return cls(claim, scenario.id, item.nodeid, scenario, is_first=first)

    def judged(
        self,
        excinfo: pytest.ExceptionInfo[BaseException] | None,
        controls: Mapping[str, ControlOutcome],
        expectations: Expectations | None,
        last_level: str,
    ) -> JudgedCase:
        """Its end.  `excinfo` is what the test raised, `last_level` the last one whose broken claims fail the run."""
        verdict, reason = judge(self, excinfo)
        scenario = self.seen[0].scenario if self.seen else self.scenario
        case: dict[str, Any] = {
            "id": self.id,
            "verdict": verdict,
            "reason": reason,
            "scenario": scenario.as_dict() if scenario else None,
            "trials": [trial.as_json() for seen in self.seen for trial in seen.trials],
            "facts": self.facts,
            "again": failure.again(scenario.id) if scenario else f"wakecheck judge {shlex.quote(self.nodeid)}",
        }
        if expectations is not None and not why_failed(controls):
            case["expected"] = expectations.excuse(self.claim.id, self.id, verdict)
        failing = verdict in (BROKEN, INCONCLUSIVE) and not case.get("expected")
        beyond = verdict == BROKEN and not fails(self.claim, last_level)
        outcomes = {name: (control.verdict, control.reason) for name, control in controls.items()}
        return JudgedCase(self.claim.as_json(), case, outcomes, failing and not beyond)

    def failure_text(self, judged: JudgedCase, kernel: str) -> str:
        """What is to be read where it is broken; `kernel` is host.in_one_line()."""
        contradicted = bool(self.seen and self.seen[-1].contradictions)
        evidence = failure.of_trials(self.seen[-1]) if contradicted else failure.of_facts(self.experiments, self.facts)
        first, command = judged.case["reason"], judged.case["again"]
        return failure.explain(self.claim, first, evidence, kernel=kernel, test=self.nodeid, command=command)


def claim_of(item: pytest.Item) -> Claim | None:
    """The claim that this test judges, if any."""
    return getattr(getattr(item, "function", None), "claim", None)


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
        contradictions = case.seen[-1].contradictions if case.seen else []
        if not contradictions:
            return BROKEN, _first_line(excinfo.value)
        first = failure.sentence(contradictions[0], case.seen[-1].scenario.n)
        if _only_traced(case.seen[-1]):
            return INCONCLUSIVE, f"only the traced trial shows it, so the tracer may have caused it: {first}"
        return BROKEN, first
    if excinfo.errisinstance(pytest.skip.Exception):
        return NOT_APPLICABLE, str(excinfo.value)
    if isinstance(excinfo.value, OSError) and excinfo.value.errno:
        return INCONCLUSIVE, f"the test could not go on: {refusals.in_words(excinfo.value)}"
    return INCONCLUSIVE, f"a fault of the test: {_first_line(excinfo.value)}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["without a word"])[0]


def _only_traced(seen: Seen) -> bool:
    """Whether untraced trials were run, and none of them broke the claim.  Asked under hold alone:
    elsewhere what returns is a race, and differs by itself."""
    return (
        seen.scenario.reaction == "hold"
        and all(contradiction.trial.traced for contradiction in seen.contradictions)
        and any(not trial.traced and trial.inconclusive is None for trial in seen.trials)
    )


def fails(claim: Claim, last_level: str) -> bool:
    """Whether a broken claim of this level fails a run whose last failing level is `last_level`.

    A measured claim holds a number, and can break only by a mistake of the suite: that always fails.
    """
    if claim.level == MEASURED:
        return True
    return FAILING_LEVELS.index(claim.level) <= FAILING_LEVELS.index(last_level)
