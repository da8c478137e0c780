"""What the kernel says about one task under /proc/PID/task/TID.

To read these files does not wake the task.
"""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from .. import syscalls


class Sighting(NamedTuple):
    """One look at one task.  If two looks at a sleeping task are equal, it did not run in between."""

    state: str
    """A letter (proc_pid_stat(5)): R running, S asleep, D asleep and not to be interrupted, Z dead ..."""
    switches: int | None
    """voluntary_ctxt_switches; None if the kernel does not count them."""
    syscall: int | None
    """Number of the system call that it sleeps in; None if the kernel does not say, -1 if it is in none."""


RUNNING = Sighting("R", None, None)
"""What a look shows if /proc/PID/syscall says that the task is running."""
_MOST_BYTES = 8192


class TaskFiles:
    """The files of one task.  Its methods raise OSError (ESRCH, ENOENT) if the task is gone."""

    def __init__(self, pid: int, tid: int, syscall_readable: bool) -> None:
        # In the folder of a process, those files that are about one task are about its first one (ONE entries of
        # tgid_base_stuff, fs/proc/base.c); the shorter path is found faster.
        self._folder = f"/proc/{pid}/" if pid == tid else f"/proc/{pid}/task/{tid}/"
        self._syscall_readable = syscall_readable
        self._kept: dict[str, int] | None = None
        self._line: bytes | None = None
        """What /proc/PID/syscall said last."""
        self._call: int | None = None
        """Which call that is."""

    def keep(self) -> None:
        """Leave each file open once it was read, until `close`.  Use it only if no process is forked meanwhile."""
        if self._kept is None:
            self._kept = {}

    def close(self) -> None:
        """Close the files that were kept open, and keep no others."""
        kept, self._kept = self._kept, None
        for fd in (kept or {}).values():
            os.close(fd)

    def look(self) -> Sighting:
        """Look at it once.  If it runs, nothing else is read."""
        # The system call first: it is answered only once the task is off the run queue.  A task that
        # has set its state to S and was preempted shows S as well, one switch short of its sleep.
        syscall = self.syscall() if self._syscall_readable else None
        if self._syscall_readable and syscall is None:
            return RUNNING
        return Sighting(*parse_status(self._read("status")), syscall)

    def status(self) -> bytes:
        """The text of its status file (proc_pid_status(5))."""
        return self._read("status")

    def syscall(self) -> int | None:
        """Number of the call that the task sleeps in; None while it runs.

        This also proves that it sleeps.  task_current_syscall (lib/syscall.c) answers only if wait_task_inactive has
        seen the task off the run queue twice, with no switch in between: a task that has set its state, and was
        preempted before it slept, still counts as running.
        """
        line = self._read("syscall")
        if line != self._line:  # one that sleeps on says the same
            self._line, self._call = line, parse_syscall(line)
        return self._call

    def run_count(self) -> int | None:
        """How often the task got a CPU: the third field of schedstat (Documentation/scheduler/sched-stats.rst)."""
        try:
            return parse_schedstat(self._read("schedstat"))
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> bytes:
        if self._kept is None:
            return _read(self._folder + name)
        fd = self._kept.get(name)
        if fd is None:
            fd = self._kept[name] = os.open(self._folder + name, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(fd, _MOST_BYTES, 0)


def parse_status(status: bytes) -> tuple[str, int | None]:
    """State letter and voluntary switches from the text of /proc/PID/status (proc_pid_status(5))."""
    state = status.index(b"\nState:\t") + 8
    switches = status.find(b"\nvoluntary_ctxt_switches:\t")
    if switches < 0:
        return chr(status[state]), None
    start = switches + 26
    return chr(status[state]), int(status[start : status.index(b"\n", start)])


def parse_syscall(line: bytes) -> int | None:
    """Call number from /proc/PID/syscall: None while the task runs, -1 if it sleeps in no call (proc_pid_syscall(5)).

    For socketcall(2), the number of the call whose work it does.
    """
    if line.startswith(b"running"):
        return None
    number, _, arguments = line.partition(b" ")
    if int(number) == syscalls.SOCKETCALL and (does := syscalls.done_by_socketcall(int(arguments.split()[0], 16))):
        return syscalls.number(does)
    # 32-bit arm and powerpc have a call for recv(2), which is recvfrom without an address (net/socket.c).
    return syscalls.NUMBERS["recvfrom"] if int(number) == syscalls.NUMBERS.get("recv") else int(number)


def parse_schedstat(line: bytes) -> int | None:
    """Run count from /proc/PID/schedstat; None if the text has no third field."""
    fields = line.split()
    return int(fields[2]) if len(fields) >= 3 else None


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _MOST_BYTES)
    finally:
        os.close(fd)


def switches_of(tid: int) -> int | None:
    """Voluntary switches of any task by its thread id; None if they are not counted."""
    return parse_status(_read(f"/proc/{tid}/status"))[1]


def why_no_syscall_file() -> str | None:
    """Why /proc/PID/syscall cannot serve as proof of blocked here, or None if it can."""
    # Ask about a child, because waiters are children; a task may always read its own (__ptrace_may_access,
    # kernel/ptrace.c).
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        syscalls.die_with_parent(parent)
        signal.pause()
    try:
        _read(f"/proc/{pid}/task/{pid}/syscall")
    except FileNotFoundError:
        return "this kernel has no /proc/PID/syscall"
    except OSError as error:
        return f"/proc/PID/syscall: {error.strerror}"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None


def why_no_switches() -> str | None:
    """Why voluntary switches cannot be counted here, or None if they can."""
    try:
        switches = parse_status(_read("/proc/self/status"))[1]
    except (OSError, ValueError) as error:
        return f"/proc/PID/status: {error}"
    return None if switches is not None else "/proc/PID/status shows no voluntary_ctxt_switches"


def why_no_run_counts() -> str | None:
    """Why times on a CPU cannot be counted here, or None if they can."""
    try:
        count = parse_schedstat(_read("/proc/self/schedstat"))
    except FileNotFoundError:
        return "this kernel has no /proc/PID/schedstat (CONFIG_SCHED_INFO)"
    except (OSError, ValueError) as error:
        return f"/proc/PID/schedstat: {error}"
    # A task that reads this file has run at least once.
    return None if count else "/proc/PID/schedstat stays at zero"
