"""Proofs about sleepers: that one is blocked where it should be, and that all of them are quiet."""

from __future__ import annotations

from ..evidence import errno_name
from ..observers.counters import PARKED, PHASE, RESULT, RETURNED, SWITCHES, WAITING
from ..observers.task_files import Sighting
from ..syscalls import NUMBERS
from ..verdict import Inconclusive
from .deadline import until
from .herd import Herd, Waiter
from .tracer import Tracer
from .waiter import PARK

SYSCALL_FILE = "state S in the expected call, by /proc/PID/syscall"
ENTRY_STOP = "system-call entry stop of the expected call, then state S"
MARK_AND_STATE = "a mark just before the call, then state S in two equal samples"


class Watch:
    """Looks at the waiters of one trial."""

    def __init__(self, herd: Herd, tracer: Tracer | None, *, syscall_readable: bool) -> None:
        self._herd = herd
        self._tracer = tracer
        self._inside = {WAITING: NUMBERS[herd.scenario.system_call], PARKED: NUMBERS[PARK]}
        self._proven: dict[int, Sighting] = {}
        self.proof = SYSCALL_FILE if syscall_readable else ENTRY_STOP if tracer else MARK_AND_STATE

    def prove_blocked(self, waiter: Waiter) -> None:
        """Return once `waiter` is proven to sleep in its wait call.  Raises Inconclusive at the deadline."""
        self._proven[waiter.i] = self._blocked(waiter)

    def still_blocked(self, scale: float) -> list[Sighting]:
        """A look at all of them before the stimulus: none has moved since it was proven blocked.

        One that moved may have lost its place in the queue, so the order is no longer known:
        Inconclusive.
        """
        now = self.all_quiet(scale)
        moved = [f"w{i}" for i, sighting in enumerate(now) if self._proven[i] != sighting]
        if moved:
            raise Inconclusive(f"{' '.join(moved)} moved before the stimulus")
        return now

    def _blocked(self, waiter: Waiter) -> Sighting:
        last: list[Sighting] = []

        def proven() -> bool:
            if self._tracer is not None:
                self._tracer.pump_family(waiter.pid)
            self._herd.complain_about_failure(waiter.i)
            self._complain_about_refusal(waiter.i)
            sighting = self.look(waiter)
            twice = last == [sighting]
            last[:] = [sighting]
            if self._herd.board.line(waiter.i)[PHASE] != WAITING or not self._asleep(waiter, sighting):
                return False
            # Twice: a task that is just being woken from its entry stop (TASK_WAKING) is off the run
            # queue as well, and /proc/PID/syscall names its call a moment before it sleeps there.
            return twice

        until(proven, lambda: f"waiter {waiter.i} was not seen blocked ({_words(last)})")
        return last[0]

    def all_quiet(self, scale: float) -> list[Sighting]:
        """Return once every waiter sleeps in its wait call or its parking call, and none moved meanwhile.

        Two successive looks at all of them are equal, so there was an instant between the two at
        which all slept at once; from then on a wake-up can only come from outside.
        Raises Inconclusive at the deadline.
        """
        looks: list[list[Sighting]] = [[]]

        def equal() -> bool:
            looks.append([self._at_rest(waiter, scale) for waiter in self._herd.waiters])
            return looks[-1] == looks.pop(0)

        until(equal, lambda: "the waiters did not come to rest: they kept moving", scale)
        return looks[0]

    def _complain_about_refusal(self, i: int) -> None:
        """Raise Inconclusive if the wait call came back at once, with an error."""
        line = self._herd.board.line(i)
        if line[RETURNED] and line[RESULT] < 0:
            call = self._herd.scenario.system_call
            raise Inconclusive(f"waiter {i} did not block: {call} gave {errno_name(line[RESULT])}")

    def _at_rest(self, waiter: Waiter, scale: float) -> Sighting:
        """What one waiter looks like once it is asleep."""
        seen: list[Sighting] = []

        def asleep() -> bool:
            if self._tracer is not None:
                # One that does not rest may wait for another thread that stands in a ptrace stop.
                if seen:
                    self._tracer.pump_all()
                else:
                    self._tracer.pump(waiter.tid)
            seen[:] = [self.look(waiter)]
            return self._asleep(waiter, seen[0])

        until(asleep, lambda: f"waiter {waiter.i} did not come to rest ({_words(seen)})", scale)
        return seen[0]

    def look(self, waiter: Waiter) -> Sighting:
        """One look.  Raises Inconclusive where the waiter is gone."""
        try:
            sighting = waiter.files.look()
        except (FileNotFoundError, ProcessLookupError) as error:
            raise Inconclusive(f"waiter {waiter.i} is gone: somebody else killed it") from error
        if sighting.state in "ZX":
            raise Inconclusive(f"waiter {waiter.i} is dead: somebody else killed it")
        return sighting

    def _asleep(self, waiter: Waiter, sighting: Sighting) -> bool:
        """Whether it sleeps (S: not R, and not D as on a lock) in the call that its phase names."""
        expected = self._inside.get(self._herd.board.line(waiter.i)[PHASE])
        if sighting.state != "S" or expected is None:
            return False
        if self.proof is SYSCALL_FILE:
            return sighting.syscall == expected
        if self._tracer is not None:
            tracee = self._tracer.of(waiter.tid)
            return tracee.inside == expected and _slept_since(tracee.switches, sighting)
        if expected != self._inside[WAITING]:
            return True  # parked: it has done all that counts
        return _slept_since(self._herd.board.line(waiter.i)[SWITCHES], sighting)


def _slept_since(before: int | None, sighting: Sighting) -> bool:
    """Whether it gave up the CPU after `before` switches: one that was only preempted shows state S too."""
    return before is None or sighting.switches is None or sighting.switches > before


def _words(sightings: list[Sighting]) -> str:
    if not sightings:
        return "never seen"
    state, _, syscall = sightings[-1]
    return f"state {state}" + ("" if syscall is None else f" in system call {syscall}")
