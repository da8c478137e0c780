"""Blocked in io_uring_enter, each waiter with a ring of its own, on one listener."""

from __future__ import annotations

from probes.claims import OBSERVED, claim, kernel
from probes.plugin import Herd, over
from probes.scenario import Scenario
from probes.star import Star, centre, star

_EXCLUSIVE = kernel("io_uring/poll.c", "io_arm_poll_handler and __io_queue_proc: accept waits exclusively, at the tail")
_OPDEF = kernel("io_uring/opdef.c", "IORING_OP_ACCEPT: poll_exclusive")
_WAKE_ONE = kernel("kernel/sched/wait.c", "__wake_up_common: the walk ends with the first exclusive waiter woken")
_NOT_EXCLUSIVE = kernel("io_uring/poll.c", "__io_queue_proc: add_wait_queue, unless EPOLLEXCLUSIVE was asked for")


@claim(
    "io-uring.accept-wakes-one",
    "One connection completes the accept of exactly one of N rings, one-shot and multishot alike, and wakes no other.",
    level=OBSERVED,
    basis=[_OPDEF, _EXCLUSIVE, _WAKE_ONE],
    rows=["Q8", "N4", "W1"],
)
@over(
    star("io_uring_accept"),
    centre("io_uring_accept", "accept"),
    centre("io_uring_multishot"),
    centre("io_uring_multishot", "accept"),
    centre("io_uring_accept.nothing"),
)
def test_accept_wakes_one(herd: Herd, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (io_uring_enter)
    r0   r1  ...  rn      (accept, multishot accept)
      \\  |     /
          L
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.won == 1
    assert seen.woken == 1


@claim(
    "io-uring.accept-first-in-first-out",
    "Of N rings with a one-shot accept each connection completes the one that was armed first, and so goes round.",
    level=OBSERVED,
    basis=[_EXCLUSIVE, _WAKE_ONE],
    rows=["Q8", "N4", "N2", "Q3"],
)
@over(
    Star("io_uring_accept", "hold", "one-by-one", smallest=2),
    centre("io_uring_accept", "loop", "one-by-one", "k24"),
)
def test_accept_first_in_first_out(herd: Herd, scenario: Scenario) -> None:
    """
    armed first  r0 ... rn  armed last      (accept; in a loop: and again)
                  \\ | /
                    L  <- c0, c1, ... one by one
    """
    seen = herd(scenario)
    assert seen.order == tuple(i % scenario.n for i in range(scenario.k))


@claim(
    "io-uring.multishot-favours-first",
    "Of N rings with a multishot accept the one that was armed first gets every connection.",
    level=OBSERVED,
    basis=[_EXCLUSIVE, kernel("io_uring/net.c", "io_accept: a multishot request stays armed, and keeps its place")],
    rows=["Q8", "N4", "N2", "Q3"],
)
@over(centre("io_uring_multishot", "loop", "one-by-one", "k24"))
def test_multishot_favours_first(herd: Herd, scenario: Scenario) -> None:
    """
    armed first  r0 ... r7  armed last      (multishot accept)
                  \\ | /
                    L  <- c0 ... c23 one by one
    """
    seen = herd(scenario)
    assert seen.order == (0,) * scenario.k


@claim(
    "io-uring.poll-wakes-all",
    "One connection wakes all of N rings that poll the listener, and one wins it.",
    level=OBSERVED,
    basis=[_NOT_EXCLUSIVE, kernel("kernel/sched/wait.c", "__wake_up_common: every waiter that is not exclusive")],
    rows=["Q8", "W1"],
)
@over(star("io_uring_poll"), centre("io_uring_poll", "accept"))
def test_poll_wakes_all(herd: Herd, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (io_uring_enter)
    r0   r1  ...  rn      (poll)
      \\  |     /
          L
    """
    seen = herd(scenario)
    if scenario.reaction == "hold":
        assert seen.returned == scenario.n
    else:
        assert seen.won == 1
        assert seen.connections == 1
    assert seen.woken == scenario.n
