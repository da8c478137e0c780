"""Observer `syscall_exit`: in traced trials, ptrace sees each return of a system call, with its result."""

from __future__ import annotations

from .observer import RETURNED, AtRest, Observer


class SyscallExit(Observer):
    name = "syscall_exit"
    sees = RETURNED
    how = "a tracer (ptrace) sees every system call return"
    remedy = (
        "run where ptrace is allowed (docker run --cap-add=SYS_PTRACE, kernel.yama.ptrace_scope < 3), "
        "and on Linux 5.3 or newer where this is not x86_64"
    )

    def why_missing(self, *, may_mount: bool) -> str | None:
        from . import tracer

        return tracer.why_not()

    def count(self, task: AtRest) -> int | None:
        return task.exits
