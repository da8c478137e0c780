"""A System V semaphore: the one lock here that is an object in the system, and stays when its processes die."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from .. import syscalls
from ..verdict import NotApplicable

_PRIVATE, _CREATE, _EXCLUSIVE = 0, 0o1000, 0o2000  # IPC_PRIVATE, IPC_CREAT, IPC_EXCL
_REMOVE, _GET_VALUE, _SET_VALUE = 0, 12, 16  # IPC_RMID, GETVAL, SETVAL
_UNDO = 0x1000  # SEM_UNDO


def _checked(result: int) -> int:
    """Raises OSError with the kernel's errno; NotApplicable where it knows no System V IPC."""
    if result == -errno.ENOSYS:
        raise NotApplicable("semget: this kernel has no System V semaphores (CONFIG_SYSVIPC)")
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def find(key: int) -> int:
    """The id of the set with this key, in this process's IPC namespace.  OSError: ENOENT where there is none."""
    return _checked(syscalls.call(syscalls.NUMBERS["semget"], key, 0, 0))


def create(key: int) -> int:
    """A new set of one semaphore.  OSError: EEXIST where the key is taken."""
    return _checked(syscalls.call(syscalls.NUMBERS["semget"], key, 1, 0o600 | _CREATE | _EXCLUSIVE))


def value(id: int) -> int:
    """How often it could be taken now."""
    return _checked(syscalls.call(syscalls.NUMBERS["semctl"], id, 0, _GET_VALUE))


def remove(id: int) -> None:
    """Remove the set from the system; who waits for it gets EIDRM."""
    _checked(syscalls.call(syscalls.NUMBERS["semctl"], id, 0, _REMOVE))


class Semaphore:
    """semop(2) by -1 and +1, with or without SEM_UNDO."""

    call = "semop"

    def __init__(self, *, undo: bool, key: int = _PRIVATE) -> None:
        self._flags = _UNDO if undo else 0
        self.id = create(key)
        _checked(syscalls.call(syscalls.NUMBERS["semctl"], self.id, 0, _SET_VALUE, 1))

    def attach(self) -> None:
        pass

    def acquire(self) -> int:
        self._operate(-1)
        return 0

    def release(self) -> None:
        self._operate(1)

    def destroy(self) -> None:
        remove(self.id)

    def _operate(self, by: int) -> None:
        operation = ctypes.create_string_buffer(struct.pack("Hhh", 0, by, self._flags))  # struct sembuf
        _checked(syscalls.call(syscalls.NUMBERS["semop"], self.id, ctypes.addressof(operation), 1))
