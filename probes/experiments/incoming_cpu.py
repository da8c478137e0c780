"""SO_INCOMING_CPU in a reuseport group: the member that asks for a CPU gets what arrives there (socket(7))."""

from __future__ import annotations

import os
import socket

from ..lab.features import asking_for
from ..lab.stage import Stage
from ..verdict import Inconclusive
from . import wire

_INCOMING_CPU = 49  # SO_INCOMING_CPU, include/uapi/asm-generic/socket.h; socket has the name from Python 3.11 on
_EACH = 24
_MOST_CPUS = 4


def chosen(stage: Stage) -> None:
    """A member for each CPU, and one for a CPU that nobody connects from; connections from each CPU in turn."""
    cpus = sorted(os.sched_getaffinity(0))[:_MOST_CPUS]
    absent = max(os.sched_getaffinity(0)) + 1
    group: dict[int, socket.socket] = {}
    port = 0
    for cpu in (*cpus, absent):
        group[cpu] = wire.listening(stage, port=port, group=True)
        port = group[cpu].getsockname()[1]
        with asking_for("SO_INCOMING_CPU"):
            group[cpu].setsockopt(socket.SOL_SOCKET, _INCOMING_CPU, cpu)
    astray = 0
    before = os.sched_getaffinity(0)
    try:
        for cpu in cpus:
            os.sched_setaffinity(0, (cpu,))
            astray += sum(_member(stage, group) != cpu for _ in range(_EACH))
    finally:
        os.sched_setaffinity(0, before)
    stage.note("astray", f"of {_EACH} connections from each CPU, those that went to another CPU's member", astray)


def _member(stage: Stage, group: dict[int, socket.socket]) -> int:
    """The CPU whose member gets a connection that is made here and now."""
    wire.dial(stage, next(iter(group.values())))
    stage.fence(needed=True)
    for cpu, listener in group.items():
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            continue
        return cpu
    raise Inconclusive("a connection is in no member's queue")
