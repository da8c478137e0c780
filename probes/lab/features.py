"""Features that a kernel may lack: an experiment tries them first, and reports the kernel's answer."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
from collections.abc import Iterator

from ..errnos import errno_of
from ..refusals import LIMITS, unavailable
from ..strategies.epoll import EPOLLEXCLUSIVE
from ..verdict import NotApplicable

LACKING = (
    errno.ENOSYS,
    errno.ENOPROTOOPT,
    errno.EOPNOTSUPP,
    errno.EAFNOSUPPORT,
    errno.EPROTONOSUPPORT,
    errno.ESOCKTNOSUPPORT,
)
"""Errors by which a kernel says that it lacks a feature, whichever it is (errno(3))."""


@contextlib.contextmanager
def asking_for(feature: str) -> Iterator[None]:
    """Raise NotApplicable, with the kernel's answer, if the body of the `with` statement raises OSError.

    Raises Inconclusive if the error is due to a limit, which says nothing about the kernel.
    """
    try:
        yield
    except OSError as error:
        if error.errno in LIMITS:
            raise unavailable(feature, error) from error
        raise NotApplicable(f"{feature}: {errno_of(error)}") from error


def insist_on_exclusive() -> None:
    """Raise NotApplicable if the kernel refuses EPOLLEXCLUSIVE."""
    ready, other = os.pipe()
    try:
        with select.epoll() as instance, asking_for("EPOLLEXCLUSIVE"):
            instance.register(ready, select.EPOLLIN | EPOLLEXCLUSIVE)
    finally:
        os.close(ready)
        os.close(other)


def join_group(sock: socket.socket) -> None:
    """Set SO_REUSEPORT.  Raises NotApplicable if the kernel refuses it."""
    with asking_for("SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
