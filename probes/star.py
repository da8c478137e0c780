"""Which scenarios a claim is tried on: a star, not the cross product.

The centre is the strategy on tcp4 with 8 processes; then each other axis is varied alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .scenario import SOCKETS, BadScenario, Scenario

CENTRE_SIZE = 8


@dataclass(frozen=True)
class Preset:
    """A useful cut: how far each star reaches, and how many trials a case gets."""

    sizes: tuple[int, ...]
    listeners: tuple[str, ...]
    untraced: int
    sentence: str


PRESETS = {
    "fast": Preset((8,), ("tcp4", "unix"), 1, "8 waiters, tcp4 and unix, 1 untraced and 1 traced trial"),
    "default": Preset((1, 2, 8, 64), SOCKETS, 3, "1, 2, 8 and 64 waiters, every listener, 3 untraced and 1 traced"),
    "matrix": Preset((2, 8), SOCKETS, 1, "2 and 8 waiters, every listener, 1 untraced and 1 traced; for emulators"),
}


@dataclass(frozen=True)
class Star:
    """One strategy and the spokes that matter to it."""

    strategy: str
    reaction: str = "hold"
    stimulus: str = "one-connection"
    further: str = ""
    spokes: bool = True
    """Whether listeners, sizes and threads are varied; otherwise the centre alone."""
    smallest: int = 1
    """Fewest waiters for which the claim says something."""

    def scenarios(self, sizes: Iterable[int], listeners: Iterable[str]) -> list[Scenario]:
        """Every scenario of the star, the centre first; combinations that make no sense are left out.

        Raises BadScenario where a size makes none.
        """
        sizes = [size for size in sizes if size >= self.smallest]
        centre = CENTRE_SIZE if CENTRE_SIZE in sizes or not sizes else max(sizes)
        found = [self._scenario("tcp4", centre)]
        if not self.spokes:
            return found
        found += [self._scenario("tcp4", size) for size in sizes if size != centre]
        for listener, size in [*((kind, f"{centre}") for kind in listeners if kind != "tcp4"), ("tcp4", f"{centre}t")]:
            try:
                found.append(Scenario.parse(self._address(listener, size)))
            except BadScenario:
                continue  # no unix reuseport group, no reversed threads
        return found

    def _scenario(self, listener: str, size: int) -> Scenario:
        return Scenario.parse(self._address(listener, str(size)))

    def _address(self, listener: str, size: str) -> str:
        further = f"/{self.further}" if self.further else ""
        return f"{self.strategy}/{listener}/n{size}/{self.reaction}/{self.stimulus}{further}"


def star(strategy: str, reaction: str = "hold", stimulus: str = "one-connection", further: str = "") -> Star:
    """The strategy at the centre, with every spoke."""
    return Star(strategy, reaction, stimulus, further)


def centre(strategy: str, reaction: str = "hold", stimulus: str = "one-connection", further: str = "") -> Star:
    """The strategy on tcp4 with 8 processes alone: for the sibling calls of one whose star is drawn."""
    return Star(strategy, reaction, stimulus, further, spokes=False)
