"""What a kernel other than mainline is known to do differently, and whether it came so.

An entry expects one verdict of some claims.  It speaks in both directions: a case that deviates
needs an entry that says so, and an entry needs a case that deviates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .verdict import BROKEN, INCONCLUSIVE, NOT_APPLICABLE

EXPECTABLE = (BROKEN, INCONCLUSIVE, NOT_APPLICABLE)
"""The verdicts that an entry can name for claims.  Held is what is expected of everything else."""


def matches(name: str, pattern: str) -> bool:
    """As in a shell; a name that holds brackets matches itself, too."""
    return name == pattern or fnmatchcase(name, pattern)


@dataclass(frozen=True)
class Expectation:
    """One thing that is known.  All patterns are those of fnmatch."""

    verdict: str
    reason: str
    claims: tuple[str, ...] = ()
    """Patterns of claims' ids."""
    cases: tuple[str, ...] = ("*",)
    """Patterns of the cases' ids that may end so: the others of these claims may not."""
    controls: tuple[str, ...] = ()
    """Patterns of controls' names, in an entry for controls."""
    sometimes: bool = False
    """Whether it depends on a race: then nobody minds if it is held."""

    def pattern_for(self, claim: str) -> str | None:
        """The first pattern that names this claim."""
        return next((pattern for pattern in self.claims if matches(claim, pattern)), None)

    def names(self, case: str) -> bool:
        """Whether the case (of a claim that the entry names) may end so."""
        return any(matches(case, pattern) for pattern in self.cases)


@dataclass(frozen=True)
class Expectations:
    """The whole file."""

    file: str
    """As the user wrote it: for messages."""
    kernel: str
    """Whose deviations these are, in words."""
    entries: tuple[Expectation, ...] = ()

    def excuse(self, claim: str, case: str, verdict: str) -> str | None:
        """Why this verdict of this case was to be expected, or None if it was not."""
        if verdict not in EXPECTABLE:
            return None
        for entry in self.entries:
            if entry.verdict == verdict and entry.pattern_for(claim) and entry.names(case):
                return entry.reason
        return None

    def of_claim(self, claim: str, cases: Iterable[Mapping[str, Any]], *, whole: bool) -> list[dict[str, Any]]:
        """What was expected of a claim, and whether it came so, as run.json keeps it.

        `cases` are those that were judged, with `id` and `verdict`; `whole`: no case was left out.
        """
        judged = list(cases)
        expected = []
        for entry in self.entries:
            pattern = entry.pattern_for(claim)
            if pattern is None:
                continue
            asked = [case["verdict"] for case in judged if entry.names(case["id"])]
            met = True if entry.verdict in asked else False if asked and whole and not entry.sometimes else None
            expected.append({"verdict": entry.verdict, "reason": entry.reason, "pattern": pattern, "met": met})
        return expected

    def of_control(self, control: str, verdict: str) -> list[dict[str, Any]]:
        """The same for a control."""
        return [
            {"verdict": entry.verdict, "reason": entry.reason, "pattern": pattern, "met": entry.verdict == verdict}
            for entry in self.entries
            for pattern in entry.controls
            if matches(control, pattern)
        ]


def sentence(name: str, verdict: str, expected: Mapping[str, Any], file: str, noun: str = "") -> str:
    """What to do about an expectation (as run.json keeps it) that was not met by this claim or control."""
    pattern = expected["pattern"]
    narrow = "" if pattern == name else ", or narrow it to what still is"
    was = f"{noun}{name} was expected to be {expected['verdict']}, and is {verdict}"
    return f"{was}: remove {pattern!r} from {file}{narrow}"
