"""Where a listener came from: bound by the server itself, or handed over by whoever started the server.

A server that was handed its listener (systemd's socket units, a supervisor) does not bind it, so an option
that makes it bind one for each worker makes it listen elsewhere, or not at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from .find import parent_of
from .names import command_line, environment, name_of

Image = tuple[int, ...]

_HANDED_OVER = ("fd://", "fd@", "fileno://", "sd://")
"""How servers are told to take a descriptor that they were given: gunicorn, HAProxy, hypercorn, aiohttp."""
_STACK, _ARGUMENTS, _ENVIRONMENT = 28, 48, 50
"""Fields of proc_pid_stat(5): where the stack, the arguments and the environment begin."""


def image_of(pid: int) -> Image:
    """What fork(2) copies and execve(2) draws anew: addresses of the stack and of what lies on it.

    Raises OSError if the process is gone.  Zeros if they may not be read.
    """
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return tuple(int(fields[number - 3]) for number in (_STACK, _ARGUMENTS, _ENVIRONMENT))


def same_program(pid: int, others: Collection[int]) -> list[int]:
    """Those of `others` that run the same program as `pid` since the same execve(2): its forks, or whom it forked."""
    alike = []
    image = image_of(pid)
    for other in others:
        with contextlib.suppress(OSError):
            if image_of(other) == image:
                alike.append(other)
    return alike


def first_of_program(pid: int, others: Collection[int]) -> int:
    """The lowest pid among `others` that runs the same program as `pid`; `pid` itself where it is gone."""
    try:
        return min(same_program(pid, others), default=pid)
    except OSError:
        return pid


def handed_over_by(workers: Collection[int], holders: Collection[int]) -> str | None:
    """Who handed the listener to these workers, in words; None if nothing says that anybody did.

    `holders` are all processes that hold it.  OSError where a worker is gone.
    """
    for pid in workers:
        ancestors = _ancestors(pid)
        variables = environment(pid)
        if "LISTEN_FDS" in variables and variables.get("LISTEN_PID") in {str(process) for process in (pid, *ancestors)}:
            return "systemd, or whatever set LISTEN_FDS (sd_listen_fds(3))"
        for word in command_line(pid):
            if any(mark in word for mark in _HANDED_OVER):
                return f"whoever started it (its command line says {word})"
        image = image_of(pid)
        for ancestor in ancestors:
            if ancestor in holders and image_of(ancestor) != image:
                return f"process {ancestor} ({name_of(ancestor)}), which holds it too and is another program"
    return None


def _ancestors(pid: int) -> list[int]:
    ancestors: list[int] = []
    with contextlib.suppress(OSError):
        while (pid := parent_of(pid)) > 0:
            ancestors.append(pid)
    return ancestors
