"""docs/regressions.md: which claim sees which commit of the kernel, and how that is known."""

from __future__ import annotations

import inspect

from .regressions import REGRESSIONS, Regression

_WORDS = """\
# Regressions, and the claims that catch them

This page lists {all} kernel commits that broke or fixed a wake-up, with the claims that break on a kernel with that
fault; no claim can catch {unseen} of them.  `python -m tests.suite.unit.pages` writes this page from
`tests/suite/unit/regressions.py` and `regressions_further.py`.  Tests check that each claim exists, that each kernel
named is expected to break one of them, and that each model does.

| commit | what it did | caught by | evidence |
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
