"""epoll instances of running processes: what is registered in them, and which descriptors refer to the same one."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from .. import syscalls

EXCLUSIVE, ONESHOT, EDGE = 1 << 28, 1 << 30, 1 << 31
"""EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLET (include/uapi/linux/eventpoll.h)."""
_IN = 1
_KCMP_FILE = 0

_LINE = re.compile(
    r"^tfd:\s*(\d+)\s+events:\s*([0-9a-f]+)\s+data:\s*[0-9a-f]+(?:\s+pos:\S+\s+ino:([0-9a-f]+)\s+sdev:([0-9a-f]+))?",
    re.M,
)


class Registration(NamedTuple):
    """One line of an epoll instance's fdinfo (proc_pid_fdinfo(5))."""

    fd: int
    """The descriptor's number when it was registered, in the process that registered it."""
    events: int
    inode: int | None
    device: int | None
    """Inode and device of the file; None on kernels before 4.13, which do not show them."""


def parse_fdinfo(text: str) -> list[Registration]:
    """What is registered in an epoll instance, from the text of its fdinfo."""
    return [
        # The last two are empty on kernels that do not show them.
        Registration(int(fd), int(events, 16), int(inode, 16) if inode else None, int(device, 16) if device else None)
        for fd, events, inode, device in _LINE.findall(text)
    ]


@cache
def _sockets_device() -> int:
    """The device of this kernel's sockets, as fdinfo prints it (the minor number; the major number is 0)."""
    with socket.socket(socket.AF_UNIX) as probe:
        return os.fstat(probe.fileno()).st_dev


def registered_for(pid: int, epoll_fd: int, held: Mapping[int, int]) -> dict[int, int]:
    """Those of the process's sockets that are registered in this epoll instance for reading: inode -> event mask.

    `held` maps its descriptors of the sockets in question to their inodes.  The descriptors are used only if the kernel
    does not show inodes.  Raises OSError if fdinfo cannot be read.
    """
    with open(f"/proc/{pid}/fdinfo/{epoll_fd}") as file:
        rows = parse_fdinfo(file.read())
    wanted = set(held.values())
    found: dict[int, int] = {}
    for row in rows:
        inode = row.inode
        if inode is None:
            inode = held.get(row.fd)
        elif row.device != _sockets_device():
            continue
        if inode in wanted and row.events & _IN:
            found.setdefault(inode, row.events)
    return found


def trigger_of(events: int) -> str:
    """The word for an event mask: level, edge, oneshot, exclusive, edge-exclusive."""
    if events & EXCLUSIVE:
        return "edge-exclusive" if events & EDGE else "exclusive"
    if events & ONESHOT:
        return "oneshot"
    return "edge" if events & EDGE else "level"


def same_instance(first: tuple[int, int], second: tuple[int, int]) -> bool | None:
    """Whether two (pid, descriptor) pairs refer to one open file, by kcmp(2); None if kcmp is denied."""
    if first == second:
        return True
    number = syscalls.number("kcmp")
    if number is None:
        return None
    answer = syscalls.call(number, first[0], second[0], _KCMP_FILE, first[1], second[1])
    return None if answer < 0 else answer == 0
