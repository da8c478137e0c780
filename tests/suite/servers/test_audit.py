"""Real servers, audited five times each: what the audit says, and that the servers do not notice it."""

from __future__ import annotations

import pytest

from .audits import REPEATS, Audited, audit, five
from .conftest import need
from .interruptions import interruptions_of
from .launch import Running
from .servers import named


class Seen:
    """Five audits of one server."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.server = running.server
        self.pids_before = running.pids()
        with interruptions_of(list(running.tasks())) as rings:
            self.audits = five(running)
            self.interrupted = rings if isinstance(rings, str) else rings.seen()
            """(thread id, call) of each system call that was broken off meanwhile; or why nobody saw."""

    def each(self, name: str) -> list[object]:
        """One key of all five answers."""
        return [audited.answer[name] for audited in self.audits]


@pytest.fixture(scope="module")
def seen(running: Running) -> Seen:
    return Seen(running)


def test_it_is_judged(seen: Seen) -> None:
    for audited in seen.audits:
        assert (audited.exit_code, audited.answer["exit_code"], audited.answer["reason"]) == (0, 0, None), (
            audited.answer["sentence"]
        )
        assert "Traceback" not in audited.said
    assert set(seen.each("verdict")) == {"herds" if seen.server.woken > 1 else "wakes one"}


def test_how_it_waits(seen: Seen) -> None:
    assert [audited.strategy for audited in seen.audits] == [seen.server.strategy] * REPEATS


def test_workers(seen: Seen) -> None:
    assert seen.each("workers") == [seen.server.workers] * REPEATS


def test_woken_per_connection(seen: Seen) -> None:
    for audited in seen.audits:
        woken = audited.answer["woken"]
        assert woken["median"] == seen.server.woken, woken
        assert woken["max"] <= seen.server.workers, woken
        # Whom a timer wakes at that very moment runs already, and cannot be woken once more.
        if not any(waiter["timer_per_s"] for waiter in audited.answer["waiters"]):
            assert woken["min"] == woken["max"] == seen.server.woken, woken


def test_five_repeats_agree(seen: Seen) -> None:
    said = {(audited.strategy, *_figures(audited)) for audited in seen.audits}
    assert len(said) == 1, said


def _figures(audited: Audited) -> tuple[object, ...]:
    answer = audited.answer
    return answer["workers"], answer["waits"], answer["verdict"], answer["woken"]["median"], answer["won"]["median"]


def test_every_connection_has_one_winner(seen: Seen) -> None:
    """No connection is lost."""
    tasks = {str(tid) for _, tid in seen.running.tasks()} | {str(pid) for pid in seen.pids_before}
    for audited in seen.audits:
        answer = audited.answer
        assert answer["won"] == {"min": 1, "median": 1, "max": 1}
        assert sum(answer["winners"].values()) + answer["shared"] == answer["connections"]
        assert seen.server.workers == 1 or set(answer["winners"]) <= tasks


def test_the_lab_wakes_as_many(seen: Seen) -> None:
    """If the lab has the strategy, it wakes as many on this kernel as the server did, as a rule."""
    for audited in seen.audits:
        lab = audited.answer["lab"]
        assert lab["why_not"] is None, lab
        assert lab["woken"]["median"] == audited.answer["woken"]["median"], lab


def test_the_server_does_not_notice(seen: Seen) -> None:
    assert [audited.tracers for audited in seen.audits] == [set()] * REPEATS
    assert seen.running.pids() == seen.pids_before
    assert seen.running.is_served()
    assert "nterrupted system call" not in seen.running.log


def test_no_call_is_interrupted(seen: Seen) -> None:
    if isinstance(seen.interrupted, str):
        pytest.skip(f"nobody sees which calls return here: {seen.interrupted}")
    assert seen.interrupted == []


def test_tracing_would_be_noticed() -> None:
    """The checks of TracerPid and of interrupted calls can fail: with --trace, the audit does attach."""
    with Running(need(named("nginx"))) as running:
        with interruptions_of(list(running.tasks())) as rings:
            audited = audit(running, ["--trace"])
            interrupted = rings if isinstance(rings, str) else rings.seen()
        assert audited.tracers
        assert interrupted != []
        assert running.tracers() == set()
        assert running.get() == 200
