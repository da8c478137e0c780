"""Which CPUs the clients and the workers run on, and who else uses the machine."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from dataclasses import dataclass

PINS = {
    "auto": "client, where there are four CPUs or more; none otherwise",
    "client": "a CPU for the clients, and the others for the workers",
    "none": "clients and workers share all CPUs",
}
ENOUGH = 4
"""With fewer CPUs the workers would have one, or two: too few to see workers beside each other."""


@dataclass(frozen=True)
class Shares:
    """The CPUs of each side."""

    client: set[int]
    workers: set[int]

    @classmethod
    def of(cls, pin: str) -> Shares:
        """How `pin` divides the CPUs that this process may use."""
        ours = sorted(os.sched_getaffinity(0))
        if len(ours) > 1 and (pin == "client" or (pin == "auto" and len(ours) >= ENOUGH)):
            return cls({ours[0]}, set(ours[1:]))
        return cls(set(ours), set(ours))

    @property
    def apart(self) -> bool:
        """Whether the clients have a CPU of their own."""
        return self.client.isdisjoint(self.workers)


class Machine:
    """What the whole machine did since this was created: how much others used its CPUs."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._ours_s = _ours_s()
        self._all = _busy_s()

    def since(self) -> dict[str, float | None]:
        """`foreign` and `stolen`, shares of the CPU time of the machine: used by others on it, and by other guests of
        its host (proc_stat(5), steal); None if the kernel does not keep them.  And the load average now."""
        busy = _busy_s()
        load: float | None = None
        with contextlib.suppress(OSError):
            load = os.getloadavg()[0]
        if busy is None or self._all is None:
            return {"foreign": None, "stolen": None, "load": load}
        whole = (time.monotonic() - self._began_s) * (os.cpu_count() or 1)
        used, stolen = (after - before for before, after in zip(self._all, busy, strict=True))
        foreign = used - (_ours_s() - self._ours_s)
        return {"foreign": max(0.0, foreign / whole), "stolen": max(0.0, stolen / whole), "load": load}


def _ours_s() -> float:
    """CPU time of this process and of the workers that it has reaped, in seconds."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _busy_s() -> tuple[float, float] | None:
    """Seconds that the CPUs were used (interrupts included), and stolen, since boot; None if that is not kept."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = (int(field) for field in file.readline().split()[1:9])
        ticks = os.sysconf("SC_CLK_TCK")
        if used := user + nice + system + irq + softirq:
            return used / ticks, steal / ticks
    return None
