"""Every strategy that the suite knows, for the families that hold for all of them."""

from __future__ import annotations

ACCEPTING = ("accept", "accept4", "accept.nothing", "accept4.nothing", "io_uring_accept", "io_uring_multishot")
"""The wait call takes the connection itself."""

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
)
"""The wait call says that there is something to take."""

EVERY = (*ACCEPTING, *READINESS)
