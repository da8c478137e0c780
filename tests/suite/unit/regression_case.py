"""One commit of the kernel that made or mended a wake-up."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Kernel


@dataclass(frozen=True)
class Regression:
    """One commit (or one report), and the claims that break on a kernel which is wrong in that way."""

    commit: str
    """Twelve hex digits; of a report, its place."""
    title: str
    release: str
    """The mainline release that brought it."""
    what: str
    claims: tuple[str, ...] = ()
    seen_on: tuple[str, ...] = ()
    """Kernels of the catalogue on which a claim is broken for it, by their expectations."""
    models: tuple[type[Kernel], ...] = ()
    """Models of kernels that are wrong in this way."""
    facts: bool = False
    """Whether an experiment notes it: then it is enough that each fact counts (test_experiments_can_fail.py)."""
    why_not: str = ""
    """Why no claim sees it."""


RACE = (
    "It is a race of a few instructions, which no arrangement of sleepers brings about, and which chance alone meets."
)
