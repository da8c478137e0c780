"""What a connection does, what accept accepts, and when a socket is readable or writable."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, LORE, claim, kernel, man
from probes.fixtures import Play

STRATEGIES = ("accept", "select", "poll", "epoll_wait.level.listener")
ALL = ["select", "poll", "epoll"]
_EVENTS = man("socket", 7, "I/O events")
_SELECT_READY = man("select", 2, "readfds: ready for reading if a read will not block; also on end-of-file")
_SELECT_WRITE = man("select", 2, "writefds: ready for writing if a write will not block")


@claim(
    "sockets.handshake-in-accept",
    "The three-way handshake takes place in accept.",
    level=LORE,
    truth="false",
    basis=[
        man("listen", 2, "NOTES: the queue of completely established sockets waiting to be accepted"),
        kernel("net/ipv4/tcp_minisocks.c", "tcp_check_req: the handshake ends, and the child is queued"),
    ],
    rows=["L-C1"],
)
def test_handshake_needs_no_accept(play: Play) -> None:
    """
    c --- connect, send ---> L  (nobody accepts);  then accept, read
    """
    seen = play("sockets.before_accept")
    seen.expect("connect", "ok")
    seen.expect("client-state", "established")
    seen.expect("bytes-sent", 5)
    seen.expect("queued", 1)
    seen.expect("accepted-reads", "hello")


@claim(
    "sockets.accept-after-handshake",
    "Without TCP Fast Open, a half-finished handshake wakes nobody: accept returns, and the listener becomes "
    "readable, only once the connection is fully established.",
    level=LORE,
    truth="true",
    basis=[
        man("listen", 2, "NOTES: the queue of completely established sockets waiting to be accepted"),
        kernel("net/ipv4/tcp_minisocks.c", "tcp_check_req: queued when the final ACK has come, and not before"),
    ],
    rows=["L-D3"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_accept_after_handshake(play: Play, strategy: str) -> None:
    """
    w0 ---> L  <--- SYN  c0   (c0 drops the SYN-ACK)
            L  <--- SYN, ACK  c1
    """
    seen = play("sockets.half_handshake", strategy)
    seen.expect("client-state", "syn-sent")
    seen.expect("waiter-woken", False)
    seen.expect("waiter", "blocked")
    seen.expect("waiter-after-handshake", "took a connection")


@claim(
    "sockets.fast-open-before-handshake",
    "With TCP_FASTOPEN accept returns before the handshake is complete, and the data that came with the SYN can be "
    "read.",
    level=DOCUMENTED,
    basis=[man("tcp", 7, "TCP_FASTOPEN"), man("tcp", 7, "tcp_fastopen")],
    rows=["G8", "L-D3", "W4"],
)
def test_fast_open(play: Play) -> None:
    """
    L (TCP_FASTOPEN)  <--- SYN + "hello"  c   (c drops the SYN-ACK)
    """
    seen = play("sockets.fast_open")
    seen.expect("client-state", "syn-sent")
    seen.expect("readable", ALL)
    seen.expect("accepted-state", "syn-received")
    seen.expect("accepted-reads", "hello")


@claim(
    "sockets.read-sleeps-on-empty",
    "A blocking read from a connection with nothing to read sleeps until data arrive; a non-blocking one returns "
    "EAGAIN.",
    level=DOCUMENTED,
    basis=[man("recv", 2, "DESCRIPTION: if no messages are available at the socket")],
    rows=["L-C2"],
)
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_read_sleeps(play: Play, family: str) -> None:
    """
    read  <--- (nothing)  ---  "x"
    """
    seen = play("sockets.read_empty", family)
    seen.expect("non-blocking-read", "EAGAIN")
    seen.expect("blocking-read", "blocked")
    seen.expect("blocking-read-after", "x")


@claim(
    "sockets.write-sleeps-on-full",
    "A blocking write that does not fit sleeps until all of it is written; a non-blocking write into a full buffer "
    "returns EAGAIN.",
    level=DOCUMENTED,
    basis=[man("send", 2, "DESCRIPTION: when the message does not fit into the send buffer")],
    rows=["L-C2"],
)
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_write_sleeps(play: Play, family: str) -> None:
    """
    write 1 MiB  ---> [full]  (nobody reads);  then read 1 MiB
    """
    seen = play("sockets.write_full", family)
    seen.expect("non-blocking-writes", "EAGAIN")
    seen.expect("blocking-write", "blocked")
    seen.expect("blocking-write-after", 1 << 20)


@claim(
    "sockets.readable-when",
    "select, poll and epoll report a socket readable once SO_RCVLOWAT bytes have arrived, a connection waits on a "
    "listener, the peer has closed, or an error is pending; and not before.",
    level=DOCUMENTED,
    basis=[_EVENTS, man("socket", 7, "SO_RCVLOWAT"), _SELECT_READY, man("accept", 2, "A readable event")],
    rows=["L-C3", "G4"],
)
@pytest.mark.parametrize("why", ["data", "SO_RCVLOWAT", "a new connection", "the end of file", "an error"])
def test_readable(play: Play, why: str) -> None:
    """
    select, poll, epoll  --- readable? --->  socket  <--- what should make it so
    """
    seen = play("readiness.readable", why)
    seen.expect("readable-before", [])
    seen.expect("readable-after", ALL)


@claim(
    "sockets.writable-when",
    "select, poll and epoll report a socket writable once there is room, its non-blocking connect has succeeded or "
    "failed, or the peer is gone; and not before.",
    level=DOCUMENTED,
    basis=[_EVENTS, _SELECT_WRITE, man("connect", 2, "EINPROGRESS")],
    rows=["L-C3"],
)
@pytest.mark.parametrize("why", ["room", "a connect that came through", "a connect that was refused", "the peer's end"])
def test_writable(play: Play, why: str) -> None:
    """
    select, poll, epoll  --- writable? --->  socket  <--- what should make it so
    """
    seen = play("readiness.writable", why)
    seen.expect("writable-before", [])
    seen.expect("writable-after", ALL)


@claim(
    "sockets.write-after-end-raises-sigpipe",
    "Writing to a connection that either end has shut down gives EPIPE and SIGPIPE, or with MSG_NOSIGNAL only EPIPE.",
    level=DOCUMENTED,
    basis=[man("socket", 7, "Signals: SIGPIPE and EPIPE")],
    rows=["L-C3"],
)
@pytest.mark.parametrize("how", ["unix, closed by the peer", "tcp, closed by the peer", "tcp, shut down here"])
def test_sigpipe(play: Play, how: str) -> None:
    """
    write  ---> connection --X
    """
    seen = play("sockets.written_after_close", how)
    seen.expect("write-nosignal", "EPIPE")
    seen.expect("sigpipe-nosignal", 0)
    seen.expect("write", "EPIPE")
    seen.expect("sigpipe", 1)


@claim(
    "sockets.accept-only-on-listeners",
    "accept returns EINVAL on a socket that does not listen, and EOPNOTSUPP on a datagram socket.",
    level=DOCUMENTED,
    basis=[man("accept", 2, "ERRORS: EINVAL, EOPNOTSUPP")],
    rows=["L-D1", "G4"],
)
@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("a TCP socket that does not listen", "EINVAL"),
        ("a connected TCP socket", "EINVAL"),
        ("a bound AF_UNIX stream socket that does not listen", "EINVAL"),
        ("a UDP socket", "EOPNOTSUPP"),
        ("an AF_UNIX datagram socket", "EOPNOTSUPP"),
    ],
)
def test_accept_only_on_listeners(play: Play, what: str, answer: str) -> None:
    """
    accept  ---> a socket that does not listen
    """
    play("sockets.refused", what).expect("accept", answer)


@claim(
    "sockets.old-clients-wake-nobody",
    "Existing clients that send data or close do not wake a process that waits for a new connection.",
    level=LORE,
    truth="true",
    basis=[
        man("accept", 2, "DESCRIPTION: the listening socket is unaffected by this call"),
        kernel("net/ipv4/tcp_input.c", "tcp_data_ready: sk_data_ready of the connection's own socket"),
    ],
    rows=["L-D2", "W4"],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_old_clients(play: Play, strategy: str) -> None:
    """
    w0 ---> L
            s0 <--- "hello", end   c0        L <--- c1
    """
    seen = play("sockets.existing_clients", strategy)
    seen.expect("woken-by-data", False)
    seen.expect("woken-by-end", False)
    seen.expect("waiter", "blocked")
    seen.expect("waiter-after-connection", "took a connection")
