"""System calls of a server that a signal or a tracer interrupted, seen without touching it.

A server may do so itself: Go sends SIGURG to a thread of its own that runs for more than 10 ms (sigPreempt, in
src/runtime/signal_unix.go), and on a busy machine that thread sleeps by the time the signal arrives.  Postfix's
postlogd has set alarm(2).
"""

from __future__ import annotations

import contextlib
import re
import signal
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

from probes.audit.tracepoints import descriptions
from probes.audit.wakers import filter_for
from probes.observers.perf_rings import RAW, PerfRings, Tracepoint, offset_of

_SYS_EXIT, _SIGNAL = "raw_syscalls/sys_exit", "signal/signal_generate"
_EINTR, _RESTARTS = -4, "ret <= -512 && ret >= -516"
"""EINTR, and the codes by which the kernel goes back into the call or turns it into EINTR (include/linux/errno.h)."""
_OWN_FROM_KERNEL = {signal.SIGALRM, signal.SIGCHLD}
"""What the kernel sends for a timer that the server has set, and for the end of its child."""


class Excuses(NamedTuple):
    """How many signals of the server's own may have broken off a call."""

    of_threads: Counter[int]
    """By thread id."""
    of_processes: Counter[int]
    """By process id; such a signal may interrupt any thread of the process."""


def pending(tasks: Collection[tuple[int, int]]) -> Excuses:
    """The signals that wait for these threads, given as (process id, thread id), to run (proc_pid_status(5)).

    They were sent before, so no record tells of them; on a busy machine the call that each breaks off may return later.
    """
    excuses = Excuses(Counter(), Counter())
    for pid, tid in tasks:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{tid}/status") as file:
            masks = {name: int(mask, 16) for name, mask in re.findall(r"^(\w+):\t([0-9a-f]{16})$", file.read(), re.M)}
            for counts, number, name in ((excuses.of_threads, tid, "SigPnd"), (excuses.of_processes, pid, "ShdPnd")):
                counts[number] = max(counts[number], (masks[name] & ~masks["SigBlk"]).bit_count())
    return excuses


class _BrokenOff(PerfRings):
    """Interrupted calls of these threads.  Raises OSError if the kernel denies the tracepoint."""

    def __init__(self, tracepoint: Tracepoint, tids: Collection[int]) -> None:
        self._id_at = RAW + offset_of("id", tracepoint.format)
        whose = filter_for("common_pid", tids)
        # The return from a handler repeats what the call returned, and has no number of its own (rt_sigreturn).
        super().__init__(tracepoint, f"({whose}) && id >= 0 && (ret == {_EINTR} || ({_RESTARTS}))")

    def seen(self) -> list[tuple[int, int]]:
        """(thread id, number of the call) of each since the last time."""
        return [
            (struct.unpack_from("=i", body, 4)[0], struct.unpack_from("=q", body, self._id_at)[0])
            for body in self.samples()
        ]


class _Signals(PerfRings):
    """Signals to these threads.  Raises OSError if the kernel denies the tracepoint."""

    def __init__(self, tracepoint: Tracepoint, tids: Collection[int]) -> None:
        self._to_at, self._signal_at, self._code_at, self._group_at = (
            RAW + offset_of(name, tracepoint.format) for name in ("pid", "sig", "code", "group")
        )
        super().__init__(tracepoint, filter_for("pid", tids))

    def own(self, pids: Collection[int]) -> Excuses:
        """The signals since the last time that these processes have caused.

        The tracepoint names the first thread if a signal goes to a process, whichever thread it interrupts later
        (__send_signal_locked and complete_signal, kernel/signal.c).
        """
        excuses = Excuses(Counter(), Counter())
        for body in self.samples():
            if self._is_own(body, pids):
                excuses[self._int(body, self._group_at) != 0][self._int(body, self._to_at)] += 1
        return excuses

    def _is_own(self, body: bytes, pids: Collection[int]) -> bool:
        # The kernel's own have a positive code (sigaction(2)), and whoever was on the CPU as their sender.
        if self._int(body, self._code_at) > 0:
            return self._int(body, self._signal_at) in _OWN_FROM_KERNEL
        return self._int(body, 0) in pids

    @staticmethod
    def _int(body: bytes, at: int) -> int:
        number: int = struct.unpack_from("=i", body, at)[0]
        return number


class Interruptions:
    """Calls of these threads, given as (process id, thread id), that somebody else interrupts."""

    def __init__(self, tasks: Collection[tuple[int, int]], release: contextlib.ExitStack) -> None:
        """Until `release` closes it.  Raises OSError where the kernel denies a tracepoint."""
        described = descriptions([_SYS_EXIT, _SIGNAL])
        calls, signals = described[_SYS_EXIT], described[_SIGNAL]
        if isinstance(calls, str) or isinstance(signals, str):
            raise OSError(f"{calls if isinstance(calls, str) else signals}")
        self._process_of = {tid: pid for pid, tid in tasks}
        tids = [tid for _, tid in tasks]
        self._signals = _Signals(signals, tids)
        release.callback(self._signals.close)
        self._on_their_way = pending(tasks)
        self._calls = _BrokenOff(calls, tids)
        release.callback(self._calls.close)

    def seen(self) -> list[tuple[int, int]]:
        """(thread id, number of the call) of each since the last time, except one for each signal of the server's."""
        broken_off = self._calls.seen()
        own, before = self._signals.own(set(self._process_of.values())), self._on_their_way
        self._on_their_way = Excuses(Counter(), Counter())
        threads, processes = own.of_threads + before.of_threads, own.of_processes + before.of_processes
        others = []
        for tid, call in broken_off:
            pid = self._process_of[tid]
            if threads[tid]:
                threads[tid] -= 1
            elif processes[pid]:
                processes[pid] -= 1
            else:
                others.append((tid, call))
        return others


@contextlib.contextmanager
def interruptions_of(tasks: Collection[tuple[int, int]]) -> Iterator[Interruptions | str]:
    """Watch these threads, given as (process id, thread id); or, where that is denied, why."""
    with contextlib.ExitStack() as release:
        try:
            rings = Interruptions(tasks, release)
        except OSError as error:
            yield f"tracepoints: {error.strerror or error}"
            return
        yield rings
