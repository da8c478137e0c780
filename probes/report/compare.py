"""What is different between two runs, before and after, and whether it got worse.

Verdicts have a rank: held and measured, then not applicable (the kernel lost the feature), then inconclusive and not
judged (nobody can tell any more), then broken.  *Worse* is a claim, a case or a control whose rank rose, and a kernel
that complained where it did not before, unless the complaint is understood (probes/splats.py).  *New* is a claim whose
rank rose by cases that the first run did not try: nobody can tell whether it got worse.  A case that only one of the
runs tried is no change; a claim is.  *Better* is one that is held (or measured) now, if the second run tried any of the
cases that decided the first.  *Changed* is what is left: from broken to inconclusive, say.  *Numbers* are figures of a
case whose verdict stayed, as far as neither a hash nor a race decides them (numbers.py), and ratios of costs that no
two rounds of the runs have in common (cost.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from .. import splats
from ..printable import one_line
from ..verdict import BROKEN, HELD, INCONCLUSIVE, MEASURED, NOT_APPLICABLE
from . import cost, expected, numbers, terminal
from .lineage import NOT_JUDGED
from .run import cut

Run = Mapping[str, Any]

RANK = {HELD: 0, MEASURED: 0, NOT_APPLICABLE: 1, INCONCLUSIVE: 2, NOT_JUDGED: 2, BROKEN: 3}
WORSE, NEW, BETTER, CHANGED, NUMBERS = "worse", "new", "better", "changed", "numbers"
KINDS = (WORSE, NEW, BETTER, CHANGED, NUMBERS)
SILENT, KNOWN, COMPLAINED = "silent", "a known complaint", "complained"
"""What the kernel logged: nothing, complaints that are understood (probes/splats.py), or others."""


@dataclass(frozen=True)
class Change:
    """One thing that is not as before."""

    kind: str
    what: str
    """`claim`, `case`, `control`, `kernel` or `cost`."""
    claim: str | None
    case: str | None
    """The case; a control's name; the strategy whose cost it is, and the scene."""
    figure: str | None
    """`woken`, `returned`, `order` or what is measured of the cost, of numbers."""
    before: str
    after: str
    reason: str | None
    """Why it has its verdict now, if the run says so."""
    expected: str | None
    """Why that was expected, by the expectations file of the second run."""


def changes(before: Run, after: Run) -> list[Change]:
    """Everything that differs, the worst kind first."""
    all_changes = [*_controls(before, after), *_splats(before, after), *_claims(before, after), *_cost(before, after)]
    return sorted(all_changes, key=lambda change: KINDS.index(change.kind))


def warnings(before: Run, after: Run) -> list[str]:
    """What has to be known before the comparison is believed, one sentence each."""
    revisions = [run["suite"]["revision"] or "unknown" for run in (before, after)]
    sentences = []
    if revisions[0] != revisions[1]:
        sentences.append(
            f"the runs are of different revisions of the suite ({revisions[0][:19]} and {revisions[1][:19]}), "
            "so a difference may come from the suite"
        )
    cuts = [cut(run) for run in (before, after)]
    if cuts[0] != cuts[1]:
        sentences.append(f"the runs tried different cases: preset {cuts[0]} and preset {cuts[1]}")
    for name, run in (("first", before), ("second", after)):
        if run["partial"]:
            sentences.append(f"the {name} run is partial: not every claim was judged")
        failed = [control for control, verdict in run["controls"].items() if verdict in (BROKEN, INCONCLUSIVE)]
        sentences += [f"the costs of the {name} run: {mark}" for mark in (run.get("cost") or {}).get("marks", [])]
        if failed:
            sentences.append(f"in the {name} run the instrument failed its control: {', '.join(failed)}")
    return [one_line(warning) for warning in sentences]


def as_dict(before: Run, after: Run) -> dict[str, Any]:
    """The comparison for programs: `before`, `after`, `warnings`, and a list for each kind of change."""
    all_changes = changes(before, after)
    lists = {kind: [_without_kind(change) for change in all_changes if change.kind == kind] for kind in KINDS}
    return {
        "before": _about(before),
        "after": _about(after),
        "warnings": warnings(before, after),
        **lists,
        "same": _unchanged(before, after),
    }


def show(before: Run, after: Run, console: Console) -> None:
    """The comparison for people."""
    terminal.line(console, Text(f"{_name(before)}  ->  {_name(after)}", "bold"))
    for warning in warnings(before, after):
        terminal.line(console, Text(f"! {warning}", "bold yellow"))
    all_changes = changes(before, after)
    for kind in KINDS:
        same_kind = [change for change in all_changes if change.kind == kind]
        if same_kind:
            terminal.line(
                console, Text(f"{kind} ({len(same_kind)})", terminal.STYLES[BROKEN] if kind == WORSE else "bold")
            )
        for change in same_kind:
            terminal.line(console, _in_words(change))
            if change.kind == NEW:
                terminal.line(console, Text(f"      its {change.after} cases were only tried in the second run"))
            if change.reason and change.kind in (WORSE, NEW, CHANGED):
                terminal.line(console, Text(f"      {one_line(change.reason)}"))
            if change.expected:
                terminal.line(console, Text(f"      expected: {one_line(change.expected)}"))
    terminal.line(console, Text(f"{_unchanged(before, after)} claims have the same verdict"))


def _claims(before: Run, after: Run) -> Iterator[Change]:
    old_claims, new_claims = ({claim["id"]: claim for claim in run["claims"]} for run in (before, after))
    for name in dict.fromkeys([*old_claims, *new_claims]):
        old_claim, new_claim = old_claims.get(name), new_claims.get(name)
        verdicts = [claim["verdict"] if claim else NOT_JUDGED for claim in (old_claim, new_claim)]
        kind = _kind(*verdicts)
        if kind is not None:
            reason, excuse = (new_claim["reason"], expected.reason(new_claim)) if new_claim else (None, None)
            if kind == BETTER and old_claim and new_claim and _tried_elsewhere(old_claim, new_claim):
                kind, reason = CHANGED, f"its {verdicts[0]} cases were not tried"
            if kind == WORSE and new_claim and (not old_claim or _tried_elsewhere(new_claim, old_claim)):
                kind = NEW
            yield Change(kind, "claim", name, None, None, verdicts[0], verdicts[1], reason, excuse)
        if old_claim and new_claim:
            yield from _cases(old_claim, new_claim, only_figures=kind not in (None, NEW))


def _tried_elsewhere(claim: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the run of the other claim tried none of the cases that decided the verdict of this one."""
    decided = {case["id"] for case in claim["cases"] if case["verdict"] == claim["verdict"]}
    return bool(decided) and decided.isdisjoint(case["id"] for case in other["cases"])


def _cases(old_claim: Mapping[str, Any], new_claim: Mapping[str, Any], *, only_figures: bool) -> Iterator[Change]:
    """Of cases that both runs tried; where the claim's verdict changed (`told`), only figures are left to tell."""
    new = {case["id"]: case for case in new_claim["cases"]}
    for case in old_claim["cases"]:
        later = new.get(case["id"])
        if later is None:
            continue
        kind = _kind(case["verdict"], later["verdict"])
        if kind is None:
            yield from _figures(old_claim["id"], case, later)
        elif not only_figures:
            words = (case["verdict"], later["verdict"], later["reason"], later.get("expected"))
            yield Change(kind, "case", old_claim["id"], case["id"], None, *words)


def _figures(claim: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = numbers.comparable(before), numbers.comparable(after)
    for name in old:
        if name in new and old[name] != new[name]:
            yield Change(NUMBERS, "case", claim, before["id"], name, old[name], new[name], None, None)
    apart = None if "woken" in old else numbers.races_apart(before, after)
    if apart is not None:
        yield Change(NUMBERS, "case", claim, before["id"], "woken", *apart, None, None)


def _controls(before: Run, after: Run) -> Iterator[Change]:
    for name in dict.fromkeys([*before["controls"], *after["controls"]]):
        old, new = (run["controls"].get(name, NOT_JUDGED) for run in (before, after))
        kind = _kind(old, new)
        if kind is not None:
            reason = after.get("controls_reasons", {}).get(name)
            yield Change(kind, "control", None, name, None, old, new, reason, None)


def _splats(before: Run, after: Run) -> Iterator[Change]:
    (old, _), (new, reason) = (_logged(run["kernel"]["splats"]) for run in (before, after))
    if old != new:
        kind = WORSE if new == COMPLAINED else BETTER if old == COMPLAINED else CHANGED
        reason = reason or (_logged(before["kernel"]["splats"])[1] if kind == CHANGED else None)
        yield Change(kind, "kernel", None, None, None, old, new, reason, None)


def _logged(complaints: Sequence[str]) -> tuple[str, str | None]:
    """What the kernel did, and its first complaint, with the explanation if there is one."""
    doubtful = splats.not_understood(complaints)
    if doubtful:
        return COMPLAINED, doubtful[0]
    return (KNOWN, splats.in_words(complaints[0])) if complaints else (SILENT, None)


def _cost(before: Run, after: Run) -> Iterator[Change]:
    """Ratios that moved beyond the spread of their rounds; a number is neither better nor worse."""
    for place, figure, old, new in cost.moved(before, after):
        yield Change(NUMBERS, "cost", None, place, figure, old, new, None, None)


def _kind(before: str, after: str) -> str | None:
    if before == after or {before, after} == {HELD, MEASURED}:
        return None
    if RANK[after] > RANK[before]:
        return WORSE
    return BETTER if RANK[after] == 0 else CHANGED


def _in_words(change: Change) -> Text:
    place = " ".join(part for part in (change.claim, change.case) if part) or "the kernel"
    noun = f"{change.what} " if change.what in ("control", "cost") else ""
    figure = f"{change.figure} " if change.figure else ""
    return Text(f"  {noun}{place}: {figure}{change.before} -> {change.after}")


def _unchanged(before: Run, after: Run) -> int:
    old, new = ({claim["id"]: claim["verdict"] for claim in run["claims"]} for run in (before, after))
    return sum(new.get(name) == verdict for name, verdict in old.items())


def _without_kind(change: Change) -> dict[str, Any]:
    return {name: value for name, value in asdict(change).items() if name != "kind"}


def _about(run: Run) -> dict[str, Any]:
    return {
        "label": run["label"] or run["kernel"]["release"],
        "release": run["kernel"]["release"],
        "revision": run["suite"]["revision"],
        "partial": run["partial"],
    }


def _name(run: Run) -> str:
    label, release = run["label"], run["kernel"]["release"]
    return release if label in (None, "", release) else f"{label} ({release})"
