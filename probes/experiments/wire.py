"""TCP on loopback for experiments: listeners, clients, their states, and proofs that something arrived."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import termios
from typing import Any

from ..errnos import errno_of
from ..facts import CLOSED
from ..lab.deadline import patience_s, until
from ..lab.features import join_group
from ..lab.stage import Stage
from ..scenario import Scenario
from ..sources import Source, client, tcp
from ..sources.unread import unread
from ..verdict import Inconclusive, NotApplicable

LOOPBACK = "127.0.0.1"
ESTABLISHED, SYN_SENT, SYN_RECV, CLOSE = "established", "syn-sent", "syn-received", CLOSED
_STATES = {1: ESTABLISHED, 2: SYN_SENT, 3: SYN_RECV, 7: CLOSE}  # include/net/tcp_states.h
_SO_MEMINFO, _MEMINFO_DROPS = 55, 8  # include/uapi/asm-generic/socket.h, include/uapi/linux/sock_diag.h
_SO_ATTACH_FILTER = 26  # include/uapi/asm-generic/socket.h
_DROP_ALL = 0


def listening(stage: Stage, *, backlog: int = 16, port: int = 0, group: bool = False) -> socket.socket:
    """A non-blocking TCP listener on `port` of loopback (0: any free port); `group`: in a reuseport group."""
    sock: socket.socket = stage.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    if group:
        join_group(sock)
    sock.bind((LOOPBACK, port))
    sock.listen(backlog)
    sock.setblocking(False)
    return sock


def opened(stage: Stage, kind: str) -> Source:
    """A non-blocking listener of one of the kinds of a scenario.  Raises NotApplicable if the kernel lacks it."""
    try:
        return stage.source(Scenario.parse(f"poll/{kind}/n1/hold/one-connection"))
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise NotApplicable(f"{kind}: {error.strerror}") from error
        raise


def of(listener: Source) -> socket.socket:
    """A socket object with a duplicate of the listener's descriptor (the same open file description)."""
    return socket.socket(fileno=os.dup(listener.fds[0]))


def dial(stage: Stage, to: socket.socket) -> socket.socket:
    """A client connected to listener `to`; it closes with RST."""
    sock: socket.socket = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    sock.connect(to.getsockname())
    return sock


def arrive(stage: Stage, at: socket.socket) -> socket.socket:
    """A client whose connection is queued at listener `at`, or was taken, with all wake-ups for it issued.

    Whoever takes it must leave it open.  The client sends a byte, which the other end acknowledges only once it has a
    socket for this connection (SIOCOUTQ counts what is not acknowledged: net/ipv4/tcp.c, tcp_ioctl).
    """
    theirs = dial(stage, at)
    theirs.send(b"x")
    until(lambda: unacknowledged(theirs) == 0, lambda: "the listener's end acknowledged nothing")
    stage.fence(needed=True)
    return theirs


def unacknowledged(sock: socket.socket) -> int:
    """Bytes that the other end has not acknowledged (net/ipv4/tcp.c, tcp_ioctl: SIOCOUTQ)."""
    count = array.array("i", [1])
    fcntl.ioctl(sock, termios.TIOCOUTQ, count)
    return count[0]


def drained(near: socket.socket, far: socket.socket) -> None:
    """Read from `far`, without blocking, whatever `near` has sent, until all of it is acknowledged."""
    far.setblocking(False)

    def all_came() -> bool:
        with contextlib.suppress(BlockingIOError):
            while far.recv(1 << 16):
                pass
        return unacknowledged(near) == 0

    until(all_came, lambda: f"{unacknowledged(near)} bytes were not acknowledged")


def pair(stage: Stage) -> tuple[socket.socket, socket.socket]:
    """A TCP connection: the accepted socket, and the client's.  Both close with RST."""
    listener = listening(stage)
    theirs = dial(stage, listener)
    return taken(stage, listener), theirs


def taken(stage: Stage, listener: socket.socket, *, resets: bool = True) -> socket.socket:
    """The next connection of a listener, once there is one, as a blocking socket.  It closes with RST if `resets`."""
    wait_readable(listener, "no connection came")
    sock: socket.socket = stage.keep(listener.accept()[0])
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(resets), 0))
    return sock


def wait_readable(sock: socket.socket, otherwise: str) -> None:
    """Return once there is something to read or to accept.  Raises Inconclusive at the deadline."""
    if not select.select([sock], [], [], patience_s())[0]:
        raise Inconclusive(f"{otherwise} within {patience_s():.0f} s")


def read(sock: socket.socket, most: int = 64) -> str:
    """What can be read next, `end of file`, or the errno's name.  Raises Inconclusive if nothing comes."""
    wait_readable(sock, "nothing came to be read")
    try:
        return sock.recv(most).decode() or "end of file"
    except OSError as error:
        return errno_of(error)


def read_exactly(sock: socket.socket, count: int) -> str:
    """`count` bytes, or fewer if the stream ends before; the errno's name if it fails (ECONNRESET)."""
    got = b""
    while len(got) < count:
        wait_readable(sock, f"{len(got)} of {count} bytes came, and no more")
        try:
            part = sock.recv(count - len(got))
        except OSError as error:
            return errno_of(error)
        if not part:
            break
        got += part
    return got.decode()


def arrived(sock: socket.socket, count: int) -> None:
    """Return once `count` bytes can be read."""
    until(lambda: unread(sock) >= count, lambda: f"{unread(sock)} of {count} bytes arrived")


def ended(sock: socket.socket) -> None:
    """Return once the peer's end of file has arrived (recv with MSG_PEEK shows it)."""

    def end() -> bool:
        with contextlib.suppress(BlockingIOError):
            return not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return False

    until(end, lambda: "the end of file did not arrive")


def state(sock: socket.socket) -> str:
    """The TCP state of a socket (the first byte of struct tcp_info)."""
    number = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0]
    return _STATES.get(number, f"state {number}")


def in_state(sock: socket.socket, wanted: str) -> None:
    """Return once the socket is in that TCP state."""
    until(lambda: state(sock) == wanted, lambda: f"the connection is {state(sock)} and did not become {wanted}")


def queue(listener: socket.socket) -> tuple[int, int]:
    """Connections in a TCP listener's accept queue, and its limit.  Raises Inconclusive if the kernel shows neither."""
    if not tcp.tells_queue():
        raise Inconclusive(tcp.NOT_TOLD)
    return tcp.queue(listener)


def queued(listener: socket.socket, count: int) -> None:
    """Return once `count` connections wait in the accept queue.  Raises Inconclusive."""
    until(lambda: queue(listener)[0] >= count, lambda: f"{queue(listener)[0]} of {count} connections are queued")


def reported_by(sock: socket.socket, write: bool = False) -> list[str]:
    """Which of select, poll and epoll report `sock` readable (writable) now, by name."""
    fds = [sock.fileno()]
    reports = {"select": any(select.select([] if write else fds, fds if write else [], [], 0))}
    bit = select.POLLOUT if write else select.POLLIN
    poll = select.poll()
    poll.register(sock, bit)
    reports["poll"] = any(events & bit for _, events in poll.poll(0))
    with select.epoll() as instance:
        instance.register(sock, select.EPOLLOUT if write else select.EPOLLIN)
        reports["epoll"] = any(events & bit for _, events in instance.poll(0))
    return [name for name, reported in reports.items() if reported]


def deaf(stage: Stage) -> socket.socket:
    """A non-blocking client that gets no packets: a filter drops them, so its handshake stays half done."""
    sock: socket.socket = stage.keep(client(socket.AF_INET, socket.SOCK_STREAM, patience_s()))
    sock.setblocking(False)
    attach(sock, _SO_ATTACH_FILTER, _DROP_ALL)
    return sock


def attach(sock: socket.socket, option: int, value: int) -> None:
    """Attach a classic BPF program of one instruction, `ret value` (socket(7), SO_ATTACH_FILTER).

    Raises NotApplicable if the kernel refuses it.
    """
    code = array.array("B", struct.pack("HBBI", 0x06, 0, 0, value))
    try:
        sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@HP", 1, code.buffer_info()[0]))
    except OSError as error:
        raise NotApplicable(f"a classic BPF program for socket option {option}: {error.strerror}") from error


def answered_unheard(sock: socket.socket) -> None:
    """Return once a deaf client was answered: the kernel counts the packets that its filter dropped (SO_MEMINFO)."""

    def drops() -> int:
        try:
            info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
        except OSError as error:
            raise NotApplicable(f"SO_MEMINFO: {error.strerror}") from error
        return int(struct.unpack_from("=I", info, 4 * _MEMINFO_DROPS)[0])

    until(lambda: drops() > 0, lambda: "the listener's answer to the client did not come")


def outcome(act: Any) -> str:
    """The outcome of a call: `ok`, or the name of its errno."""
    try:
        act()
    except OSError as error:
        return errno_of(error)
    return "ok"
