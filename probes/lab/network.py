"""A network namespace of a stage's own, its settings, and the counters that its kernel keeps there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from .. import syscalls
from ..verdict import Inconclusive, NotApplicable
from . import isolation
from .deadline import until


def own_network() -> None:
    """Move this stage into a network namespace of its own, where settings can be changed: /proc/sys/net is
    that of the reader's namespace.  It dies with the stage.  Raises NotApplicable where it is denied."""
    refused = syscalls.call(syscalls.NUMBERS["unshare"], syscalls.NEWNET)
    if refused < 0:
        raise NotApplicable(f"a network namespace to change settings in: {os.strerror(-refused)}")
    isolation.bring_lo_up()


def setting(name: str, value: int | None = None) -> int:
    """A setting of /proc/sys/net, after setting it to `value`.  Raises NotApplicable where it may not be set."""
    path = f"/proc/sys/net/{name}"
    try:
        if value is not None:
            with open(path, "w") as file:
                file.write(str(value))
        with open(path) as file:
            return int(file.read())
    except OSError as error:
        raise NotApplicable(f"{path}: {error.strerror}") from error


def counter(name: str) -> int:
    """One counter of this network namespace, by its name in /proc/net/netstat (TcpExt) or /proc/net/snmp (Tcp).

    Raises Inconclusive where this kernel does not keep it.
    """
    for file, group in (("netstat", "TcpExt:"), ("snmp", "Tcp:")):
        counters = _counters(file, group)
        if name in counters:
            return int(counters[name])
    raise Inconclusive(f"this kernel does not count {name}")


def _counters(file: str, group: str) -> dict[str, str]:
    """Two lines stand for a group: its names, and their values."""
    with open(f"/proc/net/{file}") as opened:
        lines = [line.split() for line in opened if line.startswith(group)]
    # gVisor has the line of names, and not that of the values.
    return dict(zip(*lines, strict=True)) if len(lines) == 2 else {}


@contextlib.contextmanager
def counted(name: str, otherwise: Callable[[], bool]) -> Iterator[None]:
    """Leave only once the counter `name` has moved since the start, or something else came of it."""
    before = counter(name)
    yield
    until(lambda: counter(name) > before or otherwise(), lambda: f"the kernel did not count {name}")
