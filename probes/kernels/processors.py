"""Which CPU of this machine a guest is kept on."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator

_lock = threading.Lock()
_users: Counter[int] = Counter()


@contextlib.contextmanager
def lent() -> Iterator[int]:
    """The number of a CPU that this process may use, of those that it has lent to the fewest other guests.

    Another runner may lend the same one at the same time: then both take longer, and nothing else.
    """
    with _lock:
        chosen = min(sorted(os.sched_getaffinity(0)), key=_users.__getitem__)
        _users[chosen] += 1
    try:
        yield chosen
    finally:
        with _lock:
            _users[chosen] -= 1
