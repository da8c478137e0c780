"""Runs a command to which some system calls are denied, as in a container: seccomp(2), by hand.

    python -m tests_system.seccomp ptrace unshare -- COMMAND...

The calls named fail with EPERM in the command and in all its children.  x86_64 only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable

NUMBERS = {"ptrace": 101, "mount": 165, "unshare": 272, "perf_event_open": 298, "membarrier": 324}
"""arch/x86/entry/syscalls/syscall_64.tbl"""

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_RET_ALLOW, _RET_ERRNO = 0x7FFF0000, 0x00050000
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NR, _ARCH = 0, 4  # offsets in struct seccomp_data, include/uapi/linux/seccomp.h
_AUDIT_ARCH_X86_64 = 0xC000003E


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """struct sock_filter"""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _filter(numbers: Iterable[int]) -> bytes:
    """Allow everything but these numbers; a call of another architecture's table is allowed as well."""
    program = [_instruction(_LOAD_WORD, _ARCH), _instruction(_JUMP_IF_EQUAL, _AUDIT_ARCH_X86_64, 1, 0)]
    program += [_instruction(_RETURN, _RET_ALLOW), _instruction(_LOAD_WORD, _NR)]
    for number in numbers:
        program += [_instruction(_JUMP_IF_EQUAL, number, 0, 1), _instruction(_RETURN, _RET_ERRNO | errno.EPERM)]
    return b"".join([*program, _instruction(_RETURN, _RET_ALLOW)])


def deny(names: Iterable[str]) -> None:
    """Deny these calls to this process and to all its children, for good.  OSError where that is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(_filter(NUMBERS[name] for name in names))
    program = _Program((len(code) - 1) // 8, ctypes.addressof(code))
    # Without CAP_SYS_ADMIN a filter may only be installed by a task that can gain no privileges.
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0), (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))):
        if libc.prctl(*arguments, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(arguments: list[str]) -> None:
    """Deny, then become the command."""
    split = arguments.index("--")
    deny(arguments[:split])
    command = arguments[split + 1 :]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
