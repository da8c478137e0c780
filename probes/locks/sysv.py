"""A System V semaphore: the one lock here that is an object in the system, and stays when its processes die.

It is the first of a set; the values of the others say whose the set is, so that a later run can remove it
(probes/lab/sweep.py).  The key cannot say that: one experiment asks for a key made of a file.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from .. import syscalls
from ..verdict import Inconclusive, NotApplicable

_PRIVATE, _CREATE, _EXCLUSIVE = 0, 0o1000, 0o2000  # IPC_PRIVATE, IPC_CREAT, IPC_EXCL
_REMOVE, _GET_VALUE, _GET_ALL, _SET_ALL = 0, 12, 13, 17  # IPC_RMID, GETVAL, GETALL, SETALL
_UNDO = 0x1000  # SEM_UNDO

_BITS = 15
"""A semaphore's value is at most 32,767 (SEMVMX, semctl(2))."""
_SIGNATURE = tuple(b"wakecheck")
_WORDS = 3
"""Values that hold one number of an owner: 45 bits, more than a process id, an inode or a time needs."""


class Owner(NamedTuple):
    """The process that a semaphore set belongs to; while it lives, nobody else removes the set."""

    pid: int
    namespace: int
    """The inode of its PID namespace; in another one, the pid means nothing."""
    began: int
    """When it started, in ticks since boot (proc_pid_stat(5)), because a pid may be reused."""

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The owner with this pid.  Raises OSError if there is no such process."""
        with open(f"/proc/{pid}/stat", "rb") as file:
            began = int(file.read().rpartition(b")")[2].split()[19])
        return cls(pid, os.stat("/proc/self/ns/pid").st_ino, began)

    def is_gone(self) -> bool:
        """Whether it is known to be dead."""
        if self.namespace != os.stat("/proc/self/ns/pid").st_ino:
            return False
        try:
            return Owner.of(self.pid) != self
        except (FileNotFoundError, ProcessLookupError):
            return True


def _values(owner: Owner) -> tuple[int, ...]:
    """The values in this owner's set while its lock is free."""
    mask = (1 << _BITS) - 1
    return (1, *_SIGNATURE, *(number >> _BITS * word & mask for number in owner for word in range(_WORDS)))


SIZE = 1 + len(_SIGNATURE) + _WORDS * len(Owner._fields)
"""How many semaphores are in a set."""
_PACKED = struct.Struct(f"={SIZE}H")
_NOBODY = Owner(0, 0, 0)
"""The owner if /proc does not show our own process: nobody can tell then whether it lives."""
_owner_pid: int | None = None


def own_what_follows() -> None:
    """Make this process the owner of the sets that it and its children create from now on."""
    global _owner_pid
    _owner_pid = os.getpid()


def _owner() -> Owner:
    """The owner to record in a new set."""
    try:
        return Owner.of(_owner_pid or os.getpid())
    except OSError:
        return _NOBODY


class Row(NamedTuple):
    """A set of this IPC namespace, as everybody may see it."""

    id: int
    size: int
    creator: int
    """The user id."""


def rows() -> Iterator[Row]:
    """All existing sets (/proc/sysvipc/sem, proc_sysvipc(5)).  Raises OSError if the kernel has no System V IPC."""
    with open("/proc/sysvipc/sem") as file:
        next(file, None)
        for line in file:
            _, number, _, size, _, _, creator, *_ = map(int, line.split())
            yield Row(number, size, creator)


def owner_of(id: int) -> Owner | None:
    """The owner of this set; None if its values do not say.  Raises OSError if it is gone, or if we may not read it."""
    buffer = ctypes.create_string_buffer(_PACKED.size)
    _checked(syscalls.call(syscalls.NUMBERS["semctl"], id, 0, _GET_ALL, ctypes.addressof(buffer)))
    signature, rest = (values := _PACKED.unpack(buffer.raw))[1 : 1 + len(_SIGNATURE)], values[1 + len(_SIGNATURE) :]
    if signature != _SIGNATURE:
        return None
    numbers = (rest[at : at + _WORDS] for at in range(0, len(rest), _WORDS))
    return Owner(*(sum(value << _BITS * word for word, value in enumerate(number)) for number in numbers))


def _checked(result: int) -> int:
    """The result.  Raises OSError with the kernel's errno; NotApplicable if the kernel has no System V IPC."""
    if result == -errno.ENOSYS:
        raise NotApplicable("semget: this kernel has no System V semaphores (CONFIG_SYSVIPC)")
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def find(key: int) -> int:
    """The id of the set with this key, in this process's IPC namespace.  Raises OSError (ENOENT) if there is none."""
    return _checked(syscalls.call(syscalls.NUMBERS["semget"], key, 0, 0))


def create(key: int) -> int:
    """A new set, whose values are zero.

    Raises OSError: EEXIST if the key is taken, ENOSPC at the machine's limits of sets and semaphores; and Inconclusive
    if a set may not have so many semaphores (EINVAL, semget(2)).
    """
    result = syscalls.call(syscalls.NUMBERS["semget"], key, SIZE, 0o600 | _CREATE | _EXCLUSIVE)
    if result == -errno.EINVAL:
        raise Inconclusive(f"semget: EINVAL: the first number of kernel.sem must be {SIZE} or more")
    return _checked(result)


def value(id: int) -> int:
    """The value of the semaphore: how often it could be taken now."""
    return _checked(syscalls.call(syscalls.NUMBERS["semctl"], id, 0, _GET_VALUE))


def remove(id: int) -> None:
    """Remove the set from the system; processes that wait for it get EIDRM."""
    _checked(syscalls.call(syscalls.NUMBERS["semctl"], id, 0, _REMOVE))


class Semaphore:
    """semop(2) by -1 and +1, with or without SEM_UNDO."""

    call = "semop"

    def __init__(self, *, undo: bool, key: int = _PRIVATE) -> None:
        self._flags = _UNDO if undo else 0
        values = _PACKED.pack(*_values(_owner()))
        self.id = create(key)
        buffer = ctypes.create_string_buffer(values)
        _checked(syscalls.call(syscalls.NUMBERS["semctl"], self.id, 0, _SET_ALL, ctypes.addressof(buffer)))

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
        _checked(syscalls.call(syscalls.number_of("semop"), self.id, ctypes.addressof(operation), 1))
