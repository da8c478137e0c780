"""A claim: one sentence that a kernel is held to, with its level and what it rests on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

DOCUMENTED = "documented"
OBSERVED = "observed"
MEASURED = "measured"
LORE = "lore"

LEVELS = {
    DOCUMENTED: "a man page promises it",
    OBSERVED: "mainline does it, nobody promises it",
    MEASURED: "a number, no verdict",
    LORE: "people repeat it; held means that its truth is as stated",
}
FAILING_LEVELS = (DOCUMENTED, OBSERVED, LORE)
"""The levels that `--herd-level` can name, the strictest promise first."""

TRUTHS = ("true", "false", "conditional")


@dataclass(frozen=True)
class Basis:
    """Where a claim comes from: a place that somebody can open and read."""

    text: str
    kind: str  # "man", "kernel" or "text"

    def __str__(self) -> str:
        return self.text


def man(page: str, section: int, where: str = "") -> Basis:
    """A man page of the Linux man-pages project, and the entry or paragraph in it."""
    return Basis(f"{page}({section}) {where}".strip(), "man")


def kernel(file: str, where: str) -> Basis:
    """A file of the Linux source, and the function or macro in it."""
    return Basis(f"{file} {where}", "kernel")


def linux(release: str, commit: str, what: str = "") -> Basis:
    """A kernel commit (at least 12 hex digits) and the release that brought it."""
    if not re.fullmatch(r"[0-9a-f]{12,40}", commit):
        raise ValueError(f"{commit!r} is not an abbreviated commit of at least 12 hex digits")
    return Basis(f"Linux {release} {commit} {what}".strip(), "kernel")


def text(where: str) -> Basis:
    """A text that says it: a book, an article, a tracker."""
    return Basis(where, "text")


@dataclass(frozen=True)
class Claim:
    """One sentence, with everything needed to print it, sort it and look it up."""

    id: str
    sentence: str
    level: str
    basis: tuple[Basis, ...]
    truth: str | None = None
    rows: tuple[str, ...] = ()
    drawing: str = ""

    @property
    def chapter(self) -> str:
        """The id up to its first dot."""
        return self.id.split(".", 1)[0]

    def as_json(self) -> dict[str, Any]:
        """As run.json and the catalogue keep it."""
        return {
            "id": self.id,
            "chapter": self.chapter,
            "sentence": self.sentence,
            "level": self.level,
            "truth": self.truth,
            "basis": [str(basis) for basis in self.basis],
            "rows": list(self.rows),
            "drawing": inspect.cleandoc(self.drawing),
        }


CLAIMS: dict[str, Claim] = {}
"""Every claim of the test modules imported so far, by id."""

_Test = TypeVar("_Test", bound=Callable[..., Any])


def claim(
    id: str,
    sentence: str,
    *,
    level: str,
    basis: Iterable[Basis],
    truth: str | None = None,
    rows: Iterable[str] = (),
) -> Callable[[_Test], _Test]:
    """Mark a test as the judge of the claim `id`.  The test's docstring is the drawing of its topology.

    Raises ValueError for a claim that could not be printed or looked up: an id that cannot be
    typed, an unknown level, no basis, a truth on anything but lore, or an id used twice.
    """
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", id):
        raise ValueError(f"{id!r}: a claim's id is chapter.words-with-dashes")
    if level not in LEVELS:
        raise ValueError(f"{id}: level {level!r} is none of {', '.join(LEVELS)}")
    if (level == LORE) != (truth is not None) or (truth is not None and truth not in TRUTHS):
        raise ValueError(f"{id}: lore, and only lore, has a truth: {', '.join(TRUTHS)}")
    places = tuple(basis)
    if not places:
        raise ValueError(f"{id}: no claim without a basis that was looked up")

    def mark(test: _Test) -> _Test:
        drawing = test.__doc__ or ""
        judged = Claim(id, sentence, level, places, truth, tuple(rows), drawing)
        where = f"{test.__module__}.{test.__qualname__}"
        if id in CLAIMS and _judges.get(id) != where:
            raise ValueError(f"{id}: two tests judge it, {_judges[id]} and {where}")
        CLAIMS[id] = judged
        _judges[id] = where
        test.claim = judged  # type: ignore[attr-defined]  # how the plugin finds a test's claim
        return test

    return mark


_judges: dict[str, str] = {}
