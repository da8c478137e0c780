"""How many threads of a server move for one connection: a counter of its own, which shares no code with the audit.

It connects as any client does, and compares the context switches of every thread before and after
(proc_pid_status(5)).  It knows neither who waits for the listener nor who woke whom, so threads that the server itself
wakes move, too, and those that tick by themselves; a second count, over as long a time while nobody connects, says how
many the latter are.  Where some thread always moves (a JVM's, Go's), only the waiters are awaited and counted.
"""

from __future__ import annotations

import contextlib
import re
import socket
import statistics
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .launch import Running

CONNECTIONS = 10
_PATIENCE_S = 20.0
_PAUSE_S = 0.002
"""Between two looks: the sooner it is seen that all rest again, the fewer threads have ticked meanwhile."""
_HTTP = b"GET / HTTP/1.0\r\n\r\n"

ALL, WAITERS = "all threads", "the waiters"

Moves = dict[int, int]
"""For each thread how often it has changed context."""


@dataclass
class Counted:
    """What so many connections moved."""

    waiters: list[int] = field(default_factory=list)
    """For each connection: how many moved of those that the audit says wait for the listener."""
    others: list[int] = field(default_factory=list)
    """For each connection: how many other threads of the server moved, or were started."""
    names: Counter[str] = field(default_factory=Counter)
    """What these are called, and in how many connections one of the name moved."""
    idle: list[int] = field(default_factory=list)
    """How many threads moved in as long a time while nobody connected."""
    at_rest: str = ALL
    """Who was at rest before and after each connection."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "waiters": self.waiters,
            "others": self.others,
            "names": dict(self.names.most_common(3)),
            "idle": self.idle,
            "at_rest": self.at_rest,
        }


class NeverAtRest(Exception):
    """The server moves all the time, even those of its threads that wait for the listener: nobody can count then."""


def count(running: Running, waiters: Collection[int], datagram: bytes | None = None) -> Counted:
    """Connect so many times, or send so many datagrams.  Raises NeverAtRest where not even the waiters rest."""
    try:
        return _count(running, waiters, datagram, None)
    except NeverAtRest:
        return _count(running, waiters, datagram, frozenset(waiters))


def _count(running: Running, waiters: Collection[int], datagram: bytes | None, only: frozenset[int] | None) -> Counted:
    """`only` these are looked at; None: all threads of the server."""
    counted = Counted(at_rest=ALL if only is None else WAITERS)
    for _ in range(CONNECTIONS):
        # Listed once: that takes longer than to look at them, and meanwhile they would tick.
        tids = _threads(running) if only is None else only
        before = _at_rest(running, tids)
        began = time.monotonic()
        with _client(running, datagram):
            after = _at_rest(running, tids)
            lasted_s = time.monotonic() - began
            started = _threads(running) - tids if only is None else frozenset()
        moved = {tid for tid, moves in after.items() if before.get(tid) != moves}
        counted.waiters.append(len(moved & set(waiters)))
        others = (moved - set(waiters)) | started
        counted.others.append(len(others))
        counted.names.update({_name(tid) for tid in others})
        before = _at_rest(running, tids)
        end = time.monotonic() + lasted_s
        while (left_s := end - time.monotonic()) > 0:
            running.ends_within(left_s)
        after = _moves(tids)[0]
        counted.idle.append(sum(before.get(tid) != moves for tid, moves in after.items()))
    return counted


def _threads(running: Running) -> frozenset[int]:
    """Thread ids of the server, now."""
    return frozenset(tid for _, tid in running.tasks())


def _client(running: Running, datagram: bytes | None) -> socket.socket:
    """A client that has connected, and sent what wakes a worker."""
    server = running.server
    if server.unix:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(running.socket))
        return client
    if datagram is not None:
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect(("127.0.0.1", running.port))
        client.send(datagram)
        return client
    client = socket.create_connection(("127.0.0.1", running.port), 10)
    if server.http:
        client.sendall(_HTTP)
    return client


def _at_rest(running: Running, tids: Collection[int]) -> Moves:
    """Wait until each of them sleeps in two looks with the same counts: whom a connection wakes is runnable at once."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        moves, asleep = _moves(tids)
        if asleep and _moves(tids) == (moves, True):
            return moves
        if time.monotonic() > end:
            raise NeverAtRest(f"{running.server.name}: {len(tids)} threads did not rest within {_PATIENCE_S:.0f} s")
        running.ends_within(_PAUSE_S)


def _moves(tids: Collection[int]) -> tuple[Moves, bool]:
    """The counts of each of them that is there, and whether all slept."""
    moves: Moves = {}
    asleep = True
    # /proc shows a thread at its own number, too.
    for tid in tids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{tid}/status").read_text()
            moves[tid] = sum(map(int, re.findall(r"ctxt_switches:\t(\d+)", text)))
            asleep &= re.search(r"^State:\t[RD]", text, re.M) is None
    return moves, asleep


def _name(tid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{tid}/comm").read_text().strip()
    return "one that has ended"


def in_words(counted: dict[str, Any]) -> str:
    """`4`, or `1 + 2 others (name)`, or `4; 3 tick`: medians over the connections."""
    waiters, others, idle = (statistics.median(counted[name]) for name in ("waiters", "others", "idle"))
    text = f"{waiters:g}"
    if others:
        # Even between backticks a bar would end the cell of a table (GitHub's Markdown).
        names = ", ".join(f"`{name}`" for name in counted["names"]).replace("|", r"\|")
        text += f" + {others:g} other{'s' if others != 1 else ''} ({names})"
    text += f"; {idle:g} tick" if idle else ""
    return text + ("; others never rest" if counted.get("at_rest") == WAITERS else "")


def agrees(counted: dict[str, Any], woken: float, take_turns: bool = False) -> bool:
    """Whether as many waiters moved as the audit says were woken; threads that tick may move besides.

    `take_turns`: another worker waits each time, which then is among the others.
    """
    waiters, others, idle = (statistics.median(counted[name]) for name in ("waiters", "others", "idle"))
    return woken <= (waiters + others if take_turns else waiters) and waiters <= woken + idle
