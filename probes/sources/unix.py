"""AF_UNIX: a stream socket at a path or at an abstract name, and a seqpacket socket."""

from __future__ import annotations

import os
import socket
from itertools import count

from ..scenario import Scenario
from . import Source, client

_names = count()

FOLDER_PREFIX = "wakecheck-{namespace}-{pid}-"
"""Start of the name of the folder that exists while a path socket is bound, if there is no mount namespace of our own.
It contains the inode of the PID namespace, because containers may share a temporary folder, but not their pids."""


class Unix(Source):
    """One listening socket.  A path exists only between bind and the unlink right after it.

    The socket is reached through an O_PATH descriptor and /proc/self/fd from then on, so that
    nothing is left behind, however this process ends.
    """

    asynchronous = False
    delivery = "connect returned: on AF_UNIX the connecting task issues the wake-ups itself"

    def __init__(self, scenario: Scenario, kind: int, *, name: str = "", folder: str = "") -> None:
        """At the abstract `name`, or at a path in `folder`."""
        self._kind = kind
        self._path_fd = -1
        self._socket = socket.socket(socket.AF_UNIX, kind)
        try:
            if name:
                self._address = f"\0{name}"
                self._socket.bind(self._address)
            else:
                self._bind_path(folder)
                self._address = f"/proc/self/fd/{self._path_fd}"
            self._socket.listen(4096)
            self._socket.setblocking(scenario.takes)
        except OSError:
            self.close()
            raise
        self.fds = [self._socket.fileno()] * scenario.n

    def _bind_path(self, folder: str) -> None:
        """Bind in `folder` and unlink; by the folder's descriptor, because unix(7) allows only 107 bytes."""
        folder_fd = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        try:
            path = f"/proc/self/fd/{folder_fd}/listener-{next(_names)}"
            self._socket.bind(path)
            self._path_fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            os.unlink(path)
        finally:
            os.close(folder_fd)

    def connect(self, patience_s: float) -> socket.socket:
        sock = client(socket.AF_UNIX, self._kind, patience_s)
        try:
            sock.connect(self._address)
        except OSError:
            sock.close()
            raise
        return sock

    def queued(self) -> int | None:
        """None: the kernel shows it only through sock_diag, and it is not needed here (see `delivery`)."""
        return None

    def write(self, i: int) -> None:
        raise NotImplementedError("an AF_UNIX listener takes connections")

    def close(self) -> None:
        self._socket.close()
        if self._path_fd >= 0:
            os.close(self._path_fd)
            self._path_fd = -1


def path(scenario: Scenario, folder: str | None) -> Unix:
    if folder is not None:
        return Unix(scenario, socket.SOCK_STREAM, folder=folder)
    import tempfile  # only here: the less the conductor has loaded, the cheaper its forks are

    prefix = FOLDER_PREFIX.format(namespace=pid_namespace(), pid=os.getpid())
    with tempfile.TemporaryDirectory(prefix=prefix) as brief:
        return Unix(scenario, socket.SOCK_STREAM, folder=brief)


def pid_namespace() -> int:
    """The inode of our PID namespace; 0 if /proc does not show it."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def abstract(scenario: Scenario, folder: str | None) -> Unix:
    return Unix(scenario, socket.SOCK_STREAM, name=_unused_name())


def seqpacket(scenario: Scenario, folder: str | None) -> Unix:
    return Unix(scenario, socket.SOCK_SEQPACKET, name=_unused_name())


def _unused_name() -> str:
    return f"wakecheck-{os.getpid()}-{next(_names)}"
