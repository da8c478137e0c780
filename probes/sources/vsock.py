"""AF_VSOCK, to this machine itself (vsock(7), VMADDR_CID_LOCAL)."""

from __future__ import annotations

import socket

from ..refusals import unavailable
from ..scenario import Scenario
from ..syscalls import set_socket_option, timeval
from . import Source, client

_AF_VSOCK, _CID_LOCAL, _PORT_ANY = 40, 1, 0xFFFFFFFF  # include/uapi/linux/vm_sockets.h
_CONNECT_TIMEOUT = 6  # SO_VM_SOCKETS_CONNECT_TIMEOUT: two seconds unless told


class Vsock(Source):
    """One listening socket on a port that is free.

    A connection is delivered when connect has returned.  On loopback one work item carries all packets,
    one after the other (net/vmw_vsock/vsock_loopback.c, vsock_loopback_work): the answer that connect
    waits for is carried only after the request's handler has ended, and that one wakes the waiters.
    """

    asynchronous = False
    delivery = "connect returned: on AF_VSOCK the request's handler, which wakes, ends before the answer is carried"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        """Raises NotApplicable where the kernel has no AF_VSOCK, or no way to itself."""
        try:
            self._socket = socket.socket(_AF_VSOCK, socket.SOCK_STREAM)
        except OSError as error:
            raise unavailable("vsock", error) from error
        try:
            self._socket.bind((_CID_LOCAL, _PORT_ANY))
            self._socket.listen(4096)
        except OSError as error:
            self._socket.close()
            raise unavailable("vsock, to this machine itself (vsock_loopback)", error) from error
        self._socket.setblocking(scenario.takes)
        self.fds = [self._socket.fileno()] * scenario.n

    def connect(self, patience_s: float) -> socket.socket:
        sock = client(_AF_VSOCK, socket.SOCK_STREAM, patience_s)
        try:
            set_socket_option(sock.fileno(), _AF_VSOCK, _CONNECT_TIMEOUT, timeval(patience_s, _CONNECT_TIMEOUT))
            sock.connect(self._socket.getsockname())
        except OSError:
            sock.close()
            raise
        return sock

    def queued(self) -> int | None:
        """The kernel does not tell it, and nothing here hangs on it: see `delivery`."""
        return None

    def write(self, i: int) -> None:
        raise NotImplementedError("an AF_VSOCK listener takes connections")

    def close(self) -> None:
        self._socket.close()
