"""Starts judged_here in one place, and reads what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from .judged_here import Outcome

ROOT = Path(__file__).resolve().parents[3]
_LIMIT_S = 1800

CODE = re.compile(r"Traceback|\.py\b|\b[A-Z]\w*(?:Error|Exception)\b|[\w.]+\(\)|\bself\.|\braise [A-Z]|a fault of ")
"""What no reason may hold: it is for people, not for who wrote this."""


def outcomes(place: str, *parts: str) -> list[Outcome]:
    """Every case in this place, of the claims whose id holds one of `parts`.  AssertionError where it said more."""
    command = [sys.executable, "-m", "tests.suite.surroundings.judged_here", place, *parts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return [(claim, case, verdict, reason) for claim, case, verdict, reason in json.loads(done.stdout)]
