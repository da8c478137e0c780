"""Resets what a process inherits from whoever started it, if that would change what waiters and actors do.

Supervisors, CI agents and shells start programs with signals blocked or ignored, and with unusual masks, limits and
scheduling policies, and fork(2) and execve(2) pass all of that on.  A waiter that has SIGUSR1 blocked is not
interrupted by it, and that says nothing about the kernel.

Nice values, CPU affinity and control groups stay as they are: they slow things down but make no verdict wrong, and
whoever set them did so on purpose.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import signal
from collections.abc import Callable, Collection, Iterator
from functools import partial

from .. import syscalls
from ..verdict import Inconclusive
from .rest import signal_name

UMASK = 0o022
TIMER_SLACK_NS = 50_000
"""The timer slack of the first process of a system (INIT_TASK, init/init_task.c)."""

_OWN_OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python itself ignores these when it starts."""
_USUAL_DESCRIPTORS = 1024
"""The usual soft limit, set for programs that use select(2): it is raised without being reported."""
_LIMITS = ("AS", "CPU", "DATA", "FSIZE", "MEMLOCK", "MSGQUEUE", "NOFILE", "NPROC", "RTPRIO", "RTTIME", "SIGPENDING")
"""Not RLIMIT_STACK, which takes effect only when a program starts, nor RLIMIT_CORE: nobody wants cores of waiters."""
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
_SCHED_RESET_ON_FORK = 0x40000000
_POLICIES = {0: "SCHED_OTHER", 1: "SCHED_FIFO", 2: "SCHED_RR", 3: "SCHED_BATCH", 5: "SCHED_IDLE", 6: "SCHED_DEADLINE"}
"""include/uapi/linux/sched.h"""
_ASK = 0xFFFFFFFF  # personality(2): return the persona without changing it
_MOST_NAMES = 6


def settle() -> list[str]:
    """Reset everything; returns a sentence for each thing that was changed."""
    return [*heed_signals(), *_set_umask(), *_raise_limits(), *_schedule(), *_set_timer_slack(), *_set_personality()]


def heed_signals() -> list[str]:
    """Unblock all signals, and reset ignored ones to their default action; returns a sentence for each of the two.

    Handlers stay, and so do the signals that Python itself ignores.
    """
    changes = []
    numbers = signal.valid_signals()
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers) & numbers
    if blocked:
        changes.append(f"{_named(blocked)} blocked: unblocked")
    ignored = {number for number in numbers - _OWN_OF_PYTHON if signal.getsignal(number) == signal.SIG_IGN}
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    if ignored:
        changes.append(f"{_named(ignored)} ignored: set to the default action")
    return changes


def _named(numbers: Collection[int]) -> str:
    if len(numbers) > _MOST_NAMES:
        return f"{len(numbers)} signals were"
    names = [signal_name(number) for number in sorted(numbers)]
    return f"{' '.join(names)} {'was' if len(names) == 1 else 'were'}"


def _set_umask() -> Iterator[str]:
    before = os.umask(UMASK)
    if before != UMASK:
        yield f"umask was {before:04o}: set to {UMASK:04o}"


def _raise_limits() -> Iterator[str]:
    """Raise soft limits to the hard limits."""
    for name in _LIMITS:
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is None:
            continue
        soft, hard = resource.getrlimit(number)
        if soft == hard:
            continue
        usual = name == "NOFILE" and soft >= _USUAL_DESCRIPTORS
        changed = f"RLIMIT_{name} was {_amount(soft)}: raised to {_amount(hard)}"
        act = partial(resource.setrlimit, number, (hard, hard))
        sentence = _attempt(act, changed, f"RLIMIT_{name} of {_amount(soft)}")
        if not usual:
            yield sentence


def _amount(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)


def _schedule() -> Iterator[str]:
    try:
        policy = os.sched_getscheduler(0) & ~_SCHED_RESET_ON_FORK
    except OSError:
        return
    if policy != os.SCHED_OTHER:
        name = _POLICIES.get(policy, f"scheduling policy {policy}")
        yield _attempt(
            lambda: os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0)), f"{name}: set to SCHED_OTHER", name
        )


def _set_timer_slack() -> Iterator[str]:
    """Reset the timer slack.  It is 0 for a real-time task, and -1 on a kernel without it; libc's prctl returns only
    the lower 32 bits."""
    answer = syscalls.prctl(_PR_GET_TIMERSLACK, 0)
    slack_ns = answer & 0xFFFFFFFF
    if answer != -1 and slack_ns not in (0, TIMER_SLACK_NS):
        syscalls.prctl(_PR_SET_TIMERSLACK, TIMER_SLACK_NS)
        yield f"timer slack was {slack_ns} ns: set to {TIMER_SLACK_NS}"


def _set_personality() -> Iterator[str]:
    """Clear flags such as STICKY_TIMEOUTS, with which select(2) does not update its timeout (personality(2))."""
    libc = ctypes.CDLL(None)
    before = libc.personality(ctypes.c_ulong(_ASK))
    if before > 0:
        libc.personality(ctypes.c_ulong(0))
        yield f"personality was {before:#x}: set to PER_LINUX"


def _attempt(act: Callable[[], object], changed: str, inherited: str) -> str:
    """Make a change; returns a sentence that says that it was made, or why it was refused."""
    try:
        act()
    except (OSError, ValueError) as error:
        return f"{inherited} was inherited, and may not be changed: {error}"
    return changed


def insist_on_no_tracer() -> None:
    """Raise Inconclusive if somebody traces this process (strace -f, a debugger), and so its children, too.

    A traced waiter stops at signals and system calls, which wakes it and ends its waits; and we cannot trace it then.
    """
    with open("/proc/self/status", "rb") as file:
        tracer = re.search(rb"^TracerPid:\t(\d+)", file.read(), re.M)
    if tracer is None or tracer[1] == b"0":
        return
    pid = int(tracer[1])
    name = f"process {pid}"
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", errors="replace") as file:
        name = f"{file.read().strip()!r} (process {pid})"
    raise Inconclusive(f"the run itself is traced by {name}, which wakes waiters and ends their waits: run it untraced")
