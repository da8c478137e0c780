"""Settings of the kernel that decide what the suite sees, or may look at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

NETWORK = (
    "net/core/somaxconn",
    "net/ipv4/tcp_migrate_req",
    "net/ipv4/tcp_abort_on_overflow",
    "net/ipv4/tcp_fastopen",
    "net/ipv4/tcp_max_syn_backlog",
)
"""Each network namespace has its own of these: the conductor reads them where the trials run."""

HOST = (
    "kernel/perf_event_paranoid",
    "kernel/unprivileged_userns_clone",
    "kernel/yama/ptrace_scope",
    "kernel/io_uring_disabled",
    "user/max_user_namespaces",
)


def read(paths: Iterable[str]) -> dict[str, str]:
    """Those of the settings that are there, by their dotted names."""
    settings = {}
    for path in paths:
        with contextlib.suppress(OSError), open(f"/proc/sys/{path}") as file:
            settings[path.replace("/", ".")] = file.read().strip()
    return settings
