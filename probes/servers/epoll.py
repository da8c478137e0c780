"""Workers with an epoll instance each, on one listener that they inherit.

Level- and edge-triggered, one connection wakes all of them (claim epoll-private.wakes-all-for-one-winner);
exclusive, one (claim epoll-private.exclusive-wakes-one), which is the same one as long as it is idle
(claim epoll-private.exclusive-favours-first).
"""

from __future__ import annotations

from . import prefork
from .listening import listen, say
from .loop import Loop


def serve(host: str, port: int, workers: int, backlog: int, trigger: str) -> None:
    """Serve until SIGTERM or SIGINT.  Raises OSError if it cannot listen."""
    listener = listen(host, port, backlog=backlog)
    address = listener.getsockname()
    say(f"listening on {address[0]} port {address[1]}")
    prefork.run(lambda _: Loop(listener, trigger).run(), workers)
