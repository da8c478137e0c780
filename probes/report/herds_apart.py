"""The herds of several kernels: a strategy's dots once for all that agree, those that differ first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .herds import ShownHerd, herds, how_many, in_prose, joined
from .lineage import Kernel


@dataclass(frozen=True)
class HerdRow:
    """One strategy: the kernels that do alike, and the dots of the newest of them."""

    groups: tuple[tuple[tuple[str, ...], ShownHerd], ...]
    """(labels of the kernels, the herd), of those that could tell or lack it."""
    unknown: tuple[str, ...]
    """Kernels of which nobody knows: it was not tried there, or nobody could see."""
    strategy: str
    name: str

    @property
    def differs(self) -> bool:
        """Whether two kernels do not do alike."""
        return len(self.groups) > 1


def rows(kernels: Sequence[Kernel]) -> list[HerdRow]:
    """Every strategy that people use; the kernels do alike where one connection wakes one, several, all or nobody on
    each, because how many several are is a race."""
    columns = [herds(kernel.run) for kernel in kernels]
    compared = []
    for same in zip(*columns, strict=True):
        groups: dict[str, tuple[list[str], ShownHerd]] = {}
        unknown = []
        for kernel, herd in zip(kernels, same, strict=True):
            if herd.most is None and not herd.lacking:
                unknown.append(kernel.label)
            else:
                wakes = "lacks it" if herd.most is None else how_many(herd.most)
                groups.setdefault(wakes, ([], herd))[0].append(kernel.label)
        known = tuple((tuple(labels), herd) for labels, herd in groups.values())
        compared.append(HerdRow(known, tuple(unknown), same[0].strategy, same[0].name))
    return sorted(compared, key=lambda row: not row.differs)


def sentence(compared: Sequence[HerdRow]) -> str:
    """Under which strategies the kernels do not do alike."""
    differing = [in_prose(row.strategy) for row in compared if row.differs]
    if differing:
        return f"The kernels do not wake alike under {joined(differing)}."
    if not any(row.groups for row in compared):
        return "Nobody could see whom a connection wakes."
    return "Under every strategy that people use, all these kernels wake alike."
