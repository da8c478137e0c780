"""Epoll instances: created, shown in /proc, nested, polled, shared, and changed while somebody waits."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, OBSERVED, claim, kernel, man
from probes.fixtures import Play

_CREATE = man("epoll_create", 2, "DESCRIPTION: the size argument is ignored, but must be greater than zero")
_ANSWERS = "Questions and answers"
_CTL = kernel("fs/eventpoll.c", "do_epoll_ctl")
_NOTES = man("epoll_wait", 2, "NOTES")


@claim(
    "epoll-instances.size-is-no-limit",
    "epoll_create ignores its size if it is positive: an instance of size 1 watches three descriptors, and the "
    "largest size is accepted.",
    level=DOCUMENTED,
    basis=[_CREATE],
    rows=["L-C6"],
)
def test_size_is_no_limit(play: Play) -> None:
    """
    epoll_create(1) ---> fd fd fd
    """
    seen = play("instances.sizes")
    seen.expect("create-one", "ok")
    seen.expect("reported-one", 3)
    seen.expect("create-largest", "ok")


@claim(
    "epoll-instances.size-is-positive",
    "epoll_create with a size of 0 or less is EINVAL.",
    level=DOCUMENTED,
    basis=[_CREATE, man("epoll_create", 2, "ERRORS: EINVAL")],
    rows=["L-C6"],
)
def test_size_is_positive(play: Play) -> None:
    """
    epoll_create(0), epoll_create(-1)
    """
    seen = play("instances.sizes")
    seen.expect("create-zero", "EINVAL")
    seen.expect("create-negative", "EINVAL")


@claim(
    "epoll-instances.shows-in-proc",
    "An epoll instance takes up a descriptor number, and shows as anon_inode:[eventpoll] under /proc/PID/fd until it "
    "is closed; its fdinfo lists what it watches.",
    level=DOCUMENTED,
    basis=[man("proc", 5, "/proc/pid/fd/ and /proc/pid/fdinfo/")],
    rows=["L-C6"],
)
def test_shows_in_proc(play: Play) -> None:
    """
    /proc/PID/fd/N -> anon_inode:[eventpoll]
    """
    seen = play("instances.shows")
    seen.expect("link", "anon_inode:[eventpoll]")
    seen.expect("fdinfo", "the watched descriptor")
    seen.expect("link-after-close", "ENOENT")


@claim(
    "epoll-instances.err-and-hup-always",
    "EPOLLERR and EPOLLHUP are always reported, even if nobody asked for them.",
    level=DOCUMENTED,
    basis=[man("epoll_ctl", 2, "EPOLLERR, EPOLLHUP: not necessary to set it in events")],
    rows=["G1"],
)
def test_err_and_hup_always(play: Play) -> None:
    """
    e --- 0 ---> fd  <- the peer closes, the pipe's reader goes away
    """
    seen = play("instances.always_reported")
    seen.expect("before-hangup", ["nothing", "nothing"])
    seen.expect("peer-closed", "HUP")
    seen.expect("pipe-without-reader", "ERR")


@claim(
    "epoll-instances.not-in-itself",
    "Adding an instance to itself is EINVAL; two instances that would watch each other are ELOOP.",
    level=DOCUMENTED,
    basis=[man("epoll_ctl", 2, "ERRORS: EINVAL, ELOOP"), man("epoll", 7, _ANSWERS), _CTL],
    rows=["G1", "W2"],
)
def test_not_in_itself(play: Play) -> None:
    """
    e --- ADD ---> e;   e ---> f, f --- ADD ---> e
    """
    seen = play("instances.in_itself")
    seen.expect("in-itself", "EINVAL")
    seen.expect("in-each-other", "ELOOP")


@claim(
    "epoll-instances.nests-five-deep",
    "Instances can be nested five deep, but there is a limit: nesting too deep is ELOOP, whether it grows at the "
    "outer or at the inner end.",
    level=DOCUMENTED,
    basis=[
        man("epoll_ctl", 2, "ERRORS: ELOOP, a nesting depth greater than 5"),
        kernel("fs/eventpoll.c", "EP_MAX_NESTS"),
    ],
    rows=["G1", "W2"],
)
@pytest.mark.parametrize("direction", ["outwards", "inwards"])
def test_nests_five_deep(play: Play, direction: str) -> None:
    """
    e9 ---> ... ---> e1 ---> e0
    """
    seen = play("instances.nested", direction)
    seen.expect("five-deep", "possible")
    seen.expect("refused-with", "ELOOP")


@claim(
    "epoll-instances.both-report",
    "Two instances that watch one descriptor both report it, level-triggered and edge-triggered.",
    level=DOCUMENTED,
    basis=[man("epoll", 7, _ANSWERS)],
    rows=["G2"],
)
@pytest.mark.parametrize("trigger", ["level", "edge"])
def test_both_report(play: Play, trigger: str) -> None:
    """
    e ---> fd <--- f
            ^- "x"
    """
    seen = play("instances.both", trigger)
    seen.expect("before", ["nothing", "nothing"])
    seen.expect("after-write", ["IN", "IN"])


@claim(
    "epoll-instances.events-are-combined",
    "Events on one descriptor between two waits are reported as one.",
    level=DOCUMENTED,
    basis=[man("epoll", 7, _ANSWERS)],
    rows=["G2"],
)
def test_events_are_combined(play: Play) -> None:
    """
    e --- edge ---> fd  <- "x", "x", shutdown
    """
    seen = play("instances.combined")
    seen.expect("combined", "IN|RDHUP")
    seen.expect("again", "nothing")


@claim(
    "epoll-instances.can-be-polled",
    "An instance can itself be waited for in select, poll and epoll: it is readable while it has an event to report.",
    level=DOCUMENTED,
    basis=[man("epoll", 7, _ANSWERS)],
    rows=["G2", "W2"],
)
@pytest.mark.parametrize("strategy", ["select", "poll", "epoll_wait.level.listener"])
def test_can_be_polled(play: Play, strategy: str) -> None:
    """
    w0 (select, poll, epoll_wait) ---> e ---> fd  <- "x", read
    """
    seen = play("instances.polled", strategy)
    seen.expect("nothing-ready", "blocked")
    seen.expect("something-ready", 1)
    seen.expect("readable-when-ready", True)
    seen.expect("readable-all-read", False)


@claim(
    "epoll-instances.mod-looks-again",
    "EPOLL_CTL_MOD checks readiness again: an event that was reported but not consumed is reported once more, even "
    "if edge-triggered, and MOD wakes a waiter when it asks for something that is already there.",
    level=DOCUMENTED,
    basis=[man("epoll", 7, f"{_ANSWERS}: Modify will reread available I/O"), kernel("fs/eventpoll.c", "ep_modify")],
    rows=["G2"],
)
def test_mod_looks_again(play: Play) -> None:
    """
    w0 (epoll_wait)
      |
      e --- edge ---> fd  <- "x", MOD
    """
    seen = play("instances.modified")
    seen.expect("after-write", "IN")
    seen.expect("again-unread", "nothing")
    seen.expect("after-mod", "IN")
    seen.expect("waiter-no-interest", "blocked")
    seen.expect("waiter-after-mod", 1)


@claim(
    "epoll-instances.empty-blocks",
    "epoll_wait on an instance that watches nothing blocks until a ready descriptor is added, or one that becomes "
    "ready.",
    level=DOCUMENTED,
    basis=[_NOTES, kernel("fs/eventpoll.c", "ep_insert: notify waiting tasks that events are available")],
    rows=["G3"],
)
@pytest.mark.parametrize("ready", [True, False], ids=["ready-when-added", "ready-later"])
def test_empty_blocks(play: Play, ready: bool) -> None:
    """
    w0 (epoll_wait) ---> e  <- another process: ADD fd, "x"
    """
    seen = play("instances.added", ready)
    seen.expect("empty-instance", "blocked")
    if not ready:
        seen.expect("not-ready", "blocked")
    seen.expect("ready", 1)


@claim(
    "epoll-instances.each-chunk-an-edge",
    "Edge-triggered: data that arrive in two chunks are reported twice, even if nothing was read in between.",
    level=OBSERVED,
    basis=[
        man("epoll", 7, "multiple events can be generated upon receipt of multiple chunks of data"),
        kernel("fs/pipe.c", "pipe_write: poll_usage"),
        kernel("net/core/sock.c", "sock_def_readable"),
        kernel("fs/eventfd.c", "eventfd_write: wake_up_locked_poll, whatever the counter was"),
    ],
    rows=["G2", "L-C8"],
)
@pytest.mark.parametrize("kind", ["tcp", "unix", "pipe", "eventfd"])
def test_each_chunk_an_edge(play: Play, kind: str) -> None:
    """
    e --- edge ---> fd  <- "x", "x", nothing read
    """
    seen = play("rounds.chunks", kind)
    seen.expect("first-chunk", "IN")
    seen.expect("second-chunk", "IN")
