"""Small UDP servers, each with one way of waiting: `python -m tests.suite.audit.datagram_servers KIND WORKERS PORT`.

KIND is udp-poll, udp-epoll, udp-exclusive, udp-recvfrom (one inherited socket) or udp-reuseport (epoll, one each).
udp-exclusive-and-epoll and udp-epoll-and-epoll have a second inherited socket in the same instances, not exclusive.
The server prints its port, then that of a second socket ("other PORT"); each datagram is sent back.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys

from probes import syscalls
from probes.audit.registered import EXCLUSIVE


def _open(port: int, *, reuseport: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if reuseport:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def _work_for_two(kind: str, mine: socket.socket, other: socket.socket) -> None:
    """Whichever has a datagram."""
    epoll = select.epoll()
    epoll.register(mine.fileno(), select.EPOLLIN | (EXCLUSIVE if kind == "udp-exclusive-and-epoll" else 0))
    epoll.register(other.fileno(), select.EPOLLIN)
    by_fd = {sock.fileno(): sock for sock in (mine, other)}
    for sock in by_fd.values():
        sock.setblocking(False)
    while True:
        for fd, _ in epoll.poll():
            with contextlib.suppress(BlockingIOError):
                data, client = by_fd[fd].recvfrom(2048)
                by_fd[fd].sendto(data, client)


def _work(kind: str, mine: socket.socket) -> None:
    if kind == "udp-recvfrom":
        while True:
            data, client = mine.recvfrom(2048)
            mine.sendto(data, client)
    mine.setblocking(False)
    poll: select.poll | select.epoll
    if kind == "udp-poll":
        poll = select.poll()
        poll.register(mine, select.POLLIN)
    else:
        poll = select.epoll()
        poll.register(mine.fileno(), select.EPOLLIN | (EXCLUSIVE if kind == "udp-exclusive" else 0))
    while True:
        poll.poll()
        try:
            data, client = mine.recvfrom(2048)
        except BlockingIOError:
            continue
        mine.sendto(data, client)


def main(kind: str, workers: int, port: int) -> None:
    """Bind, fork, and wait for ever."""
    each = kind == "udp-reuseport"
    first = _open(port, reuseport=each)
    port = first.getsockname()[1]
    sockets = [first, *(_open(port, reuseport=True) for _ in range(workers - 1 if each else 0))]
    second = _open(0, reuseport=False) if kind.endswith("-and-epoll") else None
    parent = os.getpid()
    children = []
    for number in range(workers):
        pid = os.fork()
        if pid == 0:
            syscalls.die_with_parent(parent)
            mine = sockets[number] if each else first
            for other in sockets:
                if other is not mine:
                    other.close()
            try:
                if second is not None:
                    _work_for_two(kind, mine, second)
                _work(kind, mine)
            finally:
                os._exit(1)
        children.append(pid)
    if each:
        for sock in sockets:
            sock.close()
    os.write(1, f"listens {port}\n".encode())
    if second is not None:
        os.write(1, f"other {second.getsockname()[1]}\n".encode())
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
