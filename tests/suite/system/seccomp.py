"""Runs a command to which some system calls are denied, as in a container: seccomp(2), by hand.

    python -m tests.suite.system.seccomp ptrace unshare -- COMMAND...
    python -m tests.suite.system.seccomp --hide '/proc/*/syscall' -- COMMAND...

The calls named fail with EPERM in the command and in all its children.  With --hide, opening a path
of this shape fails with EACCES; a process beside the command decides that, for as long as anybody
is left who might ask (seccomp_unotify(2)).  x86_64 only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import fnmatch
import os
import select
import socket
import struct
import sys
from collections.abc import Iterable, Iterator

NUMBERS = {
    "semget": 64,
    "msgget": 68,
    "flock": 73,
    "ptrace": 101,
    "mount": 165,
    "futex": 202,
    "sched_setaffinity": 203,
    "epoll_wait": 232,
    "mq_open": 240,
    "epoll_ctl": 233,
    "unshare": 272,
    "timerfd_create": 283,
    "accept4": 288,
    "signalfd4": 289,
    "eventfd2": 290,
    "epoll_create1": 291,
    "inotify_init1": 294,
    "perf_event_open": 298,
    "kcmp": 312,
    "memfd_create": 319,
    "membarrier": 324,
    "io_uring_setup": 425,
    "pidfd_open": 434,
    "clone3": 435,
    "epoll_pwait2": 441,
}
"""arch/x86/entry/syscalls/syscall_64.tbl"""

_OPENAT, _SECCOMP = 257, 317
_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _FLAG_NEW_LISTENER = 38, 1, 1 << 3
_RET_ALLOW, _RET_ERRNO, _RET_ASK, _RET_KILL = 0x7FFF0000, 0x00050000, 0x7FC00000, 0x80000000
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN, _AND = 0x20, 0x15, 0x06, 0x54
_NR, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, include/uapi/linux/seccomp.h
_CLONE, _SHARES_MEMORY, _SHARES_MORE = 56, 0x100, 0x14000  # CLONE_VM; CLONE_VFORK and CLONE_THREAD
_AUDIT_ARCH_X86_64 = 0xC000003E
_NOTIFICATION = struct.Struct("=QII iIQ 6Q")  # struct seccomp_notif: id, pid, flags, struct seccomp_data
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND
_GO_ON = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """struct sock_filter"""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _filter(decide: Iterable[bytes]) -> bytes:
    """Allow what these instructions, which find the call's number loaded, do not return an action for.

    A call of another architecture's table is allowed as well.
    """
    program = [_instruction(_LOAD_WORD, _ARCH), _instruction(_JUMP_IF_EQUAL, _AUDIT_ARCH_X86_64, 1, 0)]
    program += [_instruction(_RETURN, _RET_ALLOW), _instruction(_LOAD_WORD, _NR)]
    return b"".join([*program, *decide, _instruction(_RETURN, _RET_ALLOW)])


def _each(numbers: Iterable[int], action: int) -> Iterator[bytes]:
    """These numbers, whatever the arguments."""
    for number in numbers:
        yield _instruction(_JUMP_IF_EQUAL, number, 0, 1)
        yield _instruction(_RETURN, action)


def _install(decide: Iterable[bytes], flags: int = 0) -> int:
    """Filter the calls of this process and of all its children, for good.  OSError where that is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(_filter(decide))
    program = _Program((len(code) - 1) // 8, ctypes.addressof(code))
    # Without CAP_SYS_ADMIN a filter may only be installed by a task that can gain no privileges.
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    result: int = libc.syscall(_SECCOMP, _SET_MODE_FILTER, flags, ctypes.byref(program))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def deny(names: Iterable[str], error: str = "EPERM") -> None:
    """Let these calls fail with this error."""
    _install(_each((NUMBERS[name] for name in names), _RET_ERRNO | getattr(errno, error)))


def deny_shared_memory(error: str | None) -> None:
    """Let clone(2) fail with this error if it asks for a process in its parent's memory; without an error, kill who
    asks.  A thread, and a vfork, may share memory."""
    _install(
        [
            _instruction(_JUMP_IF_EQUAL, _CLONE, 0, 4),
            _instruction(_LOAD_WORD, _FIRST_ARGUMENT),
            _instruction(_AND, _SHARES_MEMORY | _SHARES_MORE),
            _instruction(_JUMP_IF_EQUAL, _SHARES_MEMORY, 0, 1),
            _instruction(_RETURN, _RET_ERRNO | getattr(errno, error) if error else _RET_KILL),
        ]
    )


def hide(shape: str) -> None:
    """Let the opening of paths that match `shape` (fnmatch) fail with EACCES, as a child process decides."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        _, (listener, *_), _, _ = socket.recv_fds(theirs, 1, 1)
        _decide(listener, shape.encode())
        os._exit(0)
    theirs.close()
    listener = _install(_each([_OPENAT], _RET_ASK), _FLAG_NEW_LISTENER)
    socket.send_fds(ours, [b"!"], [listener])
    ours.close()
    os.close(listener)


def _decide(listener: int, shape: bytes) -> None:
    """Answer every openat, until nobody is left who could call it."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while poll.poll()[0][1] & select.POLLIN:
        # ENOENT: the caller was killed while it waited for the answer.
        with contextlib.suppress(FileNotFoundError):
            asked = bytearray(_NOTIFICATION.size)
            fcntl.ioctl(listener, _RECEIVE, asked)
            number, pid, *_, path_at, _, _, _, _ = _NOTIFICATION.unpack(asked)
            denied = fnmatch.fnmatchcase(_path(pid, path_at), shape)
            answer = _ANSWER.pack(number, 0, -errno.EACCES if denied else 0, 0 if denied else _GO_ON)
            fcntl.ioctl(listener, _SEND, answer)


def _path(pid: int, address: int) -> bytes:
    """The string at this address of another process; empty where that cannot be read."""
    page = 4096
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            path = os.pread(memory.fileno(), page - address % page, address)
            if b"\0" not in path:
                path += os.pread(memory.fileno(), page, address + len(path))
    except OSError:
        return b""  # it was killed meanwhile; then nobody opens anything
    return path.partition(b"\0")[0]


def main(arguments: list[str]) -> None:
    """Deny or hide, then become the command."""
    split = arguments.index("--")
    refused, command = arguments[:split], arguments[split + 1 :]
    if refused[0] == "--hide":
        hide(refused[1])
    else:
        deny(refused)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
