"""A waiter or an actor that somebody else kills or stops, at whatever moment, never gives a wrong fact."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[3]

ACTS = ("kill", "stop", "stop-and-continue")
PLAYS: dict[str, Any] = {
    "serialised.served": {"lock": "flock", "n": 3},
    # One connection: from the second on, who unlocked and who was woken race for the lock, also undisturbed.
    "serialised.round_and_round": {"lock": "flock", "n": 3, "k": 1},
    "death.stopped": {"strategy": "accept", "stopped": "first"},
    "accept/tcp4/n3/hold/one-connection": "untraced",
    "poll/tcp4/n3/hold/one-connection": "traced",
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("what", PLAYS)
def test_nothing_wrong_is_said(what: str, act: str) -> None:
    command = [sys.executable, "-m", "tests.suite.unit.disturbed", what, json.dumps(PLAYS[what]), act]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    undisturbed = answer["undisturbed"]
    assert "inconclusive" not in undisturbed, undisturbed
    seen = [(look["look"], look["task"], look["seen"]) for look in answer["disturbed"] if look["came"]]
    assert len(seen) > 3, f"it was disturbed at few moments: {answer['disturbed']}"
    wrong = [look for look in seen if "inconclusive" not in look[2] and look[2] != undisturbed]
    assert not wrong, f"undisturbed it was {undisturbed}; {wrong}"
    reasons = Counter(look[2].get("inconclusive", "none: it was as undisturbed") for look in seen)
    assert any("by somebody else" in reason for reason in reasons), reasons
