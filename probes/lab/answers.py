"""Answers that may never come, on a kernel on which a task that was woken looks asleep until it runs (gVisor).

Elsewhere rest shows: who sleeps on although every wake-up was issued has not been woken, and nobody waits for it.  Here
only a deadline ends such a wait, and the case is then inconclusive.
"""

from __future__ import annotations

from .deadline import answer_patience_s

Asked = tuple[str, str]
"""A source, and what happens to it."""
_SHORTER = 30
"""How many times shorter the deadline is for what nobody was told of before; at least a second."""


class Answers:
    """What nobody was told of in earlier cases, and so how long an answer is waited for."""

    def __init__(self) -> None:
        self.told_nobody: set[Asked] = set()
        """That for which no answer came before the deadline."""

    def limit_s(self, asked: Asked) -> float:
        """How long to wait, in seconds: less if nobody was told of it before, because most likely nobody is this time
        either, and the case is then inconclusive in any case."""
        patience = answer_patience_s()
        return max(1.0, patience / _SHORTER) if asked in self.told_nobody else patience

    def as_before(self, asked: Asked) -> str:
        """What to add to the reason if the deadline was shorter."""
        return ", as before with a longer deadline," if asked in self.told_nobody else ""
