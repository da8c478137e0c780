"""Listeners that many kernels lack: Multipath TCP, and AF_VSOCK to the machine itself."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play, RunTrials
from probes.scenario import Scenario
from probes.star import Star, over

from .every import answered_once, connections_made

_MPTCP = kernel("net/mptcp/protocol.c", "mptcp_stream_accept: waits in the accept of the first subflow, which is TCP's")
_MPTCP_WAKES = kernel("net/mptcp/subflow.c", "subflow_data_ready: a listening subflow wakes its MPTCP socket")
_VSOCK_ACCEPT = kernel("net/vmw_vsock/af_vsock.c", "vsock_accept: prepare_to_wait, which is not exclusive")
_VSOCK_WAKES = kernel("net/vmw_vsock/virtio_transport_common.c", "virtio_transport_recv_listen: sk_data_ready")
_WALK = kernel("kernel/sched/wait.c", "__wake_up_common: all that are not exclusive, and one that is")
_READABLE = man("accept", 2, "DESCRIPTION: blocks until a connection is present; readable when there is a new one")

TOLD_ONE = ("epoll_wait.exclusive.listener", "epoll_wait.edge.epoll")
TOLD_ALL = ("select", "poll", "epoll_wait.level.listener")


def _at(listener: str, strategy: str, reaction: str = "hold", stimulus: str = "one-connection", k: str = "") -> Star:
    return Star(strategy, reaction, stimulus, k, spokes=(), source=listener)


@claim(
    "listeners.mptcp-wakes-one",
    "On a Multipath TCP listener one connection wakes exactly one of N waiters in accept, in private EPOLLEXCLUSIVE "
    "instances, or on one edge-triggered instance, as on TCP.",
    level=OBSERVED,
    basis=[_MPTCP, _MPTCP_WAKES, _WALK],
    rows=["W3", "N1"],
)
@over(*(_at("mptcp4", strategy) for strategy in ("accept", "accept4", "io_uring_accept", *TOLD_ONE)))
def test_mptcp_wakes_one(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (accept, epoll_wait)
      \\ |   /
        L             (IPPROTO_MPTCP)
    """
    seen = herd(scenario)
    assert seen.returned == 1
    assert seen.woken == 1


@claim(
    "listeners.mptcp-wakes-all",
    "On a Multipath TCP listener one connection wakes all N waiters in select, poll or private epoll instances, as "
    "on TCP.",
    level=OBSERVED,
    basis=[_MPTCP_WAKES, _WALK],
    rows=["W3", "L-A3"],
)
@over(*(_at("mptcp4", strategy) for strategy in TOLD_ALL))
def test_mptcp_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (select, poll, epoll_wait)
      \\ |   /
        L             (IPPROTO_MPTCP)
    """
    seen = herd(scenario)
    assert seen.returned == scenario.n
    assert seen.woken == scenario.n


@claim(
    "listeners.mptcp-order",
    "On a Multipath TCP listener accept is first in, first out, and a shared edge-triggered instance last in, first "
    "out, as on TCP.",
    level=OBSERVED,
    basis=[_MPTCP, _WALK],
    rows=["W3", "N2"],
)
@over(*(_at("mptcp4", strategy, stimulus="one-by-one") for strategy in ("accept", "epoll_wait.edge.epoll")))
def test_mptcp_order(herd: RunTrials, scenario: Scenario) -> None:
    """
    blocked first  w0 w1 ... wn  blocked last      (accept, epoll_wait)
                     \\ |   /
                       L  <- c0, c1, ... cn one by one      (IPPROTO_MPTCP)
    """
    in_order = tuple(range(scenario.n))
    assert herd(scenario).order == (in_order if scenario.takes else in_order[::-1])


@claim(
    "listeners.vsock-accept-herds",
    "On an AF_VSOCK listener one connection wakes all N waiters blocked in accept; one returns with it, and the "
    "others sleep again inside the kernel.",
    level=OBSERVED,
    basis=[_VSOCK_ACCEPT, _VSOCK_WAKES, _WALK],
    rows=["W3", "N1", "L-A1"],
)
@over(_at("vsock", "accept"), _at("vsock", "accept4"), _at("vsock", "accept", "accept"))
def test_vsock_accept_herds(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (accept)
      \\ |   /
        L             (AF_VSOCK)
    """
    seen = herd(scenario)
    assert seen.woken == scenario.n
    assert seen.returned == 1
    assert seen.won == 1


@claim(
    "listeners.vsock-readiness",
    "On an AF_VSOCK listener one connection wakes all N waiters in select, poll or private epoll instances, but only "
    "one with EPOLLEXCLUSIVE instances or on one edge-triggered instance, as on TCP.",
    level=OBSERVED,
    basis=[_VSOCK_WAKES, _WALK, kernel("net/vmw_vsock/af_vsock.c", "vsock_poll: poll_wait")],
    rows=["W3", "L-A3"],
)
@over(*(_at("vsock", strategy) for strategy in (*TOLD_ALL, *TOLD_ONE)))
def test_vsock_readiness(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (select, poll, epoll_wait)
      \\ |   /
        L             (AF_VSOCK)
    """
    seen = herd(scenario)
    returning = 1 if scenario.strategy in TOLD_ONE else scenario.n
    assert seen.returned == returning
    assert seen.woken == returning


@claim(
    "listeners.vsock-stream-wakes-all",
    "One byte on a connected AF_VSOCK socket that N share wakes all N that wait for it: one returns from recvfrom with "
    "it, and all return from poll.",
    level=OBSERVED,
    basis=[
        kernel("net/vmw_vsock/af_vsock.c", "vsock_connectible_wait_data: prepare_to_wait, which is not exclusive"),
        kernel("net/vmw_vsock/virtio_transport_common.c", "virtio_transport_recv_connected: vsock_data_ready"),
        _WALK,
    ],
)
@over(*(_at("vsock-connected", call, stimulus="one-write") for call in ("recvfrom", "poll")))
def test_vsock_stream_wakes_all(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... wn      (recvfrom, poll)
      \\ |   /
        s  <- "x"     (AF_VSOCK)
    """
    seen = herd(scenario)
    assert seen.woken == scenario.n
    assert seen.returned == (1 if scenario.takes else scenario.n)


@claim(
    "listeners.vsock-shutdown-refused",
    "An AF_VSOCK listener cannot be shut down: shutdown gives ENOTCONN, those that wait on it sleep on, and it goes on "
    "taking connections.",
    level=OBSERVED,
    basis=[kernel("net/vmw_vsock/af_vsock.c", "vsock_shutdown: ENOTCONN for a stream socket that is SS_UNCONNECTED")],
)
@pytest.mark.parametrize("strategy", ["accept", "poll"])
def test_vsock_shutdown_refused(play: Play, strategy: str) -> None:
    """
    w0 w1  (accept, poll)
      \\ |
       L  <- shutdown      (AF_VSOCK)
    """
    seen = play("ends.shut_down", {"strategy": strategy, "listener": "vsock"})
    seen.expect("shutdown", "ENOTCONN")
    seen.expect("waiters", ["blocked", "blocked"])
    seen.expect("connection", "accepted")


@claim(
    "listeners.vsock-sleeper-keeps-it",
    "An AF_VSOCK listener whose last descriptor is closed while a thread sleeps on it in accept or poll goes on "
    "listening until that call has returned, as on TCP.",
    level=OBSERVED,
    basis=[man("close", 2, "Multithreaded processes and close()"), kernel("fs/select.c", "__pollwait: get_file")],
)
@pytest.mark.parametrize("call", ["accept", "poll"])
def test_vsock_sleeper_keeps_it(play: Play, call: str) -> None:
    """
    w0: thread 0 (accept, poll)  thread 1: close(L), its last descriptor
                    \\
                     L  <- c0      (AF_VSOCK)
    """
    seen = play("ends.closed_in_thread", {"strategy": call, "last": True, "listener": "vsock"})
    seen.expect("after-close", "blocked")
    seen.expect("connection", "accepted")
    seen.expect("waiter-after-connection", "took a connection" if call == "accept" else "returned")


@claim(
    "listeners.no-lost-wake-up",
    "No wake-up is lost on Multipath TCP and AF_VSOCK: of 48 connections, one by one while all waiters are idle, "
    "each is taken before the next.",
    level=DOCUMENTED,
    basis=[_READABLE],
    rows=["W3", "G4"],
)
@over(
    *(
        _at(listener, strategy, "loop", "one-by-one", "k48")
        for listener in ("mptcp4", "vsock")
        for strategy in ("accept", "epoll_wait.edge.epoll")
    ),
    every_word=True,
)
def test_no_lost_wake_up(herd: RunTrials, scenario: Scenario) -> None:
    """
    w0 w1 ... w7      (wait, accept, and again)
      \\ |   /
        L  <- c0 ... c47 one by one      (IPPROTO_MPTCP, AF_VSOCK)

    A wake-up that is lost one time in twenty passes 4 trials of 48 with probability 0.95**192.
    """
    seen = herd(scenario, in_part=True)
    assert seen.each_step("connections") == 1
    assert seen.each("connections answered once", answered_once) == seen.each("connections made", connections_made)
