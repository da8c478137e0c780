"""Errors that are due to the surroundings and say nothing about the kernel: a sandbox denies, a limit is reached."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from .errnos import errno_of
from .verdict import Inconclusive, NotApplicable

_DENIED = "a sandbox, a security module or a missing privilege denies it"
_MEMORY = "no memory is left: raise its limit (ulimit -v, memory.max of the control group)"

REMEDIES: Mapping[int, str] = {
    errno.EPERM: _DENIED,
    errno.EACCES: _DENIED,
    errno.ENOSYS: "this kernel lacks it, or a sandbox denies it",
    errno.EMFILE: "no descriptor is left: raise their limit (ulimit -n)",
    errno.ENFILE: "no file is left: raise fs.file-max, or, for a pipe, fs.pipe-user-pages-hard",
    errno.ENOMEM: _MEMORY,
    errno.ENOBUFS: _MEMORY,
    errno.ENOSPC: "a limit is reached: look at fs.epoll.max_user_watches, kernel.sem, kernel.msgmni, "
    "fs.mqueue.queues_max, user.max_*_namespaces, and the temporary folder",
    errno.EADDRNOTAVAIL: "no port is free, or the address is not there: widen net.ipv4.ip_local_port_range; is lo up?",
}
"""For each such error the reason, and what helps, in words.  No claim can be broken by one that it does not allow."""

LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC)
"""Those of them that are limits: they may be gone with the next run."""

_OF_AN_OPERATION: Mapping[int, str] = {
    **REMEDIES,
    errno.EAGAIN: "a limit is reached: of processes (ulimit -u, pids.max of the control group, kernel.pid_max, "
    "kernel.threads-max), or of a queue",
    errno.EINPROGRESS: "a connection did not come about in time",
    errno.EADDRINUSE: "the port is taken, or none is free: widen net.ipv4.ip_local_port_range",
    errno.ENOENT: "something is missing: is there a temporary folder (TMPDIR), and is /proc mounted?",
    errno.EROFS: "a file system is read-only: give the run a temporary folder (TMPDIR)",
    errno.ENETUNREACH: "is lo up?",
}
"""The same for operations that an experiment needs, and about which no claim asks."""


def unavailable(what: str, error: OSError) -> Exception:
    """What to raise if something that a scenario needs is not available.

    Raises Inconclusive if a limit is reached, which says nothing about the kernel; otherwise NotApplicable: the kernel
    lacks it, or grants it only to others.
    """
    if error.errno in LIMITS:
        return Inconclusive(f"{what}: {in_words(error)}")
    return NotApplicable(f"{what}: {error.strerror}")


def in_words(error: OSError) -> str:
    """`EMFILE: no descriptor is left: raise ...`; only the error's name if nothing more is known."""
    name, remedy = errno_of(error), _OF_AN_OPERATION.get(error.errno or 0)
    return f"{name}: {remedy}" if remedy else name


def held_by(seen: Any) -> int | None:
    """Such an error that this value is, or holds somewhere, by its name; None if it holds none."""
    if isinstance(seen, (list, tuple)):
        return next((error for each in seen if (error := held_by(each)) is not None), None)
    return next((error for error in REMEDIES if errno.errorcode[error] == seen), None)
