"""What a waiter that runs no Python does with the queues of its ring (io_uring(7)), as steps of the machine.

The request lies in the one entry of the submission queue, and stays there.  To hand it over once more, its waiter
counts the queue's tail up.  A completion is read at the head of the other queue, which is then counted up as well.
Head and tail are C ints, and the machine counts in words: only a carry, after 2^32 requests, would touch what stands
behind them.
"""

from __future__ import annotations

import errno
import mmap
from collections.abc import Sequence

from .. import rings, syscalls
from ..rings import RingLayout
from .machine import WORDS, Place, Program

_BY, _AGAINST = 12, 13
"""Words of a step: what is counted by, and what its result is compared to (probes/lab/machine.py)."""
_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
MAPPED = (7, 11)
"""The words of the data in which a waiter keeps the addresses of what it has mapped, or the error; zero before."""


def mappings(layout: RingLayout) -> tuple[tuple[int, int], ...]:
    """Size and offset of each mapping of a ring (io_uring_setup(2))."""
    return (layout.size, 0), (rings.SQE_BYTES, rings.OFF_SQES)


class RingSteps:
    """Adds the steps of one ring to a program.

    A waiter cannot choose where its ring is mapped: the kernel refuses any address but its own
    (io_uring_get_unmapped_area, io_uring/memmap.c).  So what lies in a ring stands in the program as an offset, and
    the waiter adds the address to each once it knows it.
    """

    def __init__(self, program: Program, ring: int, entry: int, layout: RingLayout, data: int) -> None:
        """`ring` and `entry` are the parts of the program that begin where the ring, and its one submission, are
        mapped; `data` is a step that is never executed, whose words are variables."""
        self._program, self._parts, self._layout = program, (ring, entry), layout
        self._armed, self._flags, self._result_at, self._flags_at = (program.at(data, word) for word in range(3, 7))
        self._mapped = [program.at(data, word) for word in MAPPED]

    def _in_ring(self, offset: int) -> Place:
        return Place(self._parts[0], offset)

    def set_up(self, opened: Place, request: Sequence[Place], came: Place, failed: int) -> int:
        """Map the ring on descriptor `opened`, and write its request, whose words are at these places.

        Goes to step `failed` with the result in `came` if that is not possible.  Returns the step that must lead to
        `relocate`, which leads to the one after it.
        """
        program = self._program
        for variable, (size, offset) in zip(self._mapped, mappings(self._layout), strict=True):
            program.load(opened, keep=program.at(program.end + 1, 5))
            how = (_READ_WRITE, mmap.MAP_SHARED, 0, offset)
            program.add(syscalls.NUMBERS["mmap"], 0, size, *how, keep=variable)
            program.load(variable, keep=came, below=failed)
        leads_away = program.load(came)
        for number, word in enumerate(request):
            program.store(word, Place(self._parts[1], 8 * number))
        self._start()
        return leads_away

    def relocate(self, back: int) -> int:
        """Add the addresses to the offsets, everywhere; the first step of this, which leads to step `back` at its end.

        To be added last.
        """
        program, first = self._program, self._program.end
        for word, part, _ in list(program.places):
            if part in self._parts:
                variable = self._mapped[self._parts.index(part)]
                program.load(variable, keep=program.at(program.end + 1, _BY))
                program.load(variable, count=program.at(word // WORDS, word % WORDS))
        program.load(self._armed, below=back, equal=back, above=back)
        return first

    def _start(self) -> None:
        """The next completion will be the queue's first entry."""
        for variable, offset in ((self._result_at, rings.RESULT_AT), (self._flags_at, rings.FLAGS_AT)):
            self._program.store(self._in_ring(self._layout.completions + offset), variable)

    def if_armed(self) -> int:
        """The step that asks whether the request is armed; leads on if it is not, and elsewhere once linked."""
        return self._program.load(self._armed)

    def arm(self) -> None:
        """The request is to be handed over."""
        self._program.load(self._armed, count=self._in_ring(self._layout.sq_tail))

    def armed(self) -> None:
        """It was handed over."""
        self._program.store(1, self._armed)

    def reap(self, result: Place, failed: int) -> None:
        """Read the next completion: its result, or -EAGAIN if there is none.  Goes to step `failed` if its flags are
        none that are known."""
        program, layout = self._program, self._layout
        compare = program.end + 1
        program.load_int(self._in_ring(layout.cq_head), keep=program.at(compare, _AGAINST))
        program.load_int(self._in_ring(layout.cq_tail))
        read = program.end + 2
        program.load(self._result_at, keep=program.at(read, 1))
        program.load(self._flags_at, keep=program.at(read + 1, 1))
        program.load_int(0, keep=result)
        program.load_int(0, keep=self._flags)
        disarm = program.end + 4
        read_on = disarm + 1
        program.load(self._flags, equal=disarm)
        program.load(self._flags, against=rings.CQE_F_SOCK_NONEMPTY, equal=disarm)
        program.load(self._flags, against=rings.CQE_F_MORE, equal=read_on)
        more = rings.CQE_F_MORE | rings.CQE_F_SOCK_NONEMPTY
        program.load(self._flags, against=more, below=failed, equal=read_on, above=failed)
        program.store(0, self._armed)
        program.load(self._flags, count=self._in_ring(layout.cq_head))
        program.load(self._flags, count=self._flags_at, by=rings.CQE_BYTES)
        behind = self._in_ring(layout.completions + rings.CQE_BYTES * layout.entries + rings.RESULT_AT)
        at_end = program.load(self._result_at, count=self._result_at, by=rings.CQE_BYTES, against=behind)
        self._start()
        over = program.load(self._armed)
        program.link(compare, equal=program.end)
        program.store(-errno.EAGAIN, result)
        program.link(at_end, below=program.end, above=program.end)
        program.link(over, below=program.end, equal=program.end, above=program.end)
