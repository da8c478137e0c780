"""Instruments, one file each.  Every one says what it sees, or why it cannot.

| observer       | sees     | from                                              | needs               |
|----------------|----------|---------------------------------------------------|---------------------|
| counters       | returned | the board, written by each waiter                 | nothing             |
| syscall_exit   | returned | ptrace, every system call's exit                  | ptrace              |
| switches       | woken    | /proc/PID/task/TID/status, voluntary switches     | nothing             |
| run_counts     | woken    | /proc/PID/task/TID/schedstat, times on a CPU      | CONFIG_SCHED_INFO   |
| sched_waking   | woken    | perf_event_open on the tracepoint: who woke whom  | CAP_PERFMON, tracefs|

A new observer: one file here, its name in NAMES, and its reading in `probes/lab/instruments.py`.
"""

from __future__ import annotations

NAMES = ("counters", "syscall_exit", "switches", "run_counts", "sched_waking")
SEES_WOKEN = ("switches", "run_counts", "sched_waking")
