"""Who connects.  Every client waits for one byte, then for the end, and closes with a reset (no TIME_WAIT).

The same for every strategy: the same number of connections, and the same ones of them with a long request.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field

from ..syscalls import timeval
from ..verdict import Inconclusive
from .work import LONG_SOURCE, SHORT_SOURCE

_IP_BIND_ADDRESS_NO_PORT = 24  # include/uapi/linux/in.h
_RESET = struct.pack("ii", 1, 0)


@dataclass
class SeenByClients:
    """What the clients saw."""

    latencies_ns: list[int] = field(default_factory=list)
    """From connect to the first byte, in the order in which the connections ended; those without an answer left out."""
    long: list[bool] = field(default_factory=list)
    """Whether it was a long request, at the same places."""
    answers: dict[int, int] = field(default_factory=dict)
    """How many connections each worker answered, by the byte that it sent."""
    connections: int = 0
    unanswered: int = 0
    """Connections that ended without a byte, or had none by the deadline."""
    answered_again: int = 0
    """Bytes beyond the first of a connection."""
    elapsed_ns: int = 0
    """From the first connect to the end of the last connection."""
    client_cpu_ns: int = 0
    """CPU time that the client used meanwhile, without what it takes to look at the workers."""


class _Connection:
    def __init__(self, long: bool) -> None:
        self.long = long
        self.began_ns = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.latency_ns: int | None = None
        self.again = 0
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # Both kinds are bound, so that both cost the same; the port is chosen by connect, where the kernel knows how.
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        self.socket.bind((LONG_SOURCE if long else SHORT_SOURCE, 0))

    def connect(self, address: tuple[str, int]) -> None:
        self.began_ns = time.perf_counter_ns()
        self.socket.connect(address)

    def read(self, served: SeenByClients) -> bool:
        """Read once what is there, and note it; whether the connection has ended.  BlockingIOError, TimeoutError."""
        try:
            data = self.socket.recv(16)
        except ConnectionError:
            data = b""
        now = time.perf_counter_ns()
        if not data:
            return True
        if self.latency_ns is None:
            self.latency_ns = now - self.began_ns
            served.answers[data[0]] = served.answers.get(data[0], 0) + 1
            self.again += len(data) - 1
        else:
            self.again += len(data)
        return False

    def note(self, served: SeenByClients) -> None:
        """It is over."""
        served.connections += 1
        served.answered_again += self.again
        if self.latency_ns is None:
            served.unanswered += 1
        else:
            served.latencies_ns.append(self.latency_ns)
            served.long.append(self.long)


def one_by_one(
    address: tuple[str, int], connections: int, long: Set[int], patience_s: float, between: Callable[[], None]
) -> SeenByClients:
    """One connection at a time; `between` is called after each, and returns when the workers rest again."""
    served = SeenByClients()
    for number in range(connections):
        cpu_ns, began_ns = time.process_time_ns(), time.perf_counter_ns()
        _served_in_turn(address, number in long, patience_s, served)
        served.elapsed_ns += time.perf_counter_ns() - began_ns
        served.client_cpu_ns += time.process_time_ns() - cpu_ns
        between()
    return served


def _served_in_turn(address: tuple[str, int], long: bool, patience_s: float, served: SeenByClients) -> None:
    connection = _Connection(long)
    with connection.socket:
        connection.socket.settimeout(None)
        _bound(connection.socket, patience_s)
        connection.connect(address)
        # Past its patience recv fails with EAGAIN: nobody answers.
        with contextlib.suppress(BlockingIOError):
            while not connection.read(served):
                pass
    connection.note(served)


def _bound(sock: socket.socket, patience_s: float) -> None:
    """Bound connect and recv in the kernel: Python's own timeout polls before each call, which costs one more sleep."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, timeval(int(patience_s)))


def closed_loop(
    address: tuple[str, int], connections: int, outstanding: int, long: Set[int], patience_s: float
) -> SeenByClients:
    """`outstanding` connections at any time: where one has ended, the next one begins."""
    served = SeenByClients()
    under_way: dict[int, _Connection] = {}
    started = 0
    with select.epoll() as epoll, contextlib.ExitStack() as at_end:

        @at_end.callback
        def close() -> None:
            for connection in under_way.values():
                connection.socket.close()

        cpu_ns, began_ns = time.process_time_ns(), time.perf_counter_ns()

        def start() -> None:
            nonlocal started
            connection = _Connection(started in long)
            connection.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                connection.connect(address)
            under_way[connection.socket.fileno()] = connection
            epoll.register(connection.socket, select.EPOLLIN)
            started += 1

        while started < min(outstanding, connections):
            start()
        while under_way:
            ready = epoll.poll(patience_s)
            if not ready:
                break  # nobody answers those any more
            for fd, _ in ready:
                connection = under_way[fd]
                with contextlib.suppress(BlockingIOError):
                    while not connection.read(served):
                        pass
                    del under_way[fd]
                    connection.socket.close()
                    connection.note(served)
                    if started < connections:
                        start()
        served.elapsed_ns = time.perf_counter_ns() - began_ns
        served.client_cpu_ns = time.process_time_ns() - cpu_ns
        for connection in under_way.values():
            connection.note(served)
    return served


def refused(error: OSError) -> Inconclusive:
    """What it means that a client could not connect."""
    return Inconclusive(f"a client could not connect: {error.strerror or error}")
