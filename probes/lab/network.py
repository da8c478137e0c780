"""A stage's own network namespace, its settings, and its counters."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

from .. import syscalls
from ..verdict import Inconclusive, NotApplicable
from . import isolation
from .deadline import until


def own_network() -> None:
    """Move this stage into a network namespace of its own, whose settings it can change: /proc/sys/net shows those of
    the reader's namespace.  It dies with the stage.  Raises NotApplicable if it is denied."""
    refused = syscalls.call(syscalls.NUMBERS["unshare"], syscalls.NEWNET)
    if refused < 0:
        raise NotApplicable(f"a network namespace to change settings in: {os.strerror(-refused)}")
    isolation.bring_lo_up()


def setting(name: str, value: int | None = None) -> int:
    """Set a setting of /proc/sys/net to `value`, unless that is None; returns the setting.

    Raises NotApplicable if it may not be set, or not be read.
    """
    path = f"/proc/sys/net/{name}"
    try:
        if value is not None:
            with open(path, "w") as file:
                file.write(str(value))
        with open(path) as file:
            return int(file.read())
    except OSError as error:
        raise NotApplicable(f"{path}: {error.strerror}") from error


def needs(name: str, suits: Callable[[int], bool], otherwise: int, needed: str) -> None:
    """Make sure that a setting of /proc/sys/net is as an experiment needs it (`needed`, in words).

    If it does not suit, it is set to `otherwise` in a network namespace of this stage's own.  Raises Inconclusive, with
    the name of the setting, if that is denied.  A kernel that lacks the setting behaves as with its default.
    """
    path = f"/proc/sys/net/{name}"
    if not os.path.exists(path) or suits(value := setting(name)):
        return
    try:
        own_network()
        setting(name, otherwise)
    except NotApplicable as reason:
        dotted = f"net.{name.replace('/', '.')}"
        raise Inconclusive(f"{dotted} is {value}, and {needed} is needed; it may not be set here: {reason}") from reason


def needs_room(connections: int) -> None:
    """Make sure that this many connections can be queued at once.  Raises as `needs` does."""
    needs("core/somaxconn", lambda value: value >= connections, 4096, f"at least {connections}")


def odd_settings() -> list[str]:
    """Unusual settings of this network namespace that can make connections fail, in words."""
    odd = []
    for name, is_odd in _ODD.items():
        with contextlib.suppress(NotApplicable):  # this kernel lacks the setting, or does not show it
            if is_odd(value := setting(name)):
                odd.append(f"net.{name.replace('/', '.')} is {value}")
    with contextlib.suppress(OSError, ValueError), open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first, last = map(int, file.read().split())
        if last - first < _FEW_PORTS:
            odd.append(f"net.ipv4.ip_local_port_range is {first} to {last}")
    return odd


_FEW_PORTS = 1000
_ODD: Mapping[str, Callable[[int], bool]] = {
    "core/somaxconn": lambda value: value < 128,
    "ipv4/tcp_abort_on_overflow": lambda value: value != 0,
    "ipv4/tcp_max_syn_backlog": lambda value: value < 16,
    "ipv4/tcp_synack_retries": lambda value: value < 1,
    "ipv4/tcp_syncookies": lambda value: value == 2,
    "unix/max_dgram_qlen": lambda value: value < 4,
}


def counter(name: str) -> int:
    """A counter of this network namespace, by its name in /proc/net/netstat (TcpExt, MPTcpExt) or snmp (Tcp).

    Raises Inconclusive if this kernel does not have it.
    """
    for file, group in (("netstat", "TcpExt:"), ("snmp", "Tcp:"), ("netstat", "MPTcpExt:")):
        counters = _counters(file, group)
        if name in counters:
            return int(counters[name])
    raise Inconclusive(f"this kernel does not count {name}")


def _counters(file: str, group: str) -> dict[str, str]:
    """The counters of a group, from its two lines: names, and values."""
    with open(f"/proc/net/{file}") as opened:
        lines = [line.split() for line in opened if line.startswith(group)]
    # gVisor has the line with the names, but not the one with the values.
    return dict(zip(*lines, strict=True)) if len(lines) == 2 else {}


@contextlib.contextmanager
def counted(name: str, otherwise: Callable[[], bool]) -> Iterator[None]:
    """Leave the `with` statement only once the counter `name` has increased, or `otherwise` holds."""
    before = counter(name)
    yield
    until(lambda: counter(name) > before or otherwise(), lambda: f"the kernel did not count {name}")
