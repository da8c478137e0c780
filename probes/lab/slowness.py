"""How slow this machine is: small, known pieces of work, timed, by which deadlines are scaled (deadline.py)."""

from __future__ import annotations

import os
import time

from .fork import fork

_ROUNDS = 100


def fork_s() -> float:
    """Seconds to fork a child that exits at once, and to reap it.  Raises OSError if no process can be made."""
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return time.monotonic() - began


def round_trip_s() -> float:
    """Seconds for a byte to a process that sleeps in read, and for its answer, on average over many.

    Raises OSError if no process or no pipe can be made.
    """
    question, ask = os.pipe()
    heard, answer = os.pipe()
    pid = fork()
    if pid == 0:
        os.close(ask)
        while byte := os.read(question, 1):
            os.write(answer, byte)
        os._exit(0)
    began = time.monotonic()
    for _ in range(_ROUNDS):
        os.write(ask, b"x")
        os.read(heard, 1)
    took = time.monotonic() - began
    for fd in (ask, question, heard, answer):
        os.close(fd)
    os.waitpid(pid, 0)
    return took / _ROUNDS
