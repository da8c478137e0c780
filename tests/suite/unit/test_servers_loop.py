"""The servers' loop, in this process: whose turn it is, and what it asks epoll for."""

from __future__ import annotations

import os
import select
import socket

import pytest

from probes.servers import echo, listening, loop

from .serving import to_the_end


@pytest.mark.timeout(60)
@pytest.mark.parametrize("trigger", loop.TRIGGERS)
def test_turn_that_is_over_is_gone_on_with(monkeypatch: pytest.MonkeyPatch, trigger: str) -> None:
    """More than one turn's worth is there at once, and nothing more will come to tell of it."""
    monkeypatch.setattr(echo, "PIECE", 4)
    data = b"four" * echo.TURN * 3
    near, far = socket.socketpair()
    with listening.listen("127.0.0.1", 0) as listener, far:
        serving = loop.Loop(listener, trigger)
        serving.adopt(near)
        far.sendall(data)
        far.shutdown(socket.SHUT_WR)
        while serving.clients:
            serving.serve(serving.wait())
        assert to_the_end(far) == data


@pytest.mark.parametrize("trigger", loop.TRIGGERS)
def test_rest_is_sent_when_there_is_room(trigger: str) -> None:
    """The client has said everything and reads late: only room can tell the loop to go on, and it asks for that."""
    data = os.urandom(60_000)
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with listening.listen("127.0.0.1", 0) as listener, near, far:
        serving = loop.Loop(listener, trigger)
        serving.adopt(near)
        far.sendall(data)
        serving.serve(serving.wait(0))
        assert serving.clients[near.fileno()].waits_for == select.EPOLLOUT
        serving.wait(0)  # what an edge may still have to tell
        assert serving.wait(0) == []
        got = far.recv(len(data))
        while len(got) < len(data):
            ready = serving.wait(0)
            assert ready, "there is room, and nobody was told"
            serving.serve(ready)
            got += far.recv(len(data))
        assert got == data


def test_two_clients_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that always has more to say does not keep the others waiting."""
    monkeypatch.setattr(echo, "PIECE", 4)
    (near, far), (other_near, other_far) = socket.socketpair(), socket.socketpair()
    with listening.listen("127.0.0.1", 0) as listener, near, far, other_near, other_far:
        serving = loop.Loop(listener, "edge")
        serving.adopt(near)
        serving.adopt(other_near)
        far.sendall(b"four" * echo.TURN * 3)
        other_far.sendall(b"x")
        serving.serve(serving.wait(0))
        assert other_far.recv(1) == b"x"
        assert len(far.recv(4096)) <= 4 * echo.TURN
