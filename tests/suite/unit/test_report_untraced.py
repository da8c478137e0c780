"""Figures are of untraced trials, everywhere: a tracer slows its waiters, and shifts every race among them."""

from __future__ import annotations

import json
import re
from typing import Any

from rich.console import Console

from probes.case import Case
from probes.claims import LORE
from probes.outcome import properties
from probes.report import compare, kcidb, ktap, lineage, markdown, matrix, numbers, orders, page, terminal, traits
from probes.timeline import print_histogram

from . import broken
from .builders import made_claim, seen, trial
from .model import Kernel
from .runs import run_of
from .test_report_figures import cases_of

ABSURD = 7777
"""A count that only a traced trial shows."""
LABELS = ("before", "after")


def _spoilt(label: str, kernel: Kernel | None = None) -> dict[str, Any]:
    """A run whose traced trials show absurd counts, and orders that nobody else shows."""
    run = run_of(label, "6.1.0", kernel)
    for claim in run["claims"]:
        for case in claim["cases"]:
            for shown in case["trials"]:
                if shown["traced"]:
                    shown.update(dict.fromkeys(("woken", "returned", "won", "spurious"), ABSURD))
                    for step in shown["steps"]:
                        step["order"] = [ABSURD] if len(step["order"]) == 1 else step["order"]
    return run


def test_no_writer_shows_a_figure_of_a_traced_trial() -> None:
    run, other = _spoilt("before"), _spoilt("after", broken.AcceptHerdsVisibly(1))
    console = Console(record=True, width=200)
    terminal.summary(run, console, [])
    terminal.table(run, console)
    kernels = lineage.ordered([run, other])
    terminal.kernels(kernels, console)
    compare.show(run, other, console)
    texts = [
        console.export_text(),
        markdown.render([run]),
        kcidb.render([run]),
        ktap.render(run),
        matrix.render([run, other], ["a.html", "b.html"]),
        json.dumps(compare.as_dict(run, other)),
    ]
    assert [place for place, text in enumerate(texts) if str(ABSURD) in text] == []


def test_the_page_shows_traced_trials_in_the_evidence_alone() -> None:
    run = _spoilt("one")
    rendered = page.render(run)
    assert str(ABSURD) in rendered
    for claim in run["claims"]:
        for case in claim["cases"]:
            for shown in case["trials"]:
                if shown["traced"]:
                    shown.update(traced=True, woken=None, returned=None, won=0, spurious=None, steps=[])
    assert str(ABSURD) not in page.render(run)
    assert "figures are the lowest to highest of all untraced trials" in rendered


def test_run_counts_untraced_trials_and_shows_the_traced_one_apart() -> None:
    console = Console(record=True, width=100)
    untraced = trial(woken=range(8), order=[1, 0])
    print_histogram([untraced, untraced, trial(woken=range(8), order=range(8), traced=True)], console)
    text = console.export_text()
    assert "2 untraced trials" in text
    assert re.search(r"returned +\W+ +2 +\W+ +2 ", text)
    assert "traced, and not counted above: woken 8, returned 8, won 0, spurious ?" in text
    assert "order of return, 2 of 2: w1 w0" in text


def test_junit_has_the_figures_of_untraced_trials() -> None:
    case = Case(made_claim())
    case.seen.append(seen(trial(woken=[0]), trial(woken=[0, 1], traced=True)))
    assert dict(properties(case.judged(None, {}, None, LORE)))["wakecheck.woken"] == "[1]"


def test_orders_and_numbers_are_those_of_untraced_trials() -> None:
    run = _spoilt("one")
    assert all(ABSURD not in strip.waiters for strip in orders.strips(run)[0])
    assert "no fixed" not in str(traits.of([], run))
    (case,) = [candidate for candidate in cases_of(run, "accept.first-in-first-out") if "/hold/" in candidate["id"]][:1]
    assert numbers.comparable(case)["order"] == "w0 w1 w2 w3 w4 w5 w6 w7"
