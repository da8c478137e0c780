"""The seed of the random moments, in the header of every run."""

from __future__ import annotations

from .runs import SEED


def pytest_report_header() -> str:
    return f"moments: random, seed {SEED} (the same again with WAKECHECK_SEED={SEED})"
