"""The exit code that a run deserves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exits import BROKEN, CANNOT_JUDGE, WELL
from . import expected


def code_of(run: Mapping[str, Any]) -> int:
    """WELL, BROKEN or CANNOT_JUDGE: from the run's claims, whatever its summary says."""
    verdicts = {claim["verdict"] for claim in run["claims"] if expected.is_alarming(claim)}
    if "broken" in verdicts or expected.unmet(run):
        return BROKEN
    failed_control = {"broken", "inconclusive"} & set(run["controls"].values())
    return CANNOT_JUDGE if run["partial"] or not run["claims"] or verdicts or failed_control else WELL
