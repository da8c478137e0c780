"""ptrace, from before the block: every system call of a traced waiter, with number, result and time.

The requests are made as raw system calls, thousands in a run; python-ptrace, which takes a megabyte in the process that
all waiters are forked from, is loaded where a kernel has to be asked for its registers.

A waiter is resumed with PTRACE_CONT until it raises the READY signal, just before it blocks, and
with PTRACE_SYSCALL from then on: its set-up costs no stops.  Attaching to a waiter that sleeps
already would move it to the tail of accept's queue, and end its epoll_wait with EINTR.
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
"""What waitpid(2) says of a tracee at the entry or the exit of a system call."""


class Exit(NamedTuple):
    """One return of one system call."""

    at_ns: int
    number: int
    result: int


@dataclass
class Tracee:
    """What is known of one traced task."""

    armed: bool = False
    alive: bool = True
    inside: int | None = None
    """Number of the call it has entered and not left."""
    switches: int | None = None
    """Its voluntary switches while it stood at that entry, where they are asked for."""
    exits: list[Exit] = field(default_factory=list)
    returns: dict[int, int] = field(default_factory=dict)
    """How often each call came back to user space, by number."""


class Tracer:
    """Drives all tracees of one trial.  One thread makes them and drives them: ptrace belongs to it."""

    def __init__(self, switches_of: Callable[[int], int | None] | None = None) -> None:
        """`switches_of` counts a task's voluntary switches: for kernels without /proc/PID/syscall."""
        self._switches_of = switches_of
        self._tracees: dict[int, Tracee] = {}
        self._newest = 0
        self.disturbed: tuple[int, int] | None = None
        """Thread id and number of the last signal that somebody else sent to a waiter: nothing here sends any."""
        self._stops = Stops()

    def expect(self, pid: int) -> None:
        """A child that will call PTRACE_TRACEME."""
        self._tracees[pid] = Tracee()

    def has_reaped(self, pid: int) -> bool:
        """Whether the end of this tracee was seen here, so that its number may belong to another process by now."""
        return pid in self._tracees and not self._tracees[pid].alive

    def of(self, tid: int) -> Tracee:
        return self._tracees[tid]

    def pump(self, tid: int) -> None:
        """Handle every stop of `tid` that is there now; never blocks."""
        tracee = self._tracees[tid]
        while tracee.alive:
            try:
                stopped, status = os.waitpid(tid, os.WNOHANG | syscalls.WALL)
            except ChildProcessError:
                # A thread's number is known from its clone event before it can be waited for.
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
        """Handle the stops of process `pid`, and of its newest thread; linear also for many threads."""
        self.pump(pid)
        if self._newest in self._tracees:
            self.pump(self._newest)

    def pump_all(self) -> None:
        """Handle every stop that is there now."""
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
                # Looking at the stop has waited until it is off the CPU (ptrace_check_attach, kernel/ptrace.c).
                tracee.switches = self._switches_of(tid)
        elif tracee.inside is not None:
            tracee.exits.append(Exit(time.monotonic_ns(), tracee.inside, value))
            if value not in syscalls.RESTARTS:
                tracee.returns[tracee.inside] = tracee.returns.get(tracee.inside, 0) + 1
            tracee.inside = None
        request(_SYSCALL, tid)


def _there_is_news() -> bool:
    """Whether any child has stopped or ended; one question where each tracee would be one.  Nothing is taken."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT | syscalls.WALL) is not None
    except ChildProcessError:
        return False
    except OSError:
        return True  # gVisor, and Linux before 4.7 (wait(2)), know no __WALL here: each is asked then


def _message_of(tid: int) -> int:
    """What the event of this stop is about (PTRACE_GETEVENTMSG), an unsigned long."""
    message = ctypes.c_ulong()
    request(_GETEVENTMSG, tid, 0, ctypes.addressof(message))
    return message.value


def submit() -> None:
    """In a waiter process: ask to be traced, and stop until the tracer has seen it."""
    request(_TRACEME, 0)
    announce()


def adopt_threads() -> None:
    """In a process that will start threads: have each of them attached as it is made."""
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
    """Why waiters cannot be traced here, or None if they can: a child asks, and we look at its stop."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            # Before PTRACE_TRACEME: an orphan would be traced by init, and stand in its stop for ever.
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
