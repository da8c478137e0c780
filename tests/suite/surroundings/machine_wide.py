"""Settings of the whole machine, which no namespace has, at their extremes.  They are tried in a guest.

    python -m tests.suite.surroundings.machine_wide

runs in the guest (tests/suite/guests/inside/machine_wide.py starts it), and prints one line of JSON for each setting,
value and user: [setting, value, user, [outcome...]].  `measured` boots the guest, and reads those lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from probes import host, syscalls
from probes.lab import inherited, isolation
from probes.scenario import Scenario
from probes.verdict import INCONCLUSIVE
from tests.kernel import test_read

from . import judged_here
from .child import as_outcomes, outcomes_of_child
from .judged_here import CaseHere, Outcome
from .places import NOBODY

KERNEL = "6.12"
INSIDE = "tests/suite/guests/inside/machine_wide.py"
MARK = "machine-wide: "
_PATIENCE_S = 4.0
"""An emulated kernel is slow, and a wait for something that is denied ends only at this deadline."""
_DENIED = 77

HANDFUL = (
    "accept-locks.requeue",
    "accept-locks.semaphores",
    "death.epoll-keeps",
    "death.shutdown-ends-accept tcp4",
    "death.shutdown-tells-all poll tcp4",
    "every.won-once accept/",
    "every.won-once epoll_wait.exclusive.listener/",
    "every.won-once poll/",
    "io-uring.cancelled",
    "io-uring.deferred",
    "io-uring.multishot-goes-on",
    "limits.ends-with-zero",
    "reuseport-group.own-queues 8",
    "reuseport-group.selector-index",
    "server.child-keeps",
    "signal-driven.",
    "signals.accept-interrupted",
    "sockets.defer-accept",
    "sockets.full-unix-queue",
    "sockets.queue-holds",
    "sources.end-of-file-wakes-pollers poll",
    "sources.larger-pipe",
)
"""Cases whose claim or name contains one of these are judged under each setting: one of each kind."""
QUEUES = ("mq_timedreceive/mqueue/n2/loop/writes-one-by-one/k4", "msgrcv/sysv-queue/n2/loop/writes-one-by-one/k4")
"""Scenarios of read.no-lost-wake-up that are also judged."""

_OF_IPC = ("fs.mqueue.", "kernel.msg", "kernel.sem")
"""Settings of an IPC namespace (ipc_namespaces(7)); they count as the machine's if no namespace can be made."""
ROOT, ORDINARY = "root", "an ordinary user"
_BOTH = (ROOT, ORDINARY)

SETTINGS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("kernel.io_uring_disabled", ("1", "2"), _BOTH),
    ("kernel.perf_event_paranoid", ("-1", "4"), _BOTH),
    ("kernel.unprivileged_userns_clone", ("0",), (ORDINARY,)),
    ("user.max_user_namespaces", ("0",), (ORDINARY,)),
    ("user.max_net_namespaces", ("0",), (ROOT,)),
    ("user.max_ipc_namespaces", ("0",), (ROOT,)),
    ("user.max_mnt_namespaces", ("0",), (ROOT,)),
    ("fs.epoll.max_user_watches", ("0", "1"), (ORDINARY,)),
    ("fs.file-max", ("0",), (ORDINARY,)),
    ("fs.nr_open", ("64",), (ROOT,)),
    ("fs.pipe-max-size", ("4096",), (ORDINARY,)),
    ("fs.pipe-user-pages-hard", ("1",), (ORDINARY,)),
    ("fs.pipe-user-pages-soft", ("1",), (ORDINARY,)),
    ("kernel.pid_max", ("301",), (ROOT,)),
    ("kernel.threads-max", ("20",), (ORDINARY,)),
    ("kernel.sem", ("1 1 1 0",), (ROOT,)),
    ("kernel.msgmax", ("0",), (ROOT,)),
    ("kernel.msgmnb", ("0",), (ROOT,)),
    ("kernel.msgmni", ("0",), (ROOT,)),
    ("fs.mqueue.msg_max", ("1",), (ROOT, ORDINARY)),
    ("fs.mqueue.msgsize_max", ("128",), (ORDINARY,)),
    ("fs.mqueue.queues_max", ("0",), (ORDINARY,)),
    ("kernel.sched_autogroup_enabled", ("0", "1"), (ROOT,)),
    ("kernel.sched_cfs_bandwidth_slice_us", ("1",), (ROOT,)),
    ("kernel.sched_rt_runtime_us", ("-1", "0"), (ROOT,)),
    ("kernel.sched_schedstats", ("0", "1"), (ROOT,)),
    ("kernel.sched_util_clamp_max", ("0",), (ROOT,)),
    ("kernel.timer_migration", ("0",), (ROOT,)),
    ("kernel.ftrace_enabled", ("0",), (ROOT,)),
    ("kernel.perf_cpu_time_max_percent", ("1",), (ROOT,)),
    ("kernel.perf_event_max_sample_rate", ("1",), (ROOT,)),
    ("kernel.perf_event_mlock_kb", ("0",), (ROOT,)),
    ("net.core.busy_poll", ("1000",), (ROOT,)),
    ("net.core.busy_read", ("1000",), (ROOT,)),
    ("net.core.dev_weight", ("1",), (ROOT,)),
    ("net.core.netdev_budget", ("1",), (ROOT,)),
    ("net.core.netdev_max_backlog", ("0",), (ROOT,)),
    ("net.core.optmem_max", ("0",), (ROOT,)),
    ("net.core.rmem_default", ("2304",), (ROOT,)),
    ("net.core.rmem_max", ("2304",), (ROOT,)),
    ("net.core.wmem_default", ("4608",), (ROOT,)),
    ("net.core.wmem_max", ("4608",), (ROOT,)),
    ("net.ipv4.tcp_max_orphans", ("0",), (ROOT,)),
    ("net.ipv4.tcp_mem", ("1 1 1",), (ROOT,)),
    ("net.ipv4.udp_mem", ("1 1 1",), (ROOT,)),
    # The last, because 3 cannot be changed any more (Documentation/admin-guide/LSM/Yama.rst).
    ("kernel.yama.ptrace_scope", ("0", "1", "2", "3"), (ORDINARY,)),
)
"""Each setting, the values to try, and the users to try them as."""


def _file(setting: str) -> Path:
    return Path("/proc/sys", setting.replace(".", "/"))


def _judged_by_child(setting: str, value: str, user: str, cases: list[CaseHere], *, isolate: bool) -> list[Outcome]:
    """Change the setting, become that user, and judge as a conductor of that user would; or end with _DENIED."""
    if setting:
        _file(setting).write_text(value)
    syscalls.adopt_orphans()
    inherited.settle()
    if user == ORDINARY:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    folder, isolated = None, isolation.LOOPBACK
    if isolate:
        try:
            folder, isolated = isolation.isolate(), isolation.NAMESPACES
        except isolation.Denied:
            os._exit(_DENIED)
    return judged_here.judged_in(folder, isolated, cases)


def judged(setting: str, value: str, user: str, cases: list[CaseHere]) -> list[Outcome]:
    """The outcomes under a setting ("" for none); if no namespaces can be made, without them, as in a session."""
    before = _file(setting).read_text() if setting else ""
    for isolate in (False,) if setting.startswith(_OF_IPC) else (True, False):
        try:
            code, outcomes = outcomes_of_child(partial(_judged_by_child, setting, value, user, cases, isolate=isolate))
        finally:
            if setting:
                with contextlib.suppress(OSError):  # 3 of Yama's setting cannot be changed back
                    _file(setting).write_text(before)
        if code != _DENIED:
            return outcomes if code == 0 else [("", "", f"died ({code})", None)]
    return [("", "", INCONCLUSIVE, "no namespaces")]


def main() -> None:
    assert host.kernel()["emulated"], "this is not a guest"
    judged_here._PATIENCE_S = _PATIENCE_S
    cases = judged_here.cases_of(HANDFUL)
    cases += [(test_read.test_no_lost_wake_up, {"scenario": Scenario.parse(name)}) for name in QUEUES]
    for setting, value, user in _tried():
        exists = not setting or _file(setting).exists()
        outcomes = judged(setting, value, user, cases) if exists else []
        print(f"{MARK}{json.dumps([setting, value, user, outcomes])}", flush=True)


def _tried() -> Iterator[tuple[str, str, str]]:
    """Every setting with each value and each user; first "", which stands for no setting."""
    for setting, values, users in (("", ("",), _BOTH), *SETTINGS):
        yield from ((setting, value, user) for value in values for user in users)


Measured = dict[str, list[Outcome]]
"""The outcomes of each place or setting, by its label."""


def measured(folder: Path) -> Measured:
    """Boot the guest, which leaves its files in this folder; returns the outcomes.  Raises AssertionError if it
    failed."""
    chosen = ("tests/kernel/test_accept.py", INSIDE, "-s", "-k=(wakes_one and tcp4 and n8 and not n8t) or machine_wide")
    command = [sys.executable, "-m", "probes", "kernels", "run", KERNEL, f"--out={folder}", "--", *chosen]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    log = (folder / KERNEL / "log.txt").read_text(errors="replace")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{log}"
    return dict(outcomes_in(log))


def outcomes_in(log: str) -> Iterator[tuple[str, list[Outcome]]]:
    """The outcomes in the guest's log, by setting; none for a setting that the kernel does not have."""
    for line in log.splitlines():
        if MARK in line:
            setting, value, user, outcomes = json.loads(line.partition(MARK)[2])
            yield label_of(setting, value, user), as_outcomes(outcomes)


def label_of(setting: str, value: str, user: str) -> str:
    """The page's label of a setting."""
    return f"`{setting}` is {value}, for {user}" if setting else f"nothing is set, for {user}"


def all_labels() -> list[str]:
    """The labels of all settings, values and users, in order."""
    return [label_of(*each) for each in _tried()]


if __name__ == "__main__":
    main()
