"""Records one trial: what each step moved, and what became of each waiter."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .. import syscalls
from ..axes import SOURCES
from ..errnos import errno_of_result
from ..evidence import CallExit, StepRecord, Trial, WaiterRecord, WakeUp, call_name
from ..observers import AtRest
from ..observers.task_files import Sighting
from ..observers.tracer import Exit, Tracer
from ..scenario import Scenario
from ..stimuli import Stimulus
from ..verdict import Inconclusive
from .board import RESULT, RETURNED, SPURIOUS, WON
from .deadline import until
from .herd import Herd, Waiter
from .instruments import Instruments, Moved, Snapshot
from .waiter import ANSWER
from .wakers import by_others, in_words

_MSG_DONTWAIT = 0x40
_MOST_EXITS = 20
"""How many system call exits are kept for each waiter, the last ones: a long series would fill the report."""


@dataclass(frozen=True)
class _Moment:
    """What was counted at one moment, while all waiters were at rest; one list entry per waiter."""

    observed: Snapshot
    won: list[int]
    """Connections that the waiter has taken, or that the kernel has accepted for it."""
    reported: list[int]
    """Those that the waiter itself has recorded on the board, and answers on."""
    spurious: list[int]
    returned: list[int]
    """Also as the waiter itself has recorded them."""


class Ledger:
    """Begins once all waiters are blocked, and records each step; `trial` returns all of it, whatever failed."""

    def __init__(self, scenario: Scenario, instruments: Instruments, tracer: Tracer | None) -> None:
        self.herd: Herd | None = None
        self._scenario = scenario
        self._instruments = instruments
        self._tracer = tracer
        self._began_ns = time.monotonic_ns()
        self._moments: list[_Moment] = []
        self._steps: list[StepRecord] = []
        self._answers: list[list[int]] = []
        self._missing: dict[str, str] = {}
        self._disagreement: str | None = None

    def begin(self, sightings: list[Sighting]) -> None:
        """Start the counts and the clock: call it just before the stimulus, so that the arrangement does not count."""
        self._instruments.forget()
        self._moments.append(self._now(sightings))
        self._began_ns = time.monotonic_ns()

    def record(self, stimulus: Stimulus, sightings: list[Sighting]) -> None:
        """Record one step; `sightings` are the looks at the waiters after it.  Raises Inconclusive if two observers
        disagree."""
        assert self.herd is not None
        before, after = self._moments[-1], self._now(sightings)
        self._moments.append(after)
        self._missing.update(after.observed.lost)
        moved = after.observed.since(before.observed)
        returned_ns = self.herd.board.returned_ns
        connections = sum(after.won) - sum(before.won)
        self._steps.append(
            StepRecord(
                woken=None if moved.woken is None else len(moved.woken),
                returned=None if moved.returned is None else len(moved.returned),
                won=_grown(before.won, after.won),
                connections=connections,
                spurious=self._spurious(_grown(before.spurious, after.spurious)),
                order=tuple(sorted(moved.returned or (), key=returned_ns)),
                queued=stimulus.source.queued(),
            )
        )
        self._insist_on_our_wakers()
        self._disagreement = moved.disagreement()
        if self._disagreement:
            raise Inconclusive(f"observers disagree in step {len(self._steps)}: {self._disagreement}")
        self._insist_on_returns(before, after, moved.returned)
        self._read_answers(stimulus, sum(after.reported) - sum(before.reported))

    def _insist_on_returns(self, before: _Moment, after: _Moment, returned: set[int] | None) -> None:
        """Raise Inconclusive if a waiter reports that it won, or found nothing, although no observer saw it return."""
        if (after.reported, after.spurious) == (before.reported, before.spurious):
            return
        for i in range(self._scenario.n if returned is not None else 0):
            reports = after.reported[i] != before.reported[i] or after.spurious[i] != before.spurious[i]
            if reports and returned is not None and i not in returned:
                raise Inconclusive(f"w{i} says what its call brought, and it did not return")

    def _insist_on_our_wakers(self) -> None:
        """Raise Inconclusive if somebody else has woken a waiter that slept before this step."""
        assert self.herd is not None
        waking = by_others(self._instruments.recent_wakings(), self.herd.is_ours)
        # Inside a PID namespace the kernel's threads look like any other process outside of it.
        if waking is not None and (waking.process or not SOURCES[self._scenario.source].carried):
            raise Inconclusive(f"w{waking.wakee} was woken by somebody else: {in_words(waking)}")

    def _now(self, sightings: list[Sighting]) -> _Moment:
        assert self.herd is not None
        board = self.herd.board
        # In this order, because a waiter first records its return, and then what it got.
        reported, spurious, returns = board.column(WON), board.column(SPURIOUS), board.column(RETURNED)
        tasks = [
            AtRest(waiter.files, sighting, waiter.i, returns[waiter.i], self._exits_of(waiter))
            for waiter, sighting in zip(self.herd.waiters, sightings, strict=True)
        ]
        return _Moment(self._instruments.snapshot(tasks), self.herd.won(), reported, spurious, returns)

    def _exits_of(self, waiter: Waiter) -> int | None:
        if self._tracer is None:
            return None
        return self._tracer.of(waiter.tid).returns.get(syscalls.number_of(self._scenario.system_call), 0)

    def _spurious(self, count: int) -> int | None:
        """How many returns found nothing; None under hold, because nobody looks then (except in accept itself)."""
        return None if self._scenario.reaction == "hold" and not self._scenario.takes else count

    def _read_answers(self, stimulus: Stimulus, expected: int) -> None:
        """Read what the winners sent over the connections that they took: which waiter answered on which connection."""
        if self._scenario.reaction == "hold" or not stimulus.clients:
            return
        first = stimulus.count - len(stimulus.clients)
        self._answers += [[] for _ in range(stimulus.count - len(self._answers))]
        heard = 0

        def all_answered() -> bool:
            nonlocal heard
            for place, end in enumerate(stimulus.clients, first):
                with contextlib.suppress(BlockingIOError, ConnectionResetError):
                    while data := end.recv(ANSWER.size, _MSG_DONTWAIT):
                        if len(data) != ANSWER.size:
                            raise Inconclusive(f"connection {place} brought half an answer")
                        self._answers[place].append(ANSWER.unpack(data)[0])
                        heard += 1
            return heard >= expected

        until(all_answered, lambda: f"{expected} connections were taken, {heard} winners answered")
        if self._scenario.reaction in ("loop", "drain") and all(self._answers[first:]):
            stimulus.hang_up()

    def trial(self, inconclusive: str | None) -> Trial:
        """Everything that was recorded; `inconclusive` says why it proves nothing, or is None."""
        moved = self._moved_at_all()
        woken, returned = moved.woken, moved.returned
        waiters = self._waiters(woken, returned)
        return Trial(
            traced=self._tracer is not None,
            inconclusive=inconclusive,
            woken=None if woken is None else len(woken),
            returned=None if returned is None else len(returned),
            won=sum(waiter.won > 0 for waiter in waiters),
            spurious=self._spurious(self._found_nothing()),
            connections=sum(waiter.won for waiter in waiters),
            order=tuple(i for step in self._steps for i in step.order),
            agree=self._disagreement is None,
            observers={name: None if who is None else len(who) for name, who in moved.by_observer.items()},
            missing=self._missing,
            steps=tuple(self._steps),
            answers=tuple(map(tuple, self._answers)),
            waiters=waiters,
            wakings=self._wakings(),
            exits=self._exits(),
        )

    def _wakings(self) -> tuple[WakeUp, ...]:
        """Who woke whom; a thread is a waiter, the conductor, or the kernel's number."""
        waiters = self.herd.waiters if self.herd is not None else ()
        names = {os.getpid(): "conductor", **{waiter.tid: waiter.name for waiter in waiters}}
        return tuple(
            WakeUp(self._since_us(at_ns), names.get(waker) or f"task {waker}", wakee)
            for at_ns, waker, wakee, *_ in (self._instruments.wakings() if self._steps else ())
        )

    def _moved_at_all(self) -> Moved:
        """Who moved in any of the steps; None for an observer that lost its count in one of them."""
        if not self._steps:
            return Moved({})
        moved = self._moments[-1].observed.since(self._moments[0].observed)
        return Moved({name: None if name in self._missing else who for name, who in moved.by_observer.items()})

    def _waiters(self, woken: set[int] | None, returned: set[int] | None) -> tuple[WaiterRecord, ...]:
        if self.herd is None:
            return ()
        records, won = [], self.herd.won()
        for i in range(self._scenario.n):
            line = self.herd.board.line(i)
            came_back = line[RETURNED] != self._before_stimulus("returned", i)
            result = line[RESULT] if came_back else None
            records.append(
                WaiterRecord(
                    i=i,
                    woken=None if woken is None else i in woken,
                    returned=None if returned is None else i in returned,
                    won=won[i] - self._before_stimulus("won", i),
                    result=result,
                    errno=-result if result is not None and result < 0 else None,
                    at_us=self._since_us(self.herd.board.returned_ns(i)) if came_back else None,
                )
            )
        return tuple(records)

    def _exits(self) -> tuple[CallExit, ...]:
        """The traced exits since the stimulus, waiter by waiter."""
        if self._tracer is None or self.herd is None:
            return ()
        return tuple(
            CallExit(
                waiter.i, self._since_us(end.at_ns), call_name(end.number), end.result, errno_of_result(end.result)
            )
            for waiter in self.herd.waiters
            for end in _without_clock(self._tracer.of(waiter.tid).exits)[-_MOST_EXITS:]
            if end.at_ns >= self._began_ns
        )

    def _found_nothing(self) -> int:
        """How many waiters found nothing."""
        counts = self.herd.board.column(SPURIOUS) if self.herd else []
        return sum(count != self._before_stimulus("spurious", i) for i, count in enumerate(counts))

    def _before_stimulus(self, what: str, i: int) -> int:
        """This count of waiter `i` (a field of _Moment) before the stimulus."""
        return int(getattr(self._moments[0], what)[i]) if self._moments else 0

    def _since_us(self, at_ns: int) -> int:
        return (at_ns - self._began_ns) // 1000


def _without_clock(exits: Sequence[Exit]) -> list[Exit]:
    """The exits without those of clock_gettime, which a waiter that runs no Python calls to record the time."""
    clock = syscalls.NUMBERS.get("clock_gettime")
    return [end for end in exits if end.number != clock]


def _grown(before: list[int], after: list[int]) -> int:
    """How many of these counts have grown."""
    return sum(now > then for then, now in zip(before, after, strict=True))
