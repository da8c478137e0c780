"""Where a listener came from: whether the server bound it, or was given it by whoever started the server.

A server that was given its listener (by a systemd socket unit, or a supervisor) does not bind it.  With an option that
makes each worker bind a listener of its own, it would listen elsewhere, or not at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from .find import parent_of
from .names import command_line, environment, name_of

Image = tuple[int, ...]

_HANDED_OVER = ("fd://", "fd@", "fileno://", "sd://")
"""How gunicorn, HAProxy, hypercorn and aiohttp are told to use a descriptor that they inherit."""
_STACK, _ARGUMENTS, _ENVIRONMENT = 28, 48, 50
"""Fields of proc_pid_stat(5): the start addresses of the stack, the arguments and the environment."""


def image_of(pid: int) -> Image:
    """Addresses of the stack, the arguments and the environment: fork(2) copies them, and execve(2) randomises them.

    Zeros if they may not be read.  Raises OSError if the process is gone.
    """
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return tuple(int(fields[number - 3]) for number in (_STACK, _ARGUMENTS, _ENVIRONMENT))


def same_program(pid: int, others: Collection[int]) -> list[int]:
    """Those of `others` that run the program of `pid` since the same execve(2): its forks, or those that forked it."""
    alike = []
    image = image_of(pid)
    for other in others:
        with contextlib.suppress(OSError):
            if image_of(other) == image:
                alike.append(other)
    return alike


def first_of_program(pid: int, others: Collection[int]) -> int:
    """The lowest pid among `others` that runs the same program as `pid`; `pid` itself if there is none."""
    try:
        return min(same_program(pid, others), default=pid)
    except OSError:
        return pid


def handed_over_by(workers: Collection[int], holders: Collection[int]) -> str | None:
    """Who gave the listener to these workers, in words; None if nothing suggests that anybody did.

    `holders` are all processes that hold the listener.  Raises OSError if a worker is gone.
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
