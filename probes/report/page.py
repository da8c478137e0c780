"""The report as one HTML file: no script, nothing loaded from elsewhere, readable without styles."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import printable, splats
from ..claims import LEVELS
from ..facts import in_words
from ..observers import OBSERVERS
from ..verdict import HELD, NOT_APPLICABLE
from . import advice, answers, cost, evidence, expected, figures, herd_plot, herds, orders, strategies, traits, words
from . import run as run_json

_FOLDER = Path(__file__).parent

_OBSERVERS = {kind.name: f"{kind.sees}: {kind.how}" for kind in OBSERVERS}


def render(run: Mapping[str, Any]) -> str:
    """The page for this run, as a whole HTML document."""
    strips, strip_herds = orders.strips(run)
    rows = strategies.rows(run)
    claims = run["claims"]
    people_use = herds.herds(run)
    attention = _attention(claims)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            counts=list(run_json.summary(claims).items()),
            totals=_totals(claims),
            banners=list(_banners(run)),
            attention=attention,
            state=_state(attention),
            herds=people_use,
            states={state for herd in people_use for state in herd.states},
            sentence=herds.sentence(people_use),
            advice=advice.advice(run),
            kinds=list(advice.KINDS),
            remarks=advice.remarks(run),
            understood=[splat for splat in run["kernel"]["splats"] if splats.explanation(splat)],
            cost=cost.table(run) if run.get("cost") else None,
            cost_notes=cost.about(run) if run.get("cost") else [],
            cost_charts=[Markup(drawing) for drawing in cost.drawings(run)] if run.get("cost") else [],
            plot=herd_plot.herd_plot(run),
            proofs=evidence.proofs(claims),
            foreseen=expected.by_reason(run),
            chapters=[
                (name, list(group)) for name, group in groupby(_by_chapter(claims), key=lambda claim: claim["chapter"])
            ],
            host=_host(run),
            date=date(run["started"]),
            rows=rows,
            traits=traits.of(rows, run),
            locks=traits.locks(run),
            answers=answers.answers(run),
            strips=strips,
            strip_herds=strip_herds,
            longest=max((len(strip.waiters) for strip in strips), default=0),
        )
    )


def shown(value: object) -> object:
    """What a template prints: text from outside may hold what no page can (control characters, lone surrogates)."""
    return printable.lines(value) if type(value) is str and not (value.isascii() and value.isprintable()) else value


@cache
def environment() -> Environment:
    """Jinja with what all pages use; autoescape is on."""
    jinja = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.globals.update(
        css=(_FOLDER / "page.css").read_text(encoding="utf-8"),
        matrix_css=(_FOLDER / "matrix.css").read_text(encoding="utf-8"),
        columns=figures.COLUMNS,
        meanings=figures.MEANINGS,
        unknown=figures.UNKNOWN,
        over=figures.over,
        levels=LEVELS,
        observers=_OBSERVERS,
        reactions=strategies.REACTIONS,
        traits_meanings=traits.MEANINGS,
        n=strategies.N,
        dot_meanings=herds.MEANINGS,
        in_words=in_words,
        explained=splats.explanation,
        points=herd_plot.points,
        alike=evidence.alike,
        proof_of=evidence.proof_of,
        commands=evidence.commands,
        same_facts=evidence.same_facts,
        link=link,
        is_alarming=expected.is_alarming,
        excuse=expected.reason,
        concern=expected.concern,
        deviations=expected.DEVIATIONS,
    )
    jinja.filters.update(
        drawing=inspect.cleandoc,
        breakable=breakable,
        breakable_name=breakable_name,
        beside=beside,
        named=strategies.in_words,
    )
    return jinja


def link(basis: str) -> str | None:
    """Where a basis can be opened: a man page or a kernel commit; None for other texts."""
    page = re.match(r"([\w.-]+)\(([1-9])\)", basis)
    if page:
        return f"https://man7.org/linux/man-pages/man{page[2]}/{page[1]}.{page[2]}.html"
    commit = re.match(r"Linux \S+ ([0-9a-f]{12,40})\b", basis)
    return f"https://git.kernel.org/linus/{commit[1]}" if commit else None


def breakable(address: str) -> Markup:
    """An id that a narrow column may break after a slash or a dot; escaped, and copied without a trace."""
    return Markup("<wbr>").join(part for part in re.split(r"(?<=[/.])", printable.printable(address)) if part)


def breakable_name(label: str) -> Markup:
    """A kernel's name that a narrow column may break after a hyphen: `arm64-6.12` not within its version."""
    return Markup("<wbr>").join(part for part in re.split(r"(?<=-)", printable.printable(label)) if part)


def beside(strategy: str) -> Markup:
    """A strategy's id beside its name: a style sets them apart, and a word if there are no styles."""
    return Markup('<span class="aloud">, id </span><code>{}</code>').format(breakable(strategy))


def _by_chapter(claims: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Chapters in the order in which they first appear; within them, the order of the run."""
    order: dict[str, int] = {}
    for claim in claims:
        order.setdefault(claim["chapter"], len(order))
    return sorted(claims, key=lambda claim: order[claim["chapter"]])


def _attention(claims: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What is broken, then what could not be judged, unless it was expected."""
    urgent = expected.DEVIATIONS
    return sorted(
        (claim for claim in claims if expected.is_alarming(claim)), key=lambda claim: urgent.index(claim["verdict"])
    )


def _state(attention: Sequence[Mapping[str, Any]]) -> str:
    """`2 claims are broken, and 1 is inconclusive.`"""
    counts = [(word, sum(claim["verdict"] == word for claim in attention)) for word in expected.DEVIATIONS]
    parts = [
        f"{count} {'claim ' if place == 0 else ''}{'is' if count == 1 else 'are'} {word}"
        for place, (word, count) in enumerate(pair for pair in counts if pair[1])
    ]
    return (
        f"{', and '.join(parts)}.".replace(" claim are", " claims are")
        if parts
        else "Nothing is broken or inconclusive."
    )


def _banners(run: Mapping[str, Any]) -> Iterable[str]:
    """What has to be known before any verdict is read."""
    if run["partial"]:
        reason = run.get("partial_reason")
        yield f"This run is partial: {f'it was cut short, {reason}' if reason else 'not every claim was judged'}."
    reasons = run.get("controls_reasons", {})
    for name, verdict in run["controls"].items():
        if verdict not in (HELD, NOT_APPLICABLE):
            why = f": {reasons[name]}" if reasons.get(name) else ""
            yield f"The control {name} is {verdict}{why}. The instrument cannot be trusted, and neither can this run."
    yield from (f"{sentence}." for sentence in expected.unmet(run))
    complaints = splats.not_understood(run["kernel"]["splats"])
    if complaints:
        times = _count(len(complaints), "time")
        yield f"The kernel complained {times} during the run. Look at its log before you believe a verdict."


def _totals(claims: Sequence[Mapping[str, Any]]) -> str:
    """How many claims, cases and trials; trials are of scenarios alone, so that there may be fewer than cases."""
    cases = [case for claim in claims for case in claim["cases"]]
    tried = [case for case in cases if case["scenario"]]
    trials = sum(len(case["trials"]) for case in tried)
    parts = [f"{_count(len(tried), 'scenario')} in {_count(trials, 'trial')}"] if tried else []
    if experiments := len(cases) - len(tried):
        parts.append(f"{_count(experiments, 'experiment')}, which {'has' if experiments == 1 else 'have'} no trials")
    said = f"{_count(len(claims), 'claim')}, {_count(len(cases), 'case')}"
    return f"{said}: {' and '.join(parts)}" if parts else said


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _host(run: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Facts about the host: (term, lines)."""
    kernel, suite = run["kernel"], run["suite"]
    cpus = _count(kernel["cpus"], "CPU") + (", emulated: times mean little" if kernel["emulated"] else "")
    facts = {
        "kernel": [f"{kernel['release']} {kernel['machine']}", kernel["version"]],
        "flavour": [kernel["flavour"]],
        "processors": [cpus],
        "calls": [words.stand_ins(kernel)] if kernel.get("stand_ins") else [],
        "sysctls": [f"{name} = {value}" for name, value in kernel["sysctls"].items()],
        "isolation": [run["isolation"]],
        "fence": [run["fence"]],
        "suite": [f"wakecheck {suite['version']}", f"revision {suite['revision'] or 'unknown'}"],
        "options": [f"{name} = {value}" for name, value in suite["options"].items() if value not in (None, "", [])],
        "expectations": _expectations(run),
        "complaints": [splats.in_words(splat) for splat in kernel["splats"]],
    }
    return [(term, lines) for term, lines in facts.items() if lines]


def _expectations(run: Mapping[str, Any]) -> list[str]:
    expectations = run.get("expectations")
    return [line for line in (expectations["file"], expectations["kernel"]) if line] if expectations else []


def date(started: str) -> str:
    """`2026-10-03 14:05 UTC`; what is no date is shown as it stands."""
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(started.replace("Z", "+00:00"))
    except ValueError:
        return started
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M} UTC"
