"""What is not a connection wakes nobody."""

from __future__ import annotations

import pytest

from probes.claims import OBSERVED, claim, kernel, man
from probes.fixtures import Play

STRATEGIES = ("accept", "poll", "epoll_wait.edge.epoll")
"""One for each kind of wait queue entry."""
ACTS = ("listen_again", "set_option", "datagram", "refused_elsewhere", "polled_by_another", "copy_closed")
_READABLE = kernel("net/core/sock.c", "sock_def_readable: is called only for what arrives at that socket")


@claim(
    "phantoms.no-connection-wakes-nobody",
    "Only a connection wakes those that wait on a listener.  None of these does: a second listen, a socket option, a "
    "datagram to its port, a connection that another port refuses, others that poll it, closing a copy.",
    level=OBSERVED,
    basis=[man("accept", 2, "DESCRIPTION: blocks until a connection is present"), _READABLE],
)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_connection_wakes_nobody(play: Play, strategy: str, act: str) -> None:
    """
    w0 w1      (accept, poll, epoll_wait)
      \\ |
        L  <- listen, setsockopt, poll ...
    """
    seen = play("phantoms.disturbed", {"strategy": strategy, "act": act})
    seen.expect("woken", 0)
    seen.expect("still-blocked", 2)


@claim(
    "phantoms.group-changes-wake-nobody",
    "A member that joins or leaves a reuseport group wakes none of those that wait on another.",
    level=OBSERVED,
    basis=[kernel("net/core/sock_reuseport.c", "reuseport_add_sock, reuseport_detach_sock: wake nobody"), _READABLE],
)
@pytest.mark.parametrize("act", ["joins", "leaves"])
def test_group_changes_wake_nobody(play: Play, act: str) -> None:
    """
    w0 w1 (poll)
      \\ |
        L0   L1  joins, leaves
    """
    seen = play("phantoms.group_changes", {"act": act})
    seen.expect("woken", 0)
    seen.expect("still-blocked", 2)


@claim(
    "phantoms.lone-syn-wakes-nobody",
    "A lone SYN, whose answer is reset, wakes none of those that wait on the listener.",
    level=OBSERVED,
    basis=[
        man("accept", 2, "DESCRIPTION: blocks until a connection is present"),
        kernel("net/ipv4/tcp_input.c", "tcp_conn_request: makes a request, and wakes nobody"),
        kernel("net/ipv4/tcp_minisocks.c", "tcp_check_req: a reset removes it"),
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_lone_syn_wakes_nobody(play: Play, strategy: str) -> None:
    """
    w0 w1      (accept, poll, epoll_wait)
      \\ |
        L  <- SYN
    """
    seen = play("phantoms.lone_syn", strategy)
    seen.expect("woken", 0)
    seen.expect("still-blocked", 2)


@claim(
    "phantoms.another-path-wakes-nobody",
    "Another path of a Multipath TCP connection (MP_JOIN) that arrives at the listener's own port wakes none of "
    "those that wait on it.",
    level=OBSERVED,
    basis=[kernel("net/mptcp/subflow.c", "subflow_syn_recv_sock: a join belongs to its connection, and is not queued")],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_another_path_wakes_nobody(play: Play, strategy: str) -> None:
    """
    w0 w1      (accept, poll, epoll_wait)
      \\ |
        L  <- MP_JOIN of c0, which was accepted before
    """
    seen = play("mptcp.joined", strategy)
    seen.expect("woken", 0)
    seen.expect("still-blocked", 2)
