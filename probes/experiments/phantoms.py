"""Acts on a listener, or near it, that are not connections, and whom they wake."""

from __future__ import annotations

import os
import select
import socket
import struct

from ..lab.features import asking_for
from ..lab.network import counted, own_network
from ..lab.stage import Actor, Me, Stage
from . import wire
from .waiting import BLOCKED, Scene, now


def disturbed(stage: Stage, argument: dict[str, str]) -> None:
    """Two wait on a listener; then one of these acts happens."""
    scene = Scene(stage, argument["strategy"])
    with socket.socket(fileno=os.dup(scene.listener.fds[0])) as listening:
        doing = _Doing(stage, listening)
        waiters = [scene.waiter(react=False) for _ in range(2)]
        getattr(doing, argument["act"])()
        stage.fence(needed=True)
        stage.quiet(waiters)
        _note(stage, waiters)


class _Doing:
    """The acts, by name."""

    def __init__(self, stage: Stage, listening: socket.socket) -> None:
        self._stage, self._listening = stage, listening
        self._address = listening.getsockname()

    def listen_again(self) -> None:
        """With another backlog (listen(2))."""
        self._listening.listen(7)

    def set_option(self) -> None:
        """Options that concern the queue, and one that does not."""
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 0)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def datagram(self) -> None:
        """One to the same port, where no UDP socket is bound."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", self._address)

    def refused_elsewhere(self) -> None:
        """A connection to a port of the same address on which nobody listens."""
        with socket.socket() as unused:
            unused.bind((wire.LOOPBACK, 0))
            with socket.socket() as knocking:
                assert knocking.connect_ex(unused.getsockname())

    def polled_by_another(self) -> None:
        """Somebody else looks at it with poll and epoll, registers it, and removes it again."""
        looking = select.poll()
        looking.register(self._listening, select.POLLIN)
        looking.poll(0)
        with select.epoll() as instance:
            instance.register(self._listening, select.EPOLLIN)
            instance.poll(0)
            instance.unregister(self._listening)

    def copy_closed(self) -> None:
        """A copy of the descriptor is made and closed."""
        os.close(os.dup(self._listening.fileno()))


def lone_syn(stage: Stage, strategy: str) -> None:
    """Two wait on a listener; a lone SYN arrives, and its answer is answered by a reset.

    The SYN is built by hand, in a network namespace of its own, where the kernel's count of resets proves that it was
    handled.
    """
    own_network()
    with asking_for("a raw socket"):
        raw: socket.socket = stage.keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP))
    scene = Scene(stage, strategy)
    with socket.socket(fileno=os.dup(scene.listener.fds[0])) as listening, socket.socket() as unused:
        unused.bind((wire.LOOPBACK, 0))  # reserves the port that the SYN comes from
        ports = unused.getsockname()[1], listening.getsockname()[1]
        waiters = [scene.waiter(react=False) for _ in range(2)]
        with counted("OutRsts", lambda: False):
            raw.sendto(_syn(*ports), (wire.LOOPBACK, 0))
        stage.fence(needed=True)
        stage.quiet(waiters)
        _note(stage, waiters)


def _syn(source: int, destination: int) -> bytes:
    """A TCP segment with only the flag SYN (RFC 9293, 3.1), from and to 127.0.0.1."""
    fields = source, destination, 1, 0, 5 << 12 | 2, 65535
    address = socket.inet_aton(wire.LOOPBACK)
    pseudo = address + address + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20)
    words = struct.unpack("!16H", pseudo + struct.pack("!HHIIHHHH", *fields, 0, 0))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!HHIIHHHH", *fields, ~total & 0xFFFF, 0)


def group_changes(stage: Stage, argument: dict[str, str]) -> None:
    """Two wait in poll on a member of a group; another member joins the group, or leaves it."""
    member = wire.listening(stage, group=True)
    other = None if argument["act"] == "joins" else _member(stage, member)

    def act(me: Me) -> str:
        asking = select.poll()
        asking.register(member, select.POLLIN)
        me.ready()
        asking.poll()
        return "returned"

    waiters = [stage.actor(act, f"w{i}").blocked_in("poll") for i in range(2)]
    if other is None:
        _member(stage, member)
    else:
        other.close()
    stage.fence(needed=True)
    stage.quiet(waiters)
    _note(stage, waiters)


def _note(stage: Stage, waiters: list[Actor]) -> None:
    blocked = [now(waiter) for waiter in waiters].count(BLOCKED)
    stage.note("woken", "waiters that it woke", sum(waiter.woken for waiter in waiters))
    stage.note("still-blocked", "waiters that are blocked still", blocked)


def _member(stage: Stage, of: socket.socket) -> socket.socket:
    return wire.listening(stage, port=of.getsockname()[1], group=True)
