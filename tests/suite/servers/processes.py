"""The processes of a server's session: which there are, and how to wait for their end."""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path

LOOK_S = 0.02
"""How often a condition is looked at, while the end of the server is waited for."""


def await_end(pid: int) -> None:
    """Wait for this process to end, for LOOK_S at most, and reap it if it is our child."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([pidfd], [], [], LOOK_S)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    finally:
        os.close(pidfd)


def pids_of_session(leader: int, *, zombies: bool = True) -> list[int]:
    """Processes of the session that `leader` founded, in ascending order (setsid(2), proc_pid_stat(5)).

    The session keeps its number when the leader is gone.
    """
    pids = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[3]) == leader and (zombies or fields[0] != "Z"):
                    pids.append(int(name))
    return sorted(pids)
