"""Calls of libc that Python has no function for, or has one only since a newer version."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    """The result of a call of `libc`.  Raises OSError if it is -1."""
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
