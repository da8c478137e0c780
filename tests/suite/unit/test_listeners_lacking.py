"""A kernel that lacks a kind of listener says so in its own words, and nothing is left open."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from probes.axes import RARE_LISTENERS
from probes.scenario import Scenario
from probes.sources import open_source, vsock
from probes.verdict import NotApplicable


class _Socket(socket.socket):
    """A kernel that refuses one feature of the rarer sockets."""

    refuses = "socket"

    def __init__(self, family: int = -1, kind: int = -1, protocol: int = -1, fileno: int | None = None) -> None:
        if self.refuses == "socket" and fileno is None:
            raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
        super().__init__(family if self.refuses == "socket" else socket.AF_INET, kind, 0, fileno)

    def bind(self, address: Any) -> None:
        if self.refuses == "bind":
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        super().bind(address)

    def getsockopt(self, *what: Any) -> Any:
        if self.refuses == "MPTCP_INFO":
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return super().getsockopt(*what)


def _open(kind: str, refuses: str, monkeypatch: pytest.MonkeyPatch) -> str:
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(_Socket, "refuses", refuses)
        patch.setattr(socket, "socket", _Socket)
        with pytest.raises(NotApplicable) as said:
            open_source(Scenario("accept", kind, n=1), None)
    assert len(os.listdir("/proc/self/fd")) == before, "a listener that was refused is closed"
    return str(said.value)


@pytest.mark.parametrize("kind", RARE_LISTENERS)
def test_without_the_socket(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _open(kind, "socket", monkeypatch) == f"{kind}: Protocol not supported"


def test_without_a_way_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _open("vsock", "bind", monkeypatch)
    assert said == "vsock, to this machine itself (vsock_loopback): Cannot assign requested address"


def test_vsock_that_nobody_listens_on_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ECONNRESET would be taken for that of an established connection (`ends.shut_down`)."""

    class Resets(socket.socket):
        def connect(self, address: Any) -> None:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    monkeypatch.setattr(vsock, "client", lambda *_: Resets())
    monkeypatch.setattr(vsock, "set_socket_option", lambda *_: None)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConnectionRefusedError):
        vsock._connected_to((1, 1024), 1.0)
    assert len(os.listdir("/proc/self/fd")) == before


def test_connections_that_fall_back_to_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a plain TCP listener would be judged as one of Multipath TCP."""
    assert _open("mptcp4", "MPTCP_INFO", monkeypatch) == "mptcp4: Operation not supported"
