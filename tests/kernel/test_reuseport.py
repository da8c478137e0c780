"""A reuseport group: every waiter has a listener of its own on the same address."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.evidence import Trial
from probes.fixtures import Play, RunTrials
from probes.scenario import Scenario
from probes.star import Star, centre, over, star

_MAN = man("socket", 7, "SO_REUSEPORT")
_SELECT = kernel("net/core/sock_reuseport.c", "reuseport_select_sock: one socket of the group, by the flow's hash")
_OWN_QUEUE = kernel("net/ipv4/inet_connection_sock.c", "inet_csk_reqsk_queue_add: the queue of that one listener")


def _each_way(reaction: str) -> tuple[Star, ...]:
    return (
        star("accept.nothing", reaction),
        star("epoll_wait.level.nothing", reaction),
        centre("accept4.nothing", reaction),
        centre("select.nothing", reaction),
        centre("poll.nothing", reaction),
        centre("epoll_wait.edge.nothing", reaction),
        centre("epoll_wait.exclusive.nothing", reaction),
    )


@claim(
    "reuseport.wakes-one",
    "One connection to a reuseport group wakes exactly one waiter, whatever call each waits in.",
    level=OBSERVED,
    basis=[_MAN, _SELECT, _OWN_QUEUE],
    rows=["L-C5", "Q1", "Q6", "Q10"],
)
@over(*_each_way("hold"))
def test_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (accept, select, poll, epoll_wait)
    |    |        |
    L0   L1  ...  Ln      (one address, SO_REUSEPORT)
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "reuseport.one-winner",
    "The one waiter that a connection to a reuseport group wakes takes it.",
    level=OBSERVED,
    basis=[_MAN, _SELECT, _OWN_QUEUE],
    rows=["L-C5", "Q6", "Q10"],
)
@over(*_each_way("accept"))
def test_one_winner(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (accept, or wait and then accept at once)
    |    |        |
    L0   L1  ...  Ln      (one address, SO_REUSEPORT)
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.spurious == 0
    assert seen.woken == 1


@claim(
    "reuseport.spreads",
    "Connections to a reuseport group are spread: 64 of them reach more than half of its 8 sockets, and no socket "
    "gets 28 of them, three and a half times its share.",
    level=DOCUMENTED,
    basis=[_MAN, _SELECT],
    rows=["L-C5", "Q6"],
)
@over(
    *(
        Star(strategy, "loop", "one-by-one", "k64", spokes=(), size=8)
        for strategy in ("accept.nothing", "epoll_wait.level.nothing")
    )
)
def test_spreads(herd: RunTrials, scenario: Scenario) -> None:
    """
        w0   w1  ...  w7      (accept, and again)
        |    |        |
        L0   L1  ...  L7      (one address, SO_REUSEPORT)  <- c0 ... c63 one by one

    The flow's hash is uniform.  So 64 connections stay within 4 of 8 sockets with a probability of at
    most C(8,4) * (1/2)**64, less than 1e-17, and one socket gets 28 with at most 8 * P(Bin(64,1/8) >= 28),
    less than 5e-9, in each trial; while "always the first socket" fails always.
    """

    def reached(trial: Trial) -> int:
        return sum(waiter.won > 0 for waiter in trial.waiters)

    def most(trial: Trial) -> int:
        return max(waiter.won for waiter in trial.waiters)

    seen = herd(scenario)
    assert seen.each("sockets reached", reached) > scenario.n // 2
    assert seen.each("connections to the socket that got most", most) < 28


@claim(
    "reuseport.even-shares",
    "Of 1,600 connections, or datagrams, to a reuseport group of 8, each member gets about its share of 200: at least "
    "130, and at most 276.",
    level=OBSERVED,
    basis=[
        _SELECT,
        kernel("net/ipv4/inet_hashtables.c", "inet_ehashfn: jhash of both addresses and both ports"),
        kernel("net/ipv4/udp.c", "udp_ehashfn: the same"),
    ],
)
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_even_shares(play: Play, kind: str) -> None:
    """
    L0 L1 ... L7  <- 1,600 connections, 1,600 datagrams
    """
    seen = play("evenness.shares", kind)
    seen.expect("at-most", True)
    seen.expect("at-least", True)
