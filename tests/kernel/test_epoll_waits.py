"""What successive calls of epoll_wait return, and which connections a worker that relies on them leaves waiting."""

from __future__ import annotations

from typing import Any

import pytest

from probes.claims import DOCUMENTED, LORE, OBSERVED, claim, kernel, linux, man, text
from probes.experiments.looks import LOOKERS, LOOKS
from probes.experiments.modified import ROUNDS
from probes.fixtures import Play

_WAIT = man("epoll_wait", 2, "DESCRIPTION: timeout, maxevents")
_EPOLL7 = man("epoll", 7, "Level-triggered and edge-triggered")
_SEND = kernel(
    "fs/eventpoll.c", "ep_send_events: only a level-triggered item is put back, at the tail of the ready list"
)
_NOTES_OF_A_PROGRAMMER = "a programmer's notes on sockets, readiness and epoll"


@claim(
    "epoll-instances.timeout-zero",
    "epoll_wait with a timeout of 0 returns at once with 0 when nothing is ready.",
    level=DOCUMENTED,
    basis=[_WAIT],
    rows=["L-C16"],
)
def test_timeout_zero(play: Play) -> None:
    """
    w0 (epoll_wait, 0) ---> e ---> fd
    """
    play("instances.timeout", {"timeout": 0}).expect("epoll-wait", 0)


@claim(
    "epoll-instances.timeout-minus-one",
    "epoll_wait with a timeout of -1 blocks.",
    level=DOCUMENTED,
    basis=[_WAIT],
    rows=["L-C16"],
)
def test_timeout_minus_one(play: Play) -> None:
    """
    w0 (epoll_wait, -1) ---> e ---> fd
    """
    play("instances.timeout", {"timeout": -1}).expect("epoll-wait", "blocked")


@claim(
    "epoll-instances.timeout-negative",
    "epoll_wait treats every negative timeout as -1: it blocks.",
    level=OBSERVED,
    basis=[kernel("fs/eventpoll.c", "ep_timeout_to_timespec: ms < 0")],
    rows=["L-C16"],
)
@pytest.mark.parametrize("timeout", [-2, -(2**31)])
def test_timeout_negative(play: Play, timeout: int) -> None:
    """
    w0 (epoll_wait, -2) ---> e ---> fd
    """
    play("instances.timeout", {"timeout": timeout}).expect("epoll-wait", "blocked")


@claim(
    "epoll-instances.maxevents-is-positive",
    "epoll_wait with a maxevents of 0 or less is EINVAL.",
    level=DOCUMENTED,
    basis=[man("epoll_wait", 2, "ERRORS: EINVAL")],
    rows=["L-C16"],
)
@pytest.mark.parametrize("most", [0, -1])
def test_maxevents_is_positive(play: Play, most: int) -> None:
    """
    w0 (epoll_wait, maxevents 0) ---> e ---> fd
    """
    play("instances.timeout", {"timeout": 0, "maxevents": most}).expect("epoll-wait", "EINVAL")


@claim(
    "epoll-instances.maxevents-round-robin",
    "When more descriptors are ready than maxevents, one call returns at most maxevents, and the next calls continue "
    "with the rest: none is reported again before all have been.",
    level=DOCUMENTED,
    basis=[_WAIT, man("epoll_wait", 2, "NOTES: round robin"), _SEND],
    rows=["L-C16", "G3"],
)
def test_maxevents_round_robin(play: Play) -> None:
    """
    e --- level ---> fd0 ... fd4, all ready;  epoll_wait(maxevents 2) again and again
    """
    seen = play("rounds.more_than_fit")
    seen.expect("per-wait", [2, 2, 2, 2, 2])
    seen.expect("three-waits", [[0, 1, 2, 3, 4]] * 3)


@claim(
    "epoll-instances.maxevents-order",
    "The rest are reported in the order in which the descriptors became ready, not in which they were added, and "
    "then from the start again.",
    level=OBSERVED,
    basis=[kernel("fs/eventpoll.c", "ep_poll_callback: list_add_tail to the ready list"), _SEND],
    rows=["L-C16", "N2"],
)
def test_maxevents_order(play: Play) -> None:
    """
    e --- level ---> fd0 ... fd4, ready in the order 3 0 4 1 2;  epoll_wait(maxevents 2) five times
    """
    play("rounds.more_than_fit").expect("order", [3, 0, 4, 1, 2, 3, 0, 4, 1, 2])


@claim(
    "epoll-instances.maxevents-keeps-edges",
    "An edge that does not fit into one epoll_wait is reported by a later one, exactly once: five edges, with room "
    "for one.",
    level=DOCUMENTED,
    basis=[_WAIT, _EPOLL7, _SEND],
    rows=["L-C16", "L-C8"],
)
def test_maxevents_keeps_edges(play: Play) -> None:
    """
    w0 (epoll_wait, maxevents 1) ---> e (edge) ---> p3, p0, p4, p1, p2
    """
    seen = play("rounds.edges_one_by_one")
    seen.expect("first-five", [0, 1, 2, 3, 4])
    seen.expect("sixth", 0)


@claim(
    "epoll-instances.write-level",
    "Level-triggered, for writing: reported as long as there is room, not while the buffer is full, and again once "
    "the peer has read.",
    level=DOCUMENTED,
    basis=[_EPOLL7, _SEND],
    rows=["L-C8", "G2"],
)
def test_write_level(play: Play) -> None:
    """
    e --- level, out ---> fd  -> written until EAGAIN, read by the peer
    """
    seen = play("rounds.writable", "level")
    seen.expect("room", "OUT")
    seen.expect("again", "OUT")
    seen.expect("full", "nothing")
    seen.expect("room-again", "OUT")
    seen.expect("room-again-next", "OUT")


@claim(
    "epoll-instances.write-edge",
    "Edge-triggered, for writing: room is reported once, and again only after the buffer was full and the peer has "
    "read.",
    level=DOCUMENTED,
    basis=[_EPOLL7, _SEND],
    rows=["L-C8", "G2"],
)
def test_write_edge(play: Play) -> None:
    """
    e --- edge, out ---> fd  -> written until EAGAIN, read by the peer
    """
    seen = play("rounds.writable", "edge")
    seen.expect("room", "OUT")
    seen.expect("again", "nothing")
    seen.expect("full", "nothing")
    seen.expect("room-again", "OUT")
    seen.expect("room-again-next", "nothing")


@claim(
    "epoll-instances.edge-needs-non-blocking",
    "Edge-triggered epoll works only with non-blocking descriptors: the kernel accepts a blocking one, but a reader "
    "that reads until nothing is left then sleeps in read, and all its other clients wait.",
    level=LORE,
    truth="conditional",
    basis=[_EPOLL7, text(_NOTES_OF_A_PROGRAMMER)],
    rows=["L-C9"],
)
def test_edge_needs_non_blocking(play: Play) -> None:
    """
    w0 (epoll_wait; read, read ...) --- edge ---> fd0  <- "x"
                                    --- edge ---> fd1  <- "x", later
    """
    blocking = play("rounds.looping_reader", True)
    blocking.expect("add", "ok")
    blocking.expect("other-client", "waits")
    play("rounds.looping_reader", False).expect("other-client", "is served")


def _burst(play: Play, trigger: str, drain: bool) -> Any:
    return play("rounds.burst", {"trigger": trigger, "drain": drain})


@claim(
    "epoll-instances.edge-burst-leaves",
    "With an edge-triggered listener and one accept per event, a burst leaves connections waiting; each further "
    "connection takes one out, so the queue never gets shorter.",
    level=LORE,
    truth="true",
    basis=[text(_NOTES_OF_A_PROGRAMMER), _EPOLL7, _SEND],
    rows=["L-C10", "Q5"],
)
def test_edge_burst_leaves(play: Play) -> None:
    """
    w0 (epoll_wait, accept one, and again)
      |
      e             (edge)
      |
      L  <- c0 c1 c2 before it waits;  c3
    """
    seen = _burst(play, "edge", False)
    seen.expect("burst-returned", 1)
    seen.expect("left", 2)
    seen.expect("left-after-one-more", 2)


@claim(
    "epoll-instances.edge-burst-drained",
    "A worker with an edge-triggered listener that accepts until EAGAIN leaves nothing of a burst waiting; neither "
    "does a level-triggered one that accepts once per event.",
    level=LORE,
    truth="true",
    basis=[text(_NOTES_OF_A_PROGRAMMER), _EPOLL7, _SEND],
    rows=["L-C10", "Q5"],
)
@pytest.mark.parametrize(("trigger", "drain"), [("edge", True), ("level", False)], ids=["edge-drain", "level-one"])
def test_edge_burst_drained(play: Play, trigger: str, drain: bool) -> None:
    """
    w0 (epoll_wait, accept until EAGAIN, and again)
      |
      e             (edge; or level and one accept)
      |
      L  <- c0 c1 c2 before it waits;  c3
    """
    seen = _burst(play, trigger, drain)
    seen.expect("burst-returned", 1 if drain else 3)
    seen.expect("left", 0)
    seen.expect("left-after-one-more", 0)


@claim(
    "epoll-instances.mod-beside-a-wait",
    "EPOLL_CTL_MOD that arms a ready descriptor returns a waiter, whether it sleeps, is about to sleep, or comes "
    "later: in each of 2,000 rounds.",
    level=DOCUMENTED,
    basis=[
        man("epoll", 7, "Questions and answers: Modify will reread available I/O"),
        kernel("fs/eventpoll.c", "ep_modify: checks whether the item is ready, and wakes a waiter"),
        kernel("fs/eventpoll.c", "ep_poll: looks for events under the lock, and joins the queue under it"),
        linux("5.7", "65759097d804", "epoll: call final ep_events_available() check under the lock"),
        kernel("tools/testing/selftests/filesystems/epoll/epoll_wakeup_test.c", "epoll59 looks at the same race"),
    ],
    rows=["G2", "G3"],
)
def test_mod_beside_a_wait(play: Play) -> None:
    """
    w0 (epoll_wait, again and again) ---> e (edge) ---> fd, ready
                                          ^ MOD: off, and on
    """
    seen = play("modified.against_a_wait")
    seen.expect("told", ROUNDS)
    seen.expect("more", False)


@claim(
    "epoll-instances.looks-beside-each-other",
    "Each epoll_wait with a timeout of 0 finds a level-triggered item that is ready, even while others look: "
    f"{LOOKERS} processes, {LOOKS:,} looks each.",
    level=DOCUMENTED,
    basis=[
        man("epoll", 7, "Level-triggered and edge-triggered: level-triggered, epoll is simply a faster poll(2)"),
        linux("7.2", "0c4aefe3c2d0", "eventpoll: Fix epoll_wait() report false negative"),
        kernel("tools/testing/selftests/filesystems/epoll/epoll_wakeup_test.c", "epoll65 looks at the same race"),
    ],
)
def test_looks_beside_each_other(play: Play) -> None:
    """
    w0 w1 w2 w3      (epoll_wait with a limit of zero, again and again)
      \\ |  /
        e ---> fd, ready
    """
    play("looks.beside_each_other").expect("missed", 0)
