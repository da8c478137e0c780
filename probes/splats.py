"""What a kernel prints when something is wrong with itself: the signs, and how to find them in its log."""

from __future__ import annotations

import re

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

_STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")


def message(line: str) -> str:
    """A line of the console without its time stamp and caller (`[    1.234567][  T123] `)."""
    return _STAMP.sub("", line.strip("\r\n"))


def is_splat(text: str) -> bool:
    """Whether a message of the kernel, without its stamp, is one of these."""
    return bool(SIGNS.search(text))


def in_log(log: str) -> list[str]:
    """Every splat of a console or dmesg, without stamps, in order, each once."""
    return list(dict.fromkeys(found for line in log.splitlines() if is_splat(found := message(line))))
