"""What to change, so that fewer workers wake.

Tests apply each piece of advice, to the server itself or to a small server that waits in the same way: fewer workers
wake then, and requests are still answered (test_advice.py in tests/suite/servers and tests/suite/audit).  What would
not help on this server, or would keep it from serving, is not advised, and the answer says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .judge import HERDS
from .situation import Situation


@dataclass(frozen=True)
class Remedy:
    """A setting that makes one kind of server wake fewer workers."""

    id: str
    servers: tuple[str, ...]
    """Names of the server's processes."""
    setting: str
    """What to set, and where, in words for whoever runs the server."""
    since: tuple[int, ...] | None
    """The first version in which it helps; None: every version still in use."""
    basis: str
    """The documentation that says so."""
    word: str
    """What the command line contains if it is set already."""
    binds: bool = False
    """Whether it makes each worker bind a TCP listener of its own."""
    threads: bool = False
    """Whether it is for the threads of one process; otherwise it is for processes."""
    always_reuseport: bool = False
    """Whether this server sets SO_REUSEPORT on every listener, with this setting or without it."""
    useless: Callable[[Situation], str | None] = lambda situation: None
    """Why it would do nothing on this server; None if it would help."""


def _enough_cpus(situation: Situation) -> str | None:
    if situation.cpus < 2:
        return "it opens a listener for every few CPUs, and there is only one CPU"
    return None


def _can_name_options(situation: Situation) -> str | None:
    return None if situation.options_known else "it wrote a title over its command line, so its options are not known"


def _for_datagrams(situation: Situation) -> str | None:
    return None if situation.datagrams else "it gives each process a UDP socket of its own, and no TCP listener"


# No remedy for nginx: since 1.11.3 it waits with EPOLLEXCLUSIVE, and Debian's nginx does not herd in any other way.
REMEDIES = (
    # Up to 23.0, gunicorn binds one socket with the option before the fork, and all workers inherit it (measured).
    Remedy(
        "gunicorn-reuse-port", ("gunicorn",), "start it with --reuse-port", (24, 0), "gunicorn's Settings, reuse_port",
        word="--reuse-port", binds=True, useless=_can_name_options,
    ),
    # Not --reuse-port: uWSGI binds one socket before the fork, and all inherit it (measured, tests/suite/servers).
    Remedy(
        "uwsgi-thunder-lock", ("uwsgi",), "thunder-lock = true in its configuration, or --thunder-lock", (1, 4, 6),
        "uWSGI documentation, Serializing accept()", word="thunder-lock",
    ),
    Remedy(
        "apache-buckets", ("apache2", "httpd"), "ListenCoresBucketsRatio 1 in its configuration, outside any section",
        (2, 4, 17), "Apache 2.4 manual, mpm_common", word="listencoresbucketsratio", binds=True, useless=_enough_cpus,
    ),
    # It has SO_REUSEPORT unless `noreuseport` is in the global section, and binds one socket all the same.
    Remedy(
        "haproxy-shards", ("haproxy",), "shards by-thread on its bind line", (2, 5),
        "HAProxy configuration manual, bind options", word="shards", binds=True, threads=True, always_reuseport=True,
    ),
    Remedy(
        "unbound-reuseport", ("unbound",), "so-reuseport: yes in the server section of its configuration", None,
        "unbound.conf(5)", word="so-reuseport", binds=True, threads=True,
    ),
    Remedy(
        "knot-reuseport", ("knotd",), "tcp-reuseport: on in the server section of its configuration", None,
        "knot.conf(5)", word="tcp-reuseport", binds=True, threads=True,
    ),
    Remedy(
        "recursor-reuseport", ("pdns_recursor",), "reuseport=yes in its configuration", None,
        "PowerDNS Recursor Settings, reuseport", word="reuseport=yes", binds=True, threads=True,
    ),
    # All processes still share one TCP listener (measured, tests/suite/servers).
    Remedy(
        "nsd-reuseport", ("nsd",), "reuseport: yes in the server section of its configuration", None,
        "nsd.conf(5)", word="reuseport", binds=True, useless=_for_datagrams,
    ),
    Remedy(
        "pgpool-serialize", ("pgpool",), "serialize_accept = on, with child_life_time = 0, in pgpool.conf", None,
        "Pgpool-II manual, Thundering Herd Problem", word="serialize_accept",
    ),
)  # fmt: skip


def advice_for(situation: Situation) -> list[str]:
    """Sentences on what to change, first for whoever runs the server, then for its developers; none without a herd."""
    if situation.verdict != HERDS:
        return []
    return [*_for_administrators(situation), *_for_developers(situation)]


def _for_administrators(situation: Situation) -> list[str]:
    safe, refused = [], []
    for remedy in REMEDIES:
        if remedy.threads != situation.threads or not any(_is(name, remedy.servers) for name in situation.names):
            continue
        if why_not := _why_not(remedy, situation):
            refused.append(f"not advised here: {remedy.setting}; {why_not}")
        else:
            since = f"since version {_dotted(remedy.since)}; " if remedy.since else ""
            safe.append(f"for {remedy.servers[0]}: {remedy.setting} ({since}{remedy.basis})")
    return safe or refused


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _is(name: str, servers: Sequence[str]) -> bool:
    """Whether a process of this name belongs to one of these servers: `gunicorn`, `gunicorn: maste`, `uwsgi-core`."""
    first = name.partition(":")[0].removesuffix("-core").removesuffix("_python3")
    return first in servers


def _why_not(remedy: Remedy, situation: Situation) -> str | None:
    """Why this remedy would do nothing on this server, or would harm it; None if it would help."""
    if any(remedy.word in option.lower() for option in situation.options):
        return "it is set already, and changes nothing"
    if remedy.since and situation.version and situation.version < remedy.since:
        return f"this is version {_dotted(situation.version)}, and it helps since {_dotted(remedy.since)}"
    if remedy.binds:
        if not situation.is_tcp:
            return "the listener is a unix socket, and SO_REUSEPORT makes no group of those (socket(7))"
        if situation.handed_over_by is not None:
            return (
                f"the listener was bound by {situation.handed_over_by}, and workers that bind their own would listen "
                "elsewhere"
            )
        if situation.sockets > 1:
            return f"there are {situation.sockets} listeners at this address already"
        if situation.reuseport and not remedy.always_reuseport:
            return "SO_REUSEPORT is set already, and there is one listener all the same"
    return remedy.useless(situation)


def _for_developers(situation: Situation) -> list[str]:
    if situation.sharing == "epoll":
        if situation.trigger is None or situation.trigger != "level":
            return []
        return [
            "for its developers: one epoll instance that all share, level-triggered, wakes the next worker for each "
            "that returns; register the listener with EPOLLET and accept until EAGAIN, or give each worker an instance "
            "of its own with EPOLLEXCLUSIVE (epoll_ctl(2))"
        ]
    ways = []
    multiplexes = situation.call is not None and not situation.call.startswith("epoll")
    if multiplexes:
        ways.append("blocking recvfrom" if situation.datagrams else "blocking accept")
    if situation.trigger is None or "exclusive" not in situation.trigger:
        ways.append(f"{'epoll with ' if multiplexes else ''}EPOLLEXCLUSIVE (epoll_ctl(2))")
    if situation.is_tcp and situation.handed_over_by is None and situation.sockets == 1:
        ways.append(
            f"a {'socket' if situation.datagrams else 'listener'} for each worker with SO_REUSEPORT (socket(7))"
        )
    if not ways:
        return []
    return [f"for its developers: one worker wakes with {_or(ways)}"]


def _or(ways: Sequence[str]) -> str:
    return ways[0] if len(ways) == 1 else f"{', '.join(ways[:-1])}, or {ways[-1]}"
