"""A netlink socket that another one of ours sends to (netlink(7), NETLINK_USERSOCK)."""

from __future__ import annotations

import socket

from ..scenario import Scenario
from . import Source

_USERSOCK = 2
_HEADER = (16).to_bytes(4, "little") + bytes(12)
"""An empty message: a struct nlmsghdr that holds its own length."""


class Netlink(Source):
    """One socket for all, or one of its own for each; the conductor's sends to it."""

    delivery = "send returned: netlink_unicast wakes the readers itself"

    def __init__(self, scenario: Scenario, folder: str | None) -> None:
        own = scenario.sharing == "nothing"
        self._sockets: list[socket.socket] = []
        try:
            for _ in range((scenario.n if own else 1) + 1):
                self._sockets.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _USERSOCK))
                self._sockets[-1].bind((0, 0))
        except OSError:
            self.close()
            raise
        *receivers, self._sender = self._sockets
        self._receivers = receivers if own else receivers * scenario.n
        for receiver in receivers:
            receiver.setblocking(scenario.takes)
        self.fds = [receiver.fileno() for receiver in self._receivers]

    def write(self, i: int) -> None:
        """One message, without a payload."""
        self._sender.sendto(_HEADER, self._receivers[i].getsockname())

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
