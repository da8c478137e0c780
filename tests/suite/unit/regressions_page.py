"""docs/regressions.md: which claim sees which commit of the kernel, and how that is known."""

from __future__ import annotations

import inspect

from .regressions import REGRESSIONS, Regression

_WORDS = """\
# Regressions, and what sees them

Commits of the kernel that made a wake-up go wrong, or mended it, and the claims that break on a kernel which is wrong
in that way: {all} of them, of which {unseen} cannot be seen.  `python -m tests.suite.unit.pages` writes this page from
`tests/suite/unit/regressions.py`.  A test compares it, and looks: each claim is there, each kernel is expected to break
one of them, and each model does break one.

| commit | what it did | seen by | how that is known |
|---|---|---|---|"""


def regressions_page() -> str:
    """The whole page."""
    unseen = sum(bool(one.why_not) for one in REGRESSIONS)
    rows = [_row(one) for one in REGRESSIONS]
    return "\n".join([_WORDS.format(all=len(REGRESSIONS), unseen=unseen), *rows]) + "\n"


def _row(one: Regression) -> str:
    ways = [f"broken on {', '.join(one.seen_on)}, in a run"] if one.seen_on else []
    ways += [f"a model: {' '.join(inspect.cleandoc(model.__doc__ or '').split())}" for model in one.models]
    ways += ["each fact of its experiment counts"] if one.facts else []
    how = one.why_not or "; ".join(ways)
    return (
        f"| {one.commit}, *{one.title}* ({one.release}) | {one.what} | {', '.join(one.claims) or 'nothing'} | {how} |"
    )
