"""The parsers of /proc/PID files, on texts as kernels print them."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from probes import syscalls
from probes.observers.task_files import (
    RUNNING,
    Sighting,
    TaskFiles,
    parse_schedstat,
    parse_status,
    parse_syscall,
    why_no_run_counts,
    why_no_switches,
    why_no_syscall_file,
)

LINUX = b"""\
Name:\tw0.4242
Umask:\t0022
State:\tS (sleeping)
Tgid:\t4243
Cpus_allowed:\tff
Mems_allowed_list:\t0
voluntary_ctxt_switches:\t17
nonvoluntary_ctxt_switches:\t3
"""
GVISOR = b"""\
Name:\tpython3
State:\tS (sleeping)
Tgid:\t12
Pid:\t12
PPid:\t1
VmSize:\t35388 kB
Seccomp:\t0
Mems_allowed:\t1
"""


def test_status_of_linux() -> None:
    assert parse_status(LINUX) == ("S", 17)


def test_status_of_gvisor_counts_no_switches() -> None:
    assert parse_status(GVISOR) == ("S", None)


def test_only_voluntary_switches_count() -> None:
    """`nonvoluntary_ctxt_switches` ends with the name of the other."""
    without = b"".join(line for line in LINUX.splitlines(True) if not line.startswith(b"voluntary"))
    assert parse_status(without) == ("S", None)


@pytest.mark.parametrize("state", ["R (running)", "D (disk sleep)", "Z (zombie)", "t (tracing stop)", "X (dead)"])
def test_state_is_one_letter(state: str) -> None:
    assert parse_status(LINUX.replace(b"S (sleeping)", state.encode()))[0] == state[0]


def test_name_cannot_pass_for_the_state() -> None:
    """A name may hold spaces and colons; the kernel escapes a newline in it (proc_pid_status(5))."""
    assert parse_status(LINUX.replace(b"w0.4242", b"State: R\\nState: R"))[0] == "S"


def test_status_without_state_is_an_error() -> None:
    with pytest.raises(ValueError, match="not found"):
        parse_status(b"Name:\tpython3\n")


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b"running\n", None),
        (b"-1 0x7ffd3a0c1b48 0x7f2c5d6e1234\n", -1),
        (b"43 0x5 0x0 0x0 0x0 0x0 0x0 0x7ffd3a0c1b48 0x7f2c5d6e1234\n", 43),
        (b"0 0x3 0x7f0000000000 0x8 0x0 0x0 0x0 0x7ffd3a0c1b48 0x7f2c5d6e1234\n", 0),
        (b"441 0x4 0x7f00 0x1 0x0 0x0 0x8 0x7ffd3a0c1b48 0x7f2c5d6e1234", 441),
    ],
)
def test_syscall(line: bytes, number: int | None) -> None:
    assert parse_syscall(line) == number


@pytest.mark.parametrize(
    ("line", "call"),
    [
        (b"102 0xc 0x3ffe 0x0 0x0 0x0 0x0 0x3ff 0x3fe\n", "recvfrom"),
        (b"102 0xa 0x3ffe 0x0 0x0 0x0 0x0 0x3ff 0x3fe\n", "recvfrom"),  # recv
        (b"102 0x3 0x3ffe 0x0 0x0 0x0 0x0 0x3ff 0x3fe\n", "connect"),
        (b"102 0x12 0x3ffe 0x0 0x0 0x0 0x0 0x3ff 0x3fe\n", "accept4"),
    ],
)
def test_socketcall_is_what_it_does(line: bytes, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As glibc of i386 and s390x waits on a socket."""
    monkeypatch.setattr(syscalls, "SOCKETCALL", 102)
    assert parse_syscall(line) == syscalls.number(call)
    monkeypatch.setattr(syscalls, "SOCKETCALL", None)
    assert parse_syscall(line) == 102


def test_recv_is_recvfrom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(syscalls.NUMBERS, "recv", 291)
    assert parse_syscall(b"291 0x5 0x0 0x0 0x0 0x0 0x0 0x7e 0x7f\n") == syscalls.NUMBERS["recvfrom"]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (b"812345 67890 12\n", 12),
        (b"0 0 0\n", 0),
        (b"0 0\n", None),
        (b"\n", None),
        (b"", None),
        (b"18446744073709551615 18446744073709551615 18446744073709551615\n", 18446744073709551615),
    ],
)
def test_schedstat(line: bytes, count: int | None) -> None:
    assert parse_schedstat(line) == count


def test_look_at_oneself() -> None:
    """A task that looks at itself is running; no call is named if that file may not be read."""
    state, _, syscall = TaskFiles(os.getpid(), threading.get_native_id(), syscall_readable=False).look()
    assert (state, syscall) == ("R", None)


def test_task_that_is_gone_is_an_os_error() -> None:
    with pytest.raises(OSError, match="No such"):
        TaskFiles(os.getpid(), 2**31 - 1, syscall_readable=False).look()


def test_sightings_are_equal_only_where_nothing_moved() -> None:
    assert Sighting("S", 17, 43) == Sighting("S", 17, 43)
    assert Sighting("S", 17, 43) != Sighting("S", 18, 43)


def _with_files(monkeypatch: pytest.MonkeyPatch, content: bytes | OSError) -> None:
    def read(_: str) -> bytes:
        if isinstance(content, OSError):
            raise content
        return content

    monkeypatch.setattr("probes.observers.task_files._read", read)


@pytest.mark.parametrize(
    ("probe", "content", "reason"),
    [
        (why_no_switches, LINUX, None),
        (why_no_switches, GVISOR, "/proc/PID/status shows no voluntary_ctxt_switches"),
        (why_no_switches, b"", "/proc/PID/status: subsection not found"),
        (why_no_run_counts, b"1 2 3\n", None),
        (why_no_run_counts, b"0 0 0\n", "/proc/PID/schedstat stays at zero"),
        (why_no_run_counts, b"", "/proc/PID/schedstat stays at zero"),
        (why_no_run_counts, FileNotFoundError(), "this kernel has no /proc/PID/schedstat (CONFIG_SCHED_INFO)"),
        (why_no_syscall_file, b"running\n", None),
        (why_no_syscall_file, FileNotFoundError(), "this kernel has no /proc/PID/syscall"),
        (
            why_no_syscall_file,
            PermissionError(1, "Operation not permitted"),
            "/proc/PID/syscall: Operation not permitted",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_reason_why_not(
    monkeypatch: pytest.MonkeyPatch, probe: object, content: bytes | OSError, reason: str | None
) -> None:
    _with_files(monkeypatch, content)
    assert probe() == reason


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_kept_files_are_opened_once_and_closed() -> None:
    files = TaskFiles(os.getpid(), os.getpid(), syscall_readable=False)
    before = _descriptors()
    files.look()
    assert _descriptors() == before
    files.keep()
    for _ in range(3):
        files.look()
        files.run_count()
    assert _descriptors() == before + 2
    files.close()
    assert _descriptors() == before
    files.look()
    assert _descriptors() == before


def test_kept_files_are_read_anew_and_know_that_the_task_is_gone() -> None:
    pid = os.fork()
    if pid == 0:
        signal.pause()
    files = TaskFiles(pid, pid, syscall_readable=False)
    files.keep()
    files.look()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert files.look().state == "Z"
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        files.look()
    files.close()


def test_of_a_task_that_runs_nothing_more_is_read() -> None:
    if why_no_syscall_file() is not None:
        pytest.skip("this kernel does not name system calls")
    pid = os.fork()
    if pid == 0:
        while True:
            pass
    try:
        files = TaskFiles(pid, pid, syscall_readable=True)
        assert files.look() == RUNNING
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        assert files.look().state == "T"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
