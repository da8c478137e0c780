"""An experiment's write is judged once it was delivered: a kernel thread or a softirq may still have to do that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from probes.lab.stage import Stage


@pytest.mark.parametrize(
    ("asynchronous", "happened"),
    [(True, ["queued 0", "queued 0", "queued 1", "settled", "fence"]), (False, ["fence"])],
)
def test_the_fence_comes_after_the_queue(asynchronous: bool, happened: list[str]) -> None:
    """The fence waits only for what has begun."""
    heard: list[str] = []
    lying = iter((0, 0, 1))

    def queued() -> int:
        count = next(lying)
        heard.append(f"queued {count}")
        return count

    source: Any = SimpleNamespace(asynchronous=asynchronous, queued=queued, settle=lambda: heard.append("settled"))
    stage = SimpleNamespace(fence=lambda needed: heard.append("fence"))
    Stage.await_delivery(cast(Stage, stage), source, 1)
    assert heard == happened
