"""What both files of tests share: the seed in the header, and a folder of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .runs import SEED


def pytest_report_header() -> str:
    return f"moments: random, seed {SEED} (the same again with WAKECHECK_SEED={SEED})"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one run.  Unlike tmp_path, every user can enter it, and no other pytest tidies it away."""
    with tempfile.TemporaryDirectory(prefix="wakecheck-system-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o1777)
        yield folder
