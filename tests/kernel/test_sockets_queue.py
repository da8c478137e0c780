"""The queue between the handshake and accept."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play

STRATEGIES = ("accept", "select", "poll", "epoll_wait.level.listener")
LISTENERS = ("tcp4", "tcp6", "unix", "unix-abstract", "unix-seqpacket")
ALL = ["select", "poll", "epoll"]


@claim(
    "sockets.accept-takes-the-first",
    "accept takes connections in the order in which they were made; on an empty queue a non-blocking accept returns "
    "EAGAIN.",
    level=DOCUMENTED,
    basis=[man("accept", 2, "DESCRIPTION: the first connection request on the queue"), man("accept", 2, "EAGAIN")],
    rows=["G4"],
)
@pytest.mark.parametrize("listener", LISTENERS)
def test_takes_the_first(play: Play, listener: str) -> None:
    """
    accept x 4  ---> L  <--- c0, then c1, then c2
    """
    seen = play("accept_queue.in_order", listener)
    seen.expect("accepted", ["first", "second", "third"])
    seen.expect("fourth-accept", "EAGAIN")


@claim(
    "sockets.accepted-inherit-no-flags",
    "An accepted socket inherits neither O_NONBLOCK nor O_ASYNC from its listener; accept4 sets O_NONBLOCK when "
    "asked to.",
    level=DOCUMENTED,
    basis=[
        man("accept", 2, "STANDARDS: file status flags such as O_NONBLOCK and O_ASYNC"),
        man("accept", 2, "SOCK_NONBLOCK"),
    ],
    rows=["G4"],
)
@pytest.mark.parametrize("listener", LISTENERS)
def test_inherit_no_flags(play: Play, listener: str) -> None:
    """
    L (O_NONBLOCK, O_ASYNC)  --- accept4 ---> s0
    """
    seen = play("accept_queue.flags", listener)
    seen.expect("flags-none", [])
    seen.expect("flags-nonblock", ["O_NONBLOCK"])


@claim(
    "sockets.connection-sends-sigio",
    "A new connection sends SIGIO to the owner of a listener with O_ASYNC.",
    level=DOCUMENTED,
    basis=[man("accept", 2, "DESCRIPTION: the socket can deliver SIGIO"), man("socket", 7, "Signals: SIGIO")],
    rows=["G4", "W1"],
)
@pytest.mark.parametrize("listener", LISTENERS)
def test_sigio(play: Play, listener: str) -> None:
    """
    owner  <--- SIGIO ---  L (O_ASYNC)  <--- c0
    """
    seen = play("accept_queue.sigio", listener)
    seen.expect("sigio-before", False)
    seen.expect("sigio-after", True)


@claim(
    "sockets.readiness-may-be-gone",
    "A listener that was readable may have nothing left: if another process has taken the connection, accept sleeps, "
    "or returns EAGAIN if it is non-blocking.",
    level=DOCUMENTED,
    basis=[man("accept", 2, "NOTES: there may not always be a connection waiting")],
    rows=["G4"],
)
def test_may_be_gone(play: Play) -> None:
    """
    c0 reported ---> L  --- accept ---> another process;    then accept
    """
    seen = play("accept_queue.gone")
    seen.expect("readable", ALL)
    seen.expect("other-took-it", True)
    seen.expect("blocking-accept", "blocked")
    seen.expect("non-blocking-accept", "EAGAIN")


@claim(
    "sockets.reset-connection-is-accepted",
    "A connection that was reset before it was accepted stays in the queue: the listener is readable, accept returns "
    "it, and reading from it gives ECONNRESET.",
    level=OBSERVED,
    basis=[kernel("net/ipv4/af_inet.c", "__inet_accept: a closed connection (TCPF_CLOSE) may be accepted")],
    rows=["W4", "G4"],
)
def test_reset_before_accept(play: Play) -> None:
    """
    L  <--- c0, RST;    then accept, read
    """
    seen = play("accept_queue.reset_before_accept")
    seen.expect("queued", 1)
    seen.expect("readable", ALL)
    seen.expect("accept", "ok")
    seen.expect("read", "ECONNRESET")


@claim(
    "sockets.defer-accept-waits-for-data",
    "With TCP_DEFER_ACCEPT a connection without data wakes nobody; its first data do.",
    level=DOCUMENTED,
    basis=[man("tcp", 7, "TCP_DEFER_ACCEPT")],
    rows=["G8", "W4"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_defer_accept(play: Play, strategy: str) -> None:
    """
    w0 ---> L (TCP_DEFER_ACCEPT)  <--- c0, and later "x"
    """
    seen = play("accept_queue.deferred", strategy)
    seen.expect("woken-without-data", False)
    seen.expect("waiter", "blocked")
    seen.expect("waiter-after-data", "took a connection")


@claim(
    "sockets.defer-accept-gives-up",
    "With TCP_DEFER_ACCEPT a connection that sends no data still wakes a waiter once the time is up.",
    level=OBSERVED,
    basis=[
        man("tcp", 7, "TCP_DEFER_ACCEPT: bounds the attempts to complete the connection"),
        kernel("net/ipv4/tcp_minisocks.c", "tcp_check_req: no longer dropped after so many timeouts"),
    ],
)
def test_defer_accept_gives_up(play: Play) -> None:
    """
    w0 ---> L (TCP_DEFER_ACCEPT: a second)  <--- c0, and nothing more
    """
    play("accept_queue.deferral_over").expect("waiter", "took a connection")


@claim(
    "sockets.handed-over-listener-works",
    "A listener received through SCM_RIGHTS, or a dup whose original was closed, wakes its waiter like any other, "
    "even if nobody else has it open.",
    level=DOCUMENTED,
    basis=[man("unix", 7, "SCM_RIGHTS: equivalent to duplicating a descriptor"), man("dup", 2, "DESCRIPTION")],
    rows=["W3"],
)
@pytest.mark.parametrize("by", ["SCM_RIGHTS", "dup"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_handed_over(play: Play, strategy: str, by: str) -> None:
    """
    somebody X  --- L ---> w0 (accept, select, poll, epoll_wait)  <--- c0
    """
    seen = play("accept_queue.handed_over", {"strategy": strategy, "by": by})
    seen.expect("connect", "ok")
    seen.expect("waiter", "took a connection")
