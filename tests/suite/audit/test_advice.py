"""The audit's advice to a server's developers: with it, fewer workers wake, and clients are still answered."""

from __future__ import annotations

import socket

import pytest

from .conftest import Audit, Server, Start

HERDS_BY = {
    "select": ("accept", "exclusive", "reuseport"),
    "level": ("exclusive", "reuseport"),
    "shared": ("shared-edge", "exclusive"),
}
"""Kinds of servers that herd, and what each is advised to become."""

WORDS = {
    "accept": "blocking accept",
    "exclusive": "EPOLLEXCLUSIVE",
    "reuseport": "SO_REUSEPORT",
    "shared-edge": "EPOLLET and accept until EAGAIN",
}


def _answers(server: Server) -> bool:
    unix = not server.address.isdigit()
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as client:
        client.settimeout(30)
        client.connect(server.address if unix else ("127.0.0.1", int(server.address)))
        client.sendall(b"hello")
        return client.recv(100) == b"hello"


CASES = [("tcp", kind, better) for kind, ways in HERDS_BY.items() for better in ways]
CASES += [("unix", "level", better) for better in HERDS_BY["level"]]


@pytest.mark.parametrize(("family", "kind", "better"), CASES)
def test_it_is_advised_and_helps(
    start: Start, audit: Audit, tmp_path: object, family: str, kind: str, better: str
) -> None:
    """On a unix socket no reuseport group is advised, because there is none (socket(7))."""
    address = {"tcp": "--port", "unix": "--unix"}[family]
    server = start(kind, address="0" if family == "tcp" else f"{tmp_path}/before")
    before = audit(address, server.address)
    assert before["verdict"] == "herds", before.text
    lines = [line for line in before["advice"] if line.startswith("for its developers")]
    advised = any(WORDS[better] in line for line in lines)
    if family == "unix" and better == "reuseport":
        assert not advised, lines
        return
    assert advised, lines
    server = start(better, address="0" if family == "tcp" else f"{tmp_path}/after")
    after = audit(address, server.address)
    assert after["woken"]["median"] < before["woken"]["median"], after.text
    assert all(_answers(server) for _ in range(8))


def test_a_listener_that_was_handed_over_is_not_bound_again(start: Start, audit: Audit) -> None:
    answer = audit("--port", start("handed+level").address)
    assert answer["woken"]["median"] == 4, answer.text
    assert answer["server"]["name"] == "worker-program"
    assert not [line for line in answer["advice"] if "SO_REUSEPORT" in line], answer["advice"]
    assert [line for line in answer["advice"] if "EPOLLEXCLUSIVE" in line], answer["advice"]
