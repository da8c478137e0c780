"""Only the lab's own processes and the kernel itself may wake a sleeper of the lab: checks who did.

A signal, a freezer or a debugger wakes a task from the context of the process that uses it.  Such a wake-up moves a
waiter as a connection would, and a waiter in accept leaves no other trace of it.
"""

from __future__ import annotations

import bisect
import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from ..observers import Waking
from ..verdict import Inconclusive

_KERNEL_THREAD = 0x00200000
"""PF_KTHREAD, include/linux/sched.h."""


def by_others(wakings: Iterable[Waking], is_ours: Callable[[int], bool]) -> Waking | None:
    """The first wake-up by somebody else of a task that slept at the beginning; `wakings` are in order of time.

    Only the first wake-up of each task counts: once it runs, it may wait for others, for a page for example.  `is_ours`
    says whether a process is the lab's.
    """
    first: dict[int, Waking] = {}
    for waking in wakings:
        first.setdefault(waking.wakee, waking)
    return next((each for each in first.values() if is_foreign(each, is_ours)), None)


def is_foreign(waking: Waking, is_ours: Callable[[int], bool]) -> bool:
    """Whether a process issued it that is neither ours nor a kernel thread."""
    return waking.process is not None and not is_ours(waking.process) and not _is_of_the_kernel(waking.process)


def _is_of_the_kernel(pid: int) -> bool:
    """Whether it is a kernel thread, such as a kworker that delivers a connection over vsock."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return bool(int(file.read().rpartition(b")")[2].split()[6]) & _KERNEL_THREAD)
    except OSError:
        return False


def insist_on_our_wakers(
    wakings: Sequence[Waking], rests_ns: Sequence[Sequence[int]], ours: Collection[int], *, carried: bool = False
) -> None:
    """Raise Inconclusive if somebody else has woken an actor of an experiment that was proven to sleep.

    `rests_ns`: for each actor, when that was.  `ours`: the processes of the experiment, without those that they forked.
    `carried`: kernel threads may wake actors, too; inside a PID namespace they look like any process outside of it.
    """

    def is_foreign_here(waking: Waking) -> bool:
        if carried and waking.process == 0:
            return False
        return is_foreign(waking, lambda process: is_of_the_lab(process, ours))

    waking = next((each for each in _from_sleep(wakings, rests_ns) if is_foreign_here(each)), None)
    if waking is not None:
        raise Inconclusive(f"an actor was woken by somebody else: {in_words(waking)}")


def _from_sleep(wakings: Sequence[Waking], rests_ns: Sequence[Sequence[int]]) -> Iterator[Waking]:
    """For each actor, and for each child that has its name, the first wake-up after each proof that the actor slept."""
    for k, rests in enumerate(rests_ns):
        slept: dict[int, int] = {}
        for waking in wakings:
            if waking.wakee != -1 - k:
                continue
            proofs = bisect.bisect_right(rests, waking.at_ns)
            if proofs and proofs != slept.get(waking.task):
                yield waking
            slept[waking.task] = proofs


def is_of_the_lab(pid: int, ours: Collection[int]) -> bool:
    """Whether it is one of `ours`, or in the conductor's session (setsid(2)), like all that these have forked."""
    if pid in ours:
        return True
    try:
        return bool(pid) and os.getsid(pid) == os.getsid(0)
    except ProcessLookupError:
        return False


def in_words(waking: Waking) -> str:
    """The waker in words: `process 4711 ('bash')`."""
    if not waking.process:
        return "a process outside this PID namespace"
    with contextlib.suppress(OSError), open(f"/proc/{waking.process}/comm", errors="replace") as file:
        return f"process {waking.process} ({file.read().strip()!r})"
    return f"process {waking.process}, which is gone"
