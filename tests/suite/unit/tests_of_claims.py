"""The tests that judge the claims, as functions."""

from __future__ import annotations

import inspect
from functools import cache
from types import FunctionType

from probes import chapters


@cache
def by_claim() -> dict[str, FunctionType]:
    """The test of every claim, by the claim's id."""
    return {
        test.claim.id: test
        for module in chapters.modules()
        for test in vars(module).values()
        if isinstance(test, FunctionType) and hasattr(test, "claim")
    }


@cache
def of_experiments() -> dict[str, FunctionType]:
    """Those that play experiments."""
    return {claim: test for claim, test in by_claim().items() if "play" in inspect.signature(test).parameters}
