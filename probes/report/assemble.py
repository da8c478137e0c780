"""Makes the run's dict from what is known at its start, what the conductor can do, and the cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..expectations import Expectations
from ..verdict import BROKEN, INCONCLUSIVE, VERDICTS, of_claim
from . import journal
from .run import SCHEMA, summary


class Cases:
    """The cases of a run, by claim, and the controls of every process that judged one."""

    def __init__(self, expectations: Expectations | None = None) -> None:
        self._expectations = expectations
        self._cut: set[str] = set()
        """Claims of which cases were left out."""
        self._claims: dict[str, dict[str, Any]] = {}
        self._controls: dict[str, tuple[str, str | None]] = {}
        self.selected = False
        """Whether cases were left out by the user's choice."""

    def __bool__(self) -> bool:
        return bool(self._claims)

    def add(self, entry: Mapping[str, Any]) -> None:
        """One case of one claim, and the controls of the process that judged it."""
        self.selected |= entry.get("selected", False)
        claim = self._claims.setdefault(entry["claim"]["id"], {**entry["claim"], "cases": []})
        claim["cases"].append(entry["case"])
        if entry.get("cut"):
            self._cut.add(claim["id"])
        for name, (verdict, reason) in entry["controls"].items():
            known = self._controls.get(name)
            if known is None or VERDICTS.index(verdict) < VERDICTS.index(known[0]):
                self._controls[name] = (verdict, reason)

    def assembled(
        self,
        begin: Mapping[str, Any],
        greeting: Mapping[str, Any] | None,
        *,
        cut_short: str | bool | None = None,
        splats: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The run's dict.  `cut_short`: whether some case was not judged, other than by choice, or in words why."""
        failed = [name for name, (verdict, _) in self._controls.items() if verdict in (BROKEN, INCONCLUSIVE)]
        claims = [_judged(claim, failed) for claim in self._claims.values()]
        if self._expectations is not None:
            self._compare_with_expectations(claims, whole=not cut_short and not failed)
        greeting = greeting or {}
        kernel = begin["kernel"]
        run = {
            "schema": SCHEMA,
            "partial": bool(cut_short) or self.selected,
            "partial_reason": cut_short if isinstance(cut_short, str) else None,
            "label": begin["label"],
            "started": begin["started"],
            "suite": begin["suite"],
            "kernel": {
                **kernel,
                "sysctls": {**kernel["sysctls"], **greeting.get("sysctls", {})},
                "splats": list(splats),
            },
            "isolation": greeting.get("isolation", "unknown"),
            "fence": greeting.get("fence", "unknown"),
            "observers": {name: why or True for name, why in greeting.get("why_not", {}).items()},
            "controls": {name: verdict for name, (verdict, _) in self._controls.items()},
            "controls_reasons": {name: reason for name, (_, reason) in self._controls.items() if reason},
            "summary": summary(claims),
            "claims": claims,
        }
        return run if self._expectations is None else {**run, "expectations": self._expected_of_the_run()}

    def _compare_with_expectations(self, claims: list[dict[str, Any]], *, whole: bool) -> None:
        """Note in each claim what was expected of it.  Where the instrument failed, nothing can be unexpected."""
        assert self._expectations is not None
        for claim in claims:
            complete = whole and claim["id"] not in self._cut
            if told := self._expectations.of_claim(claim["id"], claim["cases"], whole=complete):
                claim["expected"] = told

    def _expected_of_the_run(self) -> dict[str, Any]:
        """The file, the kernel that it is about, and what it expects of the controls."""
        assert self._expectations is not None
        told = {name: self._expectations.of_control(name, verdict) for name, (verdict, _) in self._controls.items()}
        return {
            "file": self._expectations.file,
            "kernel": self._expectations.kernel,
            "controls": {name: entries for name, entries in told.items() if entries},
        }


def _judged(claim: dict[str, Any], failed_controls: list[str]) -> dict[str, Any]:
    """The claim with its verdict; a failed control leaves no claim a verdict of its own."""
    cases = claim["cases"]
    verdict = of_claim(case["verdict"] for case in cases)
    reason = next((case["reason"] for case in cases if case["verdict"] == verdict and case["reason"]), None)
    if failed_controls:
        verdict, reason = INCONCLUSIVE, f"the instrument failed its control: {', '.join(failed_controls)}"
    return {**claim, "verdict": verdict, "reason": reason}


def rebuild(
    path: Path, reason: str, expectations: Callable[[str], Expectations | None] = lambda file: None
) -> dict[str, Any] | None:
    """The partial run that the journal at `path` tells of, with the reason why it is partial.

    `expectations` loads the file that the run was compared with.  None where the journal tells not even which
    kernel it was.
    """
    known = journal.read(path)
    begin = journal.begun(known)
    if begin is None:
        return None
    file = begin["suite"]["options"].get("herd_expect")
    cases = Cases(expectations(file) if file else None)
    greeting = None
    for kind, what in known:
        if kind == journal.CASE:
            cases.add(what)
        elif kind == journal.GREETING:
            greeting = what
    return cases.assembled(begin, greeting, cut_short=reason)
