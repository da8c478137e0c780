"""The arrangements of the kernel's own epoll_wakeup_test: who waits on which epoll instance, and what it contains.

They are described in our own words; the numbers are those of the kernel's test.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

LEVEL, EDGE = "level", "edge"
WAIT, POLL = "epoll_wait", "poll"
"""How a thread waits on an instance: in epoll_wait, or in poll and then in epoll_wait.  (For sleepers the kernel's test
does not wait after poll but only looks, which is a race with the other waiter.)"""


@dataclass(frozen=True)
class Graph:
    """One arrangement.  The outer instance contains the inner one, if there is one, and that contains the socket."""

    number: int
    """Number of the kernel's test, epollN."""
    waits: tuple[str, ...]
    """How each thread waits; a single thread does not sleep, but looks twice."""
    outer: str
    """The trigger of the items in the outer instance."""
    inner: str = ""
    """The trigger of the socket in an inner instance; empty if there is none."""
    sockets: int = 1
    """How many sockets are written to, once each; with two there are two inner instances, or none."""
    first_inside: bool = False
    """Whether the first thread waits on the inner instance, and not on the outer one."""
    most: int = 1
    """The maxevents of each wait."""

    def as_dict(self) -> dict[str, Any]:
        """The experiment's argument: everything but the number."""
        return {name: value for name, value in asdict(self).items() if name != "number"}

    @property
    def words(self) -> tuple[tuple[Any, ...], ...]:
        """What it consists of, for a brief preset (probes/star.py); the two triggers together are one word."""
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
    """Arrangements in which nobody sleeps: a thread looks twice after the writes."""
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
    """Arrangements in which two threads sleep, and both or only one report an event."""
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
                # Two of the kernel's tests show a poll in their drawing, but wait in epoll_wait.
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
"""The thread that waits inside reports; whether the one outside does, too, is a race."""
BOTH = tuple(
    graph
    for graph in SLEEPERS
    if graph not in ONE_INSIDE and (graph.first_inside or graph.outer == LEVEL or graph.sockets == 2)
)
"""Both threads report."""
JUST_ONE = tuple(graph for graph in SLEEPERS if graph not in ONE_INSIDE and graph not in BOTH)
"""Exactly one thread reports."""
