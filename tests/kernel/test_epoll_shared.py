"""Blocked in epoll_wait on one epoll instance that all waiters share, by fork or by threads."""

from __future__ import annotations

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.evidence import Trial
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import Star, centre, over, star

_HEAD = kernel("fs/eventpoll.c", "ep_poll: __add_wait_queue_exclusive, so the last one to block stands first")
_CALLBACK = kernel("fs/eventpoll.c", "ep_poll_callback: wake_up, one waiter of the instance")
_NOT_AGAIN = kernel("fs/eventpoll.c", "ep_send_events: an edge-triggered or oneshot item is not put back")
_AGAIN = kernel("fs/eventpoll.c", "ep_send_events and ep_done_scan: a level item is put back, and the next one woken")
_CASCADE = linux("5.13", "7fab29e356309ff93a4b30ecc466129682ec190b", "epoll: the wake-up of the next waiter, restored")


def _wakes_one(reaction: str) -> tuple[Star, ...]:
    return (
        star("epoll_wait.edge.epoll", reaction),
        centre("epoll_wait.oneshot.epoll", reaction),
        centre("epoll_wait.edge-exclusive.epoll", reaction),
        centre("epoll_pwait.edge.epoll", reaction),
        centre("epoll_pwait2.edge.epoll", reaction),
    )


def _all(reaction: str) -> tuple[Star, ...]:
    return (
        star("epoll_wait.level.epoll", reaction),
        centre("epoll_wait.exclusive.epoll", reaction),
        centre("epoll_pwait.level.epoll", reaction),
        centre("epoll_pwait2.level.epoll", reaction),
    )


@claim(
    "epoll-shared.edge-wakes-one",
    "On a shared epoll instance one connection wakes exactly one waiter if the listener is edge-triggered or oneshot.",
    level=OBSERVED,
    basis=[_CALLBACK, _NOT_AGAIN],
    rows=["L-C13", "Q4", "Q7", "Q10"],
)
@over(*_wakes_one("hold"))
def test_edge_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (epoll_wait)
      \\ |   /
        e             (edge, oneshot)
        |
        L
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "epoll-shared.edge-just-one",
    "Of several threads or processes that wait on one instance with an edge-triggered descriptor, just one wakes.",
    level=DOCUMENTED,
    basis=[man("epoll", 7, "Level-triggered and edge-triggered, last paragraph")],
    rows=["G2"],
)
@over(star("epoll_wait.edge.epoll"))
def test_edge_just_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (epoll_wait)
      \\ |   /
        e             (edge)
        |
        L
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "epoll-shared.edge-one-winner",
    "On a shared epoll instance with an edge-triggered or oneshot listener, the one waiter that wakes takes the "
    "connection.",
    level=OBSERVED,
    basis=[_CALLBACK, _NOT_AGAIN],
    rows=["L-C13", "Q4", "Q7", "Q10"],
)
@over(*_wakes_one("accept"))
def test_edge_one_winner(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (epoll_wait; then accept at once)
      \\ |   /
        e             (edge, oneshot)
        |
        L
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.spurious == 0
    assert seen.woken == 1


@claim(
    "epoll-shared.oneshot-told-once",
    "A oneshot listener reports one connection, and no other until it is re-armed.",
    level=DOCUMENTED,
    basis=[man("epoll_ctl", 2, "EPOLLONESHOT: disabled after one event, until EPOLL_CTL_MOD")],
    rows=["G1", "L-C11", "Q7"],
)
@over(centre("epoll_wait.oneshot.epoll", "hold", "one-by-one", "k3"))
def test_oneshot_told_once(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (epoll_wait)
      \\ |   /
        e             (oneshot, never armed again)
        |
        L  <- c0, c1, c2 one by one
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "epoll-shared.level-wakes-all",
    "On a shared epoll instance with a level-triggered listener, a connection that nobody takes wakes all N waiters, "
    "one after the other; EPOLLEXCLUSIVE does not change that.",
    level=OBSERVED,
    basis=[_AGAIN, _CASCADE],
    rows=["N3", "L-C13", "Q4"],
)
@over(*_all("hold"))
def test_level_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (epoll_wait)
      \\ |   /
        e             (level, exclusive)
        |
        L
    """
    seen = herd(scenario)
    assert seen.returned == scenario.n
    assert seen.woken == scenario.n


@claim(
    "epoll-shared.level-each-return-wakes-one",
    "On a shared epoll instance with a level-triggered listener, each waiter that returns wakes the next, until the "
    "connection is taken: one more wakes than returns.",
    level=OBSERVED,
    basis=[_AGAIN, _CASCADE],
    rows=["L-C13", "N3", "Q4", "Q10"],
)
@over(*_all("accept"))
def test_level_each_return_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (epoll_wait; then accept at once)
      \\ |   /
        e             (level, exclusive)
        |
        L
    """
    seen = herd(scenario)

    def one_more(trial: Trial) -> int | None:
        return None if trial.returned is None else min(trial.returned + 1, scenario.n)

    assert seen.returned >= 1
    assert seen.won == 1
    assert seen.connections == 1
    assert seen.woken == seen.each("returned + 1", one_more)


@claim(
    "epoll-shared.last-blocked-first",
    "On a shared epoll instance with an edge-triggered listener, a connection goes to the waiter that blocked last.",
    level=OBSERVED,
    basis=[_HEAD, _CALLBACK],
    rows=["N2", "Q3"],
)
@over(
    Star("epoll_wait.edge.epoll", "hold", "one-by-one", smallest=2),
    centre("epoll_pwait.edge.epoll", "hold", "one-by-one"),
    centre("epoll_pwait2.edge.epoll", "hold", "one-by-one"),
)
def test_last_blocked_first(herd: RunTrials, scenario: Scenario) -> None:
    """
    blocked first  w0 w1 ... wn  blocked last      (epoll_wait)
                     \\ |   /
                       e                           (edge)
                       |
                       L  <- c0, c1, ... cn one by one
    """
    assert herd(scenario).order == tuple(reversed(range(scenario.n)))


@claim(
    "epoll-shared.favours-last",
    "On a shared edge-triggered or oneshot instance, if workers wait again after each connection, the one that "
    "blocked last gets them all.",
    level=OBSERVED,
    basis=[_HEAD],
    rows=["Q3"],
)
@over(
    *(
        centre(f"epoll_wait.{trigger}.epoll", "loop", "one-by-one", "k24")
        for trigger in ("edge", "oneshot", "edge-exclusive")
    ),
    every_word=True,
)
def test_favours_last(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... w7      (epoll_wait, accept, and again)
      \\ |   /
        e             (edge, oneshot)
        |
        L  <- c0 ... c23 one by one
    """
    assert herd(scenario).order == (scenario.n - 1,) * scenario.k
