"""Finds tracefs, which describes the tracepoints."""

from __future__ import annotations

import errno
import os

from .. import syscalls


def tracefs(may_mount: bool) -> str:
    """A folder where tracefs can be read.

    If it is not mounted, and this process has a mount namespace of its own (`may_mount`), it is mounted there, and
    goes away with this process.  Raises OSError if there is none.
    """
    for folder in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        if os.access(f"{folder}/events/sched/sched_waking/id", os.R_OK):
            return folder
    if not may_mount:
        raise OSError(errno.ENOENT, "tracefs is not mounted")
    syscalls.mount("tracefs", "/sys/kernel/tracing", "tracefs")
    return "/sys/kernel/tracing"
