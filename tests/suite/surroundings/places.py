"""The places: what a run may find itself in that is no fault of its kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from probes import syscalls
from probes.lab import isolation
from tests.suite.system import seccomp


@dataclass(frozen=True)
class Place:
    """One surrounding."""

    group: str
    what: str
    """In a few words, for the page."""
    enter: Callable[[], object] = lambda: None
    """Moves this process there, for good."""
    isolated: bool = True
    """Whether namespaces of our own were to be had before."""


DENIED_CALLS = tuple(sorted(set(seccomp.NUMBERS)))

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
    """A network namespace where this is so, and no other can be had, as the processes of most containers find it."""
    isolation._unshare(syscalls.NEWNET)
    isolation.bring_lo_up()
    with open(f"/proc/sys/net/{name}", "w") as file:
        file.write(value)
    seccomp.deny(["unshare"])


def _places() -> dict[str, Place]:
    places = {"none": Place("none", "nothing is denied"), "host": Place("none", "no namespaces", isolated=False)}
    for call in DENIED_CALLS:
        for error in ("EPERM", "ENOSYS"):
            places[f"{call}={error}"] = Place(
                "a system call is denied", f"`{call}` gives {error}", partial(seccomp.deny, [call], error)
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
    return places


PLACES: Mapping[str, Place] = _places()
