"""Blocked in io_uring_enter on one listener: a ring for each waiter, or one ring for all threads."""

from __future__ import annotations

from probes.claims import OBSERVED, claim, kernel
from probes.fixtures import RunTrials
from probes.scenario import Scenario
from probes.star import Star, centre, over, star

_EXCLUSIVE = kernel("io_uring/poll.c", "io_arm_poll_handler and __io_queue_proc: accept waits exclusively, at the tail")
_OPDEF = kernel("io_uring/opdef.c", "IORING_OP_ACCEPT: poll_exclusive")
_WAKE_ONE = kernel("kernel/sched/wait.c", "__wake_up_common: the walk ends with the first exclusive waiter woken")
_NOT_EXCLUSIVE = kernel("io_uring/poll.c", "__io_queue_proc: add_wait_queue, unless EPOLLEXCLUSIVE was asked for")


@claim(
    "io-uring.accept-wakes-one",
    "One connection completes the accept of exactly one of N rings (one-shot, multishot, or with DEFER_TASKRUN), and "
    "wakes no other.",
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
    centre("io_uring_deferred"),
    centre("io_uring_deferred", "accept"),
    every_word=True,
)
def test_accept_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
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
    "Of N rings with a one-shot accept, each connection completes the one that was armed first, and so goes round.",
    level=OBSERVED,
    basis=[_EXCLUSIVE, _WAKE_ONE],
    rows=["Q8", "N4", "N2", "Q3"],
)
@over(
    Star("io_uring_accept", "hold", "one-by-one", smallest=2),
    centre("io_uring_accept", "loop", "one-by-one", "k24"),
    centre("io_uring_deferred", "loop", "one-by-one", "k24"),
)
def test_accept_first_in_first_out(herd: RunTrials, scenario: Scenario) -> None:
    """
    armed first  r0 ... rn  armed last      (accept; in a loop: and again)
                  \\ | /
                    L  <- c0, c1, ... one by one
    """
    seen = herd(scenario)
    assert seen.order == tuple(i % scenario.n for i in range(scenario.k))


@claim(
    "io-uring.multishot-favours-first",
    "Of N rings with a multishot accept, the one that was armed first gets every connection.",
    level=OBSERVED,
    basis=[_EXCLUSIVE, kernel("io_uring/net.c", "io_accept: a multishot request stays armed, and keeps its place")],
    rows=["Q8", "N4", "N2", "Q3"],
)
@over(centre("io_uring_multishot", "loop", "one-by-one", "k24"))
def test_multishot_favours_first(herd: RunTrials, scenario: Scenario) -> None:
    """
    armed first  r0 ... r7  armed last      (multishot accept)
                  \\ | /
                    L  <- c0 ... c23 one by one
    """
    seen = herd(scenario)
    assert seen.order == (0,) * scenario.k


@claim(
    "io-uring.multishot-takes-a-burst",
    "Of N rings with a multishot accept, the one that was armed first takes a whole burst, even if its waiter "
    "returns for the first connection and looks no further: the others complete, and stay in its queue.",
    level=OBSERVED,
    basis=[
        _EXCLUSIVE,
        kernel("io_uring/poll.c", "io_poll_wake: returns 1 for a request that is under way already, so the walk ends"),
        kernel("io_uring/net.c", "io_accept: a multishot request accepts until there is nothing more"),
    ],
)
@over(centre("io_uring_multishot", "hold", "burst"))
def test_multishot_takes_a_burst(herd: RunTrials, scenario: Scenario) -> None:
    """
    armed first  r0 ... r7  armed last      (multishot accept)
                  \\ | /
                    L  <- c0 ... c7
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1
    assert seen.won == 1
    assert seen.connections == scenario.k


@claim(
    "io-uring.exclusive-poll-wakes-one",
    "One connection (or write) completes exactly one of N rings that poll with EPOLLEXCLUSIVE, and wakes no other.",
    level=OBSERVED,
    basis=[kernel("io_uring/poll.c", "__io_queue_proc: add_wait_queue_exclusive with EPOLLEXCLUSIVE"), _WAKE_ONE],
)
@over(
    star("io_uring_exclusive"),
    centre("io_uring_exclusive", "accept"),
    *(
        Star("io_uring_exclusive", "hold", "one-write", spokes=(), source=source, one_of_many=True)
        for source in ("pipe", "eventfd")
    ),
)
def test_exclusive_poll_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (io_uring_enter)
    r0   r1  ...  rn      (poll, EPOLLEXCLUSIVE)
      \\  |     /
          L
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "io-uring.poll-wakes-all",
    "One connection wakes all N rings that poll the listener, and one wins it.",
    level=OBSERVED,
    basis=[_NOT_EXCLUSIVE, kernel("kernel/sched/wait.c", "__wake_up_common: every waiter that is not exclusive")],
    rows=["Q8", "W1"],
)
@over(star("io_uring_poll"), centre("io_uring_poll", "accept"))
def test_poll_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
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


_ONE_RING = kernel(
    "io_uring/io_uring.h", "__io_cqring_wake: __wake_up with nr_exclusive 0, so every waiter of the ring"
)
_ENOUGH = kernel("io_uring/io_uring.c", "io_should_wake: the tail moved past what was wanted when the wait began")


def _on_one_ring(call: str, reaction: str = "hold") -> Star:
    return Star(f"{call}.ring", reaction, spokes=(), waiter="thread")


@claim(
    "io-uring.one-ring-wakes-all-threads",
    "One completion wakes all N threads that wait on one ring, and all return, although only one can reap it: "
    "threads that share a ring herd.",
    level=OBSERVED,
    basis=[_ONE_RING, _ENOUGH],
    rows=["Q8", "Q4", "W1", "N4"],
)
@over(
    *(
        _on_one_ring(call, reaction)
        for call in ("io_uring_accept", "io_uring_multishot")
        for reaction in ("hold", "accept")
    )
)
def test_one_ring_wakes_all_threads(herd: RunTrials, scenario: Scenario) -> None:
    """
    t0 t1 ... tn      (io_uring_enter)
      \\ |   /
        r             (an accept, or a multishot accept, of each thread)
        |
        L
    """
    seen = herd(scenario)
    assert seen.woken == scenario.n
    assert seen.returned == scenario.n
    assert seen.won == 1
    assert seen.spurious == scenario.n - 1
