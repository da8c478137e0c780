"""A hundred bytes of machine code that make system calls one after the other, for processes that run no Python.

A waiter makes only a dozen calls.  A forked interpreter copies a hundred pages before it makes the first of them, and
faults in as many pages of its own program; that was most of the cost of a trial.  This machine touches a page or two.
It executes steps of one kind, each 14 words long:

    number a b c d e f    the system call and its arguments; a negative number only loads what stands at address a: -1 a
                          word, -2 a C int
    keep                  the address for the result, or 0
    below equal above     offset of the next step if the result is less than `against`, equal to it, or greater; 1 ends
                          the machine, which then returns
    count by              the address of a word to which `by` is added before the call, or 0
    against               see above; 0 tells errors from results

It exists only for x86-64; elsewhere waiters run Python (probes/lab/waiter.py).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import syscalls
from ..errnos import errno_name
from .rest import signal_name

ASSEMBLY = """
run:    push %rbx
        mov %rdi, %rbx
step:   mov 88(%rbx), %rcx      # count
        test %rcx, %rcx
        jz 1f
        mov 96(%rbx), %rax      # by
        add %rax, (%rcx)
1:      mov (%rbx), %rax        # number
        mov 8(%rbx), %rdi       # a
        test %rax, %rax
        js 2f
        mov 16(%rbx), %rsi      # b
        mov 24(%rbx), %rdx      # c
        mov 32(%rbx), %r10      # d
        mov 40(%rbx), %r8       # e
        mov 48(%rbx), %r9       # f
        syscall
        jmp 3f
2:      inc %rax                # LOAD
        jnz 6f
        mov (%rdi), %rax
        jmp 3f
6:      movslq (%rdi), %rax     # LOAD_INT
3:      mov 56(%rbx), %rcx      # keep
        test %rcx, %rcx
        jz 4f
        mov %rax, (%rcx)
4:      mov 72(%rbx), %rcx      # equal
        sub 104(%rbx), %rax     # against; cmovl and cmovg are right also where this overflows
        cmovl 64(%rbx), %rcx    # below
        cmovg 80(%rbx), %rcx    # above
        cmp $1, %rcx
        je 5f
        add %rcx, %rbx
        jmp step
5:      pop %rbx
        ret
"""
"""The source of CODE; if there is an assembler, `tests/suite/unit/test_machine.py` assembles it again."""
CODE = bytes.fromhex(
    "534889fb488b4b584885c97407488b4360480101488b03488b7b084885c07818488b7310488b53184c8b53204c8b43284c8b4b300f05eb0d"
    "48ffc07505488b07eb03486307488b4b384885c97403488901488b4b48482b4368480f4c4b40480f4f4b504883f90174054801cbeb965bc3"
)
WORDS = 14
STEP = struct.Struct(f"={WORDS}q")
LOAD, LOAD_INT = -1, -2
"""The numbers of steps that make no system call: they load a word, or a C int with its sign."""
END = -1
"""Instead of a next step: end the machine."""
_ENDS = 1
ITSELF = 0
"""The first part that a Place can be in: the program itself."""
FORKS = 17 | 0x00100000
"""SIGCHLD, as for fork(2), and CLONE_PARENT_SETTID: the pid is written to the address in argument `c` (clone(2))."""
SHARES_MEMORY = 0x00000100
"""CLONE_VM: the child runs in its parent's memory, as after vfork(2); everything else it has is its own."""
STACK_BYTES = 4096
"""A child's stack, which it never uses: the machine pushes nothing once it runs, and no signal has a handler."""
_CODE = 7
_PR_SET_DUMPABLE = 4


class StepMachine:
    """Runs steps from an address on, until one ends the machine.  Raises OSError if that is not possible here."""

    def __init__(self) -> None:
        if syscalls.ARCHITECTURE != "x86_64":
            raise OSError(errno.ENOSYS, f"no code for {os.uname().machine}")
        self._code = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._code.write(CODE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
        done = syscalls.call(syscalls.NUMBERS["mprotect"], address, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)
        if done < 0:
            raise OSError(-done, os.strerror(-done))
        self.why_own_memory: str | None = None
        """Why its children may not run in this process's memory; None if they may."""
        # PYFUNCTYPE holds the interpreter's lock, so no other thread runs Python meanwhile.
        self._run = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_void_p)(address)

    def run(self, address: int) -> int:
        """Run the steps from `address` on; returns the last result minus its `against`."""
        result: int = self._run(address)
        return result


class Place(NamedTuple):
    """An address that is known only once the program is in memory: an offset into one of its parts."""

    part: int
    offset: int


class Program:
    """Steps, independent of their address.  A step is known by its number; `end` is that of the next one."""

    def __init__(self) -> None:
        self.words = array("q")
        self.places: list[tuple[int, int, int]] = []
        """Word, part and offset: this word gets the address of that part plus the offset."""

    @property
    def end(self) -> int:
        return len(self.words) // WORDS

    def at(self, step: int, word: int = 0) -> Place:
        """The place of a step, or of one of its words."""
        return Place(ITSELF, 8 * (WORDS * step + word))

    def add(
        self,
        number: int,
        *arguments: int | Place,
        keep: int | Place = 0,
        against: int | Place = 0,
        below: int | None = None,
        equal: int | None = None,
        above: int | None = None,
        count: int | Place = 0,
        by: int = 1,
    ) -> int:
        """Add a step and return its number.  By default the step after it comes next."""
        step = self.end
        far = [
            STEP.size if to is None else _ENDS if to == END else STEP.size * (to - step) for to in (below, equal, above)
        ]
        for word in (number, *arguments, *(0,) * (6 - len(arguments)), keep, *far, count, by, against):
            if isinstance(word, Place):
                self.places.append((len(self.words), *word))
            self.words.append(0 if isinstance(word, Place) else word)
        return step

    def link(self, step: int, *, below: int | None = None, equal: int | None = None, above: int | None = None) -> None:
        """Set the next steps of a step that was added before them."""
        for word, target in ((8, below), (9, equal), (10, above)):
            if target is not None:
                self.words[WORDS * step + word] = STEP.size * (target - step)

    def load(self, address: int | Place, **more: Any) -> int:
        """Add a step that loads a word, to store it elsewhere or to compare it."""
        return self.add(LOAD, address, **more)

    def load_int(self, address: int | Place, **more: Any) -> int:
        """The same for a C int."""
        return self.add(LOAD_INT, address, **more)

    def store(self, value: int | Place, address: int | Place, **more: Any) -> int:
        """Add a step that writes a value to an address."""
        return self.add(LOAD, self.at(self.end, 2), value, keep=address, **more)

    def placed(self, parts: Sequence[int]) -> array[int]:
        """The program's words, given the addresses of all parts; the first is the program's own."""
        words = self.words[:]
        for word, part, offset in self.places:
            words[word] = parts[part] + offset
        return words


def address_of(memory: mmap.mmap) -> int:
    """The address of a writable mapping."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def start() -> StepMachine:
    """A machine that was tried: it has forked a child, which ended with the expected code.

    That child has memory of its own, and is there to ask for one that runs in its parent's memory: a sandbox may
    return an error for that, or kill who asks, as systemd's SystemCallFilter does by default (seccomp(2),
    systemd.exec(5)).  `why_own_memory` says what came of it.  Raises OSError if the first child was not possible.
    """
    machine = StepMachine()
    program = Program()
    memory = mmap.mmap(-1, 3 * STACK_BYTES)
    words = program.add(0)  # never executed: its words are variables
    pid, inner, status, told = (program.at(words, word) for word in range(1, 5))
    clone, ends = syscalls.NUMBERS["clone"], words + 5
    first, second = Place(ITSELF, 2 * STACK_BYTES), Place(ITSELF, 3 * STACK_BYTES)
    begin = program.add(clone, FORKS, first, pid, below=END, above=END)
    program.add(syscalls.NUMBERS["prctl"], _PR_SET_DUMPABLE, 0)  # SIGSYS would dump core (signal(7)), for nobody
    # Both it and its child keep the result; only an error, with which there is no child, is sure to stay.
    program.add(clone, FORKS | SHARES_MEMORY, second, inner, keep=told, below=ends, equal=ends)
    program.add(syscalls.NUMBERS["wait4"], -1, status)
    assert program.add(syscalls.NUMBERS["exit_group"], _CODE) == ends
    address = address_of(memory)
    memory.write(program.placed([address]).tobytes())
    result = machine.run(address + begin * STEP.size)
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    code = os.waitstatus_to_exitcode(os.waitpid(struct.unpack_from("=i", memory, pid.offset)[0], 0)[1])
    (refused,) = struct.unpack_from("=q", memory, told.offset)
    if code < 0:
        machine.why_own_memory = f"clone with CLONE_VM: whoever asks for it is ended by {signal_name(-code)}"
    elif code != _CODE:
        raise OSError(errno.ENOSYS, "its child did not do as asked")
    elif refused < 0:
        machine.why_own_memory = f"clone with CLONE_VM: {errno_name(-refused)}"
    elif os.waitstatus_to_exitcode(struct.unpack_from("=i", memory, status.offset)[0]) != _CODE:
        machine.why_own_memory = "clone with CLONE_VM: the child did not do as asked"
    return machine
