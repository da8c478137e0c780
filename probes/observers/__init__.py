"""Instruments, one file each: what it sees, how, and why it may be missing.

To add an observer, write a file here with one class (see `Observer`), and add the class to `OBSERVERS`: those that see
RETURNED come before those that see WOKEN.  The options, `wakecheck host`, the lab and the report take the names of
observers from here.

The other files hold what observers read: a task's files in /proc, ptrace, and the rings of perf events.
"""

from __future__ import annotations

from functools import cache

from .counters import Counters
from .observer import RETURNED, WOKEN, AtRest, Lost, Observer, Waking
from .run_counts import RunCounts
from .sched_waking import SchedWaking
from .switches import Switches
from .syscall_exit import SyscallExit

__all__ = ["OBSERVERS", "RETURNED", "WOKEN", "AtRest", "Lost", "Observer", "Waking", "names"]

OBSERVERS: tuple[type[Observer], ...] = (Counters, SyscallExit, Switches, RunCounts, SchedWaking)
"""Observers that see the same thing are asked in this order: the first that is there gives the number."""


def names(sees: str | None = None) -> tuple[str, ...]:
    """The names of all observers, or of those that see RETURNED, or WOKEN."""
    return _names(OBSERVERS, sees)


@cache
def _names(kinds: tuple[type[Observer], ...], sees: str | None) -> tuple[str, ...]:
    return tuple(kind.name for kind in kinds if sees in (None, kind.sees))
