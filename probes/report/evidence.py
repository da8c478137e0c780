"""The evidence of a case as the page shows it: like trials together, and what is the same everywhere said once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import words
from .figures import COLUMNS, UNKNOWN, Figures, over

Case = Mapping[str, Any]
Proof = tuple[tuple[str, str], ...]
"""What proved each phase."""

CASE = "CASE"
"""Stands for a case's id in a command."""


@dataclass(frozen=True)
class Alike:
    """Trials that went alike: the same numbers, the same became of each waiter, and only the times differ."""

    head: str
    """`2 untraced: 8 woken, 2 returned, 1 won, 1 spurious`; without numbers if they are those of the case.

    A trial with fewer steps than another says so: `traced (12 of 48 steps)`."""
    parts: tuple[tuple[str, str], ...]
    """(`returned`, `w3 +0.21ms won`), and so on."""
    void: bool
    """Whether they prove nothing."""


def alike(trials: Sequence[Mapping[str, Any]]) -> list[Alike]:
    """The trials of a case, those that went alike as one.  Numbers that the case's own line says are not said again."""
    figures = over(trials)
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for trial in trials:
        shape = (
            trial["traced"],
            *(trial[column] for column in COLUMNS),
            trial["agree"],
            len(trial["steps"]),
            tuple(trial["observers"].items()),
            tuple(words.states(trial, times=False)),
            tuple(words.remarks(trial)),
        )
        groups.setdefault(shape, []).append(trial)
    most = max((len(trial["steps"]) for trial in trials), default=0)
    return [_as_one(group, figures, most) for group in groups.values()]


def _as_one(group: Sequence[Mapping[str, Any]], figures: Figures, steps: int) -> Alike:
    """`steps`: how many the longest trial of the case took."""
    first = group[0]
    kind = "traced" if first["traced"] else "untraced"
    if not first["inconclusive"] and len(first["steps"]) < steps:
        kind += f" ({len(first['steps'])} of {steps} steps)"
    different = [column for column in COLUMNS if _count(first[column]) != str(figures[column])]
    numbers = ", ".join(f"{_count(first[column])} {column}" for column in COLUMNS) if different else ""
    parts = [*words.states(*group), *words.remarks(first)]
    if not first["agree"]:
        parts.append(("observers", words.observers(first)))
    void = bool(first["inconclusive"]) or not first["agree"]
    several = f"{len(group)} " if len(group) > 1 else ""
    return Alike(f"{several}{kind}{': ' if numbers else ''}{numbers}", tuple(parts), void)


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else str(number)


def same_facts(claim: Mapping[str, Any]) -> dict[str, str]:
    """For a case that noted what an earlier case of the claim noted: the id of that one."""
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    for case in claim["cases"]:
        if case["facts"]:
            noted = json.dumps(case["facts"], sort_keys=True, default=str)
            if (earlier := first.setdefault(noted, case["id"])) != case["id"]:
                same[case["id"]] = earlier
    return same


def proof_of(case: Case) -> Proof:
    """What proved each phase in the trials of this case; several proofs of one phase with `or` between."""
    proofs: dict[str, dict[str, None]] = {}
    for trial in case["trials"]:
        for phase, proof in trial["proof"].items():
            proofs.setdefault(phase, {})[proof] = None
    return tuple((phase, "; or ".join(different)) for phase, different in sorted(proofs.items()))


def proofs(claims: Iterable[Mapping[str, Any]]) -> dict[Proof, int]:
    """Every set of proofs of the run, the most frequent first, with its number."""
    counts = Counter(proof_of(case) for claim in claims for case in claim["cases"] if case["trials"])
    return {proof: number for number, (proof, _) in enumerate(counts.most_common(), 1)}


def commands(claim: Mapping[str, Any]) -> list[str]:
    """How a case of this claim is repeated, with CASE for its id; each command once."""
    known = dict.fromkeys(case["again"].replace(case["id"], CASE) for case in claim["cases"] if case["again"])
    return list(known)
