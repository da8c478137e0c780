"""Workers with a listener each, all on one address (SO_REUSEPORT): the kernel shares out the connections.

One connection reaches one listener's queue, and wakes the worker of that one (claim reuseport.wakes-one).
"""

from __future__ import annotations

from . import prefork
from .listening import listen, say
from .loop import Loop


def serve(host: str, port: int, workers: int, backlog: int) -> None:
    """Serve until SIGTERM or SIGINT.  Raises OSError if it cannot listen."""
    # The parent opens them all and keeps them open.  A listener that died with its worker would take its
    # queue along (claim reuseport-group.close-aborts-its-queue); so the next worker goes on with it.
    listeners = [listen(host, port, backlog=backlog, group=True)]
    address = listeners[0].getsockname()
    listeners += [listen(host, address[1], backlog=backlog, group=True) for _ in range(workers - 1)]
    say(f"listening on {address[0]} port {address[1]}")

    def work(i: int) -> None:
        mine = listeners.pop(i)
        for other in listeners:
            other.close()  # nothing to do with it, and the parent has it
        Loop(mine, "level").run()

    prefork.run(work, workers)
