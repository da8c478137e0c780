"""What --watch says, in the terminal and on the page: real figures, and what was not seen is not made up."""

from __future__ import annotations

from typing import Any

import pytest

from probes.audit.answer import nothing_known
from probes.audit.traffic import figures
from probes.audit.traffic.account import Totals, WokenBy
from probes.audit.traffic.cost import RecordCost
from probes.audit.traffic.judge import judge
from probes.audit.traffic.queue import QueueSeen
from probes.audit.traffic.watched import Watched
from probes.audit.words import lines
from probes.report import audit_page


def _answer(traffic: dict[str, Any], workers: int = 4) -> dict[str, Any]:
    answer = nothing_known()
    answer.update(
        verdict="herds", sentence="herds: x", sure="", workers=workers, settings={}, traffic=traffic,
        listener={"name": "0.0.0.0:80", "kind": "tcp4", "sockets": 1, "other_namespace": False, "also": []},
        server={"name": "x", "pids": [1], "unseen_processes": []},
        woken={"min": 3, "median": 4, "max": 4}, returned=None, won=None, in_vain=None,
    )  # fmt: skip
    return answer


def _traced() -> dict[str, Any]:
    totals = Totals(arrived=1000, woken=3900, returned=1100, in_vain=2900, ran_ns=8_000_000, in_vain_ns=2_000_000)
    totals.accepted.update({11: 700, 12: 300})
    totals.found_nothing[11] = 100
    shown = figures.figures_of(totals, [WokenBy(4, 4, 1, 1, 3)] * 900, (11, 12, 13, 14))
    assert judge(shown, 10, "tcp4").verdict == "herds"
    watched = Watched(10.0, 40_000, observed_s=10.0, records=30_000, cost=RecordCost(600, 100))
    return {
        **figures.as_dict(shown, {11: 11, 12: 12}),
        "watched": watched.as_dict(),
        "queue": QueueSeen(200, 7, 128, 3, 5).as_dict(),
    }


SAID = (
    "watched 10 s of its own clients: 1,000 connections came, 1,000 were accepted, 100 a second",
    "900 came while two workers or more slept; workers per connection:",
    "3,900 woken by connections, 3.90 for each that was accepted; 2,900 of them in vain, 2.90 each",
    "100 calls of accept came back with EAGAIN",
    "8.0 ms of the workers, 2.0 ms of it in vain (25.0%)",
    "shares    11: 70%, 12: 30%, 13: 0%, 14: 0%; Jain's index 0.43 (1: all took as many)",
    "queue     at most 7 of 128 in 200 looks; 3 dropped, 5 overflows in its network namespace",
    "cost      30,000 records of some 0.6 µs: 18.0 ms, 0.18% of one CPU",
)


@pytest.mark.parametrize("said", SAID)
def test_what_is_said(said: str) -> None:
    assert any(said in line for line in lines(_answer(_traced()))), list(lines(_answer(_traced())))


def test_one_worker() -> None:
    assert any("came while the worker slept" in line for line in lines(_answer(_traced(), workers=1)))


def test_the_page() -> None:
    page = audit_page.render(_answer(_traced()))
    for said in (
        "1,000 came, 1,000 were accepted",
        "11: 70%",
        "at most 7 of 128 in 200 looks",
        "connections from its own clients",
    ):
        assert said in page


def _switches(alone: bool) -> dict[str, Any]:
    return {
        "opened_in_namespace": 50, "switches": 230, "switches_by": {"11": 230}, "switches_per_opened": 4.6,
        "only_listener": alone, "jain": 1.0, "watched": {"seconds": 5.0, "records": 0},
        "queue": QueueSeen().as_dict(),
    }  # fmt: skip


@pytest.mark.parametrize(("alone", "said"), [(True, "were opened"), (False, "were opened, of all listeners of its")])
def test_without_the_trace(alone: bool, said: str) -> None:
    answer = _answer(_switches(alone))
    answer["woken"] = None
    text = "\n".join(lines(answer))
    assert f"50 connections {said}" in text
    assert "230 context switches of the workers, whatever for, 4.60 for each connection that was opened" in text
    assert "accepted" not in text
    assert "230 of the workers, whatever for" in audit_page.render(answer)


def test_accept_queue_of_nobody_is_not_shown() -> None:
    assert not any(line.startswith("  queue") for line in lines(_answer(_switches(True))))
