"""What else the workers of a datagram server share: whether a datagram for another socket may wake several of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from ..find import AuditedServer
from ..sockets import udp_inodes
from ..waits import Wait
from ..winners import sockets_by_process


def share_another(server: AuditedServer, waiting: Collection[Wait]) -> bool:
    """Whether two of these workers or more hold a UDP socket other than the audited one; threads of a process hold all
    that it holds.  True, too, where the kernel does not list them."""
    held = sockets_by_process({wait.pid for wait in waiting})
    holds = Counter(inode for wait in waiting for inode in held[wait.pid])
    try:
        others = udp_inodes(server.anyone) - set(server.listener.inodes)
    except OSError:
        return True
    return any(holds[inode] > 1 for inode in others)
