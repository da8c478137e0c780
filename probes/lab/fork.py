"""fork(2) without the handlers of `os.fork`, for the many small children of the lab.

For the sake of programs with threads, `os.fork` recreates the interpreter's locks in the child and calls registered
functions (of `threading`, `random`, `logging`).  The conductor and its stages have no threads, so none of this is
needed, and it makes the child copy about 200 pages: most of the cost of a short-lived child.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

NO_MEMORY = 12
"""The exit code (ENOMEM) of a conductor that has run out of memory.

That may happen between a fork and the note of the child's pid, and nobody could kill such a child.  So the conductor
ends, and all its children die with it (PR_SET_PDEATHSIG); otherwise it would wait for their ends for ever."""


def _plain() -> Callable[[], int]:
    # PyDLL holds the interpreter's lock during the call, so the child has it, too.
    libc = ctypes.PyDLL(None, use_errno=True)
    try:
        call = libc._Fork  # POSIX.1-2024, glibc 2.34, musl 1.2.2: fork without handlers (_Fork(3))
    except AttributeError:
        return os.fork
    call.argtypes, call.restype = [], ctypes.c_int

    def fork() -> int:
        pid: int = call()
        if pid < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return pid

    return fork


fork: Callable[[], int] = _plain()
"""Like os.fork, for a process with one thread.  Raises OSError.  The child may fork and start threads."""
