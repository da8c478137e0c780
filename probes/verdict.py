"""The words a judgement can end in, and the exceptions that carry the two that are not yes or no."""

from __future__ import annotations

from collections.abc import Iterable

HELD = "held"
BROKEN = "broken"
INCONCLUSIVE = "inconclusive"
NOT_APPLICABLE = "not applicable"
MEASURED = "measured"

VERDICTS = (BROKEN, INCONCLUSIVE, HELD, MEASURED, NOT_APPLICABLE)
"""All verdicts, the one that needs attention most first."""


class Inconclusive(Exception):
    """It could not be judged; the message says why, and is shown to the user as it stands."""


class NotApplicable(Exception):
    """This kernel was asked and lacks the feature; the message says what it answered."""


def of_claim(cases: Iterable[str]) -> str:
    """The verdict of a claim from those of its cases.

    One broken case breaks the claim; one that could not be judged leaves it inconclusive; cases
    that do not apply count only where no other case is left.
    """
    seen = set(cases)
    for verdict in VERDICTS:
        if verdict in seen:
            return verdict
    return INCONCLUSIVE
