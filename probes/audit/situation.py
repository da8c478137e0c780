"""What the advice depends on: how the workers wait, where the listener came from, how the server was started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..verdict import Inconclusive
from . import names, origin
from .find import AuditedServer
from .workers import Workers


@dataclass(frozen=True)
class Situation:
    """What the advice depends on."""

    verdict: str
    call: str | None
    """The call that the workers wait in."""
    trigger: str | None
    sharing: str | None
    """What they share, as in a strategy."""
    threads: bool
    """Whether they are threads of one process."""
    is_tcp: bool
    """Whether the listener, or the datagram socket, has a port."""
    sockets: int
    """Listening sockets at this address; more than one is a SO_REUSEPORT group."""
    reuseport: bool | None
    """Whether the listener has SO_REUSEPORT; None if that could not be read."""
    handed_over_by: str | None
    """Who bound the listener, in words, if it was not the server itself."""
    names: frozenset[str]
    """Names of the server's processes."""
    datagrams: bool = False
    """Whether it is a UDP socket."""
    options: Sequence[str] = field(default_factory=list)
    """The words of the server's command line."""
    options_known: bool = True
    """False if the server wrote a title over its command line."""
    version: tuple[int, ...] | None = None
    """The server's version, if it could be determined."""
    cpus: int = field(default_factory=lambda: os.sysconf("SC_NPROCESSORS_ONLN"))


def situation_of(verdict: str, server: AuditedServer, workers: Workers, settings: Mapping[str, Any]) -> Situation:
    """The situation of this server.  Raises Inconclusive if it has just ended."""
    pids = sorted({wait.pid for wait in workers.waiting})
    try:
        program = origin.same_program(pids[0], server.holders)
        handed_over_by = origin.handed_over_by(pids, server.holders)
    except OSError as error:
        raise Inconclusive(f"process {pids[0]} of the server has just ended") from error
    first = min(program, default=pids[0])
    words = names.command_line(first)
    called = {names.name_of(pid) for pid in program} | {wait.name for wait in workers.waiting}
    return Situation(
        verdict=verdict,
        call=workers.waiting[0].call,
        trigger=workers.waiting[0].trigger,
        sharing=workers.way.sharing,
        threads=workers.way.threads,
        is_tcp=server.listener.port != 0,
        datagrams=server.listener.takes_datagrams,
        sockets=len(server.listener.inodes),
        reuseport=settings["reuseport"],
        handed_over_by=handed_over_by,
        names=frozenset(called),
        options=names.options_of(words, names.environment(first)),
        options_known=bool(words) and not names.is_title(words),
        version=names.version_of(first, names.name_of(first)),
    )
