"""Returns of system calls, by ptrace.  Used only if the user asks for it, because it disturbs the server.

Attaching interrupts each thread once, so a blocked epoll_wait returns EINTR (signal(7)), which a server may take for an
event; from then on every system call stops twice.  When this process ends, however it ends, the kernel detaches the
threads and the server goes on: PTRACE_O_EXITKILL is not set (ptrace(2)).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

from ptrace import PtraceError
from ptrace.binding import func as binding

from ..lab.deadline import until
from ..observers.stops import Stops
from ..verdict import Inconclusive
from .returns import Return
from .waits import called

_SEIZE, _INTERRUPT = 0x4206, 0x4207  # PTRACE_SEIZE, PTRACE_INTERRUPT (include/uapi/linux/ptrace.h)
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_EVENT_STOP = 128  # PTRACE_EVENT_STOP
_WALL = 0x40000000
_RESTARTS = range(-516, -511)


@dataclass
class _Tracee:
    inside: int | None = None
    """Number of the system call that it is in."""
    ready: bool = False
    """Whether its first stop was seen."""


class Traced:
    """Traces these threads, from construction until `close`.  Raises Inconclusive if ptrace is denied."""

    def __init__(self, tids: Iterable[int]) -> None:
        self._stops = Stops()
        self._tracees: dict[int, _Tracee] = {}
        self._exits: list[Return] = []
        try:
            for tid in tids:
                binding.ptrace(_SEIZE, tid, 0, binding.PTRACE_O_TRACESYSGOOD)
                self._tracees[tid] = _Tracee()
                binding.ptrace(_INTERRUPT, tid)
            until(self._all_ready, lambda: "--trace: not every thread could be stopped once")
        except PtraceError as error:
            self.close()
            raise Inconclusive(f"--trace: {os.strerror(error.errno or 0)}") from error
        except Inconclusive:
            self.close()
            raise

    def _all_ready(self) -> bool:
        self.pump()
        return all(tracee.ready for tracee in self._tracees.values())

    def pump(self) -> None:
        """Handle every stop that is pending; never blocks."""
        for tid, tracee in list(self._tracees.items()):
            with contextlib.suppress(ChildProcessError, ProcessLookupError, PtraceError):
                while True:
                    stopped, status = os.waitpid(tid, os.WNOHANG | _WALL)
                    if stopped == 0:
                        break
                    if not os.WIFSTOPPED(status):
                        del self._tracees[tid]
                        break
                    self._on_stop(tid, tracee, status)

    def _on_stop(self, tid: int, tracee: _Tracee, status: int) -> None:
        stop, event = os.WSTOPSIG(status), status >> 16
        if stop == _SYSCALL_STOP:
            try:
                entered, value = self._stops.look(tid, inside=tracee.inside is not None)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                raise Inconclusive("--trace: this kernel has no PTRACE_GET_SYSCALL_INFO (Linux 5.3)") from error
            if not entered and tracee.inside is not None and value not in _RESTARTS:
                self._exits.append(Return(time.monotonic_ns(), tid, called(tracee.inside), value))
            tracee.inside = value if entered else None
            binding.ptrace_syscall(tid)
        elif event == _EVENT_STOP:
            tracee.ready = True
            binding.ptrace_syscall(tid)
        else:
            binding.ptrace_syscall(tid, stop)

    def seen(self) -> list[Return]:
        """Every return since the last call, in order of time."""
        self.pump()
        returns, self._exits = self._exits, []
        return sorted(returns)

    def close(self) -> None:
        """Stop each thread once more, and detach from it."""
        for tid in list(self._tracees):
            with contextlib.suppress(PtraceError, ChildProcessError, ProcessLookupError):
                binding.ptrace(_INTERRUPT, tid)
                while True:
                    _, status = os.waitpid(tid, _WALL)
                    if not os.WIFSTOPPED(status):
                        break
                    stop = os.WSTOPSIG(status)
                    if status >> 16 == _EVENT_STOP or stop == _SYSCALL_STOP:
                        binding.ptrace_detach(tid, 0)
                        break
                    binding.ptrace_cont(tid, stop)
        self._tracees = {}
