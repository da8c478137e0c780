"""Tells whether a system-call stop of a tracee is the entry of a call, or its return with a result (ptrace(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from .. import syscalls

_PTRACE = syscalls.NUMBERS.get("ptrace", -1)
GET_SYSCALL_INFO = 0x420E
"""PTRACE_GET_SYSCALL_INFO, ptrace(2): the kind of a stop, and the number or the result, on every architecture."""
_INFO = struct.Struct("=B23xq")
"""The beginning of struct ptrace_syscall_info: op; then entry.nr or exit.rval, which have the same offset."""
_ENTRY = 1  # PTRACE_SYSCALL_INFO_ENTRY
REGISTERS = {("x86_64", 8): ("orig_rax", "rax")}.get((os.uname().machine, ctypes.sizeof(ctypes.c_long)))
"""The registers that hold number and result, for kernels before 5.3, gVisor and User-Mode Linux; None if not known."""


class Stops:
    """Looks at stops; the way in which the kernel is asked is found out once."""

    def __init__(self) -> None:
        self._info: ctypes.Array[ctypes.c_char] | None = ctypes.create_string_buffer(_INFO.size)
        """For the kernel's answer about a stop; None if it is asked for registers instead."""
        self._address = ctypes.addressof(self._info)

    def look(self, tid: int, *, inside: bool) -> tuple[bool, int]:
        """Whether this stop is the entry of a call; and the call's number, or, at its return, the result.

        `inside`: whether the stop before was an entry, which registers do not tell.  Raises OSError; with EIO the
        kernel is older than 5.3, and the registers of this machine are not known here.
        """
        if self._info is not None:
            result = syscalls.call(_PTRACE, GET_SYSCALL_INFO, tid, _INFO.size, self._address)
            if result >= 0:
                stop, value = _INFO.unpack_from(self._info)
                return stop == _ENTRY, value
            if result != -errno.EIO or REGISTERS is None:
                raise OSError(-result, os.strerror(-result))
            self._info = None
        assert REGISTERS is not None
        value = _register(tid, REGISTERS[inside])
        return not inside, value - (1 << 64) if value >= 1 << 63 else value


def request(number: int, tid: int, address: int = 0, data: int = 0) -> None:
    """Make one request of ptrace(2).  Raises OSError."""
    result = syscalls.call(_PTRACE, number, tid, address, data)
    if result < 0:
        raise OSError(-result, os.strerror(-result))


def _register(tid: int, name: str) -> int:
    """One register of a task that is stopped (PTRACE_GETREGS).  Raises OSError."""
    from ptrace import PtraceError
    from ptrace.binding.func import ptrace_getregs

    try:
        return int(getattr(ptrace_getregs(tid), name))
    except PtraceError as error:
        raise OSError(error.errno or 0, str(error)) from error
