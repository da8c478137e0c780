"""Raw system calls, by name.

libc and Python choose for themselves which system call serves `select` or `epoll_wait`
(glibc implements select(2) by pselect6, for example), so a strategy that must block in the
very call it names goes through syscall(2).  The numbers are those of the kernel's
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (arm64), which lacks
what a newer call replaces (poll, select, epoll_wait ...).
"""

from __future__ import annotations

import ctypes
import os

_NUMBERS: dict[str, tuple[int, int | None]] = {
    # name: (x86-64, arm64)
    "read": (0, 63),
    "write": (1, 64),
    "poll": (7, None),
    "select": (23, None),
    "pause": (34, None),
    "getpid": (39, 172),
    "accept": (43, 202),
    "recvfrom": (45, 207),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "fcntl": (72, 25),
    "flock": (73, 32),
    "rt_sigtimedwait": (128, 137),
    "gettid": (186, 178),
    "futex": (202, 98),
    "epoll_create": (213, None),
    "epoll_wait": (232, None),
    "epoll_ctl": (233, 21),
    "tgkill": (234, 131),
    "pselect6": (270, 72),
    "ppoll": (271, 73),
    "unshare": (272, 97),
    "epoll_pwait": (281, 22),
    "accept4": (288, 242),
    "perf_event_open": (298, 241),
    "setns": (308, 268),
    "kcmp": (312, 272),
    "membarrier": (324, 283),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "openat2": (437, 437),
    "pidfd_getfd": (438, 438),
    "epoll_pwait2": (441, 441),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(os.uname().machine)
NUMBERS: dict[str, int] = {
    name: here for name, numbers in _NUMBERS.items() if _COLUMN is not None and (here := numbers[_COLUMN]) is not None
}
"""Number of each system call the lab makes, on this machine's architecture."""

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


def number(name: str) -> int | None:
    """The number of the system call `name` here, or None where this architecture has none."""
    return NUMBERS.get(name)


def exists(name: str) -> bool:
    """Ask the kernel whether it has the call `name`: ENOSYS is the one answer that says no.

    Asked with arguments of -1, which every call refuses (EBADF, EINVAL, EFAULT) before it acts.
    """
    nr = NUMBERS.get(name)
    return nr is not None and call(nr, -1, -1, -1, -1, -1, -1) != -38  # ENOSYS, errno(3)


def set_socket_option(fd: int, level: int, option: int, value: bytes) -> None:
    """setsockopt(2).  Raises OSError.  Not socket.setsockopt: that takes nothing but integers on AF_VSOCK."""
    if _libc.setsockopt(fd, level, option, value, len(value)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


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
