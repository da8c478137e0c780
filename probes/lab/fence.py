"""Proof that every wake-up that was under way has been issued.

On loopback the last segment of the handshake is handled in a softirq, which may still be busy
waking waiters on another CPU while connect has returned already.  Two ways to wait for its end:

visit       Run on every CPU that this process may use.  A softirq handler cannot be preempted
            by a task (except on PREEMPT_RT), so a task that runs on a CPU proves that no
            handler is half done there.  Takes some 30 us per idle CPU.
membarrier  MEMBARRIER_CMD_GLOBAL: returns after an RCU grace period (kernel/sched/membarrier.c),
            which waits for every handler that had begun.  Takes 7 to 13 ms.

Either one proves it only for handlers that had begun, so the conductor first sees the connection
in the accept queue, or taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from .. import syscalls

_GLOBAL = 1  # MEMBARRIER_CMD_GLOBAL, membarrier(2)


def choose() -> tuple[str, Callable[[], None]]:
    """The cheapest fence that proves it here, with its name; `none` where there is no proof."""
    reason = _why_not_visit()
    if reason is None:
        return "visit", visit
    if syscalls.exists("membarrier") and _membarrier() == 0:
        return f"membarrier ({reason})", lambda: void(_membarrier())
    return f"none ({reason}, and no membarrier)", lambda: None


def visit() -> None:
    """Run on every CPU this process may use, one after the other."""
    allowed = os.sched_getaffinity(0)
    try:
        for cpu in allowed:
            os.sched_setaffinity(0, (cpu,))
    finally:
        os.sched_setaffinity(0, allowed)


def void(_: int) -> None:
    pass


def _membarrier() -> int:
    return syscalls.call(syscalls.NUMBERS["membarrier"], _GLOBAL, 0, 0)


def _why_not_visit() -> str | None:
    if "PREEMPT_RT" in os.uname().version:
        return "PREEMPT_RT runs softirqs in threads"
    try:
        visit()
    except OSError as error:
        return f"sched_setaffinity: {error.strerror}"
    try:
        with open("/sys/class/net/lo/queues/rx-0/rps_cpus") as file:
            if file.read().strip("0,\n"):
                return "receive packet steering may move lo's work to other CPUs"
    except OSError:
        pass  # no sysfs, so nobody can have configured steering for lo either
    return None
