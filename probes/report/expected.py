"""What a run's expectations say of its verdicts: expected, newly wrong, or not come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..expectations import sentence
from ..verdict import BROKEN, INCONCLUSIVE

DEVIATIONS = (BROKEN, INCONCLUSIVE)
"""The verdicts that fail a run, unless they were expected."""


def reason(claim: Mapping[str, Any]) -> str | None:
    """Why this verdict of the claim was expected; None if it was not, or needed no expectation.

    A claim that deviates is expected to only if each of its deviating cases was.
    """
    met = [
        expectation
        for expectation in claim.get("expected") or ()
        if expectation["verdict"] == claim["verdict"] and expectation["met"]
    ]
    unforeseen = any(case["verdict"] in DEVIATIONS and not case.get("expected") for case in claim["cases"])
    return met[0]["reason"] if met and not unforeseen else None


def is_alarming(claim: Mapping[str, Any]) -> bool:
    """Whether the claim deviates, and nobody expected that."""
    return claim["verdict"] in DEVIATIONS and reason(claim) is None


def concern(claim: Mapping[str, Any]) -> str | None:
    """The reason to show for an alarming claim: of a case that nobody expected, where others were expected."""
    if claim.get("expected"):
        for case in claim["cases"]:
            if case["verdict"] in DEVIATIONS and not case.get("expected"):
                because = f": {case['reason']}" if case["reason"] else ""
                return f"beyond what was expected, {case['id']} is {case['verdict']}{because}"
    known: str | None = claim["reason"]
    return known


def unmet_of(claim: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    """What was expected of this claim and did not come: what to do about it, one sentence each."""
    return [
        sentence(claim["id"], claim["verdict"], expectation, _file(run))
        for expectation in _not_met(claim.get("expected"))
    ]


def unmet(run: Mapping[str, Any]) -> list[str]:
    """The same for the whole run, controls first."""
    controls = (run.get("expectations") or {}).get("controls", {})
    of_controls = [
        sentence(name, run["controls"][name], expectation, _file(run), "control ")
        for name, expectations in controls.items()
        for expectation in _not_met(expectations)
    ]
    return of_controls + [line for claim in run["claims"] for line in unmet_of(claim, run)]


def by_reason(run: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """The expected deviations: verdict, reason, and the claims that share them."""
    groups: dict[tuple[str, str], list[str]] = {}
    for verdict in DEVIATIONS:
        for claim in run["claims"]:
            if claim["verdict"] == verdict and (why := reason(claim)) is not None:
                groups.setdefault((verdict, why), []).append(claim["id"])
    return [(verdict, why, claims) for (verdict, why), claims in groups.items()]


def _not_met(expectations: Iterable[Mapping[str, Any]] | None) -> Iterator[Mapping[str, Any]]:
    yield from (expectation for expectation in expectations or () if expectation["met"] is False)


def _file(run: Mapping[str, Any]) -> str:
    return str(run.get("expectations", {}).get("file", "the expectations file"))
