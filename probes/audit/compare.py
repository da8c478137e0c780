"""What the lab measures on this kernel, now, for the server's strategy."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from ..lab.session import Lab
from ..scenario import Scenario
from ..verdict import Inconclusive, NotApplicable
from .judge import PerConnection

TRIALS = 5


@dataclass(frozen=True)
class Comparison:
    """The lab's figure for a strategy, or why there is none."""

    scenario: str | None
    woken: PerConnection | None
    why_not: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario,
            "woken": self.woken and self.woken.as_dict(),
            "why_not": self.why_not,
        }


def measure(scenario: Scenario | None) -> Comparison:
    """Run the scenario, untraced.  Call it from the main thread: a conductor dies with the thread that started it."""
    if scenario is None:
        return Comparison(None, None, "the lab has no scenario for this way of waiting")
    counts = []
    try:
        with Lab() as lab:
            for _ in range(TRIALS):
                trial = lab.run(scenario, traced=False)
                if trial.inconclusive is not None or trial.woken is None:
                    reason = trial.inconclusive or "nobody sees who is woken here"
                    return Comparison(scenario.id, None, reason)
                counts.append(trial.woken)
    except (Inconclusive, NotApplicable) as reason:
        return Comparison(scenario.id, None, str(reason))
    return Comparison(scenario.id, PerConnection(min(counts), statistics.median(counts), max(counts)))
