"""The completion queue of an io_uring: whom a completion wakes, what happens if the queue is full, and polls."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play, RunTrials
from probes.scenario import Scenario
from probes.star import Star, over

_DEFER = man("io_uring_setup", 2, "IORING_SETUP_DEFER_TASKRUN: work waits until io_uring_enter asks for events")
_SINGLE = man("io_uring_setup", 2, "IORING_SETUP_SINGLE_ISSUER: other tasks get EEXIST")
_NODROP = man("io_uring_setup", 2, "IORING_FEAT_NODROP: what has no room in the queue is stored until it has")
_MORE = man("io_uring_multishot", 7, "IORING_CQE_F_MORE: without it the operation has ended")
_EDGE = man("io_uring_enter", 2, "IORING_OP_POLL_ADD: level-triggered at first; what comes later is edge-triggered")
_SIGNAL = kernel("io_uring/io_uring.c", "io_req_normal_work_add: task_work_add with TWA_SIGNAL, which ends a sleep")
_POLL_WAKE = kernel("io_uring/io_uring.h", "io_poll_wq_wake: nr_exclusive 0, so whoever waits for the ring")


@claim(
    "io-uring.owner-is-woken-elsewhere",
    "A completion wakes the task that armed the request even if it sleeps in another call: it sleeps on there, and "
    "the completion stays in its queue.",
    level=OBSERVED,
    basis=[_SIGNAL],
)
def test_owner_is_woken_elsewhere(play: Play) -> None:
    """
    w (read)   r (accept)
                |
                L  <- c0
    """
    seen = play("rings.owner_elsewhere", False)
    seen.expect("woken", True)
    seen.expect("sleeps-on", True)
    seen.expect("lay", True)
    seen.expect("came", True)


@claim(
    "io-uring.deferred-lets-its-owner-sleep",
    "With DEFER_TASKRUN a completion wakes nobody elsewhere: it arrives when the task enters the ring.",
    level=DOCUMENTED,
    basis=[_DEFER],
)
def test_deferred_lets_its_owner_sleep(play: Play) -> None:
    """
    w (read)   r (accept, DEFER_TASKRUN)
                |
                L  <- c0
    """
    seen = play("rings.owner_elsewhere", True)
    seen.expect("woken", False)
    seen.expect("sleeps-on", True)
    seen.expect("lay", False)
    seen.expect("came", True)


@claim(
    "io-uring.single-issuer-alone",
    "A ring with SINGLE_ISSUER takes requests only from the task that set it up: others get EEXIST.  With "
    "DEFER_TASKRUN they may not wait for completions either.",
    level=DOCUMENTED,
    basis=[_SINGLE, _DEFER],
)
@pytest.mark.parametrize("deferred", [False, True])
def test_single_issuer_alone(play: Play, deferred: bool) -> None:
    """
    p --- r --- w      (submit, enter)
    """
    seen = play("rings.single_issuer", deferred)
    seen.expect("submit", "EEXIST")
    seen.expect("look", "EEXIST" if deferred else 0)
    seen.expect("own-submit", 1)


@claim(
    "io-uring.full-queue-loses-nothing",
    "A multishot accept whose completion queue is full loses no connection: each one completes later, or waits in "
    "the accept queue after the request has reported its end.",
    level=DOCUMENTED,
    basis=[_NODROP, _MORE],
)
def test_full_queue_loses_nothing(play: Play) -> None:
    """
    r (multishot accept; room for two)
    |
    L  <- c0 ... c5
    """
    seen = play("rings.full_queue", False)
    seen.expect("lying", 2)
    seen.expect("lost", 0)
    seen.expect("silent", 0)
    seen.expect("refused", 0)


@claim(
    "io-uring.multishot-goes-on",
    "A multishot accept whose completions are reaped continues: each connection completes, and announces that more "
    "will follow.",
    level=DOCUMENTED,
    basis=[_MORE],
)
def test_multishot_goes_on(play: Play) -> None:
    """
    r (multishot accept; reaped after each)
    |
    L  <- c0 ... c5
    """
    seen = play("rings.full_queue", True)
    seen.expect("lost", 0)
    seen.expect("silent", 0)
    seen.expect("refused", 0)
    seen.expect("armed", True)


@claim(
    "io-uring.multishot-poll-is-an-edge",
    "A multishot poll completes for what is there when it is armed, and then once for each write, but not for unread "
    "data: it behaves like EPOLLET.",
    level=DOCUMENTED,
    basis=[_EDGE],
)
@pytest.mark.parametrize("source", ["eventfd", "unix"])
def test_multishot_poll_is_an_edge(play: Play, source: str) -> None:
    """
    r (multishot poll)
    |
    fd  <- write; write; read; write
    """
    seen = play("rings.polled", source)
    seen.expect("at-first", 1)
    seen.expect("unread", 0)
    seen.expect("written-again", 1)
    seen.expect("read", 0)
    seen.expect("written-anew", 1)


@claim(
    "io-uring.last-read-gets-the-event",
    "Of several reads of an eventfd on one ring, the one that was armed last gets the first write; each write "
    "completes one.",
    level=OBSERVED,
    basis=[
        kernel("io_uring/poll.c", "__io_queue_proc: add_wait_queue, which puts a non-exclusive waiter at the head"),
        kernel("fs/eventfd.c", "eventfd_read: takes the whole counter"),
    ],
)
def test_last_read_gets_the_event(play: Play) -> None:
    """
    r (read, read, read)
    |
    eventfd  <- 1
    """
    seen = play("rings.last_read")
    seen.expect("each-once", [1, 1, 1])
    seen.expect("first-completed", 3)


@claim(
    "io-uring.exclusive-useless-on-a-ring",
    "EPOLLEXCLUSIVE does nothing on the descriptor of an io_uring: a completion returns all N private instances.",
    level=OBSERVED,
    basis=[man("epoll_ctl", 2, "EPOLLEXCLUSIVE: one or more will receive an event"), _POLL_WAKE],
)
@over(
    Star("epoll_wait.exclusive.listener", "hold", "one-write", spokes=(), source="io-uring"),
)
def test_exclusive_is_useless_on_a_ring(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0   w1  ...  wn      (epoll_wait)
    e0   e1  ...  en      (exclusive)
      \\  |     /
          r  <- one completion
    """
    seen = herd(scenario)
    assert seen.returned == scenario.n
    assert seen.woken == scenario.n


@claim(
    "io-uring.full-ring-steps-aside",
    "Of two rings with a multishot accept, the first takes connections until its completion queue is full, and one "
    "more, which ends its request; the rest go to the other ring.",
    level=OBSERVED,
    basis=[_MORE, kernel("io_uring/net.c", "io_accept: ends the request if io_req_post_cqe finds no room")],
)
def test_full_ring_steps_aside(play: Play) -> None:
    """
    r0 (room for two)   r1      (multishot accept)
              \\         /
                   L  <- c0 ... c5
    """
    seen = play("rings.full_beside")
    seen.expect("first", 3)
    seen.expect("beside", 3)
    seen.expect("all", 6)


@claim(
    "io-uring.multishot-poll-says-that-it-ends",
    "A multishot poll whose completion queue is full either continues, or says in its last completion that it has "
    "ended: nobody waits for it in vain.",
    level=DOCUMENTED,
    basis=[_MORE, _NODROP],
)
def test_multishot_poll_says_that_it_ends(play: Play) -> None:
    """
    r (multishot poll; room for two)
    |
    eventfd  <- 1, 1, 1, 1, 1
    """
    seen = play("rings.poll_overflows")
    seen.expect("in-order", True)
    seen.expect("truth", True)
