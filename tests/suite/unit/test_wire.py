"""What the experiments' network helpers say about a connection that fails."""

from __future__ import annotations

import socket
import struct

from probes.experiments import wire


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        return listener.accept()[0], theirs


def test_a_reset_is_a_fact() -> None:
    """A connection that the kernel threw away breaks a claim; it is no failure of the experiment."""
    mine, theirs = _connected()
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    mine.close()
    with theirs:
        assert wire.read_exactly(theirs, 4) == "ECONNRESET"


def test_what_came_before_the_end_is_read() -> None:
    mine, theirs = _connected()
    with theirs:
        with mine:
            mine.sendall(b"wo")
        assert wire.read_exactly(theirs, 4) == "wo"
