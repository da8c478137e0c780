"""Observer `switches`: voluntary context switches, in /proc/PID/task/TID/status."""

from __future__ import annotations

from . import task_files
from .observer import WOKEN, AtRest, Observer


class Switches(Observer):
    name = "switches"
    sees = WOKEN
    how = "voluntary context switches in /proc/PID/status"
    remedy = "needs a kernel that counts voluntary switches in /proc/PID/status"
    sees_every_task = True

    def why_missing(self, *, may_mount: bool) -> str | None:
        return task_files.why_no_switches()

    def count(self, task: AtRest) -> int | None:
        """A task that was woken has slept again since: its count is higher by one, or by more if it met a lock."""
        return task.sighting.switches
