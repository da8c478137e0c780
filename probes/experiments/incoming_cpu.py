"""SO_INCOMING_CPU in a reuseport group: the member that sets a CPU gets what arrives on that CPU (socket(7))."""

from __future__ import annotations

import os
import socket

from ..lab.features import asking_for
from ..lab.stage import Stage
from ..verdict import Inconclusive, NotApplicable
from . import wire

_INCOMING_CPU = 49  # SO_INCOMING_CPU, include/uapi/asm-generic/socket.h; socket has the name from Python 3.11 on
_EACH = 24
_MOST_CPUS = 4


def chosen(stage: Stage) -> None:
    """A member for each CPU, and one for a CPU that nobody connects from; connections from each CPU in turn."""
    cpus = sorted(os.sched_getaffinity(0))[:_MOST_CPUS]
    absent = max(os.sched_getaffinity(0)) + 1
    group = _group(stage, [*cpus, absent])
    astray = sum(member != cpu for cpu in cpus for member in _chosen(stage, group, cpu))
    stage.note("astray", f"of {_EACH} connections from each CPU, those that went to another CPU's member", astray)


def left_over(stage: Stage) -> None:
    """A member for each CPU, and one without the option, which is then closed; connections from each CPU in turn."""
    for name, stays in (("got", True), ("astray-once-closed", False)):
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) > _MOST_CPUS:
            raise NotApplicable(f"there are {len(cpus)} CPUs, and Wakecheck makes no more than {_MOST_CPUS} members")
        group = _group(stage, cpus)
        further = wire.listening(stage, port=next(iter(group.values())).getsockname()[1], group=True)
        if stays:
            group[-1] = further
        else:
            further.close()
        gotten = [member for cpu in cpus for member in _chosen(stage, group, cpu) if member != cpu]
        words = (
            "that went to the member that asks for none, or astray" if stays else "that went astray once it is closed"
        )
        stage.note(name, f"of {_EACH} connections from each CPU, those {words}", len(gotten))


def _group(stage: Stage, cpus: list[int]) -> dict[int, socket.socket]:
    """A member for each of these CPUs.  Raises Inconclusive if packets move to other CPUs."""
    stage.insist_on_the_senders_cpu()
    group: dict[int, socket.socket] = {}
    port = 0
    for cpu in cpus:
        group[cpu] = wire.listening(stage, port=port, group=True)
        port = group[cpu].getsockname()[1]
        with asking_for("SO_INCOMING_CPU"):
            group[cpu].setsockopt(socket.SOL_SOCKET, _INCOMING_CPU, cpu)
    return group


def _chosen(stage: Stage, group: dict[int, socket.socket], cpu: int) -> list[int]:
    """For each connection from this CPU, the CPU whose member gets it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, (cpu,))
    try:
        return [_member(stage, group) for _ in range(_EACH)]
    finally:
        os.sched_setaffinity(0, before)


def _member(stage: Stage, group: dict[int, socket.socket]) -> int:
    """Make one connection; returns the CPU whose member gets it."""
    wire.dial(stage, next(iter(group.values())))
    stage.fence(needed=True)
    for cpu, listener in group.items():
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            continue
        return cpu
    raise Inconclusive("a connection is in no member's queue")
