"""docs/peers.md: the wake-up tests of other suites, and the claims that judge the same."""

from __future__ import annotations

from collections.abc import Iterator

from .peers import PEERS

_WORDS = """\
# The tests of others, and what judges the same here

Cases of other suites that are about who is woken, how many, in what order, or how a wait ends: each in words of our
own, and the claim that judges it here, or why none does.  `python -m tests.suite.unit.pages` writes this page from
`tests/suite/unit/peers.py` and `peers_elsewhere.py`, and a test compares it."""


def peers_page() -> str:
    """The whole page."""
    return "\n".join([_WORDS, *_tables()]) + "\n"


def _tables() -> Iterator[str]:
    for suite, cases in PEERS.items():
        yield from ("", f"## {suite}", "", "| case | what | judged by |", "|---|---|---|")
        yield from (
            f"| {case.name} | {case.what} | {', '.join(case.claims) or f'none: {case.why_not}'} |" for case in cases
        )
