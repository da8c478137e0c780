"""Observer `run_counts`: how often a task got a CPU, in /proc/PID/task/TID/schedstat."""

from __future__ import annotations

from . import task_files
from .observer import WOKEN, AtRest, Observer


class RunCounts(Observer):
    name = "run_counts"
    sees = WOKEN
    how = "times run on a CPU, in /proc/PID/schedstat"
    remedy = "needs a kernel with CONFIG_SCHED_INFO (CONFIG_SCHEDSTATS or CONFIG_TASK_DELAY_ACCT)"
    sees_every_task = True

    def why_missing(self, *, may_mount: bool) -> str | None:
        return task_files.why_no_run_counts()

    def count(self, task: AtRest) -> int | None:
        return task.files.run_count()
