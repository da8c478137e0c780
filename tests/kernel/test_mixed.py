"""Waiters of several kinds on one listener, instances inside instances, and busy workers."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.fixtures import Play

_MIXED = man("epoll_ctl", 2, "EPOLLEXCLUSIVE: some with the flag, and others without")
_WALK = kernel("kernel/sched/wait.c", "__wake_up_common: all that are not exclusive, and one that is")
_TAIL = kernel("fs/eventpoll.c", "ep_ptable_queue_proc: add_wait_queue_exclusive, at the tail")
_ACCEPT = kernel("net/ipv4/inet_connection_sock.c", "inet_csk_wait_for_connect: prepare_to_wait_exclusive, at the tail")
_HEAD = kernel("fs/eventpoll.c", "ep_poll: __add_wait_queue_exclusive, at the head")
_NESTED = kernel("fs/eventpoll.c", "ep_poll_callback: ep_poll_safewake for whoever polls the instance")
_CASCADE = linux("5.13", "7fab29e356309ff93a4b30ecc466129682ec190b", "epoll: the wake-up of the next waiter, restored")

ORDERS = ("level level exclusive exclusive", "exclusive exclusive level level", "exclusive level exclusive level")
PLAIN = ("select", "poll", "epoll_wait.level.listener", "epoll_wait.edge.listener")
EXCLUSIVE = ("epoll_wait.exclusive.listener", "epoll_wait.edge-exclusive.listener")


@claim(
    "mixed.plain-all-exclusive-some",
    "If plain and EPOLLEXCLUSIVE instances watch one listener, all plain ones and at least one exclusive one report "
    "a connection.",
    level=DOCUMENTED,
    basis=[_MIXED],
    rows=["G1", "W2"],
)
@pytest.mark.parametrize("order", ORDERS)
def test_plain_all_exclusive_some(play: Play, order: str) -> None:
    """
    w0 w1    w2 w3      (epoll_wait)
    plain    exclusive
      \\  \\   /  /
          L  <- c0
    """
    seen = play("mixed.plain_and_exclusive", order)
    seen.expect("plain", 2)
    seen.expect("some-exclusive", True)


@claim(
    "mixed.plain-all-exclusive-one",
    "If plain and EPOLLEXCLUSIVE instances watch one listener, exactly one exclusive one reports a connection, "
    "besides all plain ones.",
    level=OBSERVED,
    basis=[_WALK, _TAIL],
    rows=["G1", "W2"],
)
@pytest.mark.parametrize("order", ORDERS)
def test_plain_all_exclusive_one(play: Play, order: str) -> None:
    """
    w0 w1    w2 w3      (epoll_wait)
    plain    exclusive
      \\  \\   /  /
          L  <- c0
    """
    play("mixed.plain_and_exclusive", order).expect("exclusive", 1)


@claim(
    "mixed.accept-beside-plain-takes",
    "A worker that sleeps in accept gets the connection even if others wait for the same listener in select, poll or "
    "a plain epoll instance, whoever blocked first, as long as none of those accepts.",
    level=OBSERVED,
    basis=[_WALK, _ACCEPT],
    rows=["W2", "Q3"],
)
@pytest.mark.parametrize("first", ["accept", "other"])
@pytest.mark.parametrize("beside", PLAIN)
def test_accept_beside_plain_takes(play: Play, beside: str, first: str) -> None:
    """
    w0 (accept)   w1 w2 (poll)
            \\    /  /
              L  <- c0
    """
    seen = play("mixed.accept_beside", {"beside": beside, "first": first})
    seen.expect("accept-took-it", True)
    seen.expect("left", 0)


@claim(
    "mixed.accept-beside-plain-wakes-all",
    "Those that wait in select, poll or plain epoll instances beside a worker in accept all wake for the connection "
    "that it takes.",
    level=OBSERVED,
    basis=[_WALK],
    rows=["W2", "L-A3"],
)
@pytest.mark.parametrize("beside", PLAIN)
def test_accept_beside_plain_wakes_all(play: Play, beside: str) -> None:
    """
    w0 w1 (poll)   w2 (accept)
        \\  \\    /
            L  <- c0
    """
    seen = play("mixed.woken_beside_accept", beside)
    seen.expect("accept-took-it", True)
    seen.expect("others-woken", 2)


@claim(
    "mixed.accept-beside-exclusive",
    "A worker in accept and EPOLLEXCLUSIVE instances share one queue, and a connection wakes only the first: accept, "
    "if it went to sleep before they were added; otherwise an instance, and accept sleeps on although the connection "
    "is not taken.",
    level=OBSERVED,
    basis=[_WALK, _TAIL, _ACCEPT],
    rows=["W2", "Q2", "Q3"],
)
@pytest.mark.parametrize("first", ["accept", "other"])
@pytest.mark.parametrize("beside", EXCLUSIVE)
def test_accept_beside_exclusive(play: Play, beside: str, first: str) -> None:
    """
    w0 (accept)   w1 w2 (epoll_wait, exclusive)
            \\    /  /
              L  <- c0
    """
    seen = play("mixed.accept_beside", {"beside": beside, "first": first})
    seen.expect("accept-took-it", first == "accept")
    seen.expect("others-returned", 0 if first == "accept" else 1)
    seen.expect("left", 0 if first == "accept" else 1)


@claim(
    "mixed.outer-private-all",
    "Two instances that watch one inner instance, which watches the listener, both report a connection.",
    level=DOCUMENTED,
    basis=[
        man("epoll", 7, "Questions and answers: events would be reported to both; an instance is readable"),
        _NESTED,
    ],
    rows=["W2", "G2"],
)
@pytest.mark.parametrize("trigger", ["level", "edge"])
def test_outer_private_all(play: Play, trigger: str) -> None:
    """
    w0 w1      (epoll_wait)
    e0 e1      (level, edge)
      \\ |
       e       (level)
       |
       L  <- c0
    """
    play("mixed.outer_instances", {"sharing": "listener", "trigger": trigger}).expect("returned", 2)


@claim(
    "mixed.outer-shared-edge-one",
    "Of two that wait on one outer instance, which watches an inner one edge-triggered, only one returns.",
    level=OBSERVED,
    basis=[_NESTED, _HEAD],
    rows=["W2", "N3"],
)
def test_outer_shared_edge_one(play: Play) -> None:
    """
    w0 w1      (epoll_wait)
      \\ |
       e0      (edge)
       |
       e       (level)
       |
       L  <- c0
    """
    play("mixed.outer_instances", {"sharing": "epoll", "trigger": "edge"}).expect("returned", 1)


@claim(
    "mixed.outer-shared-level-all",
    "Of two that wait on one outer instance, which watches an inner one level-triggered, both return (in Linux 5.5 "
    "to 5.12 without the stable fix only one did).",
    level=OBSERVED,
    basis=[_NESTED, _CASCADE],
    rows=["W2", "N3"],
)
def test_outer_shared_level_all(play: Play) -> None:
    """
    w0 w1      (epoll_wait)
      \\ |
       e0      (level)
       |
       e       (level)
       |
       L  <- c0
    """
    play("mixed.outer_instances", {"sharing": "epoll", "trigger": "level"}).expect("returned", 2)


@claim(
    "mixed.inside-and-outside",
    "Level-triggered, a connection returns both one that waits on an instance and one that waits on an outer "
    "instance around it.",
    level=OBSERVED,
    basis=[_NESTED],
    rows=["W2", "G2"],
)
def test_inside_and_outside(play: Play) -> None:
    """
         w1    (epoll_wait)
    w0   e1    (level)
      \\ |
       e       (level)
       |
       L  <- c0
    """
    play("mixed.inside_and_outside").expect("returned", 2)


@claim(
    "mixed.busy-favourite-comes-back",
    "EPOLLEXCLUSIVE and a shared edge-triggered instance have a favourite: while it is busy, the next in line gets "
    "the connection, and as soon as it waits again, it gets the next one, ahead of workers that have had none.",
    level=OBSERVED,
    basis=[_TAIL, _HEAD],
    rows=["Q3", "Q2", "W4", "N2"],
)
@pytest.mark.parametrize("strategy", [*EXCLUSIVE, "epoll_wait.edge.epoll"])
def test_busy_favourite_comes_back(play: Play, strategy: str) -> None:
    """
    w0 w1 w2      (epoll_wait, accept, busy)
      \\ |  /
        L  <- c0, c1;  the first is free again;  c2
    """
    expected = [["w2"], ["w1"], ["w2"]] if strategy.endswith(".epoll") else [["w0"], ["w1"], ["w0"]]
    play("mixed.busy", strategy).expect("takers", expected)


@claim(
    "mixed.busy-accept-goes-round",
    "Workers that sleep in accept take turns: one that was busy and waits again queues behind those that have had "
    "none.",
    level=OBSERVED,
    basis=[_ACCEPT],
    rows=["Q3", "W4", "N2", "L-C15"],
)
@pytest.mark.parametrize("call", ["accept", "accept4"])
def test_busy_accept_goes_round(play: Play, call: str) -> None:
    """
    w0 w1 w2      (accept, busy)
      \\ |  /
        L  <- c0, c1;  w0 is free again;  c2
    """
    play("mixed.busy", call).expect("takers", [["w0"], ["w1"], ["w2"]])


@claim(
    "mixed.busy-oneshot-holds-all",
    "On a shared oneshot instance, while the notified worker is busy, the next connection is reported to nobody, "
    "even if others are idle; it is reported once that worker re-arms the listener.",
    level=DOCUMENTED,
    basis=[
        man("epoll_ctl", 2, "EPOLLONESHOT: disabled, no other events until EPOLL_CTL_MOD"),
        man("epoll", 7, "Questions and answers: Modify will reread available I/O"),
    ],
    rows=["Q7", "Q3", "L-C11", "G1"],
)
def test_busy_oneshot_holds_all(play: Play) -> None:
    """
    w0 w1 w2      (epoll_wait, accept, busy, MOD)
      \\ |  /
        e         (oneshot)
        |
        L  <- c0, c1;  the first arms it again
    """
    seen = play("mixed.busy_oneshot")
    seen.expect("took-first", 1)
    seen.expect("took-next", 0)
    seen.expect("left", 1)
    seen.expect("left-after-rearm", 0)
