"""The locks that servers put around accept, all with one interface, each blocking in one system call.

A new lock: a class here with the methods of `Lock`, and a row in `LOCKS`; tests/kernel/test_accept_locks*.py
then judge it.  Every lock is made free, in the stage, before the actors that use it; nothing of it has a name in
the system but a System V semaphore.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ..parts import find


class Lock(Protocol):
    """One lock that processes share."""

    call: str
    """The system call that `acquire` blocks in."""

    def attach(self) -> None:
        """In a process that will use it: open what must be this process's own."""

    def acquire(self) -> int:
        """Block until this process has it; 0, or the errno that came with it (EOWNERDEAD)."""

    def release(self) -> None:
        """Give it up."""

    def destroy(self) -> None:
        """Remove what would outlive its processes."""


@dataclass(frozen=True)
class LockKind:
    """A kind of lock."""

    part: str
    """Its class: MODULE.CLASS in this folder."""
    called: str
    """Its name in the sentences of claims; the same for locks that the kernel treats alike."""
    options: Mapping[str, bool] = field(default_factory=dict)
    """Arguments for the class."""
    inheritable: bool = False
    """Whether processes can use an inherited descriptor instead of one of their own (`inherited`)."""
    handed_over: bool = True
    """Whether a process that waits for it sleeps in the kernel until the unlock; otherwise until a timer expires."""
    herds: bool = False
    """Whether an unlock wakes all that wait, so that any of them may get it next."""


LOCKS: Mapping[str, LockKind] = {
    "flock": LockKind("files.Flock", "file lock", inheritable=True),
    "record": LockKind("files.Record", "file lock", inheritable=True),
    "ofd": LockKind("files.Ofd", "file lock", inheritable=True),
    "sysv-sem": LockKind("sysv.Semaphore", "System V semaphore without SEM_UNDO", {"undo": False}),
    "sysv-sem-undo": LockKind("sysv.Semaphore", "semaphore taken with SEM_UNDO", {"undo": True}),
    "posix-sem": LockKind("memory.PosixSemaphore", "POSIX semaphore"),
    "mutex": LockKind("memory.Mutex", "plain mutex"),
    "robust-mutex": LockKind("memory.Mutex", "robust mutex", {"robust": True}),
    "pipe-token": LockKind("files.Token", "token in a pipe"),
    "try-lock": LockKind("memory.TryLock", "try-lock", handed_over=False),
}


@contextmanager
def make(name: str, inherited: bool = False) -> Iterator[Lock]:
    """The lock `name`, free; destroyed on leaving.  Raises NotApplicable if this kernel lacks it.

    Where no IPC namespace of our own was allowed, a System V semaphore stays if the stage is killed
    before it leaves, until the next run's sweep; everything else dies with its processes.
    """
    kind = LOCKS[name]
    options = {**kind.options, "inherited": inherited} if kind.inheritable else kind.options
    lock: Lock = find(__name__, kind.part)(**options)
    try:
        yield lock
    finally:
        lock.destroy()
