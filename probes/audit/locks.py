"""Whether a system call waits for a lock between processes, so that its caller takes turns with other workers."""

from __future__ import annotations

from collections.abc import Sequence

_FUTEX_PRIVATE = 128  # FUTEX_PRIVATE_FLAG, include/uapi/linux/futex.h: only threads of one process share the futex
_SETLKW, _OFD_SETLKW = 7, 38  # F_SETLKW, F_OFD_SETLKW (fcntl(2))
_ALWAYS = ("flock", "semop", "semtimedop")


def waits_for_a_lock(call: str, arguments: Sequence[int]) -> bool:
    """Whether a thread that sleeps in this call, with these arguments, waits for a lock between processes."""
    if call in _ALWAYS:
        return True
    if len(arguments) < 2:
        return False
    if call == "futex":
        return not arguments[1] & _FUTEX_PRIVATE
    return call == "fcntl" and arguments[1] in (_SETLKW, _OFD_SETLKW)


def has_a_limit(call: str, arguments: Sequence[int]) -> bool:
    """Whether this call waits for events with a time limit, after which the thread looks again by itself."""
    if len(arguments) < 5:
        return False
    if call in ("epoll_wait", "epoll_pwait"):
        return arguments[3] & 0x80000000 == 0  # a negative int waits for ever (epoll_wait(2))
    # A null pointer waits for ever.
    position = {"epoll_pwait2": 3, "select": 4, "pselect6": 4, "ppoll": 2}.get(call)
    if position is not None:
        return arguments[position] != 0
    return call == "poll" and arguments[2] & 0x80000000 == 0
