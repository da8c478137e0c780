"""The names of errors, as errno(3) and strace(1) have them."""

from __future__ import annotations

import errno

_RESTARTS = {512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 516: "ERESTART_RESTARTBLOCK"}
"""include/linux/errno.h: seen by a tracer only; user space gets EINTR, or the call goes on."""
_LARGEST = 4095  # MAX_ERRNO, include/linux/err.h


def errno_name(number: int) -> str:
    """`EAGAIN` for 11; the number itself if it has no name."""
    return errno.errorcode.get(number) or _RESTARTS.get(number) or str(number)


def errno_of_result(result: int) -> str | None:
    """`EAGAIN` for a system call that gave -11; None for a result that is no error."""
    return errno_name(-result) if -_LARGEST <= result < 0 else None


def errno_of(error: OSError) -> str:
    """`EAGAIN` for BlockingIOError; the message of an error that has no number."""
    return errno_name(error.errno) if error.errno else str(error)
