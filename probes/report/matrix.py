"""The matrix: claims against kernels, from several runs, as one HTML page; the differences come first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .. import splats
from ..verdict import BROKEN, INCONCLUSIVE, VERDICTS
from . import answers, cost, expected, herds_apart, lineage, numbers
from .lineage import NOT_JUDGED, Kernel
from .page import date, environment
from .run import cut

Run = Mapping[str, Any]

DIFFERS = "differs"
"""Two kernels say different things, or show different numbers."""
UNDECIDED = "undecided"
"""Kernels that could tell agree, and some could not tell, or were not asked."""
AGREES = "agrees"

UNKNOWING = (INCONCLUSIVE, NOT_JUDGED)

MOST_CASES = 200
"""More rows of differing numbers than this help nobody."""


@dataclass(frozen=True)
class Cell:
    """What one kernel says of one claim."""

    verdict: str
    number: str | None
    """`8/8`, woken of waiting, where the claim has one such number."""
    expected: str | None
    """Why a deviation was expected."""


@dataclass(frozen=True)
class ClaimRow:
    """One claim, over all kernels."""

    id: str
    sentence: str
    chapter: str
    level: str
    cells: tuple[Cell, ...]
    range: str
    """The history in words."""
    agreement: str
    """DIFFERS, UNDECIDED or AGREES."""
    only_apart: bool
    """Whether it differs, and the kernels of Linux's history do not: only one that stands apart does."""


@dataclass(frozen=True)
class Chapter:
    """The claims of one chapter, by how far the kernels agree on them."""

    name: str
    differing: tuple[ClaimRow, ...]
    undecided: tuple[ClaimRow, ...]
    agreeing: tuple[ClaimRow, ...]
    agreed: tuple[tuple[str, int], ...]
    """Each verdict that all kernels share, and for how many claims."""


@dataclass(frozen=True)
class CaseRow:
    """One case whose figures differ: a line for each kernel."""

    claim: str
    case: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class QuestionRow:
    """One question: its different answers, and who gives each."""

    row: str
    question: str
    given: tuple[tuple[tuple[str, ...], str], ...]
    """(labels, line), the newest kernel's first."""


def render(runs: Sequence[Run], pages: Sequence[str]) -> str:
    """The page of these runs, as a whole HTML document.

    `pages`: where the page of each run, in the same order, is to be found from here.
    """
    kernels = lineage.ordered(runs)
    href = {id(run): page for run, page in zip(runs, pages, strict=True)}
    rows = list(rows_of(kernels))
    herd_rows = herds_apart.rows(kernels)
    return (
        environment()
        .get_template("matrix.html.j2")
        .render(
            kernels=[(kernel, href[id(kernel.run)]) for kernel in kernels],
            warnings=warnings(kernels),
            herds=herd_rows,
            states={state for row in herd_rows for _, herd in row.groups for state in herd.states},
            sentence=herds_apart.sentence(herd_rows),
            total=len(rows),
            apart=[place for place, kernel in enumerate(kernels) if kernel.apart],
            differing=[row for row in rows if row.agreement == DIFFERS and not row.only_apart],
            only_apart=[row for row in rows if row.only_apart],
            undecided=sum(row.agreement == UNDECIDED for row in rows),
            chapters=list(_chapters(rows)),
            numbers=differing_numbers(kernels),
            costs=cost.side_by_side({kernel.label: kernel.run for kernel in kernels}),
            cost_marks=[
                (kernel.label, mark) for kernel in kernels for mark in (kernel.run.get("cost") or {}).get("marks", [])
            ],
            most=MOST_CASES,
            answers=list(_answers(kernels)),
            counts=_counts,
            date=date,
        )
    )


def rows_of(kernels: Sequence[Kernel]) -> Iterator[ClaimRow]:
    """Every claim of any run, chapter by chapter, over all kernels."""
    judged = [{claim["id"]: claim for claim in kernel.run["claims"]} for kernel in kernels]
    known: dict[str, Mapping[str, Any]] = {}
    for claims in sorted(judged, key=len, reverse=True):  # the most complete run decides on the order
        for name, claim in claims.items():
            known.setdefault(name, claim)
    chapters = list(dict.fromkeys(claim["chapter"] for claim in known.values()))
    for claim in sorted(known.values(), key=lambda claim: chapters.index(claim["chapter"])):
        yield _row(claim, [claims.get(claim["id"]) for claims in judged], kernels)


def _row(claim: Mapping[str, Any], judged: Sequence[Mapping[str, Any] | None], kernels: Sequence[Kernel]) -> ClaimRow:
    cells = tuple(
        Cell(here["verdict"], numbers.woken_of_all(here), expected.reason(here))
        if here
        else Cell(NOT_JUDGED, None, None)
        for here in judged
    )
    verdicts = [cell.verdict for cell in cells]
    decided = [numbers.decided(here) if here else None for here in judged]
    family = [place for place, kernel in enumerate(kernels) if not kernel.apart]
    agreement = _agreement(verdicts, decided)
    in_family = _agreement([verdicts[place] for place in family], [decided[place] for place in family])
    return ClaimRow(
        claim["id"],
        claim["sentence"],
        claim["chapter"],
        claim["level"],
        cells,
        lineage.in_words(kernels, verdicts),
        agreement,
        only_apart=agreement == DIFFERS and in_family != DIFFERS,
    )


def _agreement(verdicts: Iterable[str], decided: Iterable[str | None]) -> str:
    """How far kernels with these verdicts, and these numbers without a race, agree."""
    words = set(verdicts)
    if len(words - set(UNKNOWING)) > 1 or _is_several(decided):
        return DIFFERS
    return UNDECIDED if len(words) > 1 else AGREES


def _chapters(rows: Iterable[ClaimRow]) -> Iterator[Chapter]:
    for name, group in groupby(rows, key=lambda row: row.chapter):
        members = tuple(group)
        differing, undecided, agreeing = (
            tuple(row for row in members if row.agreement == kind) for kind in (DIFFERS, UNDECIDED, AGREES)
        )
        words = [row.cells[0].verdict for row in agreeing]
        agreed = tuple((verdict, words.count(verdict)) for verdict in VERDICTS if verdict in words)
        yield Chapter(name, differing, undecided, agreeing, agreed)


def differing_numbers(kernels: Sequence[Kernel]) -> list[CaseRow]:
    """Cases whose figures, free of races, are not the same on all kernels that ran and saw them."""
    seen: dict[str, tuple[str, list[dict[str, str] | None]]] = {}
    for place, kernel in enumerate(kernels):
        for claim in kernel.run["claims"]:
            for case in claim["cases"]:
                if case["trials"]:
                    _, cells = seen.setdefault(case["id"], (claim["id"], [None] * len(kernels)))
                    cells[place] = cells[place] or numbers.comparable(case)
    differing = []
    for case_id, (claim_id, all_cells) in seen.items():
        names = [
            name for name in ("woken", "returned", "order") if _is_several(cell.get(name) for cell in all_cells if cell)
        ]
        if names:
            figures = tuple("" if cell is None else _figures_in_words(cell, names) for cell in all_cells)
            differing.append(CaseRow(claim_id, case_id, figures))
    return differing


def _figures_in_words(cell: Mapping[str, str], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {cell.get(name, '?')}" for name in names)


def _is_several(values: Iterable[str | None]) -> bool:
    return len({value for value in values if value is not None}) > 1


def _answers(kernels: Sequence[Kernel]) -> Iterator[QuestionRow]:
    """Answers that differ in nothing but numbers count as one: those of a race are never twice the same."""
    all_given = [answers.answers(kernel.run) for kernel in kernels]
    for place, (row, (question, _)) in enumerate(answers.QUESTIONS.items()):
        given: dict[str, tuple[list[str], str]] = {}
        for kernel, given_here in zip(kernels, all_given, strict=True):
            line = given_here[place].line
            labels, _ = given.setdefault(re.sub(r"\d+(\N{EN DASH}\d+)?%?", "#", line), ([], line))
            labels.append(kernel.label)
        yield QuestionRow(row, question, tuple((tuple(labels), line) for labels, line in given.values()))


def warnings(kernels: Sequence[Kernel]) -> list[str]:
    """What has to be known before the runs are compared, one sentence each."""
    return [*_mixed(kernels), *_untrusted(kernels)]


def _mixed(kernels: Sequence[Kernel]) -> Iterator[str]:
    revisions = _grouped((kernel.run["suite"]["revision"] or "unknown", kernel.label) for kernel in kernels)
    if len(revisions) > 1:
        by_revision = "; ".join(f"{revision[:19]}: {', '.join(labels)}" for revision, labels in revisions.items())
        yield (
            f"These runs are of {len(revisions)} revisions of the suite, so that a difference between them "
            f"may come from the suite and not from the kernels ({by_revision})."
        )
    cuts = _grouped((cut(kernel.run), kernel.label) for kernel in kernels)
    if len(cuts) > 1:
        by_cut = "; ".join(f"{cases}: {', '.join(labels)}" for cases, labels in cuts.items())
        yield f"Not all runs tried the same cases: they are of different presets ({by_cut})."


def _untrusted(kernels: Sequence[Kernel]) -> Iterator[str]:
    for kernel in kernels:
        run = kernel.run
        if run["partial"]:
            yield f"{kernel.label} is partial: it judged {len(run['claims'])} claims, and not all of their cases."
        for name, verdict in run["controls"].items():
            if verdict in (BROKEN, INCONCLUSIVE):
                yield f"The control {name} is {verdict} on {kernel.label}: nothing in its column was judged."
    # The same complaint differs in process ids and addresses from run to run.
    complaints: dict[str, tuple[list[str], str]] = {}
    for kernel in kernels:
        for splat in splats.not_understood(kernel.run["kernel"]["splats"])[:1]:
            complaints.setdefault(re.sub(r"[0-9a-f]*\d[0-9a-f]*", "#", splat), ([], splat))[0].append(kernel.label)
    for labels, splat in complaints.values():
        yield f"{', '.join(labels)} complained during {'its run' if len(labels) == 1 else 'their runs'}: {splat}"


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, label in pairs:
        groups.setdefault(key, []).append(label)
    return groups


def _counts(run: Run) -> list[tuple[str, int]]:
    """Each verdict that the run has, and how often."""
    words = [claim["verdict"] for claim in run["claims"]]
    return [(verdict, words.count(verdict)) for verdict in VERDICTS if verdict in words]
