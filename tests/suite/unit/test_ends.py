"""What proves that a connection has arrived where no listener can be asked."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from probes.experiments.ends import _arrives, _is_acknowledged

_ESTABLISHED, _CLOSE = 1, 7


class _Client:
    """What TCP_INFO says of a client."""

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
