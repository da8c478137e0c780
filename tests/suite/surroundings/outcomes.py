"""Starts judged_here in one place, or neighbours beside one, and reads what it says."""

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
"""What no reason may hold: it is for people, not for who wrote this."""


def outcomes(place: str, *parts: str) -> list[Outcome]:
    """Every case in this place, of the claims whose id holds one of `parts`.  AssertionError where it said more."""
    return as_outcomes(_said("judged_here", place, *parts))


def beside(neighbour: str, seed: object, *parts: str) -> list[tuple[str, str, str, str | None, bool]]:
    """The same of every experiment beside this neighbour, and whether that has disturbed it."""
    return [tuple(each) for each in _said("neighbours", neighbour, str(seed), *parts)]


def _said(module: str, *arguments: str) -> list[Any]:
    command = [sys.executable, "-m", f"tests.suite.surroundings.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    said: list[Any] = json.loads(done.stdout)
    return said
