"""Starts judged_here in one place, or neighbours with one neighbour, and reads the outcomes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from .child import as_outcomes
from .judged_here import Outcome

ROOT = Path(__file__).resolve().parents[3]
_LIMIT_S = 3600

CODE = re.compile(r"Traceback|\.py\b|\b[A-Z]\w*(?:Error|Exception)\b|[\w.]+\(\)|\bself\.|\braise [A-Z]|a fault of ")
"""What no reason may contain: reasons are for users, who do not know this code."""


def outcomes(place: str, *parts: str) -> list[Outcome]:
    """The outcomes in this place, of the claims whose id contains one of `parts`.

    Raises AssertionError if the process failed, or wrote a traceback.
    """
    return as_outcomes(_output_of("judged_here", place, *parts))


def beside(neighbour: str, seed: object, *parts: str) -> list[tuple[str, str, str, str | None, bool]]:
    """The same for every experiment with this neighbour, and whether the neighbour has disturbed it."""
    return [tuple(each) for each in _output_of("neighbours", neighbour, str(seed), *parts)]


def _output_of(module: str, *arguments: str) -> list[Any]:
    command = [sys.executable, "-m", f"tests.suite.surroundings.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    rows: list[Any] = json.loads(done.stdout)
    return rows
