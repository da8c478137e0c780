"""What a waiter that runs no Python does, as steps of the machine (probes/lab/machine.py).

get ready --> [be traced] --> wait --> record the result --> react --> park, or wait again
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from .. import syscalls
from ..observers import tracer
from ..rings import RingLayout
from ..strategies import OPENED, SystemCall, SystemCalls, Word
from .board import (
    AT_S,
    FAILED,
    GET_READY,
    PARKED,
    PHASE,
    READY,
    RESULT,
    RETURNED,
    SPURIOUS,
    TID,
    WAITING,
    WON,
)
from .machine import ITSELF, Place, Program
from .queues import RingSteps
from .waiter import ANSWER, FUTEX_WAIT, PARK, SOCK_CLOEXEC, TELLS_NOTHING

_CLOCK_MONOTONIC = 1
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_PTRACE_TRACEME = 0
_SIGKILL = 9
_WORDS = struct.Struct("=8q")
"""A struct io_uring_sqe as words."""
_LINE, _GATE, _NAME, _ANSWER, _ROOM, _FD, _PARENT, _RING, _ENTRY, _ARGUMENTS = range(ITSELF + 1, ITSELF + 11)
"""The parts of a program that differ between waiters; from the last one on, `arguments_of`.

What the waiter itself maps, _RING and _ENTRY, begins at 0 here (probes/lab/queues.py)."""
UNKNOWN = (0, 0)
"""In the place of _RING and _ENTRY."""


class Kind(NamedTuple):
    """What a waiter's program depends on, apart from its calls."""

    takes: bool
    connects: bool
    reaction: str
    piece: int
    traced: bool
    tells: bool
    """Whether an interrupted wait says that somebody disturbs."""


_GIVEN, _OPENED, _WORD = range(3)
"""An argument that is known when the program is placed; what the first call opened; a word that is read in time."""


class _Call(NamedTuple):
    """A system call whose arguments are filled in later."""

    number: int
    arguments: tuple[int, ...]
    """The kind of each."""
    keeps: bool


class Shape(NamedTuple):
    """The system calls of a waiter."""

    before: tuple[_Call, ...]
    wait: _Call
    again: _Call | None
    hand_over: _Call | None
    layout: RingLayout | None
    """Of its ring, if it waits with one."""


def shape_of(calls: SystemCalls) -> Shape:
    def of(call: SystemCall) -> _Call:
        kinds = (_OPENED if each is OPENED else _WORD if isinstance(each, Word) else _GIVEN for each in call.arguments)
        return _Call(call.number, tuple(kinds), call.keep != 0)

    again = None if calls.again is None else of(calls.again)
    queues = calls.queues
    hand_over, layout = (None, None) if queues is None else (of(queues.hand_over), queues.layout)
    return Shape(tuple(map(of, calls.before)), of(calls.wait), again, hand_over, layout)


def arguments_of(calls: SystemCalls) -> Iterator[int]:
    """The words of the request, if any, and the arguments of all calls, in the order in which they are made."""
    if calls.queues:
        yield from _WORDS.unpack(calls.queues.request)
    hand_over = calls.queues.hand_over if calls.queues else None
    for call in (*calls.before, hand_over, calls.wait, calls.again):
        if call is not None:
            for value in call.arguments:
                yield 0 if value is OPENED else value.address if isinstance(value, Word) else value
            if call.keep:
                yield call.keep


@lru_cache(maxsize=64)
def life_of(kind: Kind, shape: Shape) -> Life:
    return Life(kind, shape)


class Life(Program):
    """What a waiter does; it starts at step `birth`."""

    def __init__(self, kind: Kind, shape: Shape) -> None:
        super().__init__()
        self._kind = kind
        self._next_argument, self._leads_away = _ARGUMENTS, 0
        data = self.add(0)  # never executed: its words are variables
        self._opened, self._came = self.at(data, 1), self.at(data, 2)
        self._ring = None if shape.layout is None else RingSteps(self, _RING, _ENTRY, shape.layout, data)
        self._park = self.end
        self.add(syscalls.number_of(PARK), 0, 0, 0, 0, 8, below=self._park, equal=self._park, above=self._park)
        self._gone = self.add(syscalls.NUMBERS["exit_group"], 1)
        self._failed = self._end_in(FAILED)
        self._failed_late = self.load(self._came, keep=_cell(RESULT))
        self._end_in(FAILED)
        self._done = self._go_to(self.end)
        self.birth = self.end
        self._get_ready(shape)
        self._wait(shape)
        if self._ring is not None:
            first = self._ring.relocate(self._leads_away + 1)
            self.link(self._leads_away, below=first, equal=first, above=first)

    def _end_in(self, phase: int) -> int:
        """Park in this phase."""
        return self.store(phase, _cell(PHASE), below=self._park, equal=self._park, above=self._park)

    def _go_to(self, step: int) -> int:
        """Continue with this step."""
        return self.load(self._opened, below=step, equal=step, above=step)

    def _get_ready(self, shape: Shape) -> None:
        """Everything up to the gate before the wait."""
        numbers = syscalls.NUMBERS
        request = [] if self._ring is None else [self._argument() for _ in range(_WORDS.size // 8)]
        self.add(numbers["prctl"], _PR_SET_PDEATHSIG, _SIGKILL)
        self.add(numbers["getppid"], against=Place(_PARENT, 0), below=self._gone, above=self._gone)
        self.add(numbers["prctl"], _PR_SET_NAME, Place(_NAME, 0))
        self.add(numbers["gettid"], keep=_cell(TID))
        self._stand_at_gate(0)
        for place, call in enumerate(shape.before):
            self.link(self._call(call, keep=_cell(RESULT)), below=self._failed)
            if place == 0:
                self.load(_cell(RESULT), keep=self._opened)
            if call.keeps:
                self.load(_cell(RESULT), keep=self._argument())
        if self._ring is not None:
            self._leads_away = self._ring.set_up(self._opened, request, _cell(RESULT), self._failed)
        if self._kind.traced:
            self.add(numbers["ptrace"], _PTRACE_TRACEME, keep=_cell(RESULT), below=self._failed)
            signal = self.end + 2
            self.add(numbers["getpid"], keep=self.at(signal, 1))
            self.add(numbers["gettid"], keep=self.at(signal, 2))
            self.add(numbers["tgkill"], 0, 0, tracer.READY)
        self.store(READY, _cell(PHASE))
        self._stand_at_gate(GET_READY)

    def _stand_at_gate(self, stage: int) -> None:
        """Sleep while the gate is at this stage: futex returns EAGAIN once it is at another.

        Checks again after a wake-up and after a signal; any other error ends it, because it would be repeated for ever.
        """
        step, futex = self.end, syscalls.number_of("futex")
        arguments = (futex, Place(_GATE, 0), FUTEX_WAIT, stage)
        # The result does not go to the board's RESULT, which is that of the wait call.
        self.add(*arguments, keep=self._came, against=-errno.EAGAIN, equal=step + 3)
        self.load(self._came, equal=step, above=step)
        late = self._failed_late
        self.load(self._came, against=-errno.EINTR, below=late, equal=step, above=late)

    def _argument(self) -> Place:
        """The next of those that `arguments_of` returns."""
        self._next_argument += 1
        return Place(self._next_argument - 1, 0)

    def _call(self, call: _Call, keep: Place | int = 0) -> int:
        """One of the strategy's calls."""
        step = self.end + sum(kind != _GIVEN for kind in call.arguments)
        arguments: list[int | Place] = []
        for place, kind in enumerate(call.arguments):
            given = self._argument()
            if kind != _GIVEN:
                self.load(self._opened if kind == _OPENED else given, keep=self.at(step, 1 + place))
            arguments.append(given if kind == _GIVEN else 0)
        return self.add(call.number, *arguments, keep=keep)

    def _wait(self, shape: Shape) -> None:
        """Wait, and record the result."""
        self.store(WAITING, _cell(PHASE))
        again = self._wait_once(shape)
        back = self.load(_cell(RESULT))
        self._react()
        self.link(back, below=self.end)
        if self._kind.tells:
            self._fail_if_uninformative(_cell(RESULT), self._failed)
        if self._kind.takes:
            self._count(SPURIOUS)
        self.link(self._done, below=self.end, equal=self.end, above=self.end)
        if self._kind.reaction not in ("drain", "loop"):
            self._end_in(PARKED)
            return
        if shape.again is not None:
            self._call(shape.again)
        self._go_to(again)

    def _wait_once(self, shape: Shape) -> int:
        """Wait, and record when that ended and how; the step with which it begins."""
        if self._ring is not None and shape.hand_over is not None:
            return self._wait_for_completion(self._ring, shape.hand_over, shape.wait)
        wait = self._call(shape.wait, keep=_cell(RESULT))
        self._record_return()
        return wait

    def _wait_for_completion(self, ring: RingSteps, hand_over: _Call, wait: _Call) -> int:
        """The same with a ring, whose request is handed over first if it is not armed."""
        asks = ring.if_armed()
        ring.arm()
        hands_over = self._call(hand_over, keep=self._came)
        ring.armed()
        self.link(asks, above=self._call(wait, keep=self._came))
        self.link(hands_over, below=self._record_return())
        refused = self.load(self._came, keep=_cell(RESULT))
        ring.reap(_cell(RESULT), self._failed)
        self.link(refused, below=self.end)
        return asks

    def _record_return(self) -> int:
        clock = syscalls.NUMBERS["clock_gettime"]
        return self.add(clock, _CLOCK_MONOTONIC, _cell(AT_S), count=_cell(RETURNED))

    def _react(self) -> None:
        """Take what is there, as the scenario's reaction says, and answer it."""
        reaction = self._kind.reaction
        if self._kind.takes:
            self._record_win(_cell(RESULT), answers=reaction != "hold")
        elif reaction != "hold":
            first = self._take()
            record = self.end
            self._record_win(self._came, answers=True)
            if reaction == "drain":
                further = self._take()
                self.link(further, equal=record, above=record)
                self._fail_if_uninformative(self._came, self._failed_late)
            self._go_to(self._done)
            self.link(first, below=self.end)
            self._fail_if_uninformative(self._came, self._failed_late)
            self._count(SPURIOUS)
        self._go_to(self._done)

    def _take(self) -> int:
        """Take a connection, or what one read returns."""
        fd = Place(_FD, 0)
        if self._kind.connects:
            return self.add(syscalls.NUMBERS["accept4"], fd, 0, 0, SOCK_CLOEXEC, keep=self._came)
        return self.add(syscalls.NUMBERS["read"], fd, Place(_ROOM, 0), self._kind.piece, keep=self._came)

    def _record_win(self, came: Place, *, answers: bool) -> None:
        """Count the win, and tell the client who won."""
        self._count(WON)
        if not answers or not self._kind.connects:
            return
        self.load(came, keep=self.at(self.end + 1, 1))
        self.add(syscalls.NUMBERS["write"], 0, Place(_ANSWER, 0), ANSWER.size)
        if self._kind.reaction != "accept":
            self.load(came, keep=self.at(self.end + 1, 1))
            self.add(syscalls.NUMBERS["close"])

    def _count(self, field: int) -> None:
        self.load(self._opened, count=_cell(field))

    def _fail_if_uninformative(self, result: Place, otherwise: int) -> None:
        """Continue with step `otherwise` after an error that says nothing about the kernel."""
        for error in TELLS_NOTHING:
            self.load(result, against=-error, equal=otherwise)


def _cell(field: int) -> Place:
    return Place(_LINE, 8 * field)
