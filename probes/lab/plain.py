"""Waiters that run no Python: programs of the machine (probes/lab/machine.py), which do what `waiter.live` does.

They use the same board and the same gates as other waiters, and are also forked one right after the other.  Each is a
process with descriptors and signals of its own.  Its memory may be the conductor's: a wake-up has nothing to do with
memory, and copying the conductor's page tables for eight waiters takes longer than all the rest of a trial.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from .. import syscalls
from ..observers.sched_waking import waiter_name
from ..scenario import Scenario
from ..strategies import SystemCalls
from .board import Board
from .life import UNKNOWN, Kind, arguments_of, life_of, shape_of
from .machine import END, FORKS, ITSELF, SHARES_MEMORY, STACK_BYTES, STEP, Place, Program, StepMachine, address_of
from .queues import MAPPED, mappings
from .waiter import ANSWER

_NAME_BYTES = 16


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
        # Waiters for a signal may be interrupted by another one (`waiter.TELLS_NOTHING`).
        tells = scenario.call != "rt_sigtimedwait"
        kind = Kind(scenario.takes, scenario.connects, scenario.reaction, scenario.piece, traced, tells)
        lives = [life_of(kind, shape_of(each)) for each in calls]
        starts = [0, *accumulate(STEP.size * life.end for life in lives)]
        forks = starts[n]
        births = tuple(here // STEP.size + life.birth for here, life in zip(starts, lives, strict=False))
        start = _start(births, forks // STEP.size, FORKS | (SHARES_MEMORY if share_memory else 0))
        self._n, self._pids_at = n, forks + STEP.size * start.end
        self._memory = mmap.mmap(-1, self._pids_at + 4 * n + STACK_BYTES * (n + 1))
        address = address_of(self._memory)
        for i, life in enumerate(lives):
            here = address + starts[i]
            line, gate = board.address(i, 0), board.gate_address(i)
            name, answer = texts + _NAME_BYTES * i, texts + _NAME_BYTES * n + ANSWER.size * i
            parts = [here, line, gate, name, answer, room, fds[i], parent, *UNKNOWN, *arguments_of(calls[i])]
            self._memory[starts[i] : starts[i + 1]] = life.placed(parts).tobytes()
        self._starts, self._share_memory = starts, share_memory
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

    def unmap(self) -> None:
        """Unmap what waiters have mapped that ran in our memory and are gone.  A ring lives until that is done."""
        for start, calls in zip(self._starts, self._calls, strict=False):
            if not self._share_memory or calls.queues is None:
                continue
            for word, (size, _) in zip(MAPPED, mappings(calls.queues.layout), strict=True):
                [address] = struct.unpack_from("=q", self._memory, start + 8 * word)
                if address > 0:
                    syscalls.call(syscalls.NUMBERS["munmap"], address, size)
                    struct.pack_into("=q", self._memory, start + 8 * word, 0)


@lru_cache(maxsize=64)
def _start(births: tuple[int, ...], behind: int, flags: int) -> Program:
    """Forks waiters.  Their lives stand before it, in so many steps, and begin at the steps `births`.

    Behind it go their pids, and then their stacks.
    """
    start = Program()
    pids = STEP.size * (len(births) + 1)
    stacks = pids + 4 * len(births)
    for i, birth in enumerate(births):
        # A stack grows down from its end, which is divisible by 16.
        pid, stack = Place(ITSELF, pids + 4 * i), Place(ITSELF, (stacks + STACK_BYTES * (i + 1)) & ~15)
        start.add(syscalls.NUMBERS["clone"], flags, stack, pid, below=END, equal=birth - behind)
    start.load(Place(ITSELF, 0), below=END, equal=END, above=END)
    return start
