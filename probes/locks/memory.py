"""Locks that are a word in shared memory: POSIX semaphore, pthread mutexes, and a try-lock like nginx's.

libc takes them in user space, and calls futex(2) only to sleep and to wake.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import select

from .. import syscalls
from ..verdict import NotApplicable

_libc = ctypes.CDLL(None, use_errno=True)
_SIZE = 128
"""Room for any of them: pthread_mutex_t has 40 or 48 bytes, sem_t 32 (glibc's bits/pthreadtypes-arch.h)."""
_SHARED, _ROBUST = 1, 1  # PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST


class _Word:
    """Memory without a name, shared with the processes forked later, that dies with them."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, _SIZE)
        self._start = ctypes.c_char.from_buffer(self._map)
        self.word = ctypes.c_void_p(ctypes.addressof(self._start))

    def attach(self) -> None:
        pass

    def destroy(self) -> None:
        pass


class PosixSemaphore(_Word):
    """sem_wait(3) on an unnamed, process-shared semaphore."""

    call = "futex"

    def __init__(self) -> None:
        super().__init__()
        if _libc.sem_init(self.word, 1, 1) != 0:
            raise NotApplicable(f"sem_init: {os.strerror(ctypes.get_errno())}")

    def acquire(self) -> int:
        while _libc.sem_wait(self.word) != 0:
            if ctypes.get_errno() != errno.EINTR:
                return ctypes.get_errno()
        return 0

    def release(self) -> None:
        _libc.sem_post(self.word)


class Mutex(_Word):
    """pthread_mutex_lock(3): shared between processes unless `shared` is False, robust if asked."""

    call = "futex"

    def __init__(self, *, shared: bool = True, robust: bool = False) -> None:
        super().__init__()
        attributes = ctypes.create_string_buffer(_SIZE)
        _libc.pthread_mutexattr_init(attributes)
        if shared:
            self._set("pthread_mutexattr_setpshared", attributes, _SHARED)
        if robust:
            self._set("pthread_mutexattr_setrobust", attributes, _ROBUST)
        refused = _libc.pthread_mutex_init(self.word, attributes)
        if refused:
            raise NotApplicable(f"pthread_mutex_init: {os.strerror(refused)}")

    def _set(self, what: str, attributes: ctypes.Array[ctypes.c_char], value: int) -> None:
        refused = getattr(_libc, what)(attributes, value)
        if refused:
            raise NotApplicable(f"{what}: {os.strerror(refused)}")

    def acquire(self) -> int:
        result: int = _libc.pthread_mutex_lock(self.word)
        if result == errno.EOWNERDEAD:
            _libc.pthread_mutex_consistent(self.word)
        return result

    def release(self) -> None:
        _libc.pthread_mutex_unlock(self.word)


class TryLock(_Word):
    """An atomic word that is tried, as nginx's accept mutex is; between tries one waits in epoll for a timer.

    The timer is far longer than any experiment.  pthread_spin_trylock(3) makes no system call.
    """

    call = "epoll_pwait"

    def __init__(self) -> None:
        super().__init__()
        _libc.pthread_spin_init(self.word, _SHARED)
        self._events = ctypes.create_string_buffer(16)
        self._instance: select.epoll | None = None

    def attach(self) -> None:
        """An epoll instance of its own, with nothing in it."""
        self._instance = select.epoll()

    def try_it(self) -> bool:
        """Have it at once, or not."""
        taken: bool = _libc.pthread_spin_trylock(self.word) == 0
        return taken

    def acquire(self) -> int:
        assert self._instance is not None
        where, hour_ms = ctypes.addressof(self._events), 3_600_000
        while not self.try_it():
            syscalls.call(syscalls.NUMBERS[self.call], self._instance.fileno(), where, 1, hour_ms, 0, 8)
        return 0

    def release(self) -> None:
        _libc.pthread_spin_unlock(self.word)
