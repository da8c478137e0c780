"""An experiment's write is judged once it was delivered: a kernel thread or a softirq may still have to do that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from probes.experiments.waiting import await_delivery
from probes.lab.stage import Stage
from probes.verdict import Inconclusive


@pytest.mark.parametrize(
    ("asynchronous", "happened"),
    [(True, ["fence", "queued 0", "queued 0", "queued 1", "settled", "fence"]), (False, ["fence"])],
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
    await_delivery(cast(Stage, stage), source, 1)
    assert heard == happened


def test_what_cannot_be_proven_is_not_waited_for() -> None:
    """gVisor: no fence, and no count of queued datagrams."""
    unknown: Any = SimpleNamespace(asynchronous=True, queued=lambda: None, settle=lambda: None, delivery="SO_MEMINFO")

    def no_fence(needed: bool) -> None:
        raise Inconclusive("nobody can say when")

    with pytest.raises(Inconclusive, match="nobody can say when"):
        await_delivery(cast(Stage, SimpleNamespace(fence=no_fence)), unknown, 1)
    with pytest.raises(Inconclusive, match="does not tell what is queued"):
        await_delivery(cast(Stage, SimpleNamespace(fence=lambda needed: None)), unknown, 1)
