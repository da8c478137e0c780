"""Waiting for a condition, with a deadline; a sleep never stands in for one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..verdict import Inconclusive

FEWEST_LOOKS = 100
"""No deadline takes effect before the condition was checked this often: a machine that stood still (a paused VM, a
starved conductor) must not decide a verdict."""

_SOON_S = 0.1
_BETWEEN_LOOKS_S = 0.002

_patience_s = 10.0
_answer_patience_s = 10.0


LONGEST_S = 150.0
"""No single deadline is longer, however many waiters it is for."""


def patience_s() -> float:
    """How long one condition may take here, in seconds; see `measure_patience`."""
    return _patience_s


def measure_patience(unit_s: float) -> None:
    """Scale every deadline of this process by how long a small, known piece of work took.

    `unit_s` is the time to fork a child that exits at once, and to reap it: 0.4 ms on an idle machine.  The patience is
    then ten thousand of these units, but at least ten seconds, and at most a minute.
    """
    global _patience_s
    _patience_s = _scaled(unit_s)


def answer_patience_s() -> float:
    """How long a wake-up that may never come is waited for, in seconds; see `measure_answer_patience`."""
    return min(_answer_patience_s, _patience_s)


def measure_answer_patience(unit_s: float) -> None:
    """Scale the deadline for a wake-up that may never come by how long one takes that does come.

    It matters where a task that was woken looks asleep until it runs (`Bench.rest_shows`): only the deadline ends such
    a wait.  A fork says little of it: on gVisor it makes a process of the host, and takes a hundred times as long as a
    wake-up.  `unit_s` is the time for a byte to another process and back.  The patience has the bounds of
    `measure_patience`, and is never longer than that.
    """
    global _answer_patience_s
    _answer_patience_s = _scaled(unit_s)


def _scaled(unit_s: float) -> float:
    return min(60.0, max(10.0, unit_s * 10_000))


def until(
    condition: Callable[[], bool],
    what: Callable[[], str],
    scale: float = 1.0,
    *,
    limit_s: float | None = None,
    may_be_vain: bool = False,
) -> None:
    """Check `condition` until it holds, giving way to other tasks in between.

    Raises Inconclusive with `what()` if it does not hold within `limit_s` seconds, or, without `limit_s`, within the
    patience of this process times `scale`.  sched_yield(2) is not a sleep: it returns at once if no other task wants
    this CPU.

    `may_be_vain`: on a healthy kernel, too, it may never hold.  After a tenth of a second the CPU is then left to
    others between looks, and what comes is seen up to 2 ms late.
    """
    if limit_s is None:
        limit_s = min(_patience_s * scale, LONGEST_S)
    began = time.monotonic()
    looks = 0
    while not condition():
        looks += 1
        waited_s = time.monotonic() - began
        if looks > FEWEST_LOOKS and waited_s > limit_s:
            raise Inconclusive(f"{what()} within {limit_s:.0f} s")
        if may_be_vain and waited_s > _SOON_S:
            time.sleep(_BETWEEN_LOOKS_S)
        else:
            os.sched_yield()
