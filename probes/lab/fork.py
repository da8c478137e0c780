"""fork(2) alone, for the many small children of the lab.

`os.fork` does more: in the child it makes the interpreter's locks anew and calls whoever has registered
(`threading`, `random`, `logging`), for programs that have threads.  The conductor and its stages have none, so there is
nothing to put in order, and the child would pay for it with copies of some 200 pages it has written to: most of what
its birth and its death cost.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable


def _plain() -> Callable[[], int]:
    # PyDLL keeps the interpreter's lock over the call, so that the child has it, too.
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
"""Like os.fork, in a process of one thread.  Raises OSError.  The child may fork and start threads of its own."""
