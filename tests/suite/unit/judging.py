"""Judges the claims of tests/kernel/test_*.py on a kernel that is only a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from types import FunctionType
from typing import Any

import pytest

from probes import chapters
from probes.case import Case, judge
from probes.claims import Claim
from probes.fixtures import RunTrials
from probes.observers import WOKEN, names
from probes.scenario import Scenario
from probes.seen import Seen
from probes.star import PRESETS, Preset, scenarios
from probes.verdict import BROKEN, INCONCLUSIVE, Inconclusive, of_claim

from .builders import ALL_THERE, made_claim
from .model import Kernel

PRESET = PRESETS["default"]


@cache
def claims_with_stars() -> dict[str, FunctionType]:
    """Every test that judges a claim over scenarios, by the claim's id."""
    return {
        test.claim.id: test
        for module in chapters.modules()
        for test in vars(module).values()
        if isinstance(test, FunctionType) and hasattr(test, "claim") and hasattr(test, "stars")
    }


@cache
def scenarios_of(id: str, preset: Preset = PRESET) -> tuple[Scenario, ...]:
    """The scenarios of a claim in this preset, the default one unless another is given."""
    return tuple(scenarios(claims_with_stars()[id], preset).values())


def verdict_on(
    kernel: Kernel, id: str, scenario: Scenario, untraced: int = PRESET.untraced, preset: Preset = PRESET
) -> tuple[str, str | None]:
    """The verdict on one case on this kernel, and the reason."""
    test = claims_with_stars()[id]
    return _judged(kernel, test.claim, lambda herd: test(herd, scenario), untraced, preset)


def verdict_of(kernel: Kernel, act: Callable[[RunTrials], None]) -> str:
    """The verdict on a test that chooses its scenarios itself."""
    return _judged(kernel, made_claim(), act, PRESET.untraced)[0]


def _judged(
    kernel: Kernel, claim: Claim, act: Callable[[RunTrials], None], untraced: int, preset: Preset = PRESET
) -> tuple[str, str | None]:
    case = Case(claim)

    def herd(scenario: Scenario, *, in_part: bool = False) -> Seen:
        trials = [kernel.trial(scenario) for _ in range(untraced)]
        trials.append(kernel.trial(preset.traced(scenario) if in_part else scenario, traced=True))
        case.seen.append(Seen(scenario, trials, ALL_THERE, names(WOKEN)))
        return case.seen[-1]

    try:
        act(herd)
    except (AssertionError, Inconclusive) as found:
        return judge(case, pytest.ExceptionInfo.from_exception(found))
    return judge(case, None)


def verdicts_on(
    kernel: Kernel, ids: Iterable[str] | None = None, untraced: int = PRESET.untraced, preset: Preset = PRESET
) -> dict[str, str]:
    """The verdict of every claim on this kernel; a claim's first broken case is enough."""
    return {name: _of_claim(kernel, name, untraced, preset) for name in ids or claims_with_stars()}


def _of_claim(kernel: Kernel, id: str, untraced: int, preset: Preset = PRESET) -> str:
    verdicts = []
    for scenario in scenarios_of(id, preset):
        verdicts.append(verdict_on(kernel, id, scenario, untraced, preset)[0])
        if verdicts[-1] == BROKEN:
            break
    return of_claim(verdicts)


def broken_on(kernel: Kernel, preset: Preset = PRESET) -> set[str]:
    """The claims that break on this kernel, by name, and those that cannot be judged, with `?` in front.

    One untraced and one traced trial show a decision that is always taken wrongly.
    """
    verdicts = verdicts_on(kernel, untraced=1, preset=preset)
    return {name for name, verdict in verdicts.items() if verdict == BROKEN} | {
        f"?{name}" for name, verdict in verdicts.items() if verdict == INCONCLUSIVE
    }


def run_on(kernel: Kernel) -> dict[str, Any]:
    """As much of run.json as the report's answers read: claims with rows, verdicts, and cases with trials."""
    return {
        "claims": [
            {
                "id": name,
                "rows": list(test.claim.rows),
                "verdict": _of_claim(kernel, name, untraced=1),
                "sentence": test.claim.sentence,
                "cases": [
                    {
                        "id": scenario.id,
                        "verdict": "held",
                        "scenario": scenario.as_dict(),
                        "trials": [kernel.trial(scenario).as_json()],
                    }
                    for scenario in scenarios_of(name)
                    if scenario.source == "tcp4" and scenario.n in (1, 8)
                ],
            }
            for name, test in claims_with_stars().items()
        ]
    }


Make = Callable[[int], Kernel]
"""A kernel from a seed."""
