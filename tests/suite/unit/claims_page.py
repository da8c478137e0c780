"""docs/claims.md: the claims, and which of them judges each row of docs/rows.md."""

from __future__ import annotations

import re
from typing import Any

from probes.claims import LEVELS
from probes.host import PROJECT

ROWS = PROJECT / "docs" / "rows.md"

NOT_JUDGED = {"E6": "it is about test suites, not about a kernel"}
"""Rows that no claim can judge, with the reason."""


def claims_page(claims: list[dict[str, Any]]) -> str:
    """The text of docs/claims.md."""
    lines = [
        "# The claims",
        "",
        "What a kernel is held to.  `python -m tests.suite.unit.pages` makes this page from the tests.",
        "Judge one of them with `wakecheck judge --herd-claim=ID`.",
        "",
        *(f"- *{level}*: {meaning}" for level, meaning in LEVELS.items()),
        "- *rows*: the statements and questions of [rows.md](rows.md) that a claim answers",
    ]
    chapter = None
    for claim in claims:
        if claim["chapter"] != chapter:
            chapter = claim["chapter"]
            lines += ["", f"## {chapter}"]
        truth = f", {claim['truth']}" if claim["truth"] else ""
        rows = f"; rows {', '.join(claim['rows'])}" if claim["rows"] else ""
        lines += [
            "",
            f"### {claim['id']}",
            "",
            f"{claim['sentence']} (*{claim['level']}{truth}*{rows})",
            "",
            *(f"- {basis}" for basis in claim["basis"]),
            f"- judged by `{claim['test']}`; cases by default: {len(claim['cases'])}",
        ]
    lines += [
        "",
        "## Rows",
        "",
        "Which claims judge each row of [rows.md](rows.md).",
        "",
        "| row | claims |",
        "|---|---|",
    ]
    lines += [f"| {row} | {_judges_of(row, claims)} |" for row in known_rows()]
    return "\n".join(lines) + "\n"


def known_rows() -> list[str]:
    """The ids of the rows in docs/rows.md, in their order."""
    return re.findall(r"^- ((?:L-[A-Z]|[A-Z])\d{1,2})\. ", ROWS.read_text(encoding="utf-8"), re.MULTILINE)


def _judges_of(row: str, claims: list[dict[str, Any]]) -> str:
    ids = [claim["id"] for claim in claims if row in claim["rows"]]
    return ", ".join(ids) or f"none: {NOT_JUDGED.get(row, 'not yet')}"
