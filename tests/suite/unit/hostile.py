"""Healthy kernels in hostile places: what neighbours and limits do to a trial, and what the lab says of it.

The companions of the broken kernels in `broken*.py`.  Each place disturbs some of the trials on a kernel that decides
as mainline does; `notices` is what the lab has for it: the reason that makes the trial inconclusive.  Without that
(with `noticed=False`) the same places break claims, so they are hostile indeed.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import ClassVar

from probes.evidence import StepRecord, Trial
from probes.observers import WOKEN, names
from probes.refusals import in_words
from probes.scenario import Scenario
from probes.verdict import Inconclusive

from .builders import trial
from .model import EINTR, Kernel


class Place(Kernel):
    """A healthy kernel on which this share of the trials is disturbed."""

    breaks: ClassVar[bool] = True
    """Whether some claim would break if nobody noticed."""

    def __init__(self, seed: int, often: float = 0.5, *, noticed: bool = True) -> None:
        super().__init__(seed)
        self._often, self._noticed = often, noticed
        self.disturbed = False
        """The trial under way."""

    def begin(self, scenario: Scenario) -> None:
        self.disturbed = self.chance.random() < self._often
        self.victim = self.chance.randrange(scenario.n)
        self.moment = self.chance.randrange(max(1, scenario.k))
        self.so_far = 0

    def trial(self, scenario: Scenario, *, traced: bool = False) -> Trial:
        record = super().trial(scenario, traced=traced)
        if not self.disturbed:
            return record
        record = self.spoilt(record)
        return replace(record, inconclusive=self.notices()) if self._noticed else record

    def spoilt(self, record: Trial) -> Trial:
        """The record of a disturbed trial."""
        return record

    def notices(self) -> str | None:
        """The reason that the lab gives for a disturbed trial; None if it can be judged nevertheless."""
        raise NotImplementedError


class WaiterDies(Place):
    """Somebody kills a waiter: wake-ups that it gets from then on are lost."""

    def tells(self, scenario: Scenario, number: int) -> bool:
        self.so_far = number
        return True

    def issues(self, scenario: Scenario, wakes: list[int]) -> list[int]:
        dead = self.disturbed and self.so_far >= self.moment
        return [i for i in wakes if i != self.victim] if dead else wakes

    def notices(self) -> str:
        return f"w{self.victim} was killed by somebody else: it is gone"


class WaiterStops(WaiterDies):
    """Somebody stops a waiter: it is woken, and does not run."""

    def notices(self) -> str:
        return f"w{self.victim} was stopped by somebody else"


class ForeignWakeUp(Place):
    """Somebody's signal moves a waiter beside those whom the connection wakes."""

    def bystanders(self, scenario: Scenario, asleep: list[int]) -> list[int]:
        return [i for i in asleep if i == self.victim] if self.disturbed else []

    def notices(self) -> str:
        return f"w{self.victim} was woken by somebody else: process 1 ('init')"


class Interrupted(ForeignWakeUp):
    """The same, and the wait ends with EINTR: the waiter gives up (probes/lab/waiter.py)."""

    def spoilt(self, record: Trial) -> Trial:
        victim = self.victim if self.victim < len(record.waiters) else 0
        waiters = [
            replace(each, woken=True, returned=True, won=0, result=-EINTR, errno=EINTR) if each.i == victim else each
            for each in record.waiters
        ]
        return replace(record, waiters=tuple(waiters))

    def notices(self) -> str:
        return f"w{self.victim} got EINTR, which tells nothing of the kernel: somebody else interrupted it"


class PortTaken(Place):
    """No listener can be opened: nothing was done."""

    def spoilt(self, record: Trial) -> Trial:
        return trial(n=len(record.waiters), traced=record.traced)

    def notices(self) -> str:
        return f"no tcp4 could be opened: {in_words(OSError(errno.EADDRINUSE, 'in use'))}"


class NotDelivered(Place):
    """A connection cannot be made (a full queue, a lost packet): the trial ends at this step."""

    def spoilt(self, record: Trial) -> Trial:
        return replace(record, steps=record.steps[: self.moment], answers=record.answers[: self.moment])

    def notices(self) -> str:
        return f"connection {self.moment + 1} failed: Connection timed out"


class RecordLost(Place):
    """The ring of one observer overflows: what the others saw still counts."""

    breaks = False

    def spoilt(self, record: Trial) -> Trial:
        counts = {**record.observers, "sched_waking": None}
        return replace(record, observers=counts, missing={"sched_waking": "4711 records were lost"}, wakings=())

    def notices(self) -> None:
        return None


class ObserversGone(Place):
    """All observers of wake-ups disappear during a run (tracefs is unmounted, /proc is hidden)."""

    breaks = False

    def spoilt(self, record: Trial) -> Trial:
        blind = dict.fromkeys(names(WOKEN))
        return replace(
            record,
            woken=None,
            observers={**record.observers, **blind},
            missing=dict.fromkeys(blind, "it is gone"),
            steps=tuple(replace(step, woken=None) for step in record.steps),
            waiters=tuple(replace(each, woken=None) for each in record.waiters),
        )

    def notices(self) -> None:
        return None


class ObserversDisagree(Place):
    """One of the observers counts a waiter too many, and the others do not."""

    def spoilt(self, record: Trial) -> Trial:
        def one_more(step: StepRecord) -> StepRecord:
            return replace(step, woken=(step.woken or 0) + 1)

        return replace(record, agree=False, woken=(record.woken or 0) + 1, steps=tuple(map(one_more, record.steps)))

    def notices(self) -> str:
        return "observers disagree in step 1: woken: switches saw w0, sched_waking saw w0 w1"


class ConductorDies(Place):
    """Somebody kills the conductor: there is no record at all."""

    breaks = False

    def trial(self, scenario: Scenario, *, traced: bool = False) -> Trial:
        record = super().trial(scenario, traced=traced)
        if self.disturbed:
            raise Inconclusive("the conductor died (SIGKILL)")
        return record

    def notices(self) -> str:
        return "the conductor died (SIGKILL)"


PLACES: tuple[type[Place], ...] = (
    WaiterDies,
    WaiterStops,
    ForeignWakeUp,
    Interrupted,
    PortTaken,
    NotDelivered,
    RecordLost,
    ObserversGone,
    ObserversDisagree,
    ConductorDies,
)
