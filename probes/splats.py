"""What a kernel prints when something is wrong with itself: the signs, and how to find them in its log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SIGNS = re.compile(
    r"^WARNING: "  # lib/bug.c, kernel/panic.c (__warn), kernel/locking/lockdep.c
    r"|\bBUG: |\bkernel BUG at "  # mm/, lib/kasan, kernel/watchdog.c
    r"|\bOops\b|general protection fault|Unable to handle kernel"  # arch/*/kernel, arch/*/mm/fault.c
    r"|possible recursive locking|possible circular locking|inconsistent lock state"  # kernel/locking/lockdep.c
    r"|blocked for more than \d+ seconds"  # kernel/hung_task.c
    r"|\brcu.*(?:self-detected stall|detected stalls|detected expedited stalls)"  # kernel/rcu/tree_stall.h
    r"|^UBSAN: |refcount_t: (?:underflow|overflow|saturated|addition on 0)"  # lib/ubsan.c, lib/refcount.c
    r"|list_(?:add|del) corruption"  # lib/list_debug.c
    r"|^psi: (?:inconsistent task state|task underflow)!"  # kernel/sched/psi.c
    r"|Kernel panic - not syncing"  # kernel/panic.c
)
"""Anchored where words alone are used in harmless messages too (`Spectre V2 : WARNING: Unprivileged eBPF ...`)."""


@dataclass(frozen=True)
class Understood:
    """A complaint that is known to say nothing about the verdicts, and why."""

    sign: re.Pattern[str]
    """What distinguishes it from any other complaint."""
    explanation: str
    """One sentence without a full stop."""
    source: str
    """Where the kernel prints it, and under which condition."""


UNDERSTOOD = (
    Understood(
        re.compile(r"^psi: inconsistent task state! task=\S+ cpu=\d+ psi_flags=0 clear=1 set=4$"),
        "a waiter in io_uring_enter lost the mark TSK_IOWAIT without having it, which concerns pressure accounting and "
        "not wake-ups; 6.17 to 7.3 print it once per boot",
        "kernel/sched/psi.c, psi_flags_change; set=4 is TSK_RUNNING and clear=1 TSK_IOWAIT (include/linux/psi_types.h)",
    ),
)
"""The complaints that make no verdict doubtful.  Any other does."""

_STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")


def message(line: str) -> str:
    """A line of the console without its time stamp and caller (`[    1.234567][  T123] `)."""
    return _STAMP.sub("", line.strip("\r\n"))


def is_splat(text: str) -> bool:
    """Whether a message of the kernel, without its stamp, is one of these."""
    return bool(SIGNS.search(text))


def explanation(splat: str) -> str | None:
    """Why this complaint says nothing about the verdicts; None if nobody knows what it means."""
    return next((known.explanation for known in UNDERSTOOD if known.sign.search(splat)), None)


def not_understood(splats: Iterable[str]) -> list[str]:
    """Those of these complaints that make the verdicts doubtful."""
    return [splat for splat in splats if explanation(splat) is None]


def in_words(splat: str) -> str:
    """The complaint as the kernel printed it, with its explanation if there is one."""
    why = explanation(splat)
    return splat if why is None else f"{splat} (known: {why})"


def in_log(log: str) -> list[str]:
    """Every splat of a console or dmesg, without stamps, in order, each once."""
    return list(dict.fromkeys(complaint for line in log.splitlines() if is_splat(complaint := message(line))))
