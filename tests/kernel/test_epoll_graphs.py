"""Epoll instances with several items, and instances in one another: which of the waiters report an event."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play

from .graph_cases import BOTH, JUST_ONE, LEVEL, LOOKS, ONE_INSIDE, Graph

_EPOLL7 = man("epoll", 7, "Level-triggered and edge-triggered")
_TEST = kernel("tools/testing/selftests/filesystems/epoll/epoll_wakeup_test.c", "expects the same")
_SCAN = kernel("fs/eventpoll.c", "ep_done_scan: a level-triggered item is still there, so the next waiter is woken")
_POLL = kernel("fs/eventpoll.c", "ep_eventpoll_poll: looks into the instance, and consumes nothing")


def _over(graphs: tuple[Graph, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("graph", graphs, ids=lambda graph: f"epoll{graph.number}")


@claim(
    "epoll-graphs.level-again-edge-once",
    "An instance reports a level-triggered item on every look, and an edge-triggered one only on the first; poll on "
    "the instance agrees, and consumes nothing.  In nested instances the outermost decides.",
    level=DOCUMENTED,
    basis=[_EPOLL7, _POLL, _TEST],
)
@_over(LOOKS)
def test_looks(play: Play, graph: Graph) -> None:
    """
    t0 (epoll_wait; or poll first) ---> e0 [---> e1, e2] ---> s0, s2  <- "w"
    """
    seen = play("graphs.looked_at", graph.as_dict())
    seen.expect("events", [graph.sockets, graph.sockets if graph.outer == LEVEL else 0])


@claim(
    "epoll-graphs.both-report",
    "Of two that sleep on nested or common instances, both report an event if it is level-triggered, if there is an "
    "event for each, or if one waits inside and one outside.",
    level=OBSERVED,
    basis=[_SCAN, _TEST],
)
@_over(BOTH)
def test_both_report(play: Play, graph: Graph) -> None:
    """
    t0 (epoll_wait, poll)  t1 (epoll_wait, poll)
                   \\      /
                      e0 [---> e1, e2] ---> s0, s2  <- "w"
    """
    play("graphs.slept_on", graph.as_dict()).expect("reported", 2)


@claim(
    "epoll-graphs.edge-reports-once",
    "Of two that sleep on an instance with one edge-triggered item, a socket or another instance, exactly one "
    "reports an event, even if the other waits in poll.",
    level=OBSERVED,
    basis=[kernel("fs/eventpoll.c", "ep_send_events: an edge-triggered item does not go back"), _POLL, _TEST],
)
@_over(JUST_ONE)
def test_edge_reports_once(play: Play, graph: Graph) -> None:
    """
    t0 (epoll_wait)  t1 (epoll_wait, poll)
                \\   /
                  e0 (edge) [---> e1] ---> s0  <- "w"
    """
    play("graphs.slept_on", graph.as_dict()).expect("reported", 1)


@claim(
    "epoll-graphs.inside-reports",
    "If one waits on an instance with an edge-triggered socket, and another on an instance around it, the inner one "
    "always reports the event.",
    level=OBSERVED,
    basis=[_TEST],
)
@_over(ONE_INSIDE)
def test_inside_reports(play: Play, graph: Graph) -> None:
    """
    t0 (epoll_wait, poll)      t1 (epoll_wait, poll)
          |                     e0
           \\                 /
             e1 ---- edge ---> s0  <- "w"
    """
    play("graphs.slept_on", graph.as_dict()).expect("first-reported", True)


@claim(
    "epoll-graphs.one-source-each",
    "Ten sleep on one edge-triggered instance with ten sockets: a write to each socket returns all ten.",
    level=OBSERVED,
    basis=[kernel("fs/eventpoll.c", "ep_poll_callback: each event wakes one that still sleeps"), _TEST],
)
def test_one_source_each(play: Play) -> None:
    """
    w0 ... w9 (epoll_wait) ---> e (edge) ---> s0 ... s9  <- "w" each
    """
    play("graphs.one_each").expect("reported", 10)
