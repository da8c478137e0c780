"""Makes the run's dict from what is known at its start, what the conductor can do, and the judged cases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..expectations import Expectations
from ..judged import JudgedCase
from ..verdict import BROKEN, INCONCLUSIVE, VERDICTS, of_claim
from . import journal
from .run import SCHEMA, summary

EveryCase = Mapping[str, Collection[str]]
"""The ids of all cases of every claim, by the claim's id: what a whole run judges (`catalogue.cases`)."""


def run_of(
    begin: Mapping[str, Any],
    greeting: Mapping[str, Any] | None,
    judged: Iterable[JudgedCase],
    *,
    expectations: Expectations | None = None,
    every_case: EveryCase | None = None,
    ended: str | None = None,
    splats: Sequence[str] = (),
) -> dict[str, Any]:
    """The run's dict.

    It is partial where a case of `every_case` was not judged, or if nobody knows them all; `ended` says in words
    what ended it early, if something did.
    """
    cases = list(_worst(judged))
    controls = _controls(cases)
    failed = [name for name, (verdict, _) in controls.items() if verdict in (BROKEN, INCONCLUSIVE)]
    claims = _claims(cases, failed)
    if expectations is not None:
        unjudged = _unjudged(cases, every_case)
        for claim in claims:
            # Where the instrument failed, or cases were left out, nothing can be missed.
            whole = not failed and unjudged is not None and not unjudged.get(claim["id"])
            if expected := expectations.of_claim(claim["id"], claim["cases"], whole=whole):
                claim["expected"] = expected
    partial = _why_partial(cases, every_case, ended)
    greeting = greeting or {}
    kernel = begin["kernel"]
    run = {
        "schema": SCHEMA,
        "partial": partial is not None,
        "partial_reason": partial,
        "label": begin["label"],
        "started": begin["started"],
        "suite": begin["suite"],
        "kernel": {**kernel, "sysctls": {**kernel["sysctls"], **greeting.get("sysctls", {})}, "splats": list(splats)},
        "isolation": greeting.get("isolation", "unknown"),
        "fence": greeting.get("fence", "unknown"),
        "observers": {name: why or True for name, why in greeting.get("why_not", {}).items()},
        "controls": {name: verdict for name, (verdict, _) in controls.items()},
        "controls_reasons": {name: reason for name, (_, reason) in controls.items() if reason},
        "summary": summary(claims),
        "claims": claims,
    }
    if expectations is not None:
        run["expectations"] = _of_the_run(expectations, controls)
    return run


def _worst(judged: Iterable[JudgedCase]) -> Iterable[JudgedCase]:
    """Each case once: of one that was judged again (pytest-rerunfailures), the verdict that needs attention most."""
    cases: dict[tuple[str, str], JudgedCase] = {}
    for case in judged:
        known = cases.get(case.key)
        if known is None or VERDICTS.index(case.verdict) < VERDICTS.index(known.verdict):
            cases[case.key] = case
    return cases.values()


def _controls(cases: Iterable[JudgedCase]) -> dict[str, tuple[str, str | None]]:
    """The worst verdict of each control, of all processes that judged a case, and its reason, if there is one."""

    def rank(verdict: str, reason: str | None) -> tuple[int, bool]:
        return VERDICTS.index(verdict), reason is None

    controls: dict[str, tuple[str, str | None]] = {}
    for case in cases:
        for name, (verdict, reason) in case.controls.items():
            if name not in controls or rank(verdict, reason) < rank(*controls[name]):
                controls[name] = (verdict, reason)
    return controls


def _claims(cases: Iterable[JudgedCase], failed_controls: Sequence[str]) -> list[dict[str, Any]]:
    """Every claim with its cases and its verdict; a failed control leaves no claim a verdict of its own."""
    claims: dict[str, dict[str, Any]] = {}
    for judged in cases:
        claim = claims.setdefault(judged.claim["id"], {**judged.claim, "verdict": "", "reason": None, "cases": []})
        claim["cases"].append(judged.case)
    for claim in claims.values():
        verdict = of_claim(case["verdict"] for case in claim["cases"])
        reason = next(
            (case["reason"] for case in claim["cases"] if case["verdict"] == verdict and case["reason"]), None
        )
        if failed_controls:
            verdict, reason = INCONCLUSIVE, f"the instrument failed its control: {', '.join(failed_controls)}"
        claim.update(verdict=verdict, reason=reason)
    return list(claims.values())


def _unjudged(cases: Iterable[JudgedCase], every_case: EveryCase | None) -> dict[str, set[str]] | None:
    """The cases of each claim that nobody judged; None if nobody knows them all."""
    if every_case is None:
        return None
    judged = {case.key for case in cases}
    return {claim: {name for name in names if (claim, name) not in judged} for claim, names in every_case.items()}


def _why_partial(cases: Iterable[JudgedCase], every_case: EveryCase | None, ended: str | None) -> str | None:
    """Why the run is partial, in words; None if it is whole."""
    unjudged = _unjudged(cases, every_case)
    if unjudged is None or every_case is None:
        return ended or "nobody knows how many cases a whole run has"
    missing = sum(map(len, unjudged.values()))
    if not missing:
        return None
    total = sum(map(len, every_case.values()))
    counted = f"{total - missing:,} of {total:,} cases were judged"
    return f"{ended}: {counted}" if ended else counted


def _of_the_run(expectations: Expectations, controls: Mapping[str, tuple[str, str | None]]) -> dict[str, Any]:
    """The expectations' file, the kernel that it is about, and what it expects of the controls."""
    expected = {name: expectations.of_control(name, verdict) for name, (verdict, _) in controls.items()}
    return {
        "file": expectations.file,
        "kernel": expectations.kernel,
        "controls": {name: entries for name, entries in expected.items() if entries},
    }


def rebuild(
    path: Path, reason: str, expectations: Callable[[str], Expectations | None] = lambda file: None
) -> dict[str, Any] | None:
    """The partial run that the journal at `path` tells of, with the reason why it is partial.

    `expectations` loads the file that the run was compared with.  None if the journal tells not even which
    kernel it was.
    """
    lines = journal.read(path)
    begin = journal.begun(lines)
    if begin is None:
        return None
    file = begin["suite"]["options"].get("herd_expect")
    greeting = next((what for kind, what in reversed(lines) if kind == journal.GREETING), None)
    cases = [JudgedCase.from_json(what) for kind, what in lines if kind == journal.CASE]
    return run_of(begin, greeting, cases, expectations=expectations(file) if file else None, ended=reason)
