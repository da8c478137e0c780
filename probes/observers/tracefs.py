"""Where tracefs, which describes the tracepoints, can be read."""

from __future__ import annotations

import errno
import os

from .. import syscalls


def tracefs(may_mount: bool) -> str:
    """A folder where tracefs can be read.  Where it is not mounted, and `may_mount` because the mounts
    are this process's own, it is mounted, and gone with this process.

    Raises OSError where it may not be.
    """
    for folder in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        if os.access(f"{folder}/events/sched/sched_waking/id", os.R_OK):
            return folder
    if not may_mount:
        raise OSError(errno.ENOENT, "tracefs is not mounted")
    syscalls.mount("tracefs", "/sys/kernel/tracing", "tracefs")
    return "/sys/kernel/tracing"
