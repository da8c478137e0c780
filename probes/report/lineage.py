"""The kernels of several runs: their names, their order in history, and a history in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import splats
from ..verdict import BROKEN, INCONCLUSIVE
from . import words

NOT_JUDGED = "not judged"
"""What a run says of a claim that it lacks: nothing, and never held."""

_FAMILY = ("linux", "uml")
"""Flavours whose release is a place in Linux's history.  gVisor says 4.4.0 whatever it can do."""


@dataclass(frozen=True)
class Kernel:
    """One run, as one column of the matrix."""

    run: Mapping[str, Any]
    label: str
    series: str
    """`6.1`; of a kernel that stands apart, its label."""
    apart: bool
    """Whether a difference says nothing about Linux's history: no Linux release, or not the usual architecture here."""
    rank: tuple[int, ...]
    """The smaller, the further left."""

    @property
    def is_plain(self) -> bool:
        """Whether it is a Linux for real machines, without PREEMPT_RT."""
        return not self.apart and self.rank[-1] == 0

    @property
    def marks(self) -> list[str]:
        """What must be known before a column can be trusted, in a few words each."""
        run = self.run
        failed = [name for name, verdict in run["controls"].items() if verdict in (BROKEN, INCONCLUSIVE)]
        marks = {
            "partial": run["partial"],
            f"control failed: {', '.join(failed)}": failed,
            "kernel complained": splats.not_understood(run["kernel"]["splats"]),
        }
        return [mark for mark, so in marks.items() if so]

    @property
    def notes(self) -> list[str]:
        """What is good to know of a column, and makes no verdict doubtful."""
        emulated = ["emulated"] if self.run["kernel"]["emulated"] else []
        served = words.stand_ins(self.run["kernel"])
        return [
            *emulated,
            *([served] if served else []),
            *(splats.in_words(splat) for splat in self.run["kernel"]["splats"] if splats.explanation(splat)),
        ]


def ordered(runs: Sequence[Mapping[str, Any]]) -> list[Kernel]:
    """The kernels, newest first; those that stand apart come last.  Each has a label of its own."""
    kernels: list[Kernel] = []
    machine = _usual_machine(runs)
    names: list[str] = []
    for run in runs:
        label = run["label"] or run["kernel"]["release"]
        names.append(label)
        if names.count(label) > 1:
            label = f"{label} ({names.count(label)})"
        kernels.append(_kernel(run, label, machine))
    return sorted(kernels, key=lambda kernel: (kernel.rank, kernel.label))


def _usual_machine(runs: Sequence[Mapping[str, Any]]) -> str:
    """The architecture of most of them, and of several the first."""
    counted = Counter(run["kernel"]["machine"] for run in runs).most_common(1)
    return counted[0][0] if counted else ""


def _kernel(run: Mapping[str, Any], label: str, machine: str) -> Kernel:
    facts = run["kernel"]
    version = _version(facts["release"], facts["version"])
    apart = facts["flavour"] not in _FAMILY or version is None or facts["machine"] != machine
    realtime = "PREEMPT_RT" in facts["version"]
    flavour = _FAMILY.index(facts["flavour"]) * 2 if facts["flavour"] in _FAMILY else 9
    numbers = version or (0, 0, 0, 0)
    rank = (apart, *(-number for number in numbers), flavour + realtime)
    series = label if apart else f"{numbers[0]}.{numbers[1]}"
    return Kernel(run, label, series, apart, tuple(map(int, rank)))


def _version(release: str, version: str) -> tuple[int, int, int, int] | None:
    """Release as (6, 1, 137, candidate), where a release candidate (-rcN) comes before the release.

    Debian's release is that of its ABI (6.1.0-35); what it was built from stands in the version.
    """
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if not numbers:
        return None
    candidate = re.search(r"[-~]rc(\d+)", release + " " + version)
    built = re.search(rf"Debian {numbers[1]}\.{numbers[2]}\.(\d+)", version)
    patch = built[1] if built else numbers[3] or "0"
    return int(numbers[1]), int(numbers[2]), int(patch), int(candidate[1]) if candidate else 1_000


def in_words(kernels: Sequence[Kernel], verdicts: Sequence[str]) -> str:
    """One row's history: `held in every run, 5.10 to 7.3`; `not applicable up to 5.10, held since 6.1`.

    A series says what its plain kernel says; another kernel of the same series (real-time, UML), and
    one that stands apart, is named where it differs.  So is one without a plain kernel of its series, where others
    have theirs: what UML lacks, its version does not tell of.
    """
    family = [(kernel, verdict) for kernel, verdict in zip(kernels, verdicts, strict=True) if not kernel.apart]
    family.reverse()
    with_plain = {kernel.series for kernel, _ in family if kernel.is_plain}
    family = [(kernel, verdict) for kernel, verdict in family if not with_plain or kernel.series in with_plain]
    plain: dict[str, str] = {}
    for kernel, verdict in sorted(family, key=lambda pair: (pair[1] == NOT_JUDGED, pair[0].rank[-1])):
        plain.setdefault(kernel.series, verdict)
    series = list(dict.fromkeys(kernel.series for kernel, _ in family))
    others: dict[str, list[str]] = {}
    for kernel, verdict in zip(kernels, verdicts, strict=True):
        if kernel.apart or verdict != plain.get(kernel.series):
            others.setdefault(verdict, []).append(kernel.label)
    spans = _spans([(name, plain[name]) for name in series])
    if len(set(verdicts)) == 1:
        where = f", {_from_to(spans[0])}" if spans else ""
        return f"{verdicts[0]} in every run{where}"
    exceptions = [f"{verdict} on {_and(labels)}" for verdict, labels in others.items()]
    return "; ".join([*([_history(spans)] if spans else []), *exceptions])


Span = tuple[str, str, str]
"""Verdict, first series, last series."""


def _spans(history: Sequence[tuple[str, str]]) -> list[Span]:
    """Runs of the same verdict, the oldest first."""
    spans: list[Span] = []
    for series, verdict in history:
        if spans and spans[-1][0] == verdict:
            spans[-1] = (verdict, spans[-1][1], series)
        else:
            spans.append((verdict, series, series))
    return spans


def _history(spans: Sequence[Span]) -> str:
    if len(spans) == 1:
        return f"{spans[0][0]}, {_from_to(spans[0])}"
    parts = [f"{spans[0][0]} up to {spans[0][2]}"]
    parts += [
        f"{verdict} {'in ' if first == last else ''}{_from_to((verdict, first, last))}"
        for verdict, first, last in spans[1:-1]
    ]
    return ", ".join([*parts, f"{spans[-1][0]} since {spans[-1][1]}"])


def _from_to(span: Span) -> str:
    _, first, last = span
    return first if first == last else f"{first} to {last}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
