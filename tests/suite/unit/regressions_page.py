"""docs/regressions.md: which claim sees which commit of the kernel, and how that is known."""

from __future__ import annotations

import inspect

from .regressions import REGRESSIONS, Regression

_WORDS = """\
# Regressions, and what sees them

Commits of the kernel that made a wake-up go wrong, or mended it, and the claims that break on a kernel which is wrong
in that way: {all} of them, of which {unseen} cannot be seen.  `python -m tests.suite.unit.pages` writes this page from
`tests/suite/unit/regressions.py` and `regressions_further.py`.  A test compares it, and looks: each claim is there,
each kernel is expected to break one of them, and each model does break one.

| commit | what it did | seen by | how that is known |
|---|---|---|---|"""


def regressions_page() -> str:
    """The whole page."""
    unseen = sum(bool(regression.why_not) for regression in REGRESSIONS)
    rows = [_row(regression) for regression in REGRESSIONS]
    return "\n".join([_WORDS.format(all=len(REGRESSIONS), unseen=unseen), *rows]) + "\n"


def _row(regression: Regression) -> str:
    ways = [f"broken on {', '.join(regression.seen_on)}, in a run"] if regression.seen_on else []
    ways += [f"a model: {' '.join(inspect.cleandoc(model.__doc__ or '').split())}" for model in regression.models]
    ways += ["each fact of its experiment counts"] if regression.facts else []
    how = regression.why_not or "; ".join(ways)
    commit = f"{regression.commit}, *{regression.title}* ({regression.release})"
    return f"| {commit} | {regression.what} | {', '.join(regression.claims) or 'nothing'} | {how} |"
