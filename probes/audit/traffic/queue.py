"""The accept queue of a listener, and what it dropped, from the kernel by netlink (sock_diag(7)).

None of this touches the server; a look takes about 50 µs, whatever the server does.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection
from dataclasses import dataclass

from ..sock_diag import LISTEN, SocketQueue, inet_queues, unix_queues
from ..sockets import ListeningSocket


@dataclass
class QueueSeen:
    """What looks at the accept queue showed."""

    looks: int = 0
    highest: int = 0
    """The most connections that any look showed in the queue; between looks there may have been more."""
    backlog: int | None = None
    """The listener's backlog; the queue holds one connection more (sk_acceptq_is_full, include/net/sock.h)."""
    dropped: int | None = None
    """Connections that all sockets of this listener dropped since the first look; None: not shown."""
    overflows: int | None = None
    """TcpExtListenOverflows: connections that listeners of the network namespace dropped because of a full queue."""

    def as_dict(self) -> dict[str, int | None]:
        return vars(self)


class QueueWatch:
    """Looks at the queues of one listener's sockets."""

    def __init__(self, listener: ListeningSocket, pid: int) -> None:
        """`pid` is a process in the listener's network namespace."""
        self._listener, self._pid = listener, pid
        self._before: int | None = None
        self._counters_before = counters(pid)
        self.seen = QueueSeen()

    def look(self) -> None:
        """Look at the queues now; does nothing if the listener is gone."""
        queues = self._queues()
        if not queues:
            return
        seen = self.seen
        seen.looks += 1
        seen.highest = max(seen.highest, *(queue.length for queue in queues))
        seen.backlog = max(queue.most for queue in queues)
        known = [queue.dropped for queue in queues if queue.dropped is not None]
        if known:
            total = sum(known)
            self._before = total if self._before is None else self._before
            seen.dropped = total - self._before

    def finish(self) -> QueueSeen:
        """Look for the last time, and read the namespace's counters."""
        self.look()
        if not self._listener.takes_datagrams:
            self.seen.overflows = self._since("ListenOverflows")
        return self.seen

    def passive_opens(self) -> int | None:
        """Connections opened at all listeners of the namespace since construction (TcpPassiveOpens)."""
        return self._since("PassiveOpens")

    def _since(self, name: str) -> int | None:
        now = counters(self._pid)
        if name not in now or name not in self._counters_before:
            return None
        return now[name] - self._counters_before[name]

    def _queues(self) -> list[SocketQueue]:
        inodes = set(self._listener.inodes)
        queues: list[SocketQueue] = []
        with contextlib.suppress(OSError):
            if not self._listener.port:
                queues = list(unix_queues(self._pid))
            else:
                family = socket.AF_INET6 if self._listener.kind == "tcp6" else socket.AF_INET
                states = 1 << LISTEN
                queues = list(inet_queues(self._pid, family, socket.IPPROTO_TCP, states, self._listener.port))
        return [queue for queue in queues if queue.inode in inodes]


def counters(pid: int) -> dict[str, int]:
    """TCP counters of the network namespace of process `pid`; empty if they may not be read."""
    values: dict[str, int] = {}
    for name in ("netstat", "snmp"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/net/{name}") as lines:
            values.update(parse_counters(lines.read().splitlines()))
    return values


def parse_counters(lines: Collection[str]) -> dict[str, int]:
    """Counters by name, from pairs of lines (names, then values) that begin with the same word (net/ipv4/proc.c)."""
    counts: dict[str, int] = {}
    rows = list(lines)
    for names, values in zip(rows[::2], rows[1::2], strict=False):
        protocol = names.partition(":")[0]
        if protocol not in ("Tcp", "TcpExt") or not values.startswith(f"{protocol}:"):
            continue
        counts.update(zip(names.split()[1:], map(int, values.split()[1:]), strict=False))
    return counts
