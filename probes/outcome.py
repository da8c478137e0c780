"""What pytest gets for a judged case: its outcome, its text, and the properties for JUnit's XML."""

from __future__ import annotations

import json

import pytest

from .expectations import Expectations
from .judged import JudgedCase
from .verdict import HELD, INCONCLUSIVE, MEASURED, NOT_APPLICABLE


def set_outcome(
    report: pytest.TestReport,
    item: pytest.Item,
    judged: JudgedCase,
    text: str | None,
    expectations: Expectations | None,
) -> None:
    """Make pytest's outcome that of the verdict: broken and inconclusive fail, not applicable skips.

    `text` is what is to be read where it fails, or would (--xfail-tb).
    """
    verdict, excuse = judged.verdict, judged.case.get("expected")
    said = f"{verdict}: {text}" if verdict == INCONCLUSIVE else text
    if verdict in (HELD, MEASURED):
        report.outcome = "passed"
    elif verdict == NOT_APPLICABLE:
        skip(report, item, text or verdict)
    elif judged.fails:
        report.outcome = "failed"
        report.longrepr = said if expectations is None else f"{said}\n{_unexpected(judged, expectations)}"
    else:
        report.outcome, report.longrepr = "skipped", said
        beyond = f"broken, but {judged.claim['level']} claims do not fail this run"
        report.wasxfail = beyond if excuse is None else f"{verdict}, as expected: {excuse}"


def _unexpected(judged: JudgedCase, expectations: Expectations) -> str:
    return (
        f"  expected   not by {expectations.file}: if this kernel is known to be so, "
        f"add {judged.claim['id']!r} there as {judged.verdict!r}, with the reason"
    )


def skip(report: pytest.TestReport, item: pytest.Item, reason: str) -> None:
    """Make it a skipped test, which names the place of the test and not of the raise."""
    report.outcome = "skipped"
    path, line, _ = item.location
    report.longrepr = (str(path), (line or 0) + 1, f"Skipped: not applicable: {reason}")


def properties(judged: JudgedCase) -> list[tuple[str, object]]:
    """What JUnit's XML says of the case, beside its outcome: words, and each figure of every untraced trial.

    A tracer slows its waiters, and shifts every race among them.
    """
    case = judged.case
    words = {
        "claim": judged.claim["id"],
        "level": judged.claim["level"],
        "verdict": judged.verdict,
        "reason": case["reason"],
        "expected": case.get("expected"),
    }
    untraced = [trial for trial in case["trials"] if not trial["traced"]]
    figures = {
        name: json.dumps([trial[name] for trial in untraced])
        for name in ("woken", "returned", "won", "spurious")
        if untraced
    }
    return [(f"wakecheck.{name}", value) for name, value in {**words, **figures}.items() if value]
