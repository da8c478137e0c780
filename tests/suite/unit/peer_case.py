"""One case of another suite, and the reasons why no claim judges some."""

from __future__ import annotations

from dataclasses import dataclass

RACE = "It is a race that chance alone meets; the suite repeats it a thousand times or more."
ERRORS = "It is about errors of a call that does not wait."
KERNEL_CRASH = "It is about memory of the kernel, and about no wake-up."
NO_WAIT = "It is about what a call gives or stores; nobody waits."


@dataclass(frozen=True)
class PeerCase:
    """One case of another suite."""

    name: str
    what: str
    claims: tuple[str, ...] = ()
    why_not: str = ""
