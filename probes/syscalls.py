"""Raw system calls, by name.

libc and Python choose for themselves which system call serves `select` or `epoll_wait`
(glibc implements select(2) by pselect6, for example), so a strategy that must block in the
very call it names goes through syscall(2).

Numbers come from the package system-calls, whose tables are made from the kernel's own headers.  An architecture that
lacks a call has another that does its work, as its libc knows; `serving` names it.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import socket
import struct
import sys
from typing import Any

_TABLES = {
    # e_machine and EI_CLASS of elf(5): the name of the table
    (62, 2): "x86_64",
    (62, 1): "x32",
    (3, 1): "i386",
    (183, 2): "arm64",
    (40, 1): "arm",
    (243, 2): "riscv64",
    (243, 1): "riscv32",
    (22, 2): "s390x",
    (22, 1): "s390",
    (21, 2): "powerpc64",
    (20, 1): "powerpc",
    (258, 2): "loongarch64",
    (8, 2): "mips64",
    (43, 2): "sparc64",
}


def architecture_of(pid: int | str) -> str | None:
    """The table for the program of this process, by its name; None if it is not known, or may not be looked at.

    Not by uname: a 32-bit program has other numbers than its 64-bit kernel, whose name it sees.
    """
    try:
        with open(f"/proc/{pid}/exe", "rb") as file:
            start = file.read(20)
    except OSError:
        return None
    # Every program that runs here has this machine's byte order, and so has its file.
    return _TABLES.get((int.from_bytes(start[18:20], sys.byteorder), start[4])) if len(start) == 20 else None


def _numbers(architecture: str | None) -> dict[str, int]:
    """Every system call of this architecture, by the name of its man page; none if there is no table."""
    if architecture is None:
        return {}
    module = importlib.import_module(f"system_calls.tables.{architecture}")
    table: dict[str, int] = dict(getattr(module, f"syscalls_{architecture}"))
    # Where a call had to be made anew, the old number takes other arguments, and libc uses the new one: select(2) with
    # all five in one struct (sys_old_select, fs/select.c), and file offsets of 32 bits (fcntl(2), fcntl64).
    for name, anew in (("select", "_newselect"), ("fcntl", "fcntl64")):
        if anew in table:
            table[name] = table.pop(anew)
    return table


ARCHITECTURE = architecture_of("self")
"""By the name of its table; None if there is none."""
NUMBERS: dict[str, int] = _numbers(ARCHITECTURE)
"""Number of each system call of this machine's architecture, and of this program's word size."""

STAND_INS = {
    "select": ("pselect6", "pselect6_time64"),
    "pselect6": ("pselect6_time64",),
    "poll": ("ppoll", "ppoll_time64"),
    "ppoll": ("ppoll_time64",),
    "epoll_wait": ("epoll_pwait",),
    "accept": ("accept4",),
    "semop": ("semtimedop", "semtimedop_time64"),
    "futex": ("futex_time64",),
    "rt_sigtimedwait": ("rt_sigtimedwait_time64",),
    "mq_timedreceive": ("mq_timedreceive_time64",),
    "semtimedop": ("semtimedop_time64",),
}
"""What does the work of a call where an architecture lacks it, as in glibc (sysdeps/unix/sysv/linux/): the same
function of the kernel, with further arguments, which are null."""

SOCKETCALL = NUMBERS.get("socketcall")
"""By it the libc of i386 and s390x serves sockets, unless it was built for kernels from 4.3 on, which have the calls
themselves (glibc: sysdeps/unix/sysv/linux/i386/kernel-features.h); None if an architecture never had it."""
_BY_SOCKETCALL = {
    3: "connect",
    5: "accept",
    9: "sendto",
    10: "recvfrom",
    11: "sendto",
    12: "recvfrom",
    16: "sendmsg",
    17: "recvmsg",
    18: "accept4",
    19: "recvmmsg",
    20: "sendmmsg",
}
"""What may sleep of all that it does, by its first argument (include/uapi/linux/net.h); send and recv are sendto and
recvfrom without an address."""

NEWNS, NEWIPC, NEWUSER, NEWNET = 0x00020000, 0x08000000, 0x10000000, 0x40000000
"""Namespaces of clone(2), unshare(2) and setns(2); os has them from Python 3.12 on."""
WALL = 0x40000000
"""__WALL, wait(2): children of every kind."""
RESTARTS = range(-516, -511)
"""ERESTARTSYS (-512) to ERESTART_RESTARTBLOCK (-516), include/linux/errno.h: the kernel will go
back into the call, or turn it into EINTR; user space never sees the number itself."""

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] * 7


def call(number: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0) -> int:
    """Make system call `number`; return its result, or minus its errno.  Never retried on EINTR."""
    result: int = _syscall(number, a, b, c, d, e, f)
    return result if result >= 0 else -ctypes.get_errno()


def serving(name: str) -> str | None:
    """The system call that does the work of `name` here: itself, or its stand-in; None if there is neither."""
    return next((call for call in (name, *STAND_INS.get(name, ())) if call in NUMBERS), None)


def number(name: str) -> int | None:
    """The number of the system call that serves `name` here, or None if there is none."""
    call = serving(name)
    return None if call is None else NUMBERS[call]


def done_by_socketcall(first: int) -> str | None:
    """The call whose work socketcall(2) does with this first argument; None if that is not known."""
    return _BY_SOCKETCALL.get(first)


def number_of(name: str) -> int:
    """The number of the system call that serves `name`, which every architecture has.  Raises KeyError."""
    return NUMBERS[serving(name) or name]


def exists(name: str) -> bool:
    """Ask the kernel whether it has the call `name`: ENOSYS is the one answer that says no.

    Asked with arguments of -1, which every call refuses (EBADF, EINVAL, EFAULT) before it acts.
    """
    nr = number(name)
    return nr is not None and call(nr, -1, -1, -1, -1, -1, -1) != -38  # ENOSYS, errno(3)


def set_socket_option(fd: int, level: int, option: int, value: bytes) -> None:
    """setsockopt(2).  Raises OSError.  Not socket.setsockopt: that takes nothing but integers on AF_VSOCK."""
    if _libc.setsockopt(fd, level, option, value, len(value)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def timeval(seconds: float, option: int = socket.SO_SNDTIMEO) -> bytes:
    """A struct timeval as this socket option takes it: two longs; two of 64 bits for SO_RCVTIMEO_NEW (66) and
    SO_SNDTIMEO_NEW (67, include/uapi/asm-generic/socket.h), which Python has where longs are shorter than time_t."""
    whole = int(seconds)
    return struct.pack("qq" if option in (66, 67) else "ll", whole, int((seconds - whole) * 1e6))


def timespec(call: str, ns: int) -> ctypes.Array[Any]:
    """A struct timespec as the call that does the work of `call` here takes it: two longs.

    Two numbers of 64 bits where the call came after the others (epoll_pwait2, and those whose name says so)."""
    name = serving(call) or call
    part = ctypes.c_int64 if name == "epoll_pwait2" or name.endswith("_time64") else ctypes.c_long
    return (part * 2)(ns // 10**9, ns % 10**9)


def prctl(option: int, argument: int) -> int:
    """prctl(2) with one integer argument; returns 0 or -1."""
    result: int = _libc.prctl(ctypes.c_int(option), ctypes.c_ulong(argument), 0, 0, 0)
    return result


def set_name(name: str) -> None:
    """Name the calling thread (PR_SET_NAME, prctl(2)): at most 15 bytes, shown by ps and sched_waking."""
    _libc.prctl(15, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def die_with_parent(parent_pid: int, signal_number: int = 9) -> None:
    """Have the kernel send `signal_number` to this process when the thread that forked it dies.

    PR_SET_PDEATHSIG, prctl(2).  The parent may have died before the call took effect; then
    this process has another parent already, and ends itself.
    """
    prctl(1, signal_number)
    if os.getppid() != parent_pid:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent dies (PR_SET_CHILD_SUBREAPER, prctl(2))."""
    prctl(36, 1)


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2).  Raises OSError with the kernel's errno."""
    done = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    if done != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), target)
