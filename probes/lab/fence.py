"""Proof that every wake-up that was under way has been issued.

On loopback the last segment of the handshake is handled in a softirq, which may still be waking waiters on another CPU
after connect has returned.  There are two ways to wait for its end:

visit       Run on every CPU that this process may use.  A task cannot preempt a softirq handler (except on
            PREEMPT_RT), so once a task runs on a CPU, no handler is half done there.  Takes about 30 us per idle CPU.
membarrier  MEMBARRIER_CMD_GLOBAL returns after an RCU grace period (kernel/sched/membarrier.c), which waits for every
            handler that had begun.  Takes 7 to 13 ms.

Both prove this only for handlers that had already begun, so the conductor first makes sure that the connection is in
the accept queue, or was taken.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from .. import syscalls
from ..flavour import flavour

_GLOBAL = 1  # MEMBARRIER_CMD_GLOBAL, membarrier(2)
_GETCPU = syscalls.NUMBERS.get("getcpu", -1)


@dataclass(frozen=True)
class Fence:
    """A way to wait for the wake-ups under way, or none."""

    name: str
    proves: bool
    act: Callable[[], None]


def choose() -> Fence:
    """The faster of the fences that are a proof here; measures both once.

    `visit` takes time for every CPU, `membarrier` a grace period, however many CPUs there are.
    """
    if flavour() == "gvisor":
        # gVisor's sentry runs the network stack in goroutines, for which neither fence waits.
        return Fence("none (gVisor delivers in goroutines, which nothing waits for)", False, _nothing)
    why_not_visit = _why_not_visit()
    can_membarrier = syscalls.exists("membarrier") and _membarrier() == 0
    if why_not_visit is None and not (can_membarrier and _seconds(visit) > _seconds(_wait_for_grace_period)):
        return Fence("visit", True, visit)
    if can_membarrier:
        reason = why_not_visit or f"cheaper than a visit to {len(os.sched_getaffinity(0))} CPUs"
        return Fence(f"membarrier ({reason})", True, _wait_for_grace_period)
    return Fence(f"none ({why_not_visit}, and no membarrier)", False, _nothing)


def _seconds(act: Callable[[], None]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def visit() -> None:
    """Run on every CPU this process may use, one after the other; it has run on the one that it is on now."""
    allowed = os.sched_getaffinity(0)
    elsewhere = allowed - {_cpu()}
    try:
        for cpu in elsewhere:
            os.sched_setaffinity(0, (cpu,))
    finally:
        os.sched_setaffinity(0, allowed)


def _cpu() -> int:
    """The CPU that this thread runs on, or ran on a moment ago; -1 if the kernel does not say (getcpu(2))."""
    where = ctypes.c_uint()
    return where.value if syscalls.call(_GETCPU, ctypes.addressof(where), 0, 0) == 0 else -1


def _nothing() -> None:
    pass


def _wait_for_grace_period() -> None:
    _membarrier()


def _membarrier() -> int:
    return syscalls.call(syscalls.NUMBERS["membarrier"], _GLOBAL, 0, 0)


def _why_not_visit() -> str | None:
    if "PREEMPT_RT" in os.uname().version:
        return "PREEMPT_RT runs softirqs in threads"
    try:
        visit()
    except OSError as error:
        return f"sched_setaffinity: {error.strerror}"
    return why_steered()


def why_steered() -> str | None:
    """Why packets sent over lo may be handled on a CPU other than the sender's; None if they are not.

    This is about the network namespace in which /sys was mounted, which need not be ours.
    """
    try:
        with open("/sys/class/net/lo/queues/rx-0/rps_cpus") as file:
            if file.read().strip("0,\n"):
                return "receive packet steering may move lo's work to other CPUs"
    except OSError:
        pass  # no sysfs, so nobody can have configured steering for lo either
    return None
