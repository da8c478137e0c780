"""Waiters that run no Python: what `waiter.live` does, as steps of the machine (probes/lab/machine.py).

    get ready --> [be traced] --> wait --> record the result --> react --> park, or wait again

They use the same board and the same gates as other waiters, and are also forked one right after the other.  Each is a
process with descriptors and signals of its own.  Its memory may be the conductor's: a wake-up has nothing to do with
memory, and copying the conductor's page tables for eight waiters takes longer than all the rest of a trial.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from .. import syscalls
from ..observers import tracer
from ..observers.sched_waking import waiter_name
from ..scenario import Scenario
from ..strategies import OPENED, SystemCall, SystemCalls
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
    Board,
)
from .machine import (
    END,
    FORKS,
    ITSELF,
    SHARES_MEMORY,
    STACK_BYTES,
    STEP,
    Place,
    Program,
    StepMachine,
    address_of,
)
from .waiter import ANSWER, FUTEX_WAIT, PARK, SOCK_CLOEXEC, TELLS_NOTHING

_CLOCK_MONOTONIC = 1
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_PTRACE_TRACEME = 0
_NAME_BYTES = 16
_SIGKILL = 9
_LINE, _GATE, _NAME, _ANSWER, _ROOM, _FD, _PARENT, _ARGUMENTS = range(ITSELF + 1, ITSELF + 9)
"""The parts of a program that differ between waiters; from the last one on, the arguments of its calls."""


class PlainWaiters:
    """The waiters of one trial, as programs in memory that is shared with this process."""

    def __init__(
        self,
        scenario: Scenario,
        calls: Sequence[SystemCalls],
        fds: Sequence[int],
        board: Board,
        *,
        traced: bool,
        share_memory: bool,
    ) -> None:
        n = scenario.n
        self._machine: StepMachine | None = None
        self._calls = calls  # keeps alive what their arguments point to
        names = b"".join(waiter_name(i).encode().ljust(_NAME_BYTES, b"\0") for i in range(n))
        self._texts = ctypes.create_string_buffer(names + b"".join(map(ANSWER.pack, range(n))))
        self._room = ctypes.create_string_buffer(scenario.piece)
        texts, room, parent = ctypes.addressof(self._texts), ctypes.addressof(self._room), os.getpid()
        life = _life(
            _Kind(scenario.takes, scenario.connects, scenario.reaction, scenario.piece, traced), _shape(calls[0])
        )
        length = STEP.size * life.end
        forks = n * length
        start = _start(n, life.end, life.birth, FORKS | (SHARES_MEMORY if share_memory else 0))
        self._n, self._pids_at = n, forks + STEP.size * start.end
        self._memory = mmap.mmap(-1, self._pids_at + 4 * n + STACK_BYTES * (n + 1))
        address = address_of(self._memory)
        for i in range(n):
            here = address + i * length
            line, gate = board.address(i, 0), board.gate_address(i)
            name, answer = texts + _NAME_BYTES * i, texts + _NAME_BYTES * n + ANSWER.size * i
            parts = [here, line, gate, name, answer, room, fds[i], parent, *_arguments(calls[i])]
            self._memory[i * length : (i + 1) * length] = life.placed(parts).tobytes()
        self._start = address + forks
        self._memory[forks : self._pids_at] = start.placed([self._start]).tobytes()

    def fork(self, machine: StepMachine) -> None:
        """Fork all of them, which then wait at their gates.  Raises OSError; `pids` then has those that were forked."""
        self._machine = machine  # keeps alive its code, which they run in our memory
        result = machine.run(self._start)
        if result < 0:
            raise OSError(-result, os.strerror(-result))

    def pids(self) -> list[int]:
        """The pids of the waiters that were forked."""
        return [pid for pid in struct.unpack_from(f"={self._n}i", self._memory, self._pids_at) if pid]


@lru_cache(maxsize=64)
def _start(n: int, length: int, birth: int, flags: int) -> Program:
    """Forks waiters, whose lives of so many steps stand before it and begin at that one.

    Behind it go their pids, and then their stacks.
    """
    start = Program()
    pids = STEP.size * (n + 1)
    stacks = pids + 4 * n
    for i in range(n):
        # A stack grows down from its end, which is divisible by 16.
        pid, stack = Place(ITSELF, pids + 4 * i), Place(ITSELF, (stacks + STACK_BYTES * (i + 1)) & ~15)
        start.add(syscalls.NUMBERS["clone"], flags, stack, pid, below=END, equal=(i - n) * length + birth)
    start.load(Place(ITSELF, 0), below=END, equal=END, above=END)
    return start


class _Kind(NamedTuple):
    """What a waiter's program depends on, apart from its calls."""

    takes: bool
    connects: bool
    reaction: str
    piece: int
    traced: bool


class _Call(NamedTuple):
    """A system call whose arguments are filled in later."""

    number: int
    opened: tuple[bool, ...]
    """For each argument, whether it is the descriptor that the first call opened."""


class _Shape(NamedTuple):
    """The system calls of a waiter."""

    before: tuple[_Call, ...]
    wait: _Call
    again: _Call | None


def _shape(calls: SystemCalls) -> _Shape:
    def of(call: SystemCall) -> _Call:
        return _Call(call.number, tuple(value is OPENED for value in call.arguments))

    return _Shape(tuple(map(of, calls.before)), of(calls.wait), None if calls.again is None else of(calls.again))


def _arguments(calls: SystemCalls) -> Iterator[int]:
    """The arguments of all calls, in the order in which the program makes them."""
    for call in (*calls.before, calls.wait, *([] if calls.again is None else [calls.again])):
        for value in call.arguments:
            yield 0 if value is OPENED else value


@lru_cache(maxsize=64)
def _life(kind: _Kind, shape: _Shape) -> _Life:
    return _Life(kind, shape)


class _Life(Program):
    """What a waiter does; it starts at step `birth`."""

    def __init__(self, kind: _Kind, shape: _Shape) -> None:
        super().__init__()
        self._kind = kind
        self._next_argument = _ARGUMENTS
        data = self.add(0)  # never executed: its words are variables
        self._opened, self._came = self.at(data, 1), self.at(data, 2)
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

    def _end_in(self, phase: int) -> int:
        """Park in this phase."""
        return self.store(phase, _cell(PHASE), below=self._park, equal=self._park, above=self._park)

    def _go_to(self, step: int) -> int:
        """Continue with this step."""
        return self.load(self._opened, below=step, equal=step, above=step)

    def _get_ready(self, shape: _Shape) -> None:
        """Everything up to the gate before the wait."""
        numbers = syscalls.NUMBERS
        self.add(numbers["prctl"], _PR_SET_PDEATHSIG, _SIGKILL)
        self.add(numbers["getppid"], against=Place(_PARENT, 0), below=self._gone, above=self._gone)
        self.add(numbers["prctl"], _PR_SET_NAME, Place(_NAME, 0))
        self.add(numbers["gettid"], keep=_cell(TID))
        self._stand_at_gate(0)
        for place, call in enumerate(shape.before):
            self.link(self._call(call, keep=_cell(RESULT)), below=self._failed)
            if place == 0:
                self.load(_cell(RESULT), keep=self._opened)
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

    def _call(self, call: _Call, keep: Place | int = 0) -> int:
        """One of the strategy's calls."""
        step = self.end + sum(call.opened)
        arguments: list[int | Place] = []
        for place, opened in enumerate(call.opened):
            if opened:
                self.load(self._opened, keep=self.at(step, 1 + place))
            arguments.append(0 if opened else Place(self._next_argument, 0))
            self._next_argument += 1
        return self.add(call.number, *arguments, keep=keep)

    def _wait(self, shape: _Shape) -> None:
        """Wait, and record the result."""
        self.store(WAITING, _cell(PHASE))
        wait = self._call(shape.wait, keep=_cell(RESULT))
        self.add(syscalls.NUMBERS["clock_gettime"], _CLOCK_MONOTONIC, _cell(AT_S), count=_cell(RETURNED))
        back = self.load(_cell(RESULT))
        self._react()
        self.link(back, below=self.end)
        self._fail_if_uninformative(_cell(RESULT), self._failed)
        if self._kind.takes:
            self._count(SPURIOUS)
        self.link(self._done, below=self.end, equal=self.end, above=self.end)
        if self._kind.reaction not in ("drain", "loop"):
            self._end_in(PARKED)
            return
        if shape.again is not None:
            self._call(shape.again)
        self._go_to(wait)

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
