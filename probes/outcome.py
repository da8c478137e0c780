"""What pytest is told of a case: its outcome, its text, and the properties of JUnit's XML."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from .case import Case, fails, numbers
from .claims import Claim
from .expectations import Expectations
from .verdict import BROKEN, HELD, INCONCLUSIVE, MEASURED, NOT_APPLICABLE


@dataclass(frozen=True)
class Judged:
    """One case that came to an end."""

    claim: Claim
    verdict: str
    text: str | None
    """What is to be read where it fails."""
    expectations: Expectations | None
    excuse: str | None
    """Why this verdict was to be expected, where it was."""


def set_outcome(report: pytest.TestReport, item: pytest.Item, judged: Judged) -> None:
    """Make pytest's outcome that of the verdict: broken and inconclusive fail, not applicable skips."""
    claim, verdict, text = judged.claim, judged.verdict, judged.text
    if verdict in (HELD, MEASURED):
        report.outcome = "passed"
    elif verdict == NOT_APPLICABLE:
        skip(report, item, text or verdict)
    elif judged.excuse is not None:
        report.outcome = "skipped"
        report.wasxfail = f"{verdict}, as expected: {judged.excuse}"
    elif verdict == BROKEN and not fails(claim, item.config.option.herd_level):
        report.outcome = "skipped"
        report.wasxfail = f"broken, but {claim.level} claims do not fail this run"
    else:
        report.outcome = "failed"
        said = f"{verdict}: {text}" if verdict == INCONCLUSIVE else text
        report.longrepr = said if judged.expectations is None else f"{said}\n{_unexpected(judged, judged.expectations)}"


def _unexpected(judged: Judged, expectations: Expectations) -> str:
    return (
        f"  expected   not by {expectations.file}: if this kernel is known to be so, "
        f"add {judged.claim.id!r} there as {judged.verdict!r}, with the reason"
    )


def skip(report: pytest.TestReport, item: pytest.Item, reason: str) -> None:
    """Make it a skipped test, which names the place of the test and not of the raise."""
    report.outcome = "skipped"
    path, line, _ = item.location
    report.longrepr = (str(path), (line or 0) + 1, f"Skipped: not applicable: {reason}")


def properties(case: Case, verdict: str, reason: str | None, excuse: str | None) -> list[tuple[str, object]]:
    """What JUnit's XML says of the case, beside its outcome."""
    return [
        ("wakecheck.claim", case.claim.id),
        ("wakecheck.level", case.claim.level),
        ("wakecheck.verdict", verdict),
        *([("wakecheck.reason", reason)] if reason else []),
        *([("wakecheck.expected", excuse)] if excuse else []),
        *((f"wakecheck.{name}", json.dumps(values)) for name, values in numbers(case).items()),
    ]
