"""The file of a unix socket, as its server sees it, and never outside the server's own root.

A path inside a container may be, or lead through, an absolute symbolic link.  Followed from outside, it would lead to
the host's files, and the audit would connect to another server (openat2(2), RESOLVE_IN_ROOT).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable

from .. import syscalls
from ..verdict import Inconclusive
from .sockets import ListeningSocket

_NO_MAGICLINKS, _IN_ROOT = 0x02, 0x10  # RESOLVE_*, include/uapi/linux/openat2.h
_PATH_ONLY = os.O_PATH | os.O_CLOEXEC


def open_file(listener: ListeningSocket, holders: Iterable[int]) -> int:
    """A descriptor (O_PATH) of the socket's file, to connect to through /proc/self/fd/N; the caller closes it.

    Raises Inconclusive if the path leads to this listener for none of the processes that hold it.
    """
    why_not = f"{listener.address} is there no more"
    for pid in holders:
        try:
            file = _opened(pid, listener.address)
        except OSError as error:
            why_not = f"{listener.address} cannot be reached: {error.strerror}"
            continue
        if _is_of(listener, os.fstat(file)):
            return file
        os.close(file)
        why_not = f"the path {listener.address} leads to another file than the socket that listens"
    raise Inconclusive(why_not)


def _is_of(listener: ListeningSocket, status: os.stat_result) -> bool:
    """Whether this is the listener's file.  On overlayfs and btrfs, stat(2) shows another device than the one that the
    kernel uses, and the inodes may differ, too; if the devices are the same, the inodes must be."""
    if not stat.S_ISSOCK(status.st_mode):
        return False
    if listener.file is None or listener.file[0] != status.st_dev:
        return True
    return listener.file[1] == status.st_ino & 0xFFFFFFFF


def _opened(pid: int, path: str) -> int:
    start = os.open(f"/proc/{pid}/root" if path.startswith("/") else f"/proc/{pid}/cwd", _PATH_ONLY | os.O_DIRECTORY)
    try:
        return _open_in_root(start, path)
    except OSError as error:
        if error.errno == errno.ENOSYS and _is_our_root(pid):
            return os.open(path if path.startswith("/") else f"/proc/{pid}/cwd/{path}", _PATH_ONLY)
        raise
    finally:
        os.close(start)


def _open_in_root(start: int, path: str) -> int:
    """openat2(2) with `start` as the root.  Raises OSError: ENOSYS before Linux 5.6."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    how = ctypes.create_string_buffer(struct.pack("=QQQ", _PATH_ONLY, 0, _IN_ROOT | _NO_MAGICLINKS), 24)
    number = syscalls.number("openat2")
    result = -errno.ENOSYS if number is None else syscalls.call(
        number, start, ctypes.addressof(name), ctypes.addressof(how), 24
    )  # fmt: skip
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def _is_our_root(pid: int) -> bool:
    """Whether that process has our mount namespace and root, so that paths mean the same to both."""
    if os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
        return False
    return os.path.samefile(f"/proc/{pid}/root", "/")
