"""lock(); accept(); unlock(): what each lock serialises, and whom it wakes."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, LORE, OBSERVED, claim, kernel, man, text
from probes.fixtures import Play
from probes.locks import LOCKS

_ARTICLE = text("uWSGI documentation, articles/SerializingAccept")
_FILE_LOCKS = kernel("fs/locks.c", "__locks_insert_block: a waiter waits beneath the waiter that it conflicts with")
_SEMAPHORES = kernel("ipc/sem.c", "update_queue: the first that can go on is given the semaphore, then it is 0 again")
_FUTEX = kernel("kernel/futex/waitwake.c", "futex_wake: no more than nr_wake, and libc unlocks with 1")
_PIPE = kernel("fs/pipe.c", "pipe_read: wait_event_interruptible_exclusive, and no next reader if the pipe is empty")

N, N_IN_ORDER = 4, 8
FILE_LOCKS = ("flock", "record", "ofd")
SYSTEM_V = ("sysv-sem", "sysv-sem-undo")
HANDED_OVER = tuple(name for name, kind in LOCKS.items() if kind.handed_over)
"""A process that waits for one of these locks sleeps in the kernel until the unlock; with a try-lock, until a timer
expires."""

ONE_BY_ONE = tuple(name for name in HANDED_OVER if not LOCKS[name].herds)
"""An unlock wakes one of those that wait."""

over_all = pytest.mark.parametrize("lock", LOCKS)


@claim(
    "accept-locks.one-in-accept",
    "lock(); accept(); unlock() serialises: one of N waits in accept, and the others for the lock; the same holds "
    "again after each connection (behind a try-lock nobody waits in accept until a timer expires).",
    level=LORE,
    truth="true",
    basis=[_ARTICLE, man("flock", 2), man("fcntl", 2, "F_SETLKW, F_OFD_SETLKW"), man("semop", 2), man("sem_wait", 3)],
    rows=["L-A5", "Q9"],
)
@over_all
def test_one_in_accept(play: Play, lock: str) -> None:
    """
      L  <- c0, c1, ... one by one
      |
      w0                           (accept)
    [lock]  w1 w2 w3               (semop, flock, fcntl, futex, read, epoll_wait)
    """
    seen = play("serialised.served", {"lock": lock, "n": N})
    seen.expect("in-accept", 1)
    seen.expect("at-lock", N - 1)
    seen.expect("in-accept-after-each", [1] * (N - 1) + [0] if lock in HANDED_OVER else [0])


@claim(
    "accept-locks.unlock-wakes-one",
    "One unlock wakes exactly one of those that wait for the lock: the lock does not move the herd (unlocking a "
    "try-lock wakes nobody).",
    level=OBSERVED,
    basis=[_FILE_LOCKS, _SEMAPHORES, _FUTEX, _PIPE],
    rows=["L-A6", "N7"],
)
@pytest.mark.parametrize("lock", [name for name, kind in LOCKS.items() if not kind.herds])
def test_unlock_wakes_one(play: Play, lock: str) -> None:
    """
      w0  unlock()
    [lock]  -> w1    w2 w3 sleep on
    """
    seen = play("serialised.served", {"lock": lock, "n": N})
    seen.expect("woken-by-unlock", [1] * (N - 1) + [0] if lock in HANDED_OVER else [0])


@claim(
    "accept-locks.first-in-first-out",
    "The lock goes to the process that has waited longest, unless the one that unlocks asks again.",
    level=OBSERVED,
    basis=[
        _FILE_LOCKS,
        _SEMAPHORES,
        kernel("kernel/futex/core.c", "__futex_queue: woken in FIFO order, but real-time threads before all"),
        _PIPE,
    ],
    rows=["E4", "N2"],
)
@pytest.mark.parametrize("lock", ONE_BY_ONE)
def test_first_in_first_out(play: Play, lock: str) -> None:
    """
      w0  accept(), unlock(), park
    [lock]  w1 w2 ... w7           asked in this order

    A lock that is handed to any one that waits passes with a probability of 1/7!.
    """
    seen = play("serialised.served", {"lock": lock, "n": N_IN_ORDER})
    seen.expect("takers", list(range(N_IN_ORDER)))


@claim(
    "accept-locks.semaphores-go-round",
    "System V semaphores go round: a process that unlocks and asks again at once comes after all that wait.",
    level=LORE,
    truth="true",
    basis=[_ARTICLE, kernel("ipc/sem.c", "Semaphores are actively given to waiting tasks (necessary for FIFO)")],
    rows=["E4"],
)
@pytest.mark.parametrize("lock", SYSTEM_V)
def test_semaphores_go_round(play: Play, lock: str) -> None:
    """
      w0  accept(), unlock(), lock() --.
    [lock]  w1 w2  <-------------------'
    """
    seen = play("serialised.round_and_round", {"lock": lock, "n": 3, "k": 9})
    seen.expect("takers", [0, 1, 2, 0, 1, 2, 0, 1, 2])


@claim(
    "accept-locks.last-user-again",
    "pthread locks favour the last user: a process that unlocks and asks again at once can get the lock before one "
    "that waits.  The same goes for every other lock except System V semaphores.",
    level=LORE,
    truth="true",
    basis=[_ARTICLE, man("futex", 2, "FUTEX_WAKE: it wakes, and gives nothing"), _SEMAPHORES],
    rows=["E4"],
)
@over_all
def test_last_user_again(play: Play, lock: str) -> None:
    """
    holder  unlock(), lock()
    [lock]  w0

    Whether the holder is the faster is a race, so it has 12 rounds to win one; it has them on the CPU
    of w0, which cannot preempt it.  A System V semaphore it must not win in any of them.
    """
    seen = play("serialised.ask_again", lock)
    seen.expect("holders", 1)
    seen.expect("last-user-again", lock not in SYSTEM_V)


IN_ACCEPT = {"flock": 4, "ofd": 4, "record": 1}


@claim(
    "accept-locks.inherited-descriptor",
    "flock and OFD locks taken through an inherited descriptor lock nobody out: all N wait in accept.  A record lock "
    "belongs to the process.",
    level=DOCUMENTED,
    basis=[
        man("flock", 2, "duplicate file descriptors (created by, for example, fork(2)) refer to the same lock"),
        man("fcntl", 2, "open file description locks placed via the same open file description are compatible"),
        man("fcntl", 2, "record locks are not inherited by a child created via fork(2)"),
    ],
    rows=["L-A5"],
)
@pytest.mark.parametrize("lock", list(IN_ACCEPT))
def test_inherited_descriptor(play: Play, lock: str) -> None:
    """
    open(), fork()
    w0 w1 w2 w3   lock(the same descriptor), accept()
    """
    seen = play("serialised.inherited", {"lock": lock, "n": 4})
    seen.expect("in-accept", IN_ACCEPT[lock])
    seen.expect("at-lock", 4 - IN_ACCEPT[lock])


WOKEN_OF = {"accept": 1, "ppoll": 3}
"""By one connection, of three processes' threads, one of each in the call."""


@claim(
    "accept-locks.mutex-per-process",
    "With a mutex inside each process, one thread of each waits for the listener: in P processes one connection "
    "wakes P threads from poll (but only one from accept).",
    level=LORE,
    truth="true",
    basis=[_ARTICLE, kernel("fs/select.c", "__pollwait: add_wait_queue, which is not exclusive")],
    rows=["E2", "L-A8"],
)
@pytest.mark.parametrize("call", list(WOKEN_OF))
def test_mutex_per_process(play: Play, call: str) -> None:
    """
     p0           p1           p2
     t0 |         t0 |         t0 |         (accept, ppoll)
    [m] t1 t2    [m] t1 t2    [m] t1 t2     (futex)
    """
    argument = {"call": call, "lock": None, "processes": 3, "threads": 3}
    seen = play("serialised_threads.processes_of_threads", argument)
    seen.expect("threads-in-call", 3)
    seen.expect("woken", WOKEN_OF[call])


@claim(
    "accept-locks.lock-across-processes",
    "With one lock across all processes, a single thread waits for the listener, and a connection wakes only that "
    "thread.",
    level=LORE,
    truth="true",
    basis=[_ARTICLE, man("pthread_mutexattr_setpshared", 3, "PTHREAD_PROCESS_SHARED")],
    rows=["E2", "L-A8"],
)
@pytest.mark.parametrize("lock", ["robust-mutex", "sysv-sem"])
@pytest.mark.parametrize("call", list(WOKEN_OF))
def test_lock_across_processes(play: Play, call: str, lock: str) -> None:
    """
      p0           p1           p2
      t0                                     (accept, ppoll)
    [lock]         t0           t0           (futex, semop)
     [m] t1 t2    [m] t1 t2    [m] t1 t2     (futex)
    """
    argument = {"call": call, "lock": lock, "processes": 3, "threads": 3}
    seen = play("serialised_threads.processes_of_threads", argument)
    seen.expect("threads-in-call", 1)
    seen.expect("woken", 1)


@claim(
    "accept-locks.only-holder-registers",
    "nginx's remedy: while only the holder of the accept mutex has the listener in its epoll instance, one connection "
    "wakes only the holder.  Unlocking wakes nobody, and then no connection does until another worker tries again of "
    "its own accord.",
    level=LORE,
    truth="true",
    basis=[
        text("nginx, src/event/ngx_event_accept.c, ngx_trylock_accept_mutex"),
        text("nginx, src/event/ngx_event.c, ngx_process_events_and_timers"),
        kernel("fs/eventpoll.c", "ep_ptable_queue_proc: a registration is what puts an instance on the wait queue"),
    ],
    rows=["L-C14", "L-A5"],
)
def test_only_holder_registers(play: Play) -> None:
    """
    w0   w1   w2   w3     (epoll_wait)
    e0   e1   e2   e3
    |                     an old client each, and room for one more
    L                     only w0, which has the mutex
    """
    seen = play("serialised_workers.nginx", 4)
    seen.expect("registered", 1)
    seen.expect("woken-by-connection", 1)
    seen.expect("woken-without-holder", 0)
    seen.expect("taken-without-holder", 1)
    seen.expect("woken-by-old-client", 1)
    seen.expect("that-worker-took", 1)


TOO_LATE = {True: "blocked", False: "EAGAIN"}


@claim(
    "accept-locks.loser-needs-non-blocking",
    "A waiter that is notified of a connection and finds it taken gets EAGAIN from a non-blocking socket; on a "
    "blocking one it sleeps in accept until the next connection.  AF_INET and AF_UNIX behave alike.",
    level=DOCUMENTED,
    basis=[man("accept", 2, "DESCRIPTION: EAGAIN or EWOULDBLOCK when nonblocking, else it blocks the caller")],
    rows=["E1", "L-A2", "G4"],
)
@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "non-blocking"])
@pytest.mark.parametrize("listener", ["tcp4", "unix"])
def test_loser_needs_non_blocking(play: Play, listener: str, blocking: bool) -> None:
    """
    w0  ppoll() returns,  ... another takes it ...,  accept()
    """
    seen = play("serialised_workers.late", {"listener": listener, "blocking": blocking})
    seen.expect("late-accept", TOO_LATE[blocking])
    if blocking:
        seen.expect("after-another", "took a connection")
