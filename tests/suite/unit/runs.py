"""Whole runs, as run.json holds them, of kernels that are only models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from probes.case import Case, judge
from probes.observers import WOKEN, names
from probes.report import run as run_json
from probes.scenario import Scenario
from probes.seen import Seen
from probes.verdict import Inconclusive, of_claim

from .builders import ALL_THERE
from .judging import claims_with_stars, scenarios_of
from .model import Kernel

IDS = (
    "accept.wakes-one",
    "accept.first-in-first-out",
    "epoll-private.exclusive-wakes-one",
    "epoll-private.wakes-all",
    "epoll-shared.last-blocked-first",
)


def run_of(
    label: str, release: str, kernel: Kernel | None = None, ids: Iterable[str] = IDS, **facts: Any
) -> dict[str, Any]:
    """A run in which a model kernel (a healthy one, unless given) was judged; `facts` go into `kernel`."""
    claims = [_claim(kernel or Kernel(1), name) for name in ids]
    run = {
        "schema": 3,
        "partial": False,
        "label": label,
        "started": "2026-10-03T14:05:00+00:00",
        "isolation": "a model",
        "fence": "none is needed",
        "suite": {"version": "0", "revision": "0123456789ab", "options": {"herd_preset": "default"}},
        "kernel": {
            "release": release,
            "version": "#1 SMP",
            "machine": "x86_64",
            "flavour": "linux",
            "cpus": 2,
            "emulated": False,
            "sysctls": {},
            "splats": [],
            **facts,
        },
        "observers": dict.fromkeys(ALL_THERE, True),
        "controls": {"positive": "held", "silent": "held"},
        "summary": run_json.summary(claims),
        "claims": claims,
    }
    assert run_json.violation(run) is None
    return run


def without(run: dict[str, Any], *ids: str) -> dict[str, Any]:
    """The run, as if these claims had not been judged."""
    run["claims"] = [claim for claim in run["claims"] if claim["id"] not in ids]
    return run


def say(run: dict[str, Any], id: str, verdict: str, reason: str | None = None) -> dict[str, Any]:
    """The run, with another verdict on one claim and all its cases."""
    for claim in run["claims"]:
        if claim["id"] == id:
            claim.update(verdict=verdict, reason=reason)
            for case in claim["cases"]:
                case.update(verdict=verdict, reason=reason)
    return run


def _claim(kernel: Kernel, id: str) -> dict[str, Any]:
    claim = claims_with_stars()[id].claim
    cases = [
        _case(kernel, id, candidate)
        for candidate in scenarios_of(id)
        if candidate.source == "tcp4" and candidate.n == 8
    ]
    verdict = of_claim(case["verdict"] for case in cases)
    return {
        "id": id,
        "chapter": claim.chapter,
        "sentence": claim.sentence,
        "level": claim.level,
        "truth": claim.truth,
        "basis": [str(basis) for basis in claim.basis],
        "rows": list(claim.rows),
        "drawing": claim.drawing,
        "verdict": verdict,
        "reason": next((case["reason"] for case in cases if case["verdict"] == verdict), None),
        "cases": cases,
    }


def _case(kernel: Kernel, id: str, scenario: Scenario) -> dict[str, Any]:
    test = claims_with_stars()[id]
    case = Case(test.claim)

    def herd(scenario: Scenario, *, in_part: bool = False) -> Seen:  # the model's trials are all whole
        case.seen.append(
            Seen(scenario, [kernel.trial(scenario), kernel.trial(scenario, traced=True)], ALL_THERE, names(WOKEN))
        )
        return case.seen[-1]

    try:
        test(herd, scenario)
        verdict, reason = judge(case, None)
    except (AssertionError, Inconclusive) as found:
        verdict, reason = judge(case, pytest.ExceptionInfo.from_exception(found))
    trials = [{**trial.as_json(), "timing_us": {}} for seen in case.seen for trial in seen.trials]
    return {
        "id": scenario.id,
        "verdict": verdict,
        "reason": reason,
        "scenario": scenario.as_dict(),
        "trials": json.loads(json.dumps(trials)),
        "facts": [],
        "again": None,
    }
