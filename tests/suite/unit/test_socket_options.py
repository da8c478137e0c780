"""Options of sockets, set past the socket module."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from probes.sources import client
from probes.syscalls import set_socket_option


def test_a_client_closes_with_a_reset_and_gives_up() -> None:
    with client(socket.AF_INET, socket.SOCK_STREAM, 2.5) as connection:
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 1, 0)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16) == struct.pack("qq", 2, 500_000)


def test_a_refusal_is_an_error_with_its_number() -> None:
    with socket.socket() as sock, pytest.raises(OSError, match="Invalid argument") as refused:
        set_socket_option(sock.fileno(), socket.SOL_SOCKET, socket.SO_LINGER, b"\0")
    assert refused.value.errno == errno.EINVAL
