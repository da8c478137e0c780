"""Traces waiters with ptrace from before they block: each system call, with its number, result and time.

The requests are raw system calls, thousands of them in a run.  python-ptrace takes a megabyte in the process from which
all waiters are forked, so it is loaded only if a kernel must be asked for registers.

A waiter is resumed with PTRACE_CONT until it raises the READY signal, just before it blocks, and with PTRACE_SYSCALL
from then on, so its preparations cost no stops.  To attach to a waiter that sleeps already would move it to the tail of
accept's queue, and end its epoll_wait with EINTR.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from .. import syscalls
from . import stops
from .stops import Stops, request

READY = signal.SIGUSR1
_TRACEME, _CONT, _SYSCALL, _SETOPTIONS, _GETEVENTMSG = 0, 7, 24, 0x4200, 0x4201
"""Requests of ptrace(2), include/uapi/linux/ptrace.h."""
_OPTIONS = 1 << 0 | 1 << 3 | 1 << 20
"""PTRACE_O_TRACESYSGOOD, PTRACE_O_TRACECLONE, and PTRACE_O_EXITKILL: a tracee dies with its tracer."""
_EVENT_CLONE = 3
_SYSCALL_STOPPED = (signal.SIGTRAP | 0x80) << 8 | 0x7F
"""The status that waitpid(2) gives at the entry or the exit of a system call."""


class Exit(NamedTuple):
    """One return of one system call."""

    at_ns: int
    number: int
    result: int


@dataclass
class Tracee:
    """What is known about one traced task."""

    armed: bool = False
    alive: bool = True
    inside: int | None = None
    """Number of the call that it has entered and not left."""
    switches: int | None = None
    """Its voluntary switches at that entry, if they were asked for."""
    exits: list[Exit] = field(default_factory=list)
    returns: dict[int, int] = field(default_factory=dict)
    """How often each call has returned to user space, by number."""


class Tracer:
    """Handles all tracees of one trial.  The thread that forks them must be the one that calls this (ptrace(2))."""

    def __init__(self, switches_of: Callable[[int], int | None] | None = None) -> None:
        """`switches_of` counts the voluntary switches of a task; for kernels without /proc/PID/syscall."""
        self._switches_of = switches_of
        self._tracees: dict[int, Tracee] = {}
        self._newest = 0
        self.disturbed: tuple[int, int] | None = None
        """Thread id and number of the last signal that somebody else sent to a waiter; the lab sends none."""
        self._stops = Stops()

    def expect(self, pid: int) -> None:
        """A child that will call PTRACE_TRACEME."""
        self._tracees[pid] = Tracee()

    def has_reaped(self, pid: int) -> bool:
        """Whether this tracee was reaped here; its pid may belong to another process by now."""
        return pid in self._tracees and not self._tracees[pid].alive

    def of(self, tid: int) -> Tracee:
        return self._tracees[tid]

    def pump(self, tid: int) -> None:
        """Handle each stop of `tid` that has come; never blocks."""
        tracee = self._tracees[tid]
        while tracee.alive:
            try:
                stopped, status = os.waitpid(tid, os.WNOHANG | syscalls.WALL)
            except ChildProcessError:
                # The thread id is known from the clone event before the thread can be waited for.
                return
            if stopped == 0:
                return
            if not os.WIFSTOPPED(status):
                tracee.alive = False
                return
            try:
                if status == _SYSCALL_STOPPED:
                    self._on_syscall(tid, tracee)
                else:
                    self._on_stop(tid, tracee, status)
            except OSError:
                return  # killed while stopped (ESRCH); its end comes with the next waitpid

    def pump_family(self, pid: int) -> None:
        """Handle the stops of process `pid` and of its newest thread, however many threads it has."""
        self.pump(pid)
        if self._newest in self._tracees:
            self.pump(self._newest)

    def pump_all(self) -> None:
        """Handle each stop that has come."""
        if _there_is_news():
            for tid in list(self._tracees):
                self.pump(tid)

    def _on_stop(self, tid: int, tracee: Tracee, status: int) -> None:
        stop, event = os.WSTOPSIG(status), status >> 16
        if event == _EVENT_CLONE:
            self._newest = _message_of(tid)
            self._tracees[self._newest] = Tracee()
            request(_CONT, tid)
        elif stop == READY and not tracee.armed:
            tracee.armed = True
            request(_SETOPTIONS, tid, 0, _OPTIONS)
            request(_SYSCALL, tid)
        elif stop == signal.SIGSTOP and not tracee.armed:
            # The first stop of a child, and of a thread that was attached at its clone.
            request(_SETOPTIONS, tid, 0, _OPTIONS)
            request(_CONT, tid)
        elif tracee.armed:
            self.disturbed = tid, stop
            request(_SYSCALL, tid, 0, stop)
        else:
            request(_CONT, tid, 0, stop)

    def _on_syscall(self, tid: int, tracee: Tracee) -> None:
        entered, value = self._stops.look(tid, inside=tracee.inside is not None)
        if entered:
            tracee.inside = value
            if self._switches_of is not None:
                # The look at its stop has waited until it is off the CPU (ptrace_check_attach, kernel/ptrace.c).
                tracee.switches = self._switches_of(tid)
        elif tracee.inside is not None:
            tracee.exits.append(Exit(time.monotonic_ns(), tracee.inside, value))
            if value not in syscalls.RESTARTS:
                tracee.returns[tracee.inside] = tracee.returns.get(tracee.inside, 0) + 1
            tracee.inside = None
        request(_SYSCALL, tid)


def _there_is_news() -> bool:
    """Whether any child has stopped or ended: one call instead of one for each tracee.  It consumes nothing."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT | syscalls.WALL) is not None
    except ChildProcessError:
        return False
    except OSError:
        return True  # gVisor, and Linux before 4.7 (wait(2)), know no __WALL here: then ask for each tracee


def _message_of(tid: int) -> int:
    """The message of an event stop (PTRACE_GETEVENTMSG), an unsigned long: the new thread's id."""
    message = ctypes.c_ulong()
    request(_GETEVENTMSG, tid, 0, ctypes.addressof(message))
    return message.value


def submit() -> None:
    """In a waiter process: ask to be traced, and stop until the tracer has seen that."""
    request(_TRACEME, 0)
    announce()


def adopt_threads() -> None:
    """In a process that will start threads: have each of them traced from its start."""
    request(_TRACEME, 0)
    os.kill(os.getpid(), signal.SIGSTOP)


def announce() -> None:
    """In a traced waiter: stop, so that the tracer follows every system call from here on."""
    syscalls.call(
        syscalls.NUMBERS["tgkill"],
        syscalls.call(syscalls.NUMBERS["getpid"]),
        syscalls.call(syscalls.NUMBERS["gettid"]),
        READY,
    )


def why_not() -> str | None:
    """Why waiters cannot be traced here, or None if they can: a child asks to be traced, and we look at its stop."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            # Before PTRACE_TRACEME: init would be the tracer of an orphan, which would stay stopped for ever.
            syscalls.die_with_parent(parent)
            submit()
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSTOPPED(status):
        reason = None
        try:
            request(_SETOPTIONS, pid, 0, _OPTIONS)
            if stops.REGISTERS is None:
                request(stops.GET_SYSCALL_INFO, pid)
        except OSError as error:
            what = "PTRACE_GET_SYSCALL_INFO (Linux 5.3)" if error.errno == errno.EIO else "PTRACE_SETOPTIONS"
            reason = f"ptrace: {what}: {os.strerror(error.errno or 0)}"
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return reason
    code = os.waitstatus_to_exitcode(status)
    return f"ptrace: PTRACE_TRACEME: {os.strerror(code)}" if code > 0 else f"ptrace: the child ended by signal {-code}"
