"""Blocked in epoll_wait, each waiter with an epoll instance of its own, on one listener."""

from __future__ import annotations

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import Star, centre, over, star

_EXCLUSIVE = linux("4.5", "df0108c5da561c66c333bb46bfe3c1fc65905898", "epoll: add EPOLLEXCLUSIVE flag")
_MAN_EXCLUSIVE = man("epoll_ctl", 2, "EPOLLEXCLUSIVE")
_REGISTERS = kernel("fs/eventpoll.c", "ep_ptable_queue_proc: exclusive at the tail, everything else shared")
_CALLBACK = kernel("fs/eventpoll.c", "ep_poll_callback: an exclusive item counts as woken if somebody waits on it")


def _plain(reaction: str) -> tuple[Star, ...]:
    return (
        star("epoll_wait.level.listener", reaction),
        star("epoll_wait.edge.listener", reaction),
        centre("epoll_wait.oneshot.listener", reaction),
        centre("epoll_pwait.level.listener", reaction),
        centre("epoll_pwait2.level.listener", reaction),
        centre("epoll_wait.level.listener", reaction, further="registered-before-fork"),
    )


def _exclusive(reaction: str) -> tuple[Star, ...]:
    return (
        star("epoll_wait.exclusive.listener", reaction),
        star("epoll_wait.edge-exclusive.listener", reaction),
        centre("epoll_pwait.exclusive.listener", reaction),
        centre("epoll_pwait2.exclusive.listener", reaction),
        centre("epoll_wait.exclusive.listener", reaction, further="registered-before-fork"),
    )


@claim(
    "epoll-private.wakes-all",
    "Without EPOLLEXCLUSIVE one connection wakes all N waiters that have an epoll instance each, level-triggered and "
    "edge-triggered alike.",
    level=OBSERVED,
    basis=[_REGISTERS, kernel("kernel/sched/wait.c", "__wake_up_common")],
    rows=["L-A3", "L-C12", "L-C13", "Q1", "Q4"],
)
@over(*_plain("hold"), every_word=True)
def test_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait)
    e0   e1  ...  en      (level, edge, oneshot)
      \\  |     /
          L
    """
    seen = herd(scenario)
    assert seen.returned == scenario.n
    assert seen.woken == scenario.n


@claim(
    "epoll-private.all-get-the-event",
    "Without EPOLLEXCLUSIVE every epoll instance on one listener gets the event.",
    level=DOCUMENTED,
    basis=[man("epoll_ctl", 2, "EPOLLEXCLUSIVE: the default is for all to receive an event"), man("epoll", 7, "Q2")],
    rows=["G1", "G2"],
)
@over(*(centre(f"epoll_wait.{trigger}.listener") for trigger in ("level", "edge", "oneshot")))
def test_all_get_the_event(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait)
    e0   e1  ...  en      (level, edge, oneshot)
      \\  |     /
          L
    """
    assert herd(scenario).returned == scenario.n


@claim(
    "epoll-private.wakes-all-for-one-winner",
    "Without EPOLLEXCLUSIVE all N waiters wake even if the first takes the connection at once; one wins it.",
    level=OBSERVED,
    basis=[_REGISTERS, kernel("fs/eventpoll.c", "ep_poll: a waiter that finds no event sleeps again, unreturned")],
    rows=["L-A3", "L-A4", "L-C12", "Q1", "Q10"],
)
@over(*_plain("accept"))
def test_wakes_all_for_one_winner(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait; then accept at once)
    e0   e1  ...  en      (level, edge, oneshot)
      \\  |     /
          L
    """
    seen = herd(scenario)
    assert seen.won == 1
    assert seen.connections == 1
    assert seen.spurious == seen.each("returned - 1", lambda t: None if t.returned is None else t.returned - 1)
    assert seen.woken == scenario.n


@claim(
    "epoll-private.exclusive-wakes-one",
    "With N private EPOLLEXCLUSIVE instances, one connection returns exactly one waiter from epoll_wait, and wakes "
    "no other.",
    level=OBSERVED,
    basis=[_MAN_EXCLUSIVE, _EXCLUSIVE, _REGISTERS, _CALLBACK],
    rows=["Q2", "L-C12", "L-C13", "Q10"],
)
@over(*_exclusive("hold"))
def test_exclusive_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait)
    e0   e1  ...  en      (exclusive)
      \\  |     /
          L
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "epoll-private.exclusive-one-winner",
    "With EPOLLEXCLUSIVE the one waiter that wakes takes the connection, and nobody comes back empty-handed.",
    level=OBSERVED,
    basis=[_MAN_EXCLUSIVE, _EXCLUSIVE, _CALLBACK],
    rows=["Q2", "Q10"],
)
@over(*_exclusive("accept"))
def test_exclusive_one_winner(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait; then accept at once)
    e0   e1  ...  en      (exclusive)
      \\  |     /
          L
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.spurious == 0
    assert seen.woken == 1


@claim(
    "epoll-private.exclusive-wakes-some",
    "With EPOLLEXCLUSIVE one or more of the epoll instances receive the event.",
    level=DOCUMENTED,
    basis=[_MAN_EXCLUSIVE],
    rows=["G1", "Q2"],
)
@over(*(centre(f"epoll_wait.{trigger}.listener") for trigger in ("exclusive", "edge-exclusive")))
def test_exclusive_wakes_some(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait)
    e0   e1  ...  en      (exclusive)
      \\  |     /
          L
    """
    assert herd(scenario).returned >= 1


@claim(
    "epoll-private.exclusive-first-registered",
    "Of idle private EPOLLEXCLUSIVE instances, the one that registered first gets the connection, whichever blocked "
    "first.",
    level=OBSERVED,
    basis=[_REGISTERS, _CALLBACK],
    rows=["N2", "Q2", "Q3"],
)
@over(
    Star("epoll_wait.exclusive.listener", "hold", "one-by-one", smallest=2),
    centre("epoll_wait.edge-exclusive.listener", "hold", "one-by-one"),
    centre("epoll_wait.exclusive.listener", "hold", "one-by-one", "blocked-reversed"),
    centre("epoll_wait.exclusive.listener", "hold", "one-by-one", "registered-before-fork/blocked-reversed"),
)
def test_exclusive_first_registered(herd: RunTrials, scenario: Scenario) -> None:
    """
    registered first  e0   e1  ...  en  registered last
                      w0   w1  ...  wn      (blocked in this order, or in the reverse)
                        \\  |     /
                            L  <- c0, c1, ... cn one by one
    """
    assert herd(scenario).order == tuple(range(scenario.n))


@claim(
    "epoll-private.exclusive-favours-first",
    "With EPOLLEXCLUSIVE, if workers wait again after each connection, the one that registered first gets them all.",
    level=OBSERVED,
    basis=[_REGISTERS, kernel("fs/eventpoll.c", "ep_poll_callback: the entry keeps its place in the listener's queue")],
    rows=["Q2", "Q3"],
)
@over(centre("epoll_wait.exclusive.listener", "loop", "one-by-one", "k24"))
def test_exclusive_favours_first(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  w7      (epoll_wait, accept, and again)
    e0   e1  ...  e7      (exclusive)
      \\  |     /
          L  <- c0 ... c23 one by one
    """
    assert herd(scenario).order == (0,) * scenario.k
