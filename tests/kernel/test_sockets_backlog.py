"""How long the queue between the handshake and accept may grow, and what happens to a client when it is full."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play

_IS_FULL = kernel("include/net/sock.h", "sk_acceptq_is_full: more than the backlog, so one more is taken")


@claim(
    "sockets.full-unix-queue-gives-eagain",
    "The backlog limits an AF_UNIX listener's queue: when it is full, a non-blocking connect returns EAGAIN; after "
    "one accept it succeeds again.",
    level=DOCUMENTED,
    basis=[man("listen", 2, "DESCRIPTION: backlog"), man("connect", 2, "ERRORS: EAGAIN")],
    rows=["G5"],
)
@pytest.mark.parametrize("backlog", [0, 1, 5])
def test_full_unix(play: Play, backlog: int) -> None:
    """
    L (backlog 5)  <--- c0 ... ;    accept one;    one more
    """
    seen = play("backlog.full_unix", backlog)
    seen.expect("one-more", "EAGAIN")
    seen.expect("one-more-after-accept", "ok")


@claim(
    "sockets.queue-holds-backlog-and-one",
    "On AF_UNIX and on TCP a queue holds one connection more than the backlog.",
    level=OBSERVED,
    basis=[_IS_FULL, kernel("net/unix/af_unix.c", "unix_stream_connect: likewise, by unix_recvq_full_lockless")],
    rows=["G5"],
)
@pytest.mark.parametrize("backlog", [1, 5])
def test_backlog_and_one(play: Play, backlog: int) -> None:
    """
    L (backlog 5)  <--- c0 c1 c2 c3 c4 c5   c6 X
    """
    play("backlog.full_unix", backlog).expect("connected", backlog + 1)
    play("backlog.full_tcp", backlog).expect("queued", backlog + 1)


@claim(
    "sockets.full-tcp-queue-ignores",
    "When a TCP listener's queue is full, the connection request is ignored: connect neither completes nor fails, and "
    "nothing is queued.",
    level=OBSERVED,
    basis=[
        man("listen", 2, "DESCRIPTION: the request may be ignored so that a later reattempt succeeds"),
        kernel("net/ipv4/tcp_input.c", "tcp_conn_request: dropped when sk_acceptq_is_full"),
    ],
    rows=["G5", "W4"],
)
@pytest.mark.parametrize("backlog", [1, 3])
def test_full_tcp(play: Play, backlog: int) -> None:
    """
    L (backlog 3, full)  <--- SYN ... c4
    """
    seen = play("backlog.full_tcp", backlog)
    seen.expect("one-more", "EINPROGRESS")
    seen.expect("late-client", "syn-sent")
    seen.expect("queued", backlog + 1)


@claim(
    "sockets.somaxconn-caps",
    "A backlog greater than somaxconn is silently capped to it, on TCP and on AF_UNIX.",
    level=DOCUMENTED,
    basis=[man("listen", 2, "NOTES: silently capped to that value")],
    rows=["G5"],
)
def test_capped(play: Play) -> None:
    """
    somaxconn = 2;    L (backlog 100)  <--- c0 c1 c2   c3 X
    """
    seen = play("backlog.capped")
    seen.expect("queue-limit", 2)
    seen.expect("connected", 3)
    seen.expect("one-more", "EAGAIN")


@claim(
    "sockets.overflow-is-ignored",
    "A handshake that completes when the queue is full is ignored: the client believes that it is connected, but is "
    "not queued.",
    level=OBSERVED,
    basis=[kernel("net/ipv4/tcp_minisocks.c", "tcp_check_req: listen_overflow without tcp_abort_on_overflow")],
    rows=["G8", "G5", "W4"],
)
def test_overflow_ignored(play: Play) -> None:
    """
    L (full)  <--- last ACK, data --- c1
    """
    seen = play("backlog.overflow", 0)
    seen.expect("late-client", "established")
    seen.expect("late-client-error", "none")
    seen.expect("queued", 1)


@claim(
    "sockets.overflow-is-reset",
    "With tcp_abort_on_overflow, a handshake that completes when the queue is full is reset: the client gets "
    "ECONNRESET.",
    level=DOCUMENTED,
    basis=[man("tcp", 7, "tcp_abort_on_overflow")],
    rows=["G8", "W4"],
)
def test_overflow_reset(play: Play) -> None:
    """
    L (full)  <--- last ACK, data --- c1
              --- RST --->
    """
    seen = play("backlog.overflow", 1)
    seen.expect("late-client", "closed")
    seen.expect("late-client-error", "ECONNRESET")
    seen.expect("queued", 1)
