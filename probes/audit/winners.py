"""Who took a connection: the process that holds its socket now, as /proc/PID/fd shows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from .find import sockets_of
from .sockets import server_end


def holder_of(connection: tuple[str, int], port: int, pids: Iterable[int], beside: int) -> int | None:
    """The process that accepted the connection from this client address, and still holds it.

    None if no process does: it was not accepted yet, or has been closed already.
    """
    end = server_end(beside, port, connection)
    if end is None or not end.inode:
        return None
    return next((pid for pid in pids if end.inode in _held(pid)), None)


def new_sockets(before: dict[int, set[int]], after: dict[int, set[int]]) -> list[int]:
    """Processes with a socket that no process had before.  Used for unix sockets, whose two ends the
    audit cannot match."""
    known = set().union(*before.values()) if before else set()
    return [pid for pid, held in after.items() if held - known]


def sockets_by_process(pids: Iterable[int]) -> dict[int, set[int]]:
    """The sockets that each process holds now."""
    return {pid: _held(pid) for pid in pids}


def _held(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return set(sockets_of(pid).values())
    return set()
