"""`wakecheck` as a program of its own."""

from __future__ import annotations

import subprocess
import sys

from probes.host import PROJECT


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What it printed, and its exit code, with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "probes", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
