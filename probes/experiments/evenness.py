"""How evenly a reuseport group distributes connections, or datagrams: enough of them that a favourite shows."""

from __future__ import annotations

import contextlib
import socket

from ..lab.deadline import patience_s, until
from ..lab.features import join_group
from ..lab.stage import Stage
from ..sources import client
from . import wire

MEMBERS = 8
CONNECTIONS = 1600
FEWEST, MOST = 130, 276
"""The fewest and the most of these connections that a member may get; docs/statistics.md has the probabilities."""
_BATCH = 100


def shares(stage: Stage, kind: str) -> None:
    """Connections (or datagrams: `udp`) to a group of eight, each from an address of its own, so that no two have the
    same hash by design."""
    got = (_datagrams if kind == "udp" else _connections)(stage)
    stage.note("shares", f"of {CONNECTIONS}, what each of {MEMBERS} members got", sorted(got))
    stage.note("at-most", f"none got more than {MOST}", max(got) <= MOST)
    stage.note("at-least", f"none got less than {FEWEST}", min(got) >= FEWEST)


def _connections(stage: Stage) -> list[int]:
    group = [wire.listening(stage, backlog=_BATCH * 2, group=True)]
    port = group[0].getsockname()[1]
    group += [wire.listening(stage, backlog=_BATCH * 2, port=port, group=True) for _ in range(MEMBERS - 1)]
    got = [0] * MEMBERS
    for start in range(0, CONNECTIONS, _BATCH):
        with contextlib.ExitStack() as batch:
            for number in range(start, start + _BATCH):
                sock = batch.enter_context(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
                _bind(sock, number)
                sock.connect((wire.LOOPBACK, port))
            _take(group, got, start + _BATCH)
    return got


def _datagrams(stage: Stage) -> list[int]:
    group: list[socket.socket] = []
    address: tuple[str, int] = (wire.LOOPBACK, 0)
    for _ in range(MEMBERS):
        group.append(stage.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        join_group(group[-1])
        group[-1].bind(address)
        group[-1].setblocking(False)
        address = group[-1].getsockname()
    got = [0] * MEMBERS
    for number in range(CONNECTIONS):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            _bind(sock, number)
            sock.sendto(b"x", address)
        until(lambda: _received(group, got), lambda: "a datagram reached no member")
    return got


def _received(group: list[socket.socket], got: list[int]) -> bool:
    """Whether there was a datagram in one of these sockets; it is counted."""
    for i, member in enumerate(group):
        with contextlib.suppress(BlockingIOError):
            member.recv(1)
            got[i] += 1
            return True
    return False


def _bind(sock: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # a loopback that has no more than 127.0.0.1
        sock.bind((f"127.1.{number >> 8}.{number & 255}", 0))


def _take(group: list[socket.socket], got: list[int], connections: int) -> None:
    """Accept until as many were taken as were made.  Raises Inconclusive at the deadline."""

    def all_taken() -> bool:
        for i, listener in enumerate(group):
            with contextlib.suppress(BlockingIOError):
                while True:
                    taken, _ = listener.accept()
                    taken.close()
                    got[i] += 1
        return sum(got) >= connections

    until(all_taken, lambda: f"{connections} connections were made, {sum(got)} were taken")
