"""The observers of one conductor, and what they say about one step of a trial.

Each observer answers for the waiters it was asked about, or is None: absent, denied, or switched
off.  What two of them say about the same thing must agree, waiter by waiter.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field

from .. import syscalls
from ..observers import NAMES, counters, task_files
from ..observers.sched_waking import Lost, SchedWaking, Waking
from ..observers.task_files import Sighting
from . import isolation, tracer
from .herd import Herd
from .tracer import Tracer


@dataclass
class Reading:
    """What the observers saw of one step: sets of waiters, None for an observer that is not there."""

    returned: dict[str, set[int] | None] = field(default_factory=dict)
    woken: dict[str, set[int] | None] = field(default_factory=dict)
    wakings: list[Waking] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Observers that were there and lost their count, with the reason."""

    def disagreement(self) -> str | None:
        """Which observers contradict each other, and about whom; None where they agree."""
        for what, sets in (("returned", self.returned), ("woken", self.woken)):
            known = [(name, seen) for name, seen in sets.items() if seen is not None]
            for name, seen in known[1:]:
                if seen != known[0][1]:
                    return f"{what}: {known[0][0]} saw {_names(known[0][1])}, {name} saw {_names(seen)}"
        woken, returned = agreed(self.woken), agreed(self.returned)
        if woken is not None and returned is not None and not returned <= woken:
            return f"{_names(returned - woken)} returned, and the scheduler's observers saw no wake-up of it"
        return None


def agreed(sets: dict[str, set[int] | None]) -> set[int] | None:
    """What the first observer that is there saw (all agree, or the trial is inconclusive)."""
    return next((seen for seen in sets.values() if seen is not None), None)


def _names(who: Collection[int]) -> str:
    return " ".join(f"w{i}" for i in sorted(who)) or "none"


class Instruments:
    """Probes once which observers this kernel and user allow, and reads those that are on."""

    def __init__(self, without: Collection[str], *, may_mount: bool) -> None:
        self._may_mount = may_mount
        self.why_not: dict[str, str | None] = dict.fromkeys(NAMES)
        self._waking: SchedWaking | None = None
        probes = {
            "counters": lambda: None,
            "syscall_exit": tracer.why_not,
            "switches": task_files.why_no_switches,
            "run_counts": task_files.why_no_run_counts,
            "sched_waking": self._open_waking,
        }
        for name, probe in probes.items():
            self.why_not[name] = "switched off by --herd-without" if name in without else probe()
        self.why_no_syscall_file = task_files.why_no_syscall_file()

    def _open_waking(self) -> str | None:
        try:
            folder = isolation.tracefs(self._may_mount)
        except OSError as error:
            return f"tracefs, which describes sched:sched_waking: {error.strerror or error}"
        try:
            self._waking = SchedWaking(os.getpid(), folder)
        except OSError as error:
            return f"perf_event_open on sched:sched_waking: {error.strerror or error}"
        return None

    def on(self, name: str) -> bool:
        return self.why_not[name] is None

    def forget(self) -> None:
        """Drop the wake-ups seen so far (those of the arrangement itself)."""
        if self._waking is not None:
            self._waking.forget()

    def run_counts(self, herd: Herd) -> list[int | None]:
        """How often each waiter got a CPU so far."""
        if not self.on("run_counts"):
            return [None] * len(herd.waiters)
        return [waiter.files.run_count() for waiter in herd.waiters]

    def read(self, herd: Herd, tracer: Tracer | None, before: Snapshot, after: Snapshot) -> Reading:
        """What happened between two snapshots, as each observer saw it."""
        reading = Reading()
        everyone = range(herd.scenario.n)
        reading.returned["counters"] = (
            {i for i in everyone if after.returned[i] > before.returned[i]} if self.on("counters") else None
        )
        reading.returned["syscall_exit"] = (
            {i for i in everyone if after.exits[i] > before.exits[i]} if tracer is not None else None
        )
        reading.woken["switches"] = (
            {i for i in everyone if after.sightings[i].switches != before.sightings[i].switches}
            if self.on("switches")
            else None
        )
        reading.woken["run_counts"] = (
            {i for i in everyone if after.run_counts[i] != before.run_counts[i]} if self.on("run_counts") else None
        )
        reading.woken["sched_waking"] = None
        if self._waking is not None:
            try:
                reading.wakings = self._waking.seen()
                reading.woken["sched_waking"] = {waking.wakee for waking in reading.wakings}
            except Lost as lost:
                reading.missing["sched_waking"] = str(lost)
        return reading

    def snapshot(self, herd: Herd, tracer: Tracer | None, sightings: list[Sighting]) -> Snapshot:
        """Everything that is counted, now, while all waiters are at rest."""
        exits = [0] * len(herd.waiters)
        if tracer is not None:
            number = syscalls.NUMBERS[herd.scenario.system_call]
            exits = [tracer.of(waiter.tid).returns.get(number, 0) for waiter in herd.waiters]
        return Snapshot(
            sightings,
            self.run_counts(herd),
            herd.board.column(counters.RETURNED),
            herd.board.column(counters.WON),
            herd.board.column(counters.SPURIOUS),
            exits,
        )


@dataclass(frozen=True)
class Snapshot:
    """One list entry per waiter."""

    sightings: list[Sighting]
    run_counts: list[int | None]
    returned: list[int]
    won: list[int]
    spurious: list[int]
    exits: list[int]
