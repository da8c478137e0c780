"""Fetches the two kernels and the tools, once; a second time costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .runs import GVISOR, QEMU, ROOT


@pytest.fixture(scope="session", autouse=True)
def _fetched() -> None:
    command = [sys.executable, "-m", "probes", "kernels", "get", QEMU, GVISOR]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
