"""What this host holds of all that a run could leave behind, before it and after it."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from probes.locks import sysv

from .runs import Run, pids

CLEAN_WITHIN_S = 5.0


class Host:
    """What this host held before a run, of all that a run could leave behind."""

    def __init__(self) -> None:
        self._before = _inventory()

    def assert_clean_after(self, run: Run, sweep: Callable[[], object] = lambda: None) -> None:
        """Within five seconds nothing of the run is left.  AssertionError with what is.

        `sweep` is called before each look.
        """
        end = time.monotonic() + CLEAN_WITHIN_S
        while True:
            sweep()
            left = self.left_by(run)
            if not left:
                return
            assert time.monotonic() < end, "left behind: " + "; ".join(left) + f"\n{run.output}"

    def left_by(self, run: Run) -> list[str]:
        """Everything that is there and was not, in words."""
        left = [f"process {process.pid} ({process.comm}): {process.command[:60]}" for process in run.members()]
        left += [f"{entry} in the temp folder" for entry in sorted(os.listdir(run.temporary))]
        left += [
            f"{kind}: {left_over}"
            for kind, now in _inventory().items()
            for left_over in sorted(now - self._before[kind])
        ]
        return left


def _inventory() -> dict[str, set[str]]:
    """What outlives its maker.  Not namespaces: one lives as long as a process or a mount has it (namespaces(7))."""
    return {
        "mount": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        "System V": {line for kind in ("shm", "msg") for line in _rows(f"/proc/sysvipc/{kind}")} | _semaphores(),
        "/dev/shm": _names("/dev/shm"),
        "/dev/mqueue": _names("/dev/mqueue"),
        "sysctl": set(_settings()),
        "tracefs instance": _names("/sys/kernel/tracing/instances"),
        "socket": set(_sockets()),
    }


_MOVES_BY_ITSELF = re.compile(
    r"/proc/sys/(fs/(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota/.*)|kernel/(random/.*|pty/nr|ns_last_pid)"
    r"|kernel/(perf_event_max_sample_rate|hung_task_(warnings|detect_count)|sched_domain/.*)"
    r"|net/netfilter/nf_conntrack_count|.*/neigh/.*|.*/conf/.*)"
)
"""What the kernel counts there or sets itself, and what comes and goes with a network interface."""


def _settings() -> Iterator[str]:
    """Every setting of the host (proc_sys(5)) with its value, but for what changes by itself."""
    for kind in ("fs", "kernel", "net", "user", "vm"):
        for folder, _, files in os.walk(f"/proc/sys/{kind}"):
            for path in (f"{folder}/{name}" for name in files):
                if not _MOVES_BY_ITSELF.fullmatch(path):
                    with contextlib.suppress(OSError):
                        yield f"{path} is {Path(path).read_text(errors='replace').strip()}"


def _semaphores() -> set[str]:
    """System V semaphores but for those of another run that goes on beside this one."""
    found = set()
    with contextlib.suppress(OSError):
        for row in sysv.rows():
            with contextlib.suppress(OSError):
                owner = sysv.owner_of(row.id)
                if owner is None or owner.is_gone():
                    found.add(f"semaphore {row.id}")
    return found


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()  # not mounted, or closed to us: nobody can have left anything in it through us


def _rows(path: str) -> list[str]:
    """The lines of a table in /proc below its heading."""
    try:
        # A neighbour may name its socket as it likes.
        return Path(path).read_text(errors="replace").splitlines()[1:]
    except OSError:
        return []  # this kernel lacks it: no System V, no IPv6


def _sockets() -> Iterator[str]:
    """Listening TCP sockets and AF_UNIX sockets with a name, by inode; only those that nobody has open,
    or a process whose folder is closed to us: a socket that another program uses is none of ours.
    The sockets of a process of the run count through that process.
    """
    listening = "0A"
    sockets = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in map(str.split, _rows(path)):
            if row[3] == listening:
                sockets[row[9]] = f"{path} {row[1]}"
    for row in map(str.split, _rows("/proc/net/unix")):
        if len(row) > 7 and row[0].endswith(":"):
            sockets[row[6]] = f"/proc/net/unix {row[7]}"
    if sockets:
        for inode in _open_sockets():
            sockets.pop(inode, None)
    yield from (f"{what} (inode {inode})" for inode, what in sockets.items())


def _open_sockets() -> Iterator[str]:
    """Inode of every socket that a process has open."""
    for pid in pids():
        folder = f"/proc/{pid}/fd"
        for fd in _names(folder):
            with contextlib.suppress(OSError):
                target = os.readlink(f"{folder}/{fd}")
                if target.startswith("socket:["):
                    yield target[8:-1]


def mount_points(pid: int) -> list[str]:
    """What process `pid` sees mounted, and of which kind; the numbers of a mount differ by namespace."""
    rows = (line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines())
    return sorted(f"{row[4]} ({row[row.index('-') + 1]})" for row in rows)
