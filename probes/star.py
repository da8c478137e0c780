"""Which scenarios a claim is tried on: a star, not the cross product.

The centre is the strategy on tcp4 (a reader: on the first source that it reads) with 8 processes, unless a star says
otherwise; then each other axis is varied alone.  A brief preset tries few of its cases.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .axes import CALLS, CONNECTIONS, SOURCES, sources_that_can
from .scenario import BadScenario, Scenario

CENTRE_SIZE = 8


@dataclass(frozen=True)
class Preset:
    """A useful cut: how far each star reaches, and how many trials a case gets."""

    sizes: tuple[int, ...]
    sources: tuple[str, ...]
    """What is waited for: the listeners among them are a spoke of the stars, and the others have stars of their own."""
    untraced: int
    sentence: str
    most: int = 0
    """How many ways to wait (WAYS) a claim is tried with at most, and then each of its other words once; such a preset
    is brief.  Claims can want every word (`over`).  0: all cases."""
    traced_part: int = 0
    """How many stimuli of a series a traced trial takes, where each is asked about by itself; 0: all."""

    def traced(self, scenario: Scenario) -> Scenario:
        """What a traced trial tries of a series in which each stimulus is asked about by itself."""
        return replace(scenario, k=min(scenario.k, self.traced_part or scenario.k))


EACH_WAY = ("pipe", "eventfd", "udp4", "unix-connected", "tcp4-connected", "timerfd", "pidfd")
"""One source for each way in which a wake-up comes about: from a task that writes (where readers wait exclusively, and
where they do not), from a softirq, from an interrupt, and from a task that dies."""

PRESETS = {
    "fast": Preset(
        (8,),
        ("tcp4", "unix", *EACH_WAY),
        1,
        "8 waiters, tcp4 and unix, a few other sources, 2 strategies or calls of most claims, 1 untraced and 1 traced, "
        "which takes 12 of the 48 stimuli of a claim about lost wake-ups",
        most=2,
        traced_part=12,
    ),
    "default": Preset(
        (1, 2, 8, 64),
        tuple(name for name, kind in SOURCES.items() if not kind.rare),
        3,
        "1, 2, 8 and 64 waiters, every listener and every other source, 3 untraced and 1 traced, which takes 12 of the "
        "48 stimuli of a claim about lost wake-ups",
        traced_part=12,
    ),
}


SPOKES = ("sizes", "sources", "threads")


@dataclass(frozen=True)
class Star:
    """One strategy and the spokes that matter to it."""

    strategy: str
    reaction: str = "hold"
    stimulus: str = "one-connection"
    further: str = ""
    spokes: tuple[str, ...] = SPOKES
    """Which axes are varied, each alone (of sources, the listeners); without any, the centre alone."""
    smallest: int = 1
    """Fewest waiters for which the claim says something."""
    size: int | None = None
    """The one number of waiters for which it says something; none of the sizes asked for then."""
    source: str = ""
    """What the centre waits on; unless given, the first that the call can wait on: tcp4 for most."""
    waiter: str = "process"
    """What the waiters are, everywhere in the star: without the spoke of threads then."""
    one_of_many: bool = False
    """Whether it is there for its source's sake, so that a preset without this source leaves it out."""
    one_more: bool = False
    """Whether its strategy is one more of a sort that other stars of the claim try: a brief preset leaves it out."""

    def __post_init__(self) -> None:
        """Raises ValueError for a spoke that there is not: it would be left out, and nobody would see it."""
        if not set(self.spokes) <= set(SPOKES):
            raise ValueError(f"no such spoke: {set(self.spokes) - set(SPOKES)}")
        if not self.source:
            call = CALLS.get(self.strategy.split(".")[0])
            needed = call.needs if call else CONNECTIONS
            object.__setattr__(self, "source", sources_that_can(needed)[0])

    def scenarios(self, sizes: Iterable[int], sources: Iterable[str]) -> list[Scenario]:
        """Every scenario of the star, the centre first; combinations that make no sense are left out.

        None at all where every size asked for is too small for the claim.  Raises BadScenario if the
        centre makes no sense.
        """
        sources = tuple(sources)
        sizes = [size for size in ((self.size,) if self.size else sizes) if size >= self.smallest]
        if not sizes or (self.one_of_many and self.source not in sources):
            return []
        centre = CENTRE_SIZE if CENTRE_SIZE in sizes else max(sizes)
        what = "t" if self.waiter == "thread" else ""
        points = [(self.source, f"{centre}{what}")]
        if "sizes" in self.spokes:
            points += [(self.source, f"{size}{what}") for size in sizes if size != centre]
        if "sources" in self.spokes:
            listeners = [kind for kind in sources if CONNECTIONS in SOURCES[kind].can]
            points += [(kind, f"{centre}{what}") for kind in listeners if kind != self.source]
        if "threads" in self.spokes and not what:
            points.append((self.source, f"{centre}t"))
        return [scenario for source, size in points if (scenario := self._scenario(source, size))]

    def _scenario(self, source: str, size: str) -> Scenario | None:
        """None for a spoke that makes no sense: no unix reuseport group, no reversed threads."""
        further = f"/{self.further}" if self.further else ""
        try:
            return Scenario.parse(f"{self.strategy}/{source}/n{size}/{self.reaction}/{self.stimulus}{further}")
        except BadScenario:
            if source == self.source and not (size.endswith("t") and self.waiter == "process"):
                raise
            return None


def over(*stars: Star, every_word: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Try a claim on every scenario of these stars: the test gets them one by one as `scenario`.

    `every_word`: a brief preset, too, tries every word (`each_word_once`).
    """

    def mark(test: Callable[..., Any]) -> Callable[..., Any]:
        test.stars, test.every_word = stars, every_word  # type: ignore[attr-defined]  # read where cases are chosen
        return test

    return mark


def tries_every_word(test: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a test without stars, whose sentence names each of its parameters."""
    test.every_word = True  # type: ignore[attr-defined]  # read where cases are chosen
    return test


def scenarios(test: Callable[..., Any], cut: Preset, sizes: Iterable[int] | None = None) -> dict[str, Scenario]:
    """What a test marked by `over` is tried on, by id, each once; `sizes` are those of the preset unless given."""
    stars: tuple[Star, ...] = vars(test)["stars"]
    chosen = [star for star in stars if not (cut.most and star.one_more)]
    asked = tuple(sizes or cut.sizes)
    found = {scenario.id: scenario for star in chosen for scenario in star.scenarios(asked, cut.sources)}
    words = {case: scenario.words for case, scenario in found.items()}
    # Sizes that were asked for are all tried.
    return {case: found[case] for case in tried(test, words, cut, every_word=bool(sizes))}


Word = tuple[str, Hashable]
"""An axis, or the parameter of a test, and its value."""


def tried(
    test: Callable[..., Any], words: Mapping[str, Sequence[Word]], cut: Preset, *, every_word: bool = False
) -> list[str]:
    """Of a test's cases, by their ids with the words of each, those that this preset tries.

    `every_word`: a brief one, too, tries every word, as where the test itself wants that (`over`, `tries_every_word`).
    """
    if not cut.most:
        return list(words)
    return each_word_once(words) if every_word or vars(test).get("every_word") else few(words, cut.most)


def each_word_once(words: Mapping[str, Sequence[Word]]) -> list[str]:
    """Of cases, by their ids, those that have a word which none of the earlier ones has.

    A claim over several things (calls, listeners, reactions) names them all, so each of them is tried; what is left out
    are combinations of those that are tried elsewhere.
    """
    known: set[Word] = set()
    chosen = []
    for case, of_case in words.items():
        fresh = set(of_case) - known
        if fresh or not known:
            chosen.append(case)
            known |= fresh
    return chosen


WAYS = ("strategy", "call", "lock", "server")
"""Axes, and parameters of tests, that say how a waiter waits: of many such words a brief preset tries few."""


def few(words: Mapping[str, Sequence[Word]], most: int) -> list[str]:
    """Of cases, by their ids, those that try each word once, but of the WAYS so many at most (two at least).

    These are spread evenly from the first to the last: for a claim that holds however one waits.
    """
    for axis in WAYS:
        ways = list(dict.fromkeys(word for of_case in words.values() for word in of_case if word[0] == axis))
        if len(ways) > most:
            left_out = set(ways) - {ways[-(-place * (len(ways) - 1) // (most - 1))] for place in range(most)}
            words = {case: of_case for case, of_case in words.items() if not left_out.intersection(of_case)}
    return each_word_once(words)


def star(strategy: str, reaction: str = "hold", stimulus: str = "one-connection", further: str = "") -> Star:
    """The strategy at the centre, with every spoke."""
    return Star(strategy, reaction, stimulus, further)


def centre(
    strategy: str,
    reaction: str = "hold",
    stimulus: str = "one-connection",
    further: str = "",
    *,
    one_more: bool = False,
) -> Star:
    """The strategy with 8 processes alone, on the same source: for the sibling calls of one whose star is drawn."""
    return Star(strategy, reaction, stimulus, further, spokes=(), one_more=one_more)
