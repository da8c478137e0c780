"""Blocked in accept."""

from __future__ import annotations

from probes.claims import OBSERVED, claim, kernel, man
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import Star, centre, over, star

_EXCLUSIVE_WAIT = kernel("net/ipv4/inet_connection_sock.c", "inet_csk_wait_for_connect: an exclusive wait")
_WAKE_ONE = kernel("kernel/sched/wait.c", "__wake_up_common: the walk ends with the first exclusive waiter woken")


@claim(
    "accept.wakes-one",
    "One connection wakes exactly one of N waiters blocked in accept, and it returns with the connection.",
    level=OBSERVED,
    basis=[
        _EXCLUSIVE_WAIT,
        _WAKE_ONE,
        kernel("net/core/datagram.c", "__skb_wait_for_more_packets: the same for AF_UNIX, through unix_accept"),
    ],
    rows=["L-A1", "N1", "W5"],
)
@over(star("accept"), star("accept", "accept"), centre("accept4"), centre("accept4", "accept"))
def test_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (accept)
      \\ |   /
        L
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == 1


@claim(
    "accept.one-waiter-per-connection",
    "Three simultaneous connections wake exactly three of N waiters blocked in accept, and each takes one.",
    level=OBSERVED,
    basis=[man("accept", 2, "DESCRIPTION: each call extracts one connection"), _EXCLUSIVE_WAIT],
    rows=["L-A1"],
)
@over(*(Star(call, "hold", "burst", "k3", spokes=(), size=8) for call in ("accept", "accept4")))
def test_one_waiter_per_connection(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (accept)
      \\ |   /
        L  <- c0 c1 c2
    """
    seen = herd(scenario)
    assert seen.returned == 3
    assert seen.won == 3
    assert seen.connections == 3
    assert seen.woken == 3


@claim(
    "accept.first-in-first-out",
    "Each connection goes to the waiter that has been blocked in accept the longest.",
    level=OBSERVED,
    basis=[
        kernel("kernel/sched/wait.c", "prepare_to_wait_exclusive: a new exclusive waiter goes to the tail"),
        _WAKE_ONE,
    ],
    rows=["L-C15", "N2", "Q3"],
)
@over(Star("accept", "hold", "one-by-one", smallest=2), centre("accept4", "hold", "one-by-one"))
def test_first_in_first_out(herd: RunTrials, scenario: Scenario) -> None:
    """
    blocked first  w0 w1 ... wn  blocked last      (accept)
                     \\ |   /
                       L  <- c0, c1, ... cn one by one
    """
    seen = herd(scenario)
    assert seen.order == tuple(range(scenario.n))


@claim(
    "accept.goes-round",
    "A waiter that has taken a connection and blocks in accept again gets its next one only after all the others.",
    level=OBSERVED,
    basis=[kernel("kernel/sched/wait.c", "prepare_to_wait_exclusive: a new exclusive waiter goes to the tail")],
    rows=["Q3", "N2"],
)
@over(centre("accept", "loop", "one-by-one", "k24"), centre("accept4", "loop", "one-by-one", "k24"))
def test_goes_round(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... w7      (accept, and again)
      \\ |   /
        L  <- c0 ... c23 one by one
    """
    seen = herd(scenario)
    assert seen.order == tuple(i % scenario.n for i in range(scenario.k))
