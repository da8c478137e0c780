"""What else the workers of a datagram server share: whether a datagram for another socket may wake several of them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable

from ..find import AuditedServer, sockets_of
from ..sockets import udp_inodes
from ..waits import Wait


def share_another(server: AuditedServer, waiting: Iterable[Wait]) -> bool:
    """Whether two of these workers or more hold a UDP socket other than the audited one; threads of a process hold all
    that it holds.  True, too, where the kernel does not list them."""
    holds: Counter[int] = Counter()
    for wait in waiting:
        with contextlib.suppress(OSError):  # it has ended
            holds.update(set(sockets_of(wait.pid).values()))
    try:
        others = udp_inodes(server.anyone) - set(server.listener.inodes)
    except OSError:
        return True
    return any(holds[inode] > 1 for inode in others)
