"""Who waits on which epoll instance, and what is in it: the arrangements of the kernel's own epoll_wakeup_test.

Each is told in words of our own; the numbers are those of the kernel's test.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

LEVEL, EDGE = "level", "edge"
WAIT, POLL = "epoll_wait", "poll"
"""How a thread waits on an instance: in epoll_wait, or in poll and then in epoll_wait.  (Of the sleepers; there the
kernel's test only looks after poll, which another waiter can make a race.)"""


@dataclass(frozen=True)
class Graph:
    """One arrangement.  `outer` holds `inner`, where there is one, and that the sockets."""

    number: int
    """Of the kernel's test, epollN."""
    waits: tuple[str, ...]
    """How each thread waits; with one, nobody sleeps: it looks twice."""
    outer: str
    """How the outer instance holds what is in it."""
    inner: str = ""
    """How an inner instance holds its socket; nothing: there is none."""
    sockets: int = 1
    """Written to once each; with two there are two inner instances, or none."""
    first_inside: bool = False
    """Whether the first thread waits on the inner instance, and not on the outer one as all others."""
    most: int = 1
    """The maxevents of each wait."""

    def as_dict(self) -> dict[str, Any]:
        """As the experiment takes it, without the number."""
        return {name: value for name, value in asdict(self).items() if name != "number"}

    @property
    def words(self) -> tuple[tuple[Any, ...], ...]:
        """What it is made of, for a brief preset (probes/star.py): what holds what is one word."""
        held = (self.outer, self.inner)
        return ("waits", *self.waits), ("held", *held), ("sockets", self.sockets), ("first inside", self.first_inside)

    @property
    def in_words(self) -> str:
        """`epoll_wait and poll on e0 (level) > e1 (edge) > s`."""
        inside = f" > e1 ({self.inner})" if self.inner else ""
        what = "two sockets" if self.sockets == 2 else "a socket"
        where = "one on e1, one on e0" if self.first_inside else "on e0"
        return f"{' and '.join(self.waits)} {where}: e0 ({self.outer}){inside} > {what}"


def _looks() -> tuple[Graph, ...]:
    """Those in which nobody sleeps: after the writes, two looks."""
    graphs = []
    number = 1
    for wait in (WAIT, POLL):
        for sockets in (1, 2):
            for outer in (LEVEL, EDGE):
                graphs.append(Graph(number, (wait,), outer, sockets=sockets, most=sockets))
                number += 1
    number = 17
    for wait in (WAIT, POLL):
        for outer in (LEVEL, EDGE):
            for inner in (LEVEL, EDGE):
                graphs.append(Graph(number, (wait,), outer, inner))
                number += 1
    number = 49
    for wait in (WAIT, POLL):
        for outer in (LEVEL, EDGE):
            graphs.append(Graph(number, (wait,), outer, LEVEL, sockets=2, most=2))
            number += 1
    return tuple(graphs)


def _sleepers() -> tuple[Graph, ...]:
    """Those in which two sleep, and each of them reports, or one alone."""
    graphs = []
    number = 9
    for second in (WAIT, POLL):
        for sockets in (1, 2):
            for outer in (LEVEL, EDGE):
                most = 2 if sockets == 2 and outer == LEVEL else 1
                graphs.append(Graph(number, (WAIT, second), outer, sockets=sockets, most=most))
                number += 1
    number = 25
    for second in (WAIT, POLL):
        for outer in (LEVEL, EDGE):
            for inner in (LEVEL, EDGE):
                graphs.append(Graph(number, (WAIT, second), outer, inner))
                number += 1
    number = 33
    for first, second in ((WAIT, WAIT), (POLL, WAIT), (WAIT, POLL), (POLL, POLL)):
        for outer in (LEVEL, EDGE):
            for inner in (LEVEL, EDGE):
                # Two of the kernel's tests that draw a poll wait in epoll_wait.
                really = WAIT if number in (46, 48) else first
                graphs.append(Graph(number, (really, second), outer, inner, first_inside=True))
                number += 1
    number = 53
    for waits in ((WAIT, WAIT), (WAIT, POLL), (POLL, POLL)):
        for outer in (LEVEL, EDGE):
            graphs.append(Graph(number, waits, outer, LEVEL, sockets=2))
            number += 1
    return tuple(graphs)


LOOKS = _looks()
SLEEPERS = _sleepers()

ONE_INSIDE = tuple(graph for graph in SLEEPERS if graph.first_inside and graph.inner == EDGE)
"""Whoever waits inside reports; who waits outside does or does not, as it happens."""
BOTH = tuple(
    graph
    for graph in SLEEPERS
    if graph not in ONE_INSIDE and (graph.first_inside or graph.outer == LEVEL or graph.sockets == 2)
)
"""Both report."""
JUST_ONE = tuple(graph for graph in SLEEPERS if graph not in ONE_INSIDE and graph not in BOTH)
"""One reports, and no more."""
