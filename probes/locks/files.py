"""Locks that are a descriptor: on a file without a name, or a byte in a pipe."""

from __future__ import annotations

import fcntl
import os
import struct


class _File:
    """A lock on a file without a name.  With `inherited` all processes use the descriptor of the first."""

    def __init__(self, inherited: bool = False) -> None:
        self._inherited = inherited
        self._fd = os.memfd_create("wakecheck-lock", os.MFD_CLOEXEC)

    def attach(self) -> None:
        """Open the file again: flock and OFD locks belong to the open file description."""
        if not self._inherited:
            self._fd = os.open(f"/proc/self/fd/{self._fd}", os.O_RDWR | os.O_CLOEXEC)

    def destroy(self) -> None:
        os.close(self._fd)


class Flock(_File):
    """flock(2) with LOCK_EX."""

    call = "flock"

    def acquire(self) -> int:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        return 0

    def release(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)


class Record(_File):
    """fcntl(2) with F_SETLKW: a lock of the process, on the whole file."""

    call = "fcntl"
    _set_and_wait = 7  # F_SETLKW

    def acquire(self) -> int:
        return self._set(fcntl.F_WRLCK)

    def release(self) -> None:
        self._set(fcntl.F_UNLCK)

    def _set(self, kind: int) -> int:
        # struct flock of 64-bit machines (include/uapi/asm-generic/fcntl.h): type, whence, start, len, pid 0
        fcntl.fcntl(self._fd, self._set_and_wait, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0))
        return 0


class Ofd(Record):
    """fcntl(2) with F_OFD_SETLKW: a lock of the open file description, on the whole file."""

    _set_and_wait = 38  # F_OFD_SETLKW


class Token:
    """One byte in a pipe: the process that reads it has the lock; to unlock, it writes the byte back."""

    call = "read"

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.release()

    def attach(self) -> None:
        pass

    def acquire(self) -> int:
        os.read(self._read, 1)
        return 0

    def release(self) -> None:
        os.write(self._write, b"t")

    def destroy(self) -> None:
        os.close(self._read)
        os.close(self._write)
