"""The conductor's own namespaces: network, IPC and mount; also a user namespace, if the others need it."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from collections.abc import Callable

from .. import syscalls
from ..syscalls import NEWIPC, NEWNET, NEWNS, NEWUSER

_MS_REC, _MS_PRIVATE = 1 << 14, 1 << 18
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

NAMESPACES, LOOPBACK = "namespaces", "loopback"
SHM = "/dev/shm"


class Denied(Exception):
    """Namespaces cannot be created here; the message says which step was refused."""


def isolate() -> str | None:
    """Move this process into namespaces of its own, with `lo` up and a private tmpfs on /dev/shm.

    Returns the folder in which path sockets may be bound, or None if the tmpfs was denied.  Everything in it disappears
    with the process.  Raises Denied; the process is useless then, because unshare(2) cannot be undone.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        _unshare(NEWNET | NEWIPC | NEWNS)
    except OSError:
        _step("unshare with a user namespace", lambda: _unshare(NEWUSER | NEWNET | NEWIPC | NEWNS))
        _step("mapping the user", lambda: _map_user(uid, gid))
    _step("bringing lo up", bring_lo_up)
    try:
        syscalls.mount("none", "/", "", _MS_REC | _MS_PRIVATE)
        # The interpreter still loads modules: do not hide the folders that they are in.
        if any(os.path.realpath(path).startswith(SHM) for path in (*sys.path, sys.prefix)):
            return None
        syscalls.mount("tmpfs", SHM, "tmpfs")
    except OSError:
        return None
    return SHM


def _step(what: str, act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:
        raise Denied(f"{what}: {error.strerror}") from error


def _unshare(flags: int) -> None:
    result = syscalls.call(syscalls.NUMBERS["unshare"], flags)
    if result < 0:
        raise OSError(-result, os.strerror(-result))


def _map_user(uid: int, gid: int) -> None:
    """Keep our own user and group ids inside the user namespace (user_namespaces(7))."""
    for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{file}", "w") as opened:
            opened.write(text)


def bring_lo_up() -> None:
    """Set IFF_UP on `lo` (netdevice(7)).  Raises OSError (EPERM) without CAP_NET_ADMIN."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH22x", b"lo", 0)
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, request)
        flags = struct.unpack_from("16sH", answer)[1]
        if not flags & _IFF_UP:
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))
