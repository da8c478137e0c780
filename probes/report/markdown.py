"""Runs as Markdown: what a CI service shows beside a job (GitHub's job summary, a merge request)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import splats
from ..printable import one_line
from ..verdict import BROKEN, INCONCLUSIVE, VERDICTS
from . import strategies
from .figures import COLUMNS

Run = Mapping[str, Any]

MOST_CLAIMS = 50
"""For one run and one verdict, this many claims are named: a service cuts or drops a summary that is too long."""

_LONGEST_REASON = 400
_MARKUP = re.compile(r"([\\`*_\[\]|~])")
"""What is markup in the middle of a line."""
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def render(runs: Sequence[Run]) -> str:
    """All runs, the verdicts counted first; then for each what needs attention, and its strategies."""
    lines = ["## Wakecheck", "", *_counts(runs)]
    for run in runs:
        lines += ["", f"### {_name(run)}", "", _kernel(run)]
        lines += _attention(run)
        lines += _table(run)
    return "".join(f"{line}\n" for line in lines)


def _counts(runs: Sequence[Run]) -> Iterator[str]:
    yield _row(["kernel", *VERDICTS])
    yield "|---|" + "---:|" * len(VERDICTS)
    for run in runs:
        verdicts = [claim["verdict"] for claim in run["claims"]]
        partial = " (partial)" if run["partial"] else ""
        yield _row([_name(run) + partial, *(_bold(verdicts.count(verdict), verdict) for verdict in VERDICTS)])


def _bold(count: int, verdict: str) -> str:
    return f"**{count}**" if count and verdict in (BROKEN, INCONCLUSIVE) else str(count)


def _kernel(run: Run) -> str:
    kernel = run["kernel"]
    emulated = ", emulated" if kernel["emulated"] else ""
    return text(f"Linux {kernel['release']} {kernel['machine']}, {kernel['cpus']} CPUs{emulated}; {kernel['version']}")


def _attention(run: Run) -> Iterator[str]:
    """What somebody has to look at, the worst first; or that there is nothing."""
    items = [*_whole_run(run)]
    for verdict in (BROKEN, INCONCLUSIVE):
        claims = [claim for claim in run["claims"] if claim["verdict"] == verdict]
        items += [_claim(claim) for claim in claims[:MOST_CLAIMS]]
        if len(claims) > MOST_CLAIMS:
            items.append(f"and {len(claims) - MOST_CLAIMS} more claims {verdict}: see the report")
    yield ""
    if items:
        yield from (f"- {item}" for item in items)
    else:
        yield "Nothing broken, nothing inconclusive."
    known = [splat for splat in run["kernel"]["splats"] if splats.explanation(splat)]
    if known:
        yield from ("", *(f"- the kernel logged {text(splats.in_words(splat))}" for splat in known))


def _whole_run(run: Run) -> Iterator[str]:
    """What is wrong with the run itself, and not with one claim."""
    if run["partial"] or not run["claims"]:
        yield "**partial**: not every claim was judged"
    reasons = run.get("controls_reasons", {})
    for name, verdict in run["controls"].items():
        if verdict in (BROKEN, INCONCLUSIVE):
            yield f"**{verdict}** control {text(name)}: {text(reasons.get(name) or 'no reason was recorded')}"
    for splat in splats.not_understood(run["kernel"]["splats"]):
        yield f"**the kernel complained** during the run: {text(splat)}"
    for name, there in run["observers"].items():
        if there is not True:
            yield f"without {text(name)}: {text(there)}"


def _claim(claim: Mapping[str, Any]) -> str:
    reason = text(claim["reason"] or "no reason was recorded")
    expected = " (as expected)" if any(expectation.get("met") for expectation in claim.get("expected") or ()) else ""
    head = f"**{claim['verdict']}**{expected} `{claim['id']}`: {reason}"
    return f"{head}\n  - {claim['level']}: {text(claim['sentence'])}"


def _table(run: Run) -> Iterator[str]:
    rows = strategies.rows(run)
    if not rows:
        return
    yield from ("", "<details><summary>Every strategy, one connection</summary>", "")
    yield _row(
        ["strategy", "id", *(f"{reaction}: {column}" for reaction in strategies.REACTIONS for column in COLUMNS)]
    )
    yield "|---|---|" + "---:|" * (len(strategies.REACTIONS) * len(COLUMNS))
    for row in rows:
        yield _row(
            [
                text(row.name),
                text(row.strategy),
                *(cell for reaction in strategies.REACTIONS for cell in _cells(row, reaction)),
            ]
        )
    yield from (
        "",
        f"{strategies.N} processes on tcp4; lowest to highest of all untraced trials; ?: not observed",
        "",
        "</details>",
    )


def _cells(row: strategies.StrategyRow, reaction: str) -> list[str]:
    figures = row.figures[reaction]
    if figures is None:
        return ["n/a" if reaction in row.absent else ""] * len(COLUMNS)
    return [str(figures[column]) for column in COLUMNS]


def _name(run: Run) -> str:
    return text(run["label"] or run["kernel"]["release"])


def text(words: str) -> str:
    """`words` on one line, so that no character of them is markup; cut where it is very long."""
    line = one_line(words)
    line = line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"
    return re.sub(r"[&<>]", lambda match: _HTML[match[0]], _MARKUP.sub(r"\\\1", line))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
