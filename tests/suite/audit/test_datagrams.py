"""Datagram servers: a UDP socket that workers share, a UDP reuseport group; one datagram at a time."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from .conftest import Audit, Server, Start

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


@pytest.mark.parametrize(
    ("kind", "woken", "waits"),
    [
        ("udp-poll", 4, "4 workers, each in poll, on one inherited UDP socket"),
        (
            "udp-epoll",
            4,
            "4 workers, each with its own epoll instance, level-triggered, not exclusive, on one inherited",
        ),
        ("udp-exclusive", 1, "4 workers, each with its own epoll instance, level-triggered with EPOLLEXCLUSIVE"),
        ("udp-recvfrom", 1, "4 workers, each blocked in recvfrom, on one inherited UDP socket"),
        ("udp-reuseport", 1, "each on a UDP socket of its own (SO_REUSEPORT)"),
    ],
)
def test_woken_per_datagram(start: Start, audit: Audit, kind: str, woken: int, waits: str) -> None:
    answer = audit("--port", start(kind).address, "--send", "hello")
    assert answer.code == 0, answer.text
    assert waits in answer["waits"]
    assert answer["woken"] == {"min": woken, "median": woken, "max": woken}, answer.text
    assert answer["verdict"] == ("herds" if woken > 1 else "wakes one")
    assert answer["listener"]["kind"] == "udp4"
    assert "datagram" in answer["sentence"]
    assert answer["lab"]["why_not"] is None
    assert answer["lab"]["woken"] == {"min": woken, "median": woken, "max": woken}, answer["lab"]
    if answer["observers"]["sys_exit"] is None:
        assert answer["won"] == {"min": 1, "median": 1, "max": 1}
        assert sum(answer["winners"].values()) == 10


def test_a_query(start: Start, audit: Audit) -> None:
    answer = audit("--port", start("udp-poll").address, "--dns", "example.test", "--max-woken", 1)
    assert answer.code == 1, answer.text
    assert answer["woken"]["median"] == 4


def test_what_to_send_is_asked_for(start: Start, audit: Audit) -> None:
    answer = audit("--port", start("udp-poll").address)
    assert answer.code == 2
    assert "say what to send to it, with --send TEXT, or --dns NAME" in answer.text


def test_tcp_and_udp_at_one_port(start: Start, audit: Audit) -> None:
    """As with a name server: the audit takes TCP, unless it is asked for the UDP socket."""
    with socket.socket() as listener:
        server = _beside(listener, start)
        listener.listen()
        answer = audit("--port", server.address, "--udp", "--send", "x")
        assert answer["listener"]["kind"] == "udp4", answer.text
        assert answer["woken"]["median"] == 4


def _beside(listener: socket.socket, start: Start) -> Server:
    """A server of datagrams; the listener is bound to the same port.

    For TCP another client may have the port that the kernel chose for the server, for a minute after its end, too: a
    bind conflicts with a socket in TIME_WAIT unless both had SO_REUSEADDR (inet_csk_bind_conflict,
    net/ipv4/inet_connection_sock.c).
    """
    while True:
        server = start("udp-poll")
        try:
            listener.bind(("127.0.0.1", int(server.address)))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return server


@needs_root
def test_without_tracepoints(start: Start, audit: Audit) -> None:
    denied = ("setpriv", "--bounding-set=-sys_admin,-perfmon", "--inh-caps=-all")
    answer = audit("--port", start("udp-poll").address, "--send", "x", prefix=denied)
    assert answer["woken"]["median"] == 4, answer.text
    assert answer["won"] is None


@needs_root
def test_in_a_network_namespace_of_its_own(start: Start, audit: Audit) -> None:
    server = start("udp-poll", prefix=("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"))
    answer = audit("--pid", server.process.pid, "--port", server.address, "--send", "x")
    assert answer["listener"]["other_namespace"] is True, answer.text
    assert answer["woken"]["median"] == 4
