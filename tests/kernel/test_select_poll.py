"""Blocked in select, pselect6, poll or ppoll."""

from __future__ import annotations

from probes.claims import OBSERVED, claim, kernel, man
from probes.evidence import Trial
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import Star, centre, over, star

_NOT_EXCLUSIVE = kernel("fs/select.c", "__pollwait: add_wait_queue, so never an exclusive waiter")
_ALL_WOKEN = kernel("kernel/sched/wait.c", "__wake_up_common: every waiter that is not exclusive is woken")


def _each_call(reaction: str) -> tuple[Star, ...]:
    return (
        star("select", reaction),
        star("poll", reaction),
        centre("pselect6", reaction),
        centre("ppoll", reaction),
    )


@claim(
    "select-poll.wakes-all",
    "One connection wakes all N waiters blocked in select or poll, and all return if nobody takes it at once.",
    level=OBSERVED,
    basis=[_NOT_EXCLUSIVE, _ALL_WOKEN],
    rows=["L-A3", "Q1", "L-C12", "W5", "E1"],
)
@over(*_each_call("hold"))
def test_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (select, poll)
      \\ |   /
        L
    """
    seen = herd(scenario)
    assert seen.returned == scenario.n
    assert seen.woken == scenario.n


@claim(
    "select-poll.wakes-all-for-one-winner",
    "Under select or poll all N waiters wake even if the first takes the connection at once; one wins it.",
    level=OBSERVED,
    basis=[
        _NOT_EXCLUSIVE,
        _ALL_WOKEN,
        kernel("fs/select.c", "do_poll: a waiter that finds nothing ready sleeps again without returning"),
    ],
    rows=["L-A3", "L-A4", "Q1", "Q10"],
)
@over(*_each_call("accept"))
def test_wakes_all_for_one_winner(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (select, poll; then accept at once)
      \\ |   /
        L
    """
    seen = herd(scenario)
    assert seen.won == 1
    assert seen.connections == 1
    assert seen.spurious == seen.each("returned - 1", lambda t: None if t.returned is None else t.returned - 1)
    assert seen.woken == scenario.n


@claim(
    "select-poll.listener-is-readable",
    "A waiting connection makes the listener readable in select and poll.",
    level="documented",
    basis=[man("accept", 2, "DESCRIPTION: a readable event will be delivered when a new connection is attempted")],
    rows=["G4", "L-C3"],
)
@over(*(centre(call) for call in ("select", "pselect6", "poll", "ppoll")))
def test_listener_is_readable(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (select, poll)
      \\ |   /
        L
    """
    seen = herd(scenario)
    assert seen.returned >= 1
    assert seen.each("result of the call", lambda trial: min(_results(trial))) == 1


def _results(trial: Trial) -> list[int]:
    return [waiter.result for waiter in trial.waiters if waiter.result is not None] or [0]
