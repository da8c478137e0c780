"""What to change, by strategy and by server.  Each piece says where it was looked up."""

from __future__ import annotations

from dataclasses import dataclass

from .judge import HERDS

_GENERAL = {
    "epoll": (
        "one epoll instance that all share, level-triggered, wakes the next worker for each that returns: "
        "register the listener with EPOLLET, or give each worker its own instance with EPOLLEXCLUSIVE (epoll_ctl(2))"
    ),
    "epoll each": (
        "this strategy wakes one with EPOLLEXCLUSIVE (epoll_ctl(2)), or with a listener for each worker, SO_REUSEPORT "
        "(socket(7))"
    ),
    "select": (
        "select and poll wake every worker that waits: this strategy wakes one with blocking accept, with "
        "epoll and EPOLLEXCLUSIVE (epoll_ctl(2)), or with a listener for each worker, SO_REUSEPORT (socket(7))"
    ),
}


@dataclass(frozen=True)
class Remedy:
    """What makes one kind of server wake one worker."""

    server: str
    """How its processes are called, or its command line begins."""
    option: str
    basis: str
    threads: bool = False
    """Whether it is for threads of one process; else for processes."""


REMEDIES = (
    Remedy("gunicorn", "--reuse-port", "gunicorn --help"),
    # Not --reuse-port: one socket is bound before the fork, and all inherit it (measured, tests/suite/servers).
    Remedy("uwsgi", "--thunder-lock", "uWSGI documentation, Serializing accept()"),
    Remedy(
        "nginx", "the parameter reuseport of listen, or accept_mutex on", "nginx.org, Core functionality, accept_mutex"
    ),
    Remedy("apache2", "ListenCoresBucketsRatio", "Apache 2.4 manual, mpm_common"),
    Remedy("httpd", "ListenCoresBucketsRatio", "Apache 2.4 manual, mpm_common"),
    Remedy("haproxy", "shards by-thread on the bind line", "HAProxy configuration manual, bind options", threads=True),
)


def advice_for(verdict: str, sharing: str | None, call: str | None, names: set[str], threads: bool) -> list[str]:
    """Sentences on what to change; none where nothing needs to.

    `names` are words that tell which server it is: process names, and words of the command line.
    """
    if verdict != HERDS:
        return []
    kind = "select"
    if call is not None and call.startswith("epoll"):
        kind = "epoll" if sharing == "epoll" else "epoll each"
    return [_GENERAL[kind]] + [
        f"for {remedy.server}: {remedy.option} ({remedy.basis})"
        for remedy in REMEDIES
        if remedy.threads == threads and any(name.startswith(remedy.server) for name in names)
    ]
