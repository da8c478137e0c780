"""Another path of a Multipath TCP connection: it arrives at the listener's port, but is not a connection."""

from __future__ import annotations

import os
import socket
import struct

from ..lab.deadline import until
from ..lab.features import asking_for
from ..lab.network import counted, own_network
from ..lab.stage import Stage
from ..sources.unread import unread
from ..verdict import NotApplicable
from . import wire
from .waiting import BLOCKED, Scene, now

_GENERIC, _CONTROL, _ERROR = 16, 16, 2  # NETLINK_GENERIC, GENL_ID_CTRL, NLMSG_ERROR
_GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 3, 1, 2  # CTRL_CMD_..., CTRL_ATTR_..., include/uapi/linux/genetlink.h
_ADD_ADDRESS, _SET_LIMITS = 1, 5  # MPTCP_PM_CMD_..., include/uapi/linux/mptcp_pm.h
_ADDRESS, _RECEIVED, _SUBFLOWS = 1, 2, 3  # MPTCP_PM_ATTR_...
_FAMILY, _ID, _ADDRESS4, _FLAGS = 1, 2, 3, 6  # MPTCP_PM_ADDR_ATTR_...
_SUBFLOW = 2  # MPTCP_PM_ADDR_FLAG_SUBFLOW
_REQUEST, _ACKNOWLEDGE, _NESTED = 1, 4, 0x8000
_HEADERS = 20


class _PathManager:
    """The kernel's path manager of this network namespace, by generic netlink.  Raises NotApplicable."""

    def __init__(self) -> None:
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _GENERIC)
        answer = self._ask(_CONTROL, _GET_FAMILY, _attribute(_FAMILY_NAME, b"mptcp_pm\0"), _REQUEST)
        at, self._family = _HEADERS, 0
        while at < len(answer):
            length, kind = struct.unpack_from("=HH", answer, at)
            if kind == _FAMILY_ID:
                self._family = struct.unpack_from("=H", answer, at + 4)[0]
            at += (length + 3) & ~3

    def allow(self, subflows: int) -> None:
        """Allow this many further paths for each connection."""
        number = struct.pack("=I", subflows)
        self._ask(self._family, _SET_LIMITS, _attribute(_RECEIVED, number) + _attribute(_SUBFLOWS, number))

    def join_from(self, address: str) -> None:
        """Open another path from this address, for every existing connection."""
        inside = (
            _attribute(_FAMILY, struct.pack("=H", socket.AF_INET))
            + _attribute(_ADDRESS4, socket.inet_aton(address))
            + _attribute(_FLAGS, struct.pack("=I", _SUBFLOW))
            + _attribute(_ID, b"\5")
        )
        self._ask(self._family, _ADD_ADDRESS, _attribute(_ADDRESS | _NESTED, inside))

    def close(self) -> None:
        self._netlink.close()

    def _ask(self, family: int, command: int, attributes: bytes, flags: int = _REQUEST | _ACKNOWLEDGE) -> bytes:
        body = struct.pack("=BBH", command, 1, 0) + attributes
        self._netlink.send(struct.pack("=IHHII", 16 + len(body), family, flags, 1, 0) + body)
        answer = self._netlink.recv(1 << 16)
        if struct.unpack_from("=H", answer, 4)[0] == _ERROR and (refused := struct.unpack_from("=i", answer, 16)[0]):
            raise NotApplicable(f"the path manager of Multipath TCP: {os.strerror(-refused)}")
        return answer


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def joined(stage: Stage, strategy: str) -> None:
    """A connection is accepted; two wait for the next one; then the first gets another path, to the same port."""
    own_network()
    scene = Scene(stage, strategy, "mptcp4")
    with asking_for("generic netlink"):
        paths: _PathManager = stage.keep(_PathManager())
    paths.allow(2)
    theirs = scene.connect()
    with wire.of(scene.listener) as listening:
        wire.queued(listening, 1)
        ours: socket.socket = stage.keep(listening.accept()[0])
    # Another path may be opened once both ends have heard of each other.
    for one, other in ((theirs, ours), (ours, theirs)):
        one.send(b"x")
        until(lambda end=other: unread(end) > 0, lambda: "nothing came over the first path")  # type: ignore[misc]
    waiters = [scene.waiter(react=False) for _ in range(2)]
    with counted("MPJoinAckRx", lambda: False):
        paths.join_from("127.0.0.2")
    stage.fence(needed=True)
    stage.quiet(waiters)
    stage.note("woken", "waiters that it woke", sum(waiter.woken for waiter in waiters))
    stage.note("still-blocked", "waiters that are blocked still", [now(waiter) for waiter in waiters].count(BLOCKED))
