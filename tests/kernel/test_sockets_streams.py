"""The addresses of a connection's two ends, message boundaries, and how a server restarts."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, LORE, claim, kernel, man
from probes.fixtures import Play


@claim(
    "sockets.accepted-share-the-port",
    "All accepted sockets share the listener's address and port; only the four-tuple is unique: a client may use one "
    "source port for two listeners, but not twice for one.",
    level=LORE,
    truth="true",
    basis=[
        kernel("net/ipv4/inet_hashtables.c", "__inet_check_established: EADDRNOTAVAIL for a four-tuple in use"),
        kernel("net/ipv4/inet_connection_sock.c", "inet_csk_clone_lock: the child's port is the listener's"),
    ],
    rows=["L-D4"],
)
def test_accepted_share_the_port(play: Play) -> None:
    """
    L  --- accept ---> s0 (L's address, c0's)   s1 (L's address, c1's)
    c2 ---> L,   c2's port ---> L again?   c2's port ---> M
    """
    seen = play("streams.names")
    seen.expect("local-is-listener", True)
    seen.expect("peers-are-clients", True)
    seen.expect("same-four-tuple", "EADDRNOTAVAIL")
    seen.expect("same-port-elsewhere", "ok")


@claim(
    "sockets.udp-connect-chooses-a-peer",
    "connect on a UDP socket sets where send goes, and whose datagrams are received; sendto still reaches others, "
    "and another connect chooses another peer.",
    level=DOCUMENTED,
    basis=[
        man("connect", 2, "DESCRIPTION: SOCK_DGRAM; connect() multiple times"),
        man("udp", 7, "DESCRIPTION: the default destination; passing an address to sendto"),
    ],
    rows=["L-D5"],
)
def test_udp_connect(play: Play) -> None:
    """
    u (connected to a)  --- send ---> a        u  --X--- b
    u  --- sendto ---> b                       then u connects to b
    """
    seen = play("streams.udp_connect")
    seen.expect("peer-reads", "default")
    seen.expect("socket-reads", "from the peer")
    seen.expect("other-reads", "another destination")
    seen.expect("second-peer-reads", "new default")
    seen.expect("send-unconnected", "EDESTADDRREQ")


@claim(
    "sockets.boundaries",
    "A TCP stream has no message boundaries.  Datagrams, and AF_UNIX SOCK_SEQPACKET messages, are read one at a "
    "time, and what does not fit into the buffer is lost.",
    level=DOCUMENTED,
    basis=[
        man("tcp", 7, "DESCRIPTION: TCP does not preserve record boundaries"),
        man("udp", 7, "DESCRIPTION: all receive operations return only one packet"),
        man("unix", 7, "DESCRIPTION: SOCK_SEQPACKET preserves message boundaries"),
        man("recv", 2, "DESCRIPTION: excess bytes may be discarded"),
    ],
    rows=["L-D6"],
)
@pytest.mark.parametrize(
    ("kind", "reads"),
    [("tcp", "abc def gh"), ("udp", "ab cde gh"), ("seqpacket", "ab cde gh")],
    ids=lambda value: value,
)
def test_boundaries(play: Play, kind: str, reads: str) -> None:
    """
    "ab" "cdef" "gh"  --->  read 3, read 3, read 3
    """
    play("streams.boundaries", kind).expect("three-reads", reads.split())


@claim(
    "sockets.tcp-keeps-order",
    "TCP delivers every byte, in order.",
    level=DOCUMENTED,
    basis=[man("tcp", 7, "DESCRIPTION: TCP guarantees that the data arrives in order")],
    rows=["L-D6"],
)
def test_tcp_keeps_order(play: Play) -> None:
    """
    0 1 2 ... 65535  --->  pieces of 4093 bytes
    """
    play("streams.long_stream").expect("in-order", True)


@claim(
    "sockets.reuseaddr-restarts",
    "SO_REUSEADDR lets a server bind its port again while an old connection is in TIME_WAIT; without it bind returns "
    "EADDRINUSE.  It never allows two listeners.",
    level=DOCUMENTED,
    basis=[
        man("socket", 7, "SO_REUSEADDR"),
        man("socket", 7, "NOTES: port reuse only when both programs set SO_REUSEADDR"),
    ],
    rows=["L-C4"],
)
def test_reuseaddr(play: Play) -> None:
    """
    L, s0 (TIME_WAIT)   ---> L X   --- bind? ---> M
    """
    seen = play("streams.restart")
    seen.expect("bind-without", "EADDRINUSE")
    seen.expect("bind-with", "ok")
    seen.expect("bind-while-listening", "EADDRINUSE")
