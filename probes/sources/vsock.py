"""AF_VSOCK, to this machine itself (vsock(7), VMADDR_CID_LOCAL): listeners, and connected sockets."""

from __future__ import annotations

import errno
import os
import socket

from ..refusals import unavailable
from ..scenario import Scenario
from ..syscalls import set_socket_option, timeval
from . import Source, client
from .connected import Connected

_AF_VSOCK, _CID_LOCAL, _PORT_ANY = 40, 1, 0xFFFFFFFF  # include/uapi/linux/vm_sockets.h
_PATIENCE_S = 10.0
_CONNECT_TIMEOUT = 6  # SO_VM_SOCKETS_CONNECT_TIMEOUT: two seconds by default


def _listening(backlog: int) -> socket.socket:
    """A listening socket on a port that is free.

    Raises NotApplicable if the kernel has no AF_VSOCK, or no way to itself.
    """
    try:
        listening = socket.socket(_AF_VSOCK, socket.SOCK_STREAM)
    except OSError as error:
        raise unavailable("vsock", error) from error
    try:
        listening.bind((_CID_LOCAL, _PORT_ANY))
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        raise unavailable("vsock, to this machine itself (vsock_loopback)", error) from error
    return listening


def _connected_to(address: tuple[int, int], patience_s: float) -> socket.socket:
    """A connected client.  Raises OSError after `patience_s`, and ECONNREFUSED if nobody listens, as on TCP.

    For a request that is refused the kernel returns ECONNRESET (virtio_transport_recv_connecting,
    net/vmw_vsock/virtio_transport_common.c), which on TCP would mean that there was a connection.
    """
    sock = client(_AF_VSOCK, socket.SOCK_STREAM, patience_s)
    try:
        set_socket_option(sock.fileno(), _AF_VSOCK, _CONNECT_TIMEOUT, timeval(patience_s, _CONNECT_TIMEOUT))
        sock.connect(address)
    except ConnectionResetError as error:
        sock.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)) from error
    except OSError:
        sock.close()
        raise
    return sock


class Vsock(Source):
    """One listening socket on a port that is free.

    A connection is delivered when connect has returned.  On loopback one work item carries all packets,
    one after the other (net/vmw_vsock/vsock_loopback.c, vsock_loopback_work): the answer that connect
    waits for is carried only after the request's handler has ended, and that one wakes the waiters.
    """

    asynchronous = False
    delivery = "connect returned: on AF_VSOCK the request's handler, which wakes, ends before the answer is carried"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if the kernel has no AF_VSOCK, or no way to itself."""
        self._socket = _listening(4096)
        self._address = self._socket.getsockname()
        self._socket.setblocking(scenario.takes)
        self.fds = [self._socket.fileno()] * scenario.n

    def connect(self, patience_s: float) -> socket.socket:
        return _connected_to(self._address, patience_s)

    def queued(self) -> int | None:
        """The kernel does not tell it, and nothing here hangs on it: see `delivery`."""
        return None

    def write(self, i: int) -> None:
        raise NotImplementedError("an AF_VSOCK listener takes connections")

    def close(self) -> None:
        self._socket.close()


class VsockConnected(Connected):
    """A connected socket; the conductor has the other end, and a listener of its own for the proof of delivery."""

    delivery = "a connect that came behind it has returned: on AF_VSOCK loopback one work item carries all, in order"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable if the kernel has no AF_VSOCK, or no way to itself."""
        self._listening = _listening(16)
        super().__init__(scenario, self._pair)

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        ours = _connected_to(self._listening.getsockname(), _PATIENCE_S)
        return self._listening.accept()[0], ours

    def write(self, i: int) -> None:
        super().write(i)
        self._carry()

    def finish(self) -> None:
        super().finish()
        self._carry()

    def _carry(self) -> None:
        """Return once whatever was sent before has been handled, and those that it wakes are woken (see `Vsock`)."""
        for end in self._pair():
            end.close()

    def close(self) -> None:
        super().close()
        self._listening.close()
