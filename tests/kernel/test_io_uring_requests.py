"""Requests of an io_uring that are changed or cancelled, that end, or that cause events of their own."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, linux, man
from probes.fixtures import Play

_MORE = man("io_uring_multishot", 7, "IORING_CQE_F_MORE: without it the operation has ended")


@claim(
    "io-uring.own-news-end-a-poll",
    "A multishot poll on the eventfd that its own ring signals, or on an epoll instance that holds the ring, does not "
    "complete forever: each event is reported, until a completion says that the poll has ended.",
    level=OBSERVED,
    basis=[
        _MORE,
        linux("6.2", "4464853277d0", "io_uring: pass in EPOLL_URING_WAKE for eventfd signaling and wakeups"),
        linux("7.1", "1967f0b1cafd", "io_uring/poll: ensure EPOLL_ONESHOT is propagated for EPOLL_URING_WAKE"),
    ],
)
@pytest.mark.parametrize("kind", ["eventfd", "epoll"])
def test_own_news_end_a_poll(play: Play, kind: str) -> None:
    """
    r (multishot poll) ---> eventfd, e  <- one event; and each completion of r
    """
    seen = play("ring_requests.own_news", kind)
    seen.expect("goes-round", False)
    seen.expect("first-told", True)
    seen.expect("truth", True)


@claim(
    "io-uring.changed-poll-is-looked-at",
    "A poll that is changed to ask for something that is there completes at once; one changed to ask for something "
    "that is not there completes when it arrives.",
    level=OBSERVED,
    basis=[
        man("io_uring_enter", 2, "IORING_OP_POLL_REMOVE: with IORING_POLL_UPDATE_EVENTS an existing poll is updated"),
        kernel("io_uring/poll.c", "io_poll_remove: io_poll_add once more, which looks at the file"),
        linux("6.19", "84230ad2d2af", "io_uring/poll: correctly handle io_poll_add() return value on update"),
    ],
)
def test_changed_poll_is_looked_at(play: Play) -> None:
    """
    r (poll: POLLIN, then POLLOUT; POLLPRI, then POLLIN) ---> s  <- "x"
    """
    seen = play("ring_requests.changed")
    seen.expect("before", 0)
    seen.expect("ready", ["ready"])
    seen.expect("not-ready", [])
    seen.expect("ready-later", ["ready"])


@claim(
    "io-uring.multishot-receive-hears-the-end",
    "If data and the end of a stream arrive, one right after the other, before the owner of a ring enters it, its "
    "multishot receive reports both.",
    level=DOCUMENTED,
    basis=[
        man("recv", 2, "RETURN VALUE: 0 when a stream socket peer has performed an orderly shutdown"),
        _MORE,
        linux("7.0", "a68ed2df7213", "io_uring/poll: fix multishot recv missing EOF on wakeup race"),
    ],
)
def test_multishot_receive_hears_the_end(play: Play) -> None:
    """
    r (multishot receive, DEFER_TASKRUN) ---> s  <- "abc", shutdown(SHUT_WR)
    """
    seen = play("ring_requests.data_and_end")
    seen.expect("results", [3, 0])
    seen.expect("ended", True)


@claim(
    "io-uring.cancelled-request-swallows-nothing",
    "A request that is cancelled completes with ECANCELED, and takes nothing with it: what comes next completes the "
    "request of the ring behind it.",
    level=DOCUMENTED,
    basis=[
        man("io_uring_cancelation", 7, "Cancelation results: ECANCELED for the request, 0 for what cancelled it"),
        linux("5.18", "52dd86406dfa", "io_uring: enable EPOLLEXCLUSIVE for accept poll"),
    ],
)
@pytest.mark.parametrize("kind", ["accept", "poll"])
def test_cancelled_request_swallows_nothing(play: Play, kind: str) -> None:
    """
    r0 (accept, exclusive poll: cancelled)   r1 (the same)
                     \\                     /
                           L, eventfd  <- one
    """
    seen = play("ring_requests.cancelled", kind)
    seen.expect("cancel", 0)
    seen.expect("request", "ECANCELED")
    seen.expect("first", 0)
    seen.expect("second", 1)
