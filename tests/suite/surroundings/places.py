"""The places: surroundings that a run may find itself in, and that are no fault of the kernel."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from probes import syscalls
from probes.lab import isolation
from tests.suite.system import seccomp

NOBODY = 65534
_MS_RDONLY, _MS_REC, _MS_PRIVATE = 1, 1 << 14, 1 << 18


@dataclass(frozen=True)
class Place:
    """One surrounding."""

    group: str
    what: str
    """A few words for the page."""
    enter: Callable[[], object] = lambda: None
    """Moves this process there for good."""
    isolated: bool = True
    """Whether the process first moves into namespaces of its own."""


DENIED_CALLS = tuple(sorted(set(seccomp.NUMBERS) - {"futex"}))
"""All but futex(2), without which the interpreter does not run: its locks use it (sem_wait(3) in glibc)."""

REACHED = (
    # Call, error, and the machine's setting or limit that causes it.
    ("epoll_ctl", "ENOSPC", "fs.epoll.max_user_watches"),
    ("eventfd2", "ENFILE", "fs.file-max"),
    ("inotify_init1", "EMFILE", "fs.inotify.max_user_instances"),
    ("io_uring_setup", "ENOMEM", "the limit of locked memory"),
    ("mq_open", "ENOSPC", "fs.mqueue.queues_max"),
    ("msgget", "ENOSPC", "kernel.msgmni"),
    ("perf_event_open", "EACCES", "kernel.perf_event_paranoid"),
    ("semget", "ENOSPC", "kernel.sem"),
)
"""How settings of the whole machine show to a process.  They may not be changed here; machine_wide.py changes them."""

NETWORK = {
    "core/somaxconn": ("1", "4"),
    "ipv4/ip_local_port_range": ("32768 32768", "32768 32771"),
    "ipv4/tcp_abort_on_overflow": ("0", "1"),
    "ipv4/tcp_fastopen": ("0", "1031"),
    "ipv4/tcp_fin_timeout": ("1",),
    "ipv4/tcp_max_syn_backlog": ("1",),
    "ipv4/tcp_max_tw_buckets": ("0",),
    "ipv4/tcp_migrate_req": ("0", "1"),
    "ipv4/tcp_rmem": ("4096 4096 4096",),
    "ipv4/tcp_synack_retries": ("0",),
    "ipv4/tcp_syn_retries": ("1",),
    "ipv4/tcp_syncookies": ("0", "2"),
    "ipv4/tcp_timestamps": ("0",),
    "ipv4/tcp_tw_reuse": ("0", "1"),
    "ipv4/tcp_wmem": ("4096 4096 4096",),
    "ipv4/ip_unprivileged_port_start": ("0",),
    "ipv6/bindv6only": ("1",),
    "ipv6/conf/all/disable_ipv6": ("1",),
    "unix/max_dgram_qlen": ("0",),
}
"""Settings of a network namespace, at their extremes; 1031 is every bit of tcp_fastopen that works without a cookie."""


def _in_network(name: str, value: str) -> None:
    """Enter a network namespace with this setting, and deny further ones, as most containers do."""
    isolation._unshare(syscalls.NEWNET)
    isolation.bring_lo_up()
    with open(f"/proc/sys/net/{name}", "w") as file:
        file.write(value)
    seccomp.deny(["unshare"])


def _limited(name: str, most: int) -> None:
    """Set a hard limit of this process and its children (setrlimit(2))."""
    resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def _few_processes() -> None:
    """Become an ordinary user with this limit, which does not apply to root (copy_process, kernel/fork.c)."""
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    _limited("NPROC", 3)


def _ordinary() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _no_temporary_folder() -> None:
    """Make every folder read-only that could serve for temporary files (tempfile.gettempdir)."""
    isolation._unshare(syscalls.NEWNS)
    syscalls.mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    for folder in ("/tmp", "/var/tmp", "/usr/tmp"):
        with contextlib.suppress(OSError):
            syscalls.mount("tmpfs", folder, "tmpfs", _MS_RDONLY)
    os.environ["TMPDIR"] = "/nonexistent"
    os.chdir("/proc")


def _foreign_proc() -> None:
    """Cover /proc with an empty folder, so that it does not show our processes."""
    isolation._unshare(syscalls.NEWNS)
    syscalls.mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    syscalls.mount("tmpfs", "/proc", "tmpfs")


def _no_output() -> None:
    for fd in (0, 1, 2):
        os.close(fd)


def _no_capabilities() -> None:
    """Stay root, but drop CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_PERFMON, as a container does."""
    for capability in (12, 19, 21, 38):
        syscalls.prctl(24, capability)  # PR_CAPBSET_DROP
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))  # _LINUX_CAPABILITY_VERSION_3
    kept = 0x3FFFFFFFFFF & ~sum(1 << capability for capability in (12, 19, 21, 38))
    low, high = kept & 0xFFFFFFFF, kept >> 32
    data = ctypes.create_string_buffer(struct.pack("=6I", low, low, 0, high, high, 0))
    syscalls.call(syscalls.NUMBERS["capset"], ctypes.addressof(header), ctypes.addressof(data))


SCARCE: Mapping[str, tuple[str, Callable[[], object], bool]] = {
    "descriptors=10": ("a process may have 10 descriptors", partial(_limited, "NOFILE", 10), True),
    "descriptors=24": ("a process may have 24 descriptors", partial(_limited, "NOFILE", 24), True),
    "processes=3": ("the user may have 3 processes", _few_processes, True),
    "memory=100M": ("a process may have 100 MiB of addresses", partial(_limited, "AS", 100 << 20), True),
    "file-size=0": ("no file may grow", partial(_limited, "FSIZE", 0), True),
    "no-temporary-folder": ("there is no temporary folder", _no_temporary_folder, False),
    "foreign-proc": ("/proc is not that of these processes", _foreign_proc, False),
    "no-output": ("stdin, stdout and stderr are closed", _no_output, True),
    "no-capabilities": ("root without CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE", _no_capabilities, False),
    "ordinary": ("an ordinary user, without namespaces", _ordinary, False),
}


def _places() -> dict[str, Place]:
    places = {"none": Place("none", "nothing is denied"), "host": Place("none", "no namespaces", isolated=False)}
    for call in DENIED_CALLS:
        for error in ("EPERM", "ENOSYS"):
            places[f"{call}={error}"] = Place(
                "a system call is denied", f"`{call}` gives {error}", partial(seccomp.deny, [call], error)
            )
    for call, error, setting in REACHED:
        places[f"{call}={error}"] = Place(
            "a limit of the machine", f"`{call}` gives {error} ({setting})", partial(seccomp.deny, [call], error)
        )
    for name, values in NETWORK.items():
        for value in values:
            setting = f"net.{name.replace('/', '.')}"
            places[f"{setting}={value}"] = Place(
                "a setting of the network, where no namespace can be made",
                f"`{setting}` is {value}",
                partial(_in_network, name, value),
                isolated=False,
            )
    for name, (what, enter, isolated) in SCARCE.items():
        places[name] = Place("something is scarce or missing", what, enter, isolated)
    return places


PLACES: Mapping[str, Place] = _places()
