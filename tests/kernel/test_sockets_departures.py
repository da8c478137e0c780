"""What clients and waiters see when the listener ends, or when the time limit of a send expires."""

from __future__ import annotations

import pytest

from probes.claims import OBSERVED, claim, kernel, linux, man
from probes.fixtures import Play


@claim(
    "sockets.listener-ends-under-clients",
    "When a TCP listener is closed or shut down, clients whose connections it has not accepted are reset: one that "
    "sleeps in recvfrom gets ECONNRESET, and one in poll sees a hang-up.",
    level=OBSERVED,
    basis=[
        kernel("net/ipv4/inet_connection_sock.c", "inet_csk_listen_stop: inet_child_forget, for all in the queue"),
        kernel("net/ipv4/tcp_input.c", "tcp_reset: ECONNRESET"),
        man("poll", 2, "POLLHUP"),
    ],
)
@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_listener_ends_under_clients(play: Play, how: str) -> None:
    """
    c0 (recvfrom), c1 (poll) ---> L  <- close, shutdown
    """
    seen = play("departures.under_clients", how)
    seen.expect("reader", "ECONNRESET")
    seen.expect("poller", "hung up")


@claim(
    "sockets.listener-ends-under-a-connect",
    "A connect that waits because the listener's queue is full ends with ECONNREFUSED once the listener is closed "
    "and the request is repeated.",
    level=OBSERVED,
    basis=[
        man("connect", 2, "ERRORS: ECONNREFUSED, no-one listening on the remote address"),
        kernel("net/ipv4/tcp_timer.c", "tcp_retransmit_timer: the request goes out once more, after a second at first"),
        kernel("net/ipv4/tcp_ipv4.c", "tcp_v4_rcv: no socket, so a reset"),
    ],
)
def test_listener_ends_under_a_connect(play: Play) -> None:
    """
    c0 ---> L (full)  <- c1 (connect);  close
    """
    play("departures.under_a_connect").expect("connect", "ECONNREFUSED")


@claim(
    "sockets.room-after-a-limit-is-told",
    "Room that becomes free after the time limit of a send has expired (SO_SNDTIMEO) is an edge: a waiter for "
    "EPOLLOUT gets the event.",
    level=OBSERVED,
    basis=[
        linux("5.3", "ef8d8ccdc216", "tcp: make sure EPOLLOUT wont be missed"),
        kernel("net/core/stream.c", "sk_stream_wait_memory: SOCK_NOSPACE, whenever it gives EAGAIN"),
    ],
)
def test_room_after_a_limit_is_told(play: Play) -> None:
    """
    w0 (epoll_wait: EPOLLOUT, edge) ---> s (full; a send that gave up)  <- the peer reads
    """
    seen = play("departures.room_after_limit")
    seen.expect("send", "EAGAIN")
    seen.expect("told", True)
