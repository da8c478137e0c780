"""docs/peers.md: the wake-up tests of other suites, and the claims that judge the same."""

from __future__ import annotations

from collections.abc import Iterator

from .peers import PEERS

_WORDS = """\
# Wake-up tests of other suites

This page lists test cases of other suites about who wakes, how many, in what order, or how a wait ends.  Each case is
described in our own words, with the claim that judges the same here, or the reason why none does.
`python -m tests.suite.unit.pages` writes this page from `tests/suite/unit/peers.py` and `peers_elsewhere.py`, and a
test compares it."""


def peers_page() -> str:
    """The whole page."""
    return "\n".join([_WORDS, *_tables()]) + "\n"


def _tables() -> Iterator[str]:
    for suite, cases in PEERS.items():
        yield from ("", f"## {suite}", "", "| case | what | judged by |", "|---|---|---|")
        yield from (
            f"| {case.name} | {case.what} | {', '.join(case.claims) or f'none: {case.why_not}'} |" for case in cases
        )
