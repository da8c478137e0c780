"""What is measured: scenes, sizes, rounds; and about how long that takes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from .ways import BASE, Way, parse
from .work import LONG_EVERY, Work
from .work import parse as parse_work

REST, LIGHT, SATURATING = "rest", "light", "saturating"
LOADS = {
    REST: "one connection at a time, and the next one when every worker sleeps again",
    LIGHT: "a closed loop, one connection outstanding for each CPU of the workers",
    SATURATING: "a closed loop, far more connections outstanding than workers",
}
DEFAULT_WORK = {REST: ("0",), LIGHT: ("0",), SATURATING: ("mixed",)}
DEFAULT_SIZES = {REST: (1, 2, 8, 64), LIGHT: (8,), SATURATING: (8,)}
QUICK_SIZES = {REST: (1, 8), LIGHT: (8,), SATURATING: (8,)}
ROUNDS, QUICK_ROUNDS = 5, 3
MOST_ROUNDS = 1000
MOST_WORKERS = 256
"""A worker's number is sent as one byte."""

CONNECTIONS = {REST: 40, LIGHT: 400, SATURATING: 400}
"""Of one reading."""
MOST_AT_REST = 64
"""At rest there are as many as workers, so that each could have one, up to this: each takes a look at all workers."""

LEAST_OUTSTANDING = 64

_FORK_S, _LOOK_S, _CONNECTION_S, _SET_UP_S = 1.2e-3, 40e-6, 150e-6, 8e-3
"""About what a worker, a look at it, a connection and a reading cost on an idle machine of 2025."""


@dataclass(frozen=True)
class LoadScene:
    """What happens to a herd of one size: a load, and the work of each request."""

    load: str
    work: Work
    workers: int

    @property
    def connections(self) -> int:
        """How many connections one reading makes."""
        return max(CONNECTIONS[self.load], min(self.workers, MOST_AT_REST))

    def outstanding(self, cpus: int) -> int:
        """How many connections are open at a time if the workers have this many CPUs."""
        if self.load == REST:
            return 1
        return cpus if self.load == LIGHT else max(LEAST_OUTSTANDING, 2 * self.workers)

    def long(self, round_number: int) -> frozenset[int]:
        """Which connections have a long request: drawn again for each round, but the same for every strategy."""
        if not self.work.mixed:
            return frozenset()
        draw = random.Random(f"{self.load} {self.workers} {round_number}")
        return frozenset(draw.sample(range(self.connections), max(1, self.connections // LONG_EVERY)))


@dataclass(frozen=True)
class Plan:
    """The whole measurement."""

    ways: tuple[Way, ...]
    scenes: tuple[LoadScene, ...]
    rounds: int

    def sittings(self) -> Iterator[tuple[int, LoadScene, Way]]:
        """Round, scene, way: within a round each scene is played with one way after another, so that a machine that
        drifts drifts under all of them; every round begins with another way."""
        for number in range(self.rounds):
            for scene in self.scenes:
                for place in range(len(self.ways)):
                    yield number, scene, self.ways[(place + number) % len(self.ways)]

    @property
    def count(self) -> int:
        """How many readings there are."""
        return self.rounds * len(self.scenes) * len(self.ways)

    def about_s(self, slowness: float = 1.0) -> float:
        """About how long it takes, in seconds; `slowness` is how much slower than an idle machine this one is."""
        each = (_SET_UP_S + scene.workers * _FORK_S + scene.connections * _connection_s(scene) for scene in self.scenes)
        return slowness * self.rounds * len(self.ways) * sum(each)


def _connection_s(scene: LoadScene) -> float:
    looks = 2 * scene.workers * _LOOK_S if scene.load == REST else 0.0
    return _CONNECTION_S + looks + scene.work.mean_us * 1e-6


def make(
    ways: tuple[Way, ...],
    *,
    loads: tuple[str, ...] = tuple(LOADS),
    sizes: tuple[int, ...] = (),
    work: tuple[Work, ...] = (),
    rounds: int = ROUNDS,
    quick: bool = False,
) -> Plan:
    """The plan; what is left empty is chosen for each load.  `accept` is always measured: all else is a ratio to it."""
    scenes = tuple(
        LoadScene(load, each, workers)
        for load in loads
        for each in (work or tuple(parse_work(text) for text in DEFAULT_WORK[load]))
        for workers in (sizes or (QUICK_SIZES if quick else DEFAULT_SIZES)[load])
    )
    base = parse(BASE)
    return Plan(ways if base in ways else (base, *ways), scenes, rounds)
