"""What proves that a connection has arrived where no listener can be asked, and that room came before who waits."""

from __future__ import annotations

import select
import socket
import struct
from typing import Any

import pytest

from probes.experiments import departures
from probes.experiments.ends import _arrives, _is_acknowledged
from probes.verdict import Inconclusive

_ESTABLISHED, _CLOSE = 1, 7


class _Client:
    """What TCP_INFO says about a client."""

    def __init__(self, state: int, unacknowledged: int) -> None:
        self._info = struct.pack("=B23xII", state, unacknowledged, 0)

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return self._info[:size]


@pytest.mark.parametrize(
    ("state", "unacknowledged", "arrived"), [(_ESTABLISHED, 1, False), (_ESTABLISHED, 0, True), (_CLOSE, 1, True)]
)
def test_byte_that_is_under_way(state: int, unacknowledged: int, arrived: bool) -> None:
    client: Any = _Client(state, unacknowledged)
    assert _is_acknowledged(client) is arrived


def test_connection_that_stays_and_one_that_is_reset() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
    ):
        _arrives(client)
        assert _is_acknowledged(client)
        listening.close()
        assert _is_acknowledged(client)


class _LateRoom:
    """A stage on which a read of the peer comes late: its room is there when the first fence is passed, not before."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self._near, self._far, self._late = near, far, True
        self.instance: Any = None

    def keep(self, instance: Any) -> Any:
        self.instance = instance
        return instance

    def fence(self, *, needed: bool) -> None:
        assert needed
        while self._late and not select.select([], [self._near], [], 0)[1]:
            self._far.recv(1 << 20)
        self._late = False

    def note(self, *_: Any) -> None:
        pass

    def actor(self, *_: Any) -> Any:
        self.fence(needed=True)
        raise Inconclusive(f"told already: {self.instance.poll(0)}")


def test_room_that_comes_late_is_told_to_nobody_who_waits_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        monkeypatch.setattr(departures.wire, "pair", lambda _: (near, far))
        with pytest.raises(Inconclusive, match=r"told already: \[\]"):
            departures.room_after_limit(_LateRoom(near, far))  # type: ignore[arg-type]  # it is asked for no more
