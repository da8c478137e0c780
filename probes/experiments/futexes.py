"""Futexes: how many waiters a wake and a requeue wake, and which of several futexes is reported to a waiter."""

from __future__ import annotations

import ctypes
import errno
import mmap
import struct
from collections.abc import Callable
from typing import Any

from .. import syscalls
from ..errnos import errno_name
from ..lab.actor import interrupted
from ..lab.stage import Actor, Me, Stage
from ..verdict import NotApplicable
from .waiting import now

WAIT, WAIT_BITSET, _WAKE, _CMP_REQUEUE = 0, 9, 1, 4  # FUTEX_..., include/uapi/linux/futex.h
_SIZE_U32 = 2  # FUTEX2_SIZE_U32
_HUGE = 0x40000  # MAP_HUGETLB, include/uapi/asm-generic/mman-common.h
_N = 4
_WORD = 4
_WOKEN = "woken"


class Words:
    """Futexes in memory that all actors share."""

    def __init__(self, memory: mmap.mmap | None = None) -> None:
        memory = memory or mmap.mmap(-1, mmap.PAGESIZE)
        self._keep = ctypes.c_char.from_buffer(memory)
        self._base = ctypes.addressof(self._keep)

    def at(self, i: int) -> int:
        return self._base + _WORD * i


def futex(address: int, operation: int, value: int, fourth: int = 0, second: int = 0, third: int = 0) -> int:
    """futex(2) with its arguments in order: its result, or minus its errno."""
    return syscalls.call(syscalls.number_of("futex"), address, operation, value, fourth, second, third)


def _wait(address: int) -> str:
    """FUTEX_WAIT for as long as the word is zero: `woken`, or the errno's name."""
    result = futex(address, WAIT, 0)
    return _WOKEN if result == 0 else errno_name(-result)


def asleep(stage: Stage, before: Callable[[], None]) -> tuple[Actor, Callable[[], Any]]:
    """An actor that calls `before` and then waits for a futex; and a function that wakes it.

    It answers with the result of FUTEX_WAIT: 0, or minus the errno.
    """
    words = Words()

    def act(me: Me) -> int:
        before()
        me.ready()
        return futex(words.at(0), WAIT, 0)

    return stage.actor(act, "w0").blocked_in("futex"), lambda: futex(words.at(0), _WAKE, 1)


def requeued(stage: Stage) -> None:
    """Four wait on one futex; a requeue wakes one of them, and moves two to another; then that one is woken."""
    words = Words()

    def act(me: Me) -> str:
        me.ready()
        return _wait(words.at(0))

    waiters = [stage.actor(act, f"w{i}").blocked_in("futex") for i in range(_N)]
    affected = futex(words.at(0), _CMP_REQUEUE, 1, 2, words.at(1), 0)
    stage.note("affected", "waiters that the requeue woke or moved", affected)
    _note(stage, waiters, "after-requeue", "waiters that have returned after it")
    futex(words.at(1), _WAKE, _N)
    _note(stage, waiters, "after-second", "waiters that have returned once all on the second futex were woken")
    futex(words.at(0), _WAKE, _N)
    _note(stage, waiters, "in-all", "waiters that have returned once all on the first were woken, too")


def woken_as_many(stage: Stage) -> None:
    """Four wait on one futex; FUTEX_WAKE is asked to wake two, and then a thousand."""
    words = Words()

    def act(me: Me) -> str:
        me.ready()
        return _wait(words.at(0))

    waiters = [stage.actor(act, f"w{i}").blocked_in("futex") for i in range(_N)]
    stage.note("two", "waiters that the kernel says it woke, of two", futex(words.at(0), _WAKE, 2))
    _note(stage, waiters, "after-two", "waiters that have returned after it")
    stage.note("rest", "waiters that it says it woke, of a thousand", futex(words.at(0), _WAKE, 1000))
    _note(stage, waiters, "in-all", "waiters that have returned after that")


def _note(stage: Stage, waiters: list[Actor], id: str, what: str) -> None:
    """Note how many have returned.  Raises Inconclusive if another one has run as well.

    A debugger's stop ends the sleep with ERESTARTSYS (futex_wait, kernel/futex/waitwake.c): the call begins again, on
    the futex that it was given, whichever one the waiter had been moved to.  If nobody may read the scheduler's trace,
    nothing else tells.
    """
    stage.quiet(waiters)
    stage.note(id, what, sum(waiter.answered for waiter in waiters))
    for waiter in waiters if stage.observers and stage.rest_shows else ():
        if not waiter.answered and waiter.woken:
            raise interrupted(waiter.name)


def neighbours(stage: Stage, huge: bool) -> None:
    """One waits for a futex, and another for a futex in the next page, or elsewhere in the same huge page."""
    words, apart = Words(_pages(huge)), mmap.PAGESIZE // _WORD

    def waiter(i: int) -> Actor:
        def act(me: Me) -> str:
            me.ready()
            return _wait(words.at(i * apart))

        return stage.actor(act, f"w{i}").blocked_in("futex")

    waiters = [waiter(0), waiter(1)]
    stage.note("woken", "waiters that the kernel says it woke", futex(words.at(apart), _WAKE, 9))
    stage.quiet(waiters)
    stage.note("first", "the waiter of the first futex", now(waiters[0]))
    stage.note("second", "the waiter of the second one", now(waiters[1]))


def _pages(huge: bool) -> mmap.mmap:
    """Two pages, or one huge page.  Raises NotApplicable if there is none."""
    if not huge:
        return mmap.mmap(-1, 2 * mmap.PAGESIZE)
    with open("/proc/meminfo") as file:
        sizes = [int(line.split()[1]) * 1024 for line in file if line.startswith("Hugepagesize:")]
    try:
        return mmap.mmap(-1, sizes[0], mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _HUGE)
    except (OSError, IndexError):
        raise NotApplicable("no huge page is to be had (vm.nr_hugepages)") from None


def told_which(stage: Stage) -> None:
    """One waits for three futexes at once; the second is woken."""
    number = syscalls.number("futex_waitv")
    if number is None or (refused := syscalls.call(number, 0, 0, 0, 0, 0)) == -errno.ENOSYS:
        raise NotApplicable(f"futex_waitv: {'no such call here' if number is None else errno_name(-refused)}")
    words = Words()

    def act(me: Me) -> int:
        wanted = ctypes.create_string_buffer(
            b"".join(struct.pack("=QQII", 0, words.at(i), _SIZE_U32, 0) for i in range(3))
        )
        me.ready()
        return syscalls.call(number, ctypes.addressof(wanted), 3, 0, 0, 0)

    waiter = stage.actor(act, "w0").blocked_in("futex_waitv")
    stage.note("woken", "waiters that the kernel says it woke", futex(words.at(1), _WAKE, 1))
    stage.quiet([waiter])
    stage.note("told", "the futex that is reported, from 0", waiter.answer())
