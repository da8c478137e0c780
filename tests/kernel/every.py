"""Every strategy and every source that the suite knows, for the claims that hold for all of them."""

from __future__ import annotations

from probes.axes import CONNECTIONS, EVENTS, POLLING, READ_FROM, READING, SOURCES, WRITTEN_TO, sources_that_can
from probes.evidence import Trial

ACCEPTING = (
    "accept",
    "accept4",
    "accept.nothing",
    "accept4.nothing",
    "io_uring_accept",
    "io_uring_multishot",
    "io_uring_deferred",
)
"""Strategies whose wait call takes the connection itself."""

READINESS = (
    "select",
    "pselect6",
    "poll",
    "ppoll",
    "select.nothing",
    "poll.nothing",
    *(
        f"epoll_wait.{trigger}.{sharing}"
        for sharing in ("listener", "epoll")
        for trigger in ("level", "edge", "oneshot", "exclusive", "edge-exclusive")
    ),
    "epoll_wait.level.nothing",
    "epoll_wait.edge.nothing",
    "epoll_wait.exclusive.nothing",
    "epoll_pwait.level.listener",
    "epoll_pwait2.level.listener",
    "epoll_pwait.edge.epoll",
    "epoll_pwait2.edge.epoll",
    "rt_sigtimedwait",
    "io_uring_poll",
    "io_uring_exclusive",
)
"""Strategies whose wait call reports that there is something to take."""

SIBLINGS = (
    "io_uring_accept.nothing",
    "rt_sigtimedwait.nothing",
    "epoll_pwait.exclusive.listener",
    "epoll_pwait2.exclusive.listener",
)
"""Strategies that differ from one of these by a sibling call or by sharing, and have few cases elsewhere: too few to
catch a kernel that only sometimes goes wrong."""

EVERY = (*ACCEPTING, *READINESS)

_DEPENDS_ON_WHO_ASKS = ("signalfd", "signalfd-of-parent", "mountinfo")
"""Sources that are ready for one waiter and not for another, and have claims of their own."""

WAITED_SOURCES = tuple(
    source
    for source in sources_that_can(POLLING)
    if CONNECTIONS not in SOURCES[source].can and source not in _DEPENDS_ON_WHO_ASKS and not SOURCES[source].rare
)
"""Sources that a multiplexer can wait for, that take no connections, that are ready for all waiters or for none, and
that are not rare."""

ONCE_SOURCES = tuple(source for source in WAITED_SOURCES if source != "pidfd")
"""Those on which one event wakes each waiter once.  The end of a process wakes the waiters on its pidfd twice in 6.12,
and once in 6.18."""

TAKEN_SOURCES = tuple(source for source in sources_that_can(POLLING, READING) if source in WAITED_SOURCES)
"""Those from which a waiter can read what arrived."""

COUNTED_SOURCES = tuple(source for source in TAKEN_SOURCES if SOURCES[source].counts)
"""Those that keep writes apart, so that each write is read once."""

DRAINED_SOURCES = tuple(source for source in COUNTED_SOURCES if source != "pty")
"""Those that several waiters may read until EAGAIN.  A non-blocking read of a pty also returns EAGAIN while another one
reads (drivers/tty/n_tty.c, n_tty_read: mutex_trylock), and what arrives just then waits for the next edge."""

WRITTEN_SOURCES = tuple(source for source in sources_that_can(POLLING, WRITTEN_TO) if source in WAITED_SOURCES)
"""Those that the stimulus can write to."""

EXCLUSIVE_SOURCES = tuple(source for source in WAITED_SOURCES if source not in ("pidfd", "io-uring", "epoll-instance"))
"""Those on which EPOLLEXCLUSIVE has an effect.  The end of a process, and a completion, wake all waiters; an epoll
instance refuses the flag."""


def moved(source: str) -> str:
    """The stimulus that makes this source ready once."""
    can = SOURCES[source].can
    if EVENTS in can:
        return "one-event"
    return "one-read" if source not in TAKEN_SOURCES and READ_FROM in can else "one-write"


def moved_one_by_one(source: str) -> str:
    """The stimulus that makes this source ready k times, each time when all waiters are at rest again."""
    return "events-one-by-one" if EVENTS in SOURCES[source].can else "writes-one-by-one"


def answered_once(trial: Trial) -> int:
    """Connections that were answered by exactly one waiter."""
    return sum(len(who) == 1 for who in trial.answers)


def connections_made(trial: Trial) -> int:
    """Connections made one by one: fewer in a traced trial that takes a part of the series."""
    return len(trial.steps)
