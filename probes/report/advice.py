"""What to use on this kernel: a strategy for each situation, chosen by rules from what this run saw.

Nothing is canned.  A strategy that loses wake-ups here is not recommended, nor one of which the run saw too little;
the others are ranked by what counts in the situation, and the reason that is given is what they were ranked by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cost.plan import REST, SATURATING
from ..cost.ways import BASE
from ..verdict import BROKEN, HELD, INCONCLUSIVE
from . import cost, herds, noted, sizes, strategies, traits
from .figures import Figures
from .strategies import N

Run = Mapping[str, Any]

BLOCKING = ("accept", "accept.nothing")
EVENT_LOOP = (
    "epoll_wait.exclusive.listener",
    "epoll_wait.level.listener",
    "epoll_wait.level.epoll",
    "epoll_wait.edge.epoll",
    "epoll_wait.level.nothing",
)
"""What a worker can choose from: one that serves one client at a time, and one that serves many.  Between equals the
first is chosen: it asks the least of the server."""
KINDS = {"workers that serve one client at a time": BLOCKING, "workers with an event loop": EVENT_LOOP}

SOUNDNESS = ("every.no-lost-wake-up", "every.won-once", "every.burst-won-whole", "every.no-phantom-wake-up")
"""Claims that hold for every strategy: one that breaks them must not be used."""

FEW = 2
SAFE, DELAYED, LOST, UNJUDGED = range(4)
"""What the crash of a worker costs, from nothing upwards; that nobody looked stands behind all."""


@dataclass(frozen=True)
class RatedStrategy:
    """A strategy, and what the choice depends on."""

    strategy: str
    place: int
    sizes: Mapping[int, Figures]
    traits: traits.Traits
    cpu: str = ""
    """Its CPU time per connection at rest, as a sentence; empty if that was not measured."""
    tail: str = ""
    """How long the slowest connections wait where work is uneven, as a sentence; likewise."""

    @property
    def name(self) -> str:
        """For people."""
        return herds.name_of(self.strategy)

    @property
    def own_queue(self) -> bool:
        """Whether each worker has a listener, and so a queue, of its own."""
        return self.strategy.endswith(".nothing")

    @property
    def crash(self) -> int:
        """What a worker that is killed costs: SAFE, DELAYED, LOST or UNJUDGED."""
        word = self.traits.crash
        if word == traits.NOT_JUDGED:
            return UNJUDGED
        return SAFE if word.startswith("yes") else DELAYED if word.startswith("only") else LOST

    def observed(self, workers: int) -> int | None:
        """How many workers one connection woke at most, out of this many; None if that number was not tried."""
        return self.sizes[workers]["woken"].high if workers in self.sizes else None

    def woken_at_worst(self, workers: int) -> int:
        """The same, or all of them if that number was not tried.  Used for ranking, and never printed."""
        observed = self.observed(workers)
        return workers if observed is None else observed


@dataclass(frozen=True)
class Choice:
    """What is recommended to one kind of worker: a strategy and the reason, or none and why."""

    strategy: str | None
    name: str
    reason: str


@dataclass(frozen=True)
class Advice:
    """One situation, and a choice for each of KINDS."""

    situation: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Remark:
    """What users of a strategy must know, or why another one is not recommended."""

    strategy: str
    name: str
    sentences: tuple[str, ...]


def _few(rated: RatedStrategy) -> str:
    observed = rated.observed(FEW)
    if observed is None:
        tried = _tried(rated, sorted(rated.sizes))
        return f"It wakes {tried}; this run did not try {FEW} workers; {_CRASHES[rated.crash]}."
    cheap = ", which costs little with so few" if observed > 1 else ""
    return f"It wakes {observed} of {FEW}{cheap}; {_CRASHES[rated.crash]}."


def _many(rated: RatedStrategy) -> str:
    herd = " That is a herd, but the smallest one here." if (rated.observed(N) or 0) > 1 else ""
    return f"It wakes {_tried(rated, sorted(n for n in rated.sizes if n >= N))}.{herd}{rated.cpu}"


def _tried(rated: RatedStrategy, sizes_tried: Sequence[int]) -> str:
    """`1 of 8, and 1\N{EN DASH}2 of 64`: of sizes that this run tried."""
    return ", and ".join(f"{rated.sizes[n]['woken']} of {n}" for n in sizes_tried)


def _uneven(rated: RatedStrategy) -> str:
    if rated.own_queue:
        return (
            "Connections in one worker's queue stay there even while others are idle, but nothing else is sound here."
        )
    herd = f" It wakes {rated.observed(N)} of {N}." if (rated.observed(N) or 0) > 1 else ""
    queue = "All workers take from one queue: no connection waits for a busy worker while another is idle."
    return f"{queue}{herd}{rated.tail}"


def _restarts(rated: RatedStrategy) -> str:
    if rated.own_queue:
        return "A worker that exits takes its queue with it; but nothing else is sound here."
    return "The queue belongs to the one listener: a worker that exits takes no connection with it."


Rank = Callable[[RatedStrategy], tuple[int, ...]]

SITUATIONS: dict[str, tuple[Rank, Callable[[RatedStrategy], str]]] = {
    f"Few workers ({FEW})": (lambda rated: (rated.crash, rated.woken_at_worst(FEW)), _few),
    f"Many workers ({N} or more)": (lambda rated: (rated.woken_at_worst(N), rated.crash), _many),
    "Uneven requests, some of them long": (
        lambda rated: (rated.own_queue, rated.woken_at_worst(N), rated.crash),
        _uneven,
    ),
    "Rolling restarts": (lambda rated: (rated.own_queue, rated.woken_at_worst(N), rated.crash), _restarts),
}
"""Each situation: what counts in it, the smaller the better; and that in words."""

_CRASHES = {
    SAFE: "a worker that is killed costs no other connection",
    DELAYED: "a worker that is killed only delays the connection it was woken for",
    LOST: "a worker that is killed costs as little as possible here",
    UNJUDGED: "the cost of a killed worker was not judged",
}


def advice(run: Run) -> list[Advice]:
    """The recommendation for each situation."""
    candidates, excluded = _candidates(run)
    return [
        Advice(situation, tuple(_choose(situation, among, candidates, excluded) for among in KINDS.values()))
        for situation in SITUATIONS
    ]


def remarks(run: Run) -> list[Remark]:
    """What has to be known of the strategies that `advice` recommends, and of those that cannot be recommended."""
    candidates, excluded = _candidates(run)
    chosen = dict.fromkeys(choice.strategy for each in advice(run) for choice in each.choices)
    known = [
        Remark(name, herds.name_of(name), tuple(sentences))
        for name in chosen
        if name is not None and (sentences := _caveats(candidates[name]))
    ]
    group = _of_a_group(run)
    if group:
        known.append(Remark("accept.nothing", "SO_REUSEPORT", tuple(group)))
    return known + [Remark(name, herds.name_of(name), (f"Not recommended: {why}.",)) for name, why in excluded.items()]


def _candidates(run: Run) -> tuple[dict[str, RatedStrategy], dict[str, str]]:
    """Those that can be recommended, by id; and why the others cannot."""
    grown = sizes.by_size(run)
    known = traits.of(strategies.rows(run), run)
    candidates, excluded = {}, {}
    for among in KINDS.values():
        for place, name in enumerate(among):
            if why := _unsound(run, name):
                excluded[name] = why
            elif N not in grown[name] or name not in known:
                excluded[name] = "this run did not observe who was woken"
            else:
                said = (_measured(run, name, *of) for of in _MEASURED)
                candidates[name] = RatedStrategy(name, place, grown[name], known[name], *said)
    return candidates, excluded


_MEASURED = (
    ("cpu_us", REST, "It takes {:.2g} times the CPU time of accept"),
    (
        "latency_p99_us",
        SATURATING,
        "Its p99 latency is {:.2g} times that of accept",
    ),
)


def _measured(run: Run, strategy: str, figure: str, load: str, sentence: str) -> str:
    """What was measured of its cost; empty for `accept`, which all is compared with, and where figures are marked."""
    doubtful = strategy == BASE or (run.get("cost") or {}).get("marks")
    measured = None if doubtful else cost.ratio(run, strategy, figure, load)
    return f" {sentence.format(measured[0])} ({measured[1]})." if measured else ""


def _unsound(run: Run, strategy: str) -> str | None:
    """Why this strategy must not be recommended; None if every claim about its soundness was held, or not asked."""
    for claim in run["claims"]:
        if claim["id"] in SOUNDNESS and claim["verdict"] in (BROKEN, INCONCLUSIVE):
            for case in claim["cases"]:
                axes = case["scenario"]
                if axes and case["verdict"] in (BROKEN, INCONCLUSIVE) and strategies.place(axes)[1] == strategy:
                    return f"{claim['id']} is {case['verdict']} for it"
    return None


def _choose(
    situation: str, among: Sequence[str], candidates: Mapping[str, RatedStrategy], excluded: Mapping[str, str]
) -> Choice:
    rank, reason = SITUATIONS[situation]
    able = [candidates[name] for name in among if name in candidates]
    if not able:
        why = "; ".join(dict.fromkeys(excluded[name] for name in among))
        return Choice(None, "This run cannot tell", f"None of them qualifies: {why}.")
    best = min(able, key=lambda rated: (*rank(rated), rated.place))
    return Choice(best.strategy, best.name, reason(best))


def _caveats(rated: RatedStrategy) -> list[str]:
    """What users of this strategy must know."""
    said = []
    if rated.traits.order in ("always first", "always last"):
        who = "registered first" if rated.traits.order == "always first" else "blocked last"
        said.append(f"The worker that {who} gets every connection as long as it is idle.")
    if rated.crash == DELAYED:
        said.append("A worker that is killed after it was woken delays that connection until the next one arrives.")
    if rated.crash == LOST and not rated.own_queue:
        said.append("A connection whose worker is killed before it accepts stays in the queue.")
    if ".edge" in rated.strategy:
        said.append("Accept until EAGAIN: what is left is not reported again.")
    if rated.own_queue:
        said.append("A connection waits for its own worker, even while it is busy and another is idle.")
    return said


def _of_a_group(run: Run) -> list[str]:
    """What becomes of a queue whose worker exits, where each has its own."""
    seen = [noted.CLIENT_READS.by_parameter(run), noted.CONNECTION.by_parameter(run)]
    if not seen[1]:
        return []
    reads = next(iter(seen[0].values()), None)
    lost = f"A worker that exits takes its queue with it, and those clients read {reads}" if reads else None
    kept = next(
        (claim for claim in run["claims"] if claim["id"] == "reuseport-group.migration-keeps-connections"), None
    )
    if lost and kept and kept["verdict"] == HELD:
        return [f"{lost}; with tcp_migrate_req (sysctl) they move to another worker."]
    return [f"{lost}."] if lost else []
