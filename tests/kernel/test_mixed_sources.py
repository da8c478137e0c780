"""Several sources for each waiter, and different kinds of waiters on one source that is not a listener."""

from __future__ import annotations

import pytest

from probes.claims import OBSERVED, claim, kernel, man
from probes.fixtures import Play

_POLLWAIT = kernel("fs/select.c", "do_poll: __pollwait on every descriptor, and never exclusive")
_WALK = kernel("kernel/sched/wait.c", "__wake_up_common: all that are not exclusive, and one that is")
_PUT_BACK = kernel("fs/eventpoll.c", "ep_send_events: a level-triggered item goes back, and the next waiter is woken")
_EP_POLL = kernel("fs/eventpoll.c", "ep_poll: __add_wait_queue_exclusive on the instance, whatever is in it")
_SAFEWAKE = kernel(
    "fs/eventpoll.c", "ep_poll_callback: wakes one of ep->wq, and with ep_poll_safewake all that poll it"
)
_EWAKE = kernel("fs/eventpoll.c", "ep_poll_callback: EPOLLEXCLUSIVE ends the walk only if somebody waits")
_PIPE = kernel("fs/pipe.c", "pipe_read: wait_event_interruptible_exclusive, at the tail of rd_wait")
_TAIL = kernel("fs/eventpoll.c", "ep_ptable_queue_proc: add_wait_queue_exclusive, at the tail")


@claim(
    "mixed.two-sources-each-wakes-all",
    "Ten wait for two eventfds at once, in poll, in private epoll instances or in a shared level-triggered one: a "
    "write to the first returns all ten and reports only that one; then a write to the second does the same.",
    level=OBSERVED,
    basis=[_POLLWAIT, _WALK, _PUT_BACK],
)
@pytest.mark.parametrize(
    "strategy", ["poll", "epoll_wait.level.listener", "epoll_wait.edge.listener", "epoll_wait.level.epoll"]
)
def test_two_sources_each_wakes_all(play: Play, strategy: str) -> None:
    """
    w0 w1 ... w9      (poll, epoll_wait)
      \\ | X |  /
       a     b  <- a write to a, then one to b
    """
    seen = play("several.two_sources", strategy)
    seen.expect("first", 10)
    seen.expect("second", 10)
    seen.expect("others", [0, 0])


@claim(
    "mixed.two-edges-return-two",
    "Ten wait, with room for one event each, on one edge-triggered instance with two sources: a write to each source "
    "returns two of them, one with each event.",
    level=OBSERVED,
    basis=[
        man("epoll", 7, "several threads wait on one instance, edge-triggered: just one is awoken"),
        _EP_POLL,
        kernel("fs/eventpoll.c", "ep_send_events: what finds no room stays on the ready list, and wakes the next one"),
    ],
)
def test_two_edges_return_two(play: Play) -> None:
    """
    w0 w1 ... w9      (epoll_wait)
      \\ |   /
        e   (edge)
       / \\
      a   b  <- a write to each
    """
    play("several.two_edges").expect("each-told", [[0], [1]])


@claim(
    "mixed.pollers-beside-all-woken",
    "If some wait on an epoll instance in epoll_wait and others poll that instance, one event wakes all pollers; of "
    "those in epoll_wait it returns one, edge-triggered, or all, level-triggered, and then all pollers return, too.",
    level=OBSERVED,
    basis=[_SAFEWAKE, _EP_POLL, _PUT_BACK],
)
@pytest.mark.parametrize("trigger", ["level", "edge"])
def test_pollers_beside(play: Play, trigger: str) -> None:
    """
    w0 ... w3 (epoll_wait)   p0 ... p3 (poll)
             \\               /
                     e
                     |
                   eventfd  <- 1
    """
    seen = play("several.pollers_beside", trigger)
    seen.expect("pollers-woken", 4)
    seen.expect("returned", 4 if trigger == "level" else 1)
    if trigger == "level":
        seen.expect("pollers", 4)


@claim(
    "mixed.two-exclusive-listeners",
    "Workers have two EPOLLEXCLUSIVE listeners each, in instances of their own.  A connection to the second "
    "listener, while the first worker is busy with the first, goes to the next worker.  The first worker hears of it "
    "as well once it waits again: of both listeners at once, or one after the other, depending on maxevents.",
    level=OBSERVED,
    basis=[
        _EWAKE,
        _TAIL,
        man("epoll_wait", 2, "NOTES: round robin"),
        kernel("fs/eventpoll.c", "ep_send_events: stops at maxevents, and a level-triggered item goes to the tail"),
    ],
)
@pytest.mark.parametrize("most", [1, 2])
def test_two_exclusive_listeners(play: Play, most: int) -> None:
    """
    w0      w1      (epoll_wait)
    e0      e1      (exclusive)
     | \\  / |
     L0    L1  <- c0 to L0, c1 to L1; then w0 waits again
    """
    seen = play("several.exclusive_listeners", most)
    seen.expect("told", [[0], [1]])
    seen.expect("again", [[0], [1]] if most == 1 else [[0, 1], [0, 1]])


@claim(
    "mixed.read-beside-exclusive",
    "A blocked read of a pipe and EPOLLEXCLUSIVE instances share one queue, and a byte wakes only the first of them: "
    "the reader, if it went to sleep before they were added; otherwise an instance, and the reader sleeps on "
    "although the byte is there.",
    level=OBSERVED,
    basis=[_WALK, _TAIL, _PIPE],
)
@pytest.mark.parametrize("first", ["read", "others"])
def test_read_beside_exclusive(play: Play, first: str) -> None:
    """
    reader (read)   w0 w1 (epoll_wait, exclusive)
            \\    /  /
             pipe  <- "x"
    """
    seen = play("several.read_beside_exclusive", first)
    seen.expect("read-it", first == "read")
    seen.expect("others-returned", 0 if first == "read" else 1)
    seen.expect("left", first != "read")
