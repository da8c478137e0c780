"""Which events are opened on each CPU, and which records pass their filters.

A tracepoint of `raw_syscalls` is passed by every system call of every process of this machine, and its filter is
evaluated each time.  That of a single call (syscalls/sys_enter_poll) is passed by this call alone; all others only find
out that it is not theirs (perf_syscall_enter, kernel/trace/trace_syscalls.c).
"""

from __future__ import annotations

import resource
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from ...axes import ACCEPTS, EPOLL_CALLS
from ...observers.perf_rings import Tracepoint, long_of
from ..waits import RECEIVES
from ..wakers import filter_for

ESTABLISHED, SYN_RECV = 1, 3  # include/net/tcp_states.h
SOFTIRQ = 0x10  # TRACE_FLAG_SOFTIRQ, include/linux/trace_events.h
TRACEPOINTS = {
    "arrival": "sock/inet_sock_set_state",
    "waking": "sched/sched_waking",
    "enter": "raw_syscalls/sys_enter",
    "exit": "raw_syscalls/sys_exit",
    "switch": "sched/sched_switch",
}
TAKES = (*ACCEPTS, *RECEIVES)
"""Calls that take a connection or a datagram; they may also wait for it."""
WAITS = (*EPOLL_CALLS, "select", "pselect6", "poll", "ppoll", *ACCEPTS)
"""Calls that may wait for a listener, and those that take a connection."""
OWN_TRACEPOINTS = {
    f"{kind} {call}": f"syscalls/sys_{kind}_{call}" for call in (*WAITS, *RECEIVES) for kind in ("enter", "exit")
}
"""The tracepoints of single calls.  A kernel may lack them (CONFIG_FTRACE_SYSCALLS)."""
_FEW = 30
"""The most ranges of thread ids in each of two filters that are joined (wakers.filter_for)."""
_SPARE = 3
"""The events may use one in so many of the descriptors that this process may have."""


class Event(NamedTuple):
    """An event to open on each CPU."""

    kind: str
    """The key in TRACEPOINTS of what its records tell; `own waking` is a wake-up without a call chain."""
    tracepoint: Tracepoint
    narrow: str
    """The kernel's filter."""
    always: bool = False
    """Whether it records in the pauses, too: connections, and who takes them, are few beside all that they cause."""


def events(
    described: Mapping[str, Tracepoint], tids: Collection[int], calls: Mapping[int, str], cpus: int, *, own_apart: bool
) -> Iterator[Event]:
    """The events that trace these threads.

    `described` holds those of TRACEPOINTS and OWN_TRACEPOINTS that this kernel has.  `calls` names the system calls, by
    number; `cpus` says on how many CPUs the events will be opened.  `own_apart`: wake-ups that a thread of the server
    issued outside of softirqs need no call chain; to find out who issued one takes as long as all else that a record
    takes.
    """
    if "arrival" in described:
        yield Event("arrival", described["arrival"], f"oldstate == {SYN_RECV} && newstate == {ESTABLISHED}", True)
    yield from _of_wake_ups(described["waking"], tids, own_apart)
    yield from _of_calls(described, filter_for("common_pid", tids), calls, cpus)
    if "switch" in described:
        either = (filter_for(field, tids, _FEW) for field in ("prev_pid", "next_pid"))
        yield Event("switch", described["switch"], " || ".join(either))


def _of_wake_ups(waking: Tracepoint, tids: Collection[int], own_apart: bool) -> Iterator[Event]:
    whose, own = filter_for("pid", tids, _FEW), filter_for("common_pid", tids, _FEW)
    # Ranges that were joined would let others' wake-ups through without a call chain.
    if own_apart and own == filter_for("common_pid", tids, len(tids) + 1):
        in_softirq = f"common_flags & {SOFTIRQ}"
        yield Event("waking", waking, f"({whose}) && ({in_softirq} || !({own}))")
        yield Event("own waking", waking, f"({whose}) && !({in_softirq}) && ({own})")
    else:
        yield Event("waking", waking, filter_for("pid", tids))


def _of_calls(described: Mapping[str, Tracepoint], mine: str, calls: Mapping[int, str], cpus: int) -> Iterator[Event]:
    names = set(calls.values())
    have_their_own = _have_their_own(described, names, cpus)
    for group, kind, also, always in (
        (names & set(TAKES), "enter", "", True),
        (names & set(TAKES), "exit", " && ret >= 0", True),
        (names & set(TAKES), "exit", " && ret < 0", False),
        (names - set(TAKES), "enter", "", False),
        (names - set(TAKES), "exit", "", False),
    ):
        if have_their_own:
            for call in sorted(group):
                yield Event(kind, described[f"{kind} {call}"], f"({mine}){also}", always)
        elif group:
            these = " || ".join(f"id == {number}" for number, call in sorted(calls.items()) if call in group)
            yield Event(kind, described[kind], f"({mine}) && ({these}){also}", always)


def _have_their_own(described: Mapping[str, Tracepoint], calls: Collection[str], cpus: int) -> bool:
    """Whether each of these calls has tracepoints of its own, and these do not take too many descriptors."""
    if long_of("id", described["enter"].format).size == 4:
        return False  # a call with 64-bit times is another one there, whose tracepoint has another name
    if any(f"{kind} {call}" not in described for kind in ("enter", "exit") for call in calls):
        return False
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most == resource.RLIM_INFINITY or cpus * (len(TRACEPOINTS) + 3 * len(calls)) <= most // _SPARE
