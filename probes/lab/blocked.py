"""Proofs about waiters: that one is blocked where it should be, and that all of them are at rest."""

from __future__ import annotations

from ..errnos import errno_of_result
from ..observers.task_files import RUNNING, Sighting
from ..observers.tracer import Tracer
from ..syscalls import number_of
from ..verdict import Inconclusive
from .board import BORN, PARKED, PHASE, READY, RESULT, RETURNED, SWITCHES, WAITING
from .herd import Herd, Waiter
from .rest import all_at_rest, all_at_rest_again, in_words, signal_name, two_equal_looks
from .waiter import PARK

SYSCALL_FILE = "state S in the expected call, by /proc/PID/syscall"
ENTRY_STOP = "system-call entry stop of the expected call, then state S"
MARK_AND_STATE = "a mark just before the call, then state S in two equal samples"
_RARELY = 32
"""While a waiter is still on its way to its call, only one look in this many reads its files."""


class Proofs:
    """Proofs about the waiters of one trial: that one is blocked, that none has moved, that all are at rest."""

    def __init__(self, herd: Herd, tracer: Tracer | None, *, syscall_readable: bool) -> None:
        self._herd = herd
        self._tracer = tracer
        self._inside = {WAITING: number_of(herd.scenario.system_call), PARKED: number_of(PARK)}
        self._proven: dict[int, Sighting] = {}
        self._rested: list[Sighting] = []
        """The last look at each when all were at rest, and how often each had returned by then."""
        self._returned: list[int] = []
        self.how = SYSCALL_FILE if syscall_readable else ENTRY_STOP if tracer else MARK_AND_STATE
        """How a waiter is proven to be blocked here."""

    def prove_blocked(self, waiter: Waiter, scale: float = 1.0) -> None:
        """Return once `waiter` is proven to sleep in its wait call.  Raises Inconclusive at the deadline, which is
        `scale` times the usual one, because later waiters need CPU time to start meanwhile.
        """

        line = self._herd.board.line(waiter.i)
        looks = 0

        def look() -> Sighting:
            nonlocal looks
            looks += 1
            if self._tracer is not None:
                self._tracer.pump_family(waiter.pid)
            phase = line[PHASE]
            if phase != WAITING:
                self._herd.complain_about_failure(waiter.i)
                # By its own account it is on its way; check only now and then whether it was killed or stopped.
                if phase in (BORN, READY) and looks % _RARELY:
                    return RUNNING
            self._complain_about_refusal(waiter.i)
            return waiter.look()

        def blocked(sighting: Sighting) -> bool:
            return line[PHASE] == WAITING and self._asleep(waiter, sighting)

        # Two looks: a task that is just being woken from its entry stop (TASK_WAKING) is off the run queue as well,
        # and /proc/PID/syscall names its call a moment before it sleeps there.
        self._proven[waiter.i] = two_equal_looks(
            look, blocked, lambda last: f"{waiter.name} was not seen blocked ({in_words(last)})", scale=scale
        )

    def still_blocked(self, scale: float) -> list[Sighting]:
        """Look at all waiters just before the stimulus, and check that none has moved since it was proven blocked.

        One look is enough if it equals the one that proved the waiter blocked: it has slept from then until now.  This
        holds for each of them, so all of them sleep at once.  Raises Inconclusive if one has moved: it may have lost
        its place in the queue, so the order is not known any more.
        """
        waiters = self._herd.waiters
        if self._tracer is not None:
            self._tracer.pump_all()
        now = [waiter.look() for waiter in waiters]
        if not all(self._asleep(waiter, sighting) for waiter, sighting in zip(waiters, now, strict=True)):
            now = self.all_quiet(scale)
        moved = [waiter.name for waiter in waiters if self._proven[waiter.i] != now[waiter.i]]
        if moved:
            raise Inconclusive(f"{' '.join(moved)} moved before the stimulus")
        self._complain_about_others()
        self._note_rest(now)
        return now

    def _note_rest(self, sightings: list[Sighting]) -> None:
        self._rested, self._returned = sightings, self._herd.board.column(RETURNED)

    def all_quiet(self, scale: float) -> list[Sighting]:
        """Return once all waiters sleep at once, each in its wait call or in its parking call.

        Raises Inconclusive at the deadline, and if somebody else has stopped one of them meanwhile.
        """

        def before_each_look() -> None:
            if self._tracer is not None:
                self._tracer.pump_all()
            self._herd.complain_about_surroundings()

        def returned() -> list[int]:
            counts = self._herd.board.column(RETURNED)
            return [place for place, count in enumerate(counts) if count != self._returned[place]]

        waiters = self._herd.waiters
        if not self._rested:
            sightings = all_at_rest(waiters, self._asleep, before_each_look=before_each_look, scale=scale)
        else:
            sightings = all_at_rest_again(
                waiters, self._asleep, self._rested, likely=returned, before_each_look=before_each_look, scale=scale
            )
        self._complain_about_others()
        self._note_rest(sightings)
        return sightings

    def _complain_about_refusal(self, i: int) -> None:
        """Raise Inconclusive if the wait call returned at once, with an error."""
        line = self._herd.board.line(i)
        if line[RETURNED] and line[RESULT] < 0:
            call = self._herd.scenario.system_call
            raise Inconclusive(f"waiter {i} did not block: {call} gave {errno_of_result(line[RESULT])}")

    def _complain_about_others(self) -> None:
        """Raise Inconclusive if somebody else has stopped a waiter, however briefly, or sent it a signal."""
        if self._tracer is None:
            who, what = self._herd.stopped(), "stopped"
        else:
            tid, number = self._tracer.disturbed or (0, 0)
            who = self._herd.name_of(tid) if tid else None
            what = f"sent {signal_name(number)}"
        if who is not None:
            raise Inconclusive(f"{who} was {what} by somebody else")

    def _asleep(self, waiter: Waiter, sighting: Sighting) -> bool:
        """Whether it sleeps in the call that its phase names (state S; D would be a lock in the kernel)."""
        expected = self._inside.get(self._herd.board.line(waiter.i)[PHASE])
        if sighting.state != "S" or expected is None:
            return False
        if self.how is SYSCALL_FILE:
            return sighting.syscall == expected
        if self._tracer is not None:
            tracee = self._tracer.of(waiter.tid)
            return tracee.inside == expected and _slept_since(tracee.switches, sighting)
        if expected != self._inside[WAITING]:
            return True  # parked: nothing that it does from here on counts
        return _slept_since(self._herd.board.line(waiter.i)[SWITCHES], sighting)


def _slept_since(before: int | None, sighting: Sighting) -> bool:
    """Whether it gave up the CPU after `before` switches.  A task that was preempted on its way to sleep also shows
    state S."""
    return before is None or sighting.switches is None or sighting.switches > before
