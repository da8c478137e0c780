"""Whether a datagram for another UDP socket may wake several workers of a datagram server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from ..find import AuditedServer
from ..sockets import udp_inodes
from ..waits import Wait
from ..winners import sockets_by_process


def share_another(server: AuditedServer, waiting: Collection[Wait]) -> bool:
    """Whether at least two of these workers hold a UDP socket other than the audited one; the threads of a process all
    hold its sockets.  Also true if the kernel does not list them."""
    held = sockets_by_process({wait.pid for wait in waiting})
    holds = Counter(inode for wait in waiting for inode in held[wait.pid])
    try:
        others = udp_inodes(server.anyone) - set(server.listener.inodes)
    except OSError:
        return True
    return any(holds[inode] > 1 for inode in others)
