"""What a tracer sees of a call is the same by PTRACE_GET_SYSCALL_INFO and, on older kernels, by registers."""

from __future__ import annotations

import os
import time

import pytest

from probes import syscalls
from probes.observers import stops, tracer

UNKNOWN = 0x4FFF
"""No request of ptrace(2): a kernel before 5.3 answers EIO to it, as to any that it does not know."""


@pytest.fixture(params=["info", "registers"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the kernel is asked."""
    if request.param == "registers":
        if stops.REGISTERS is None:
            pytest.skip("the registers of this machine are not decoded")
        monkeypatch.setattr(stops, "GET_SYSCALL_INFO", UNKNOWN)


def _exits() -> tuple[int, list[tuple[int, int]]]:
    """A child that is traced, and number and result of each of its calls that came back."""
    pid = os.fork()
    if pid == 0:
        syscalls.die_with_parent(os.getppid())
        tracer.submit()
        syscalls.call(syscalls.NUMBERS["getpid"])
        syscalls.call(syscalls.NUMBERS["fcntl"], -1, 1)
        os._exit(0)
    drives = tracer.Tracer()
    drives.expect(pid)
    end = time.monotonic() + 60
    while drives.of(pid).alive:
        assert time.monotonic() < end
        drives.pump(pid)
        os.sched_yield()
    return pid, [(leave.number, leave.result) for leave in drives.of(pid).exits]


@pytest.mark.usefixtures("way")
def test_number_and_result_of_every_call() -> None:
    pid, exits = _exits()
    getpid, fcntl = syscalls.NUMBERS["getpid"], syscalls.NUMBERS["fcntl"]
    assert (getpid, pid) in exits
    assert (fcntl, -9) in exits  # EBADF
    assert exits.index((getpid, pid)) < exits.index((fcntl, -9))


@pytest.mark.usefixtures("way")
def test_nothing_is_missing_here() -> None:
    assert tracer.why_not() is None


def test_an_old_kernel_with_unknown_registers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stops, "GET_SYSCALL_INFO", UNKNOWN)
    monkeypatch.setattr(stops, "REGISTERS", None)
    assert tracer.why_not() == "ptrace: PTRACE_GET_SYSCALL_INFO (Linux 5.3): Input/output error"
