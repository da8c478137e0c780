"""What an epoll instance reports, and how often: level, edge, oneshot."""

from __future__ import annotations

from probes.claims import DOCUMENTED, claim, kernel, man
from probes.fixtures import Play

_EPOLL7 = man("epoll", 7, "Level-triggered and edge-triggered")
_SEND = kernel("fs/eventpoll.c", "ep_send_events: only a level-triggered item is put back on the ready list")


@claim(
    "epoll-triggers.level-told-while-ready",
    "Level-triggered: reported as long as there is something to read, even if only a part is left, but not once "
    "everything is read.",
    level=DOCUMENTED,
    basis=[_EPOLL7, _SEND],
    rows=["L-C8", "G2"],
)
def test_level(play: Play) -> None:
    """
    e --- level ---> fd  <- "xx", read 1, "x", read all
    """
    seen = play("epoll.how_often", "level")
    seen.expect("before-write", 0)
    seen.expect("after-write", 1)
    seen.expect("again-unread", 1)
    seen.expect("partly-read", 1)
    seen.expect("after-second-write", 1)
    seen.expect("all-read", 0)


@claim(
    "epoll-triggers.edge-told-once-per-change",
    "Edge-triggered: reported once per change; unread data are not reported again, but new data are.",
    level=DOCUMENTED,
    basis=[_EPOLL7, _SEND],
    rows=["L-C8", "G2"],
)
def test_edge(play: Play) -> None:
    """
    e --- edge ---> fd  <- "xx", read 1, "x", read all
    """
    seen = play("epoll.how_often", "edge")
    seen.expect("before-write", 0)
    seen.expect("after-write", 1)
    seen.expect("again-unread", 0)
    seen.expect("partly-read", 0)
    seen.expect("after-second-write", 1)
    seen.expect("all-read", 0)


@claim(
    "epoll-triggers.oneshot-until-mod",
    "Oneshot: reported once, whatever else happens, until it is re-armed with EPOLL_CTL_MOD.",
    level=DOCUMENTED,
    basis=[man("epoll_ctl", 2, "EPOLLONESHOT"), _SEND],
    rows=["L-C11", "G1"],
)
def test_oneshot(play: Play) -> None:
    """
    e --- oneshot ---> fd  <- "xx", read 1, "x", read all, MOD, "x"
    """
    seen = play("epoll.how_often", "oneshot")
    seen.expect("after-write", 1)
    seen.expect("again-unread", 0)
    seen.expect("after-second-write", 0)
    seen.expect("mod-empty", 0)
    seen.expect("mod-and-write", 1)


@claim(
    "epoll-triggers.leaves-with-last-copy",
    "Events of a closed descriptor are reported until the last copy of its open file description is closed.",
    level=DOCUMENTED,
    basis=[man("epoll", 7, "Questions and answers: closing a file descriptor")],
    rows=["G2"],
)
def test_last_copy(play: Play) -> None:
    """
    e --- level ---> fd, dup(fd)  <- "x", close(fd), close(dup)
    """
    seen = play("epoll.last_copy")
    seen.expect("copy-open", 1)
    seen.expect("last-copy-closed", 0)
