"""The work of a request: a spin of the CPU, so many rounds of an empty loop, never a sleep.

A spin that looked at the clock would do less where the worker is preempted; this one always costs the
same CPU time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

LONG_SOURCE, SHORT_SOURCE = "127.0.0.2", "127.0.0.1"
"""Where a client connects from says which work its request is: so the client decides, for every strategy alike,
and no worker has to read a request, which it might have to wait for."""

LONG_EVERY = 20
"""Under `mixed`, one request in this many is a long one."""

MIXED = (50, 5_000)
"""Microseconds of a short and of a long request under `mixed`."""

LONGEST_US = 1_000_000

_PROBE_LOOPS = 200_000


@dataclass(frozen=True)
class Work:
    """Microseconds of CPU time per request, short and long.  They are the same but under `mixed`."""

    id: str
    short_us: int
    long_us: int

    @property
    def mixed(self) -> bool:
        return self.short_us != self.long_us

    @property
    def mean_us(self) -> float:
        """What a connection costs the worker on average, in microseconds."""
        return self.short_us + (self.long_us - self.short_us) / LONG_EVERY


def parse(text: str) -> Work:
    """`0`, `250` (microseconds) or `mixed`.  Raises ValueError with one sentence."""
    if text == "mixed":
        return Work(text, *MIXED)
    if not (text.isascii() and text.isdigit() and int(text) <= LONGEST_US):
        raise ValueError(f"no work {text!r}: write 0, mixed, or microseconds up to {LONGEST_US:,}")
    return Work(str(int(text)), int(text), int(text))


def spin(loops: int) -> None:
    """Keep the CPU busy."""
    for _ in range(loops):
        pass


def loops_per_us() -> float:
    """How many loops of `spin` take a microsecond of CPU time here: the fastest of five tries."""
    fastest = 0.0
    for _ in range(5):
        began = time.thread_time_ns()
        spin(_PROBE_LOOPS)
        fastest = max(fastest, _PROBE_LOOPS * 1000 / max(1, time.thread_time_ns() - began))
    return fastest
