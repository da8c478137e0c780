"""Everything in this folder tests the suite itself, not a kernel: `-m "not instrument"` leaves it out."""

from __future__ import annotations

from pathlib import Path

import pytest

# An inner run (pytester) forgets the modules that it was the first to import; rich would then exist twice.
import probes.report.page
import probes.report.terminal  # noqa: F401

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.instrument)
