"""lock(); accept(); and then SIGKILL: which locks recover, and what stays in the system."""

from __future__ import annotations

import pytest

from probes.case import Facts
from probes.claims import DOCUMENTED, LORE, OBSERVED, claim, kernel, man, text
from probes.facts import HAS_IT, STILL_WAITS
from probes.fixtures import Play
from probes.locks import LOCKS

_ARTICLE = text("uWSGI documentation, articles/SerializingAccept")

PROMISED = {
    "flock": HAS_IT,
    "record": HAS_IT,
    "ofd": HAS_IT,
    "sysv-sem-undo": HAS_IT,
    "robust-mutex": "EOWNERDEAD",
    "mutex": STILL_WAITS,
}
UNOWNED = tuple(name for name in LOCKS if name not in PROMISED)


def _after_the_kill(seen: Facts, fate: str) -> None:
    seen.expect("woken-by-kill", 0 if fate == STILL_WAITS else 1)
    seen.expect("first-in-line", fate)
    seen.expect("second-in-line", STILL_WAITS)
    seen.expect("asked-later", fate)


@claim(
    "accept-locks.killed-holder",
    "When the holder of a lock is killed with SIGKILL, the kernel gives a file lock or a semaphore taken with "
    "SEM_UNDO to a process that waits or asks later, and a robust mutex, too, with EOWNERDEAD; a plain mutex stays "
    "locked.",
    level=DOCUMENTED,
    basis=[
        man("flock", 2, "released when all such file descriptors have been closed"),
        man("fcntl", 2, "record locks are automatically released when the process terminates"),
        man("fcntl", 2, "open file description locks: released on the last close"),
        man("semop", 2, "SEM_UNDO: automatically undone when the process terminates"),
        man("pthread_mutexattr_setrobust", 3, "PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ROBUST"),
        man("get_robust_list", 2, "FUTEX_WAKE on one of the threads waiting"),
    ],
    rows=["L-A7", "Q9"],
)
@pytest.mark.parametrize("lock", list(PROMISED))
def test_killed_holder(play: Play, lock: str) -> None:
    """
      w0  accept()  <- SIGKILL
    [lock]  w1 w2,  and w1 that asks later
    """
    _after_the_kill(play("serialised.killed", lock), PROMISED[lock])


@claim(
    "accept-locks.killed-waiter",
    "A process that is killed while it waits for a lock takes nothing with it: the holder keeps the lock, and the "
    "next in line gets it on unlock.  This holds for a file lock, a semaphore, a mutex, and a token in a pipe.",
    level=OBSERVED,
    basis=[
        kernel("fs/locks.c", "locks_delete_block: waiters behind a waiter that leaves are woken, and ask again"),
        kernel("ipc/sem.c", "__do_semtimedop: unlink_queue on the way out"),
        kernel("kernel/futex/core.c", "futex_unqueue: on the way out, too"),
        kernel("kernel/sched/wait.c", "prepare_to_wait_event: a waiter with a pending signal leaves the queue"),
    ],
    rows=["L-A7", "N7"],
)
@pytest.mark.parametrize("lock", [name for name, kind in LOCKS.items() if kind.handed_over])
def test_killed_waiter(play: Play, lock: str) -> None:
    """
      w0  accept()  <- c0
    [lock]  w1 w2
            ^ SIGKILL
    """
    seen = play("serialised.waiter_killed", lock)
    seen.expect("before", STILL_WAITS)
    seen.expect("took", [0])
    seen.expect("second-in-line", HAS_IT)


@claim(
    "accept-locks.killed-holder-stuck",
    "A lock that knows no owner stays locked after SIGKILL of its holder: "
    f"{', '.join(LOCKS[lock].called for lock in UNOWNED)}.",
    level=OBSERVED,
    basis=[
        kernel("ipc/sem.c", "exit_sem: only what was registered with SEM_UNDO is undone"),
        kernel("kernel/futex/core.c", "handle_futex_death: only for the robust list, and the owner's thread id"),
    ],
    rows=["L-A7", "Q9"],
)
@pytest.mark.parametrize("lock", UNOWNED)
def test_killed_holder_stuck(play: Play, lock: str) -> None:
    """
      w0  accept()  <- SIGKILL
    [lock]  w1 w2,  and w1 that asks later
    """
    _after_the_kill(play("serialised.killed", lock), STILL_WAITS)


@claim(
    "accept-locks.killed-owner-leaves-semaphore",
    "When the owner of a System V semaphore is killed, the semaphore stays in the system, still taken; a key made "
    "from a file finds it again, until somebody removes it.",
    level=LORE,
    truth="true",
    basis=[_ARTICLE, man("semget", 2), man("ftok", 3), man("semctl", 2, "IPC_RMID")],
    rows=["E3", "L-A7"],
)
def test_killed_owner_leaves_semaphore(play: Play) -> None:
    """
    owner  semget(ftok(file)), semop()  <- SIGKILL
    [sem]  still there
    """
    seen = play("serialised_workers.owner_killed")
    seen.expect("key-after-kill", "finds the same set")
    seen.expect("value-after-kill", 0)
    seen.expect("key-after-removal", "ENOENT")


@claim(
    "accept-locks.namespace-hides-semaphore",
    "A System V semaphore cannot be found by its key from another IPC namespace.",
    level=DOCUMENTED,
    basis=[man("ipc_namespaces", 7, "not visible to processes in other IPC namespaces")],
    rows=["E3"],
)
def test_namespace_hides_semaphore(play: Play) -> None:
    """
    here  [sem]  |  unshare(CLONE_NEWIPC)  semget(the same key)
    """
    seen = play("serialised_workers.own_namespace")
    seen.expect("key-elsewhere", "ENOENT")
    seen.expect("key-here", "finds the same set")
