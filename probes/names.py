"""What a strategy is called for people: one name, on every page, in every table and command, with the id beside it."""

from __future__ import annotations

from .axes import EPOLL_CALLS

_CALLS = {
    "epoll_wait": "epoll",
    "rt_sigtimedwait": "SIGIO, rt_sigtimedwait",
    "io_uring_accept": "io_uring, accept",
    "io_uring_multishot": "io_uring, multishot accept",
    "io_uring_poll": "io_uring, poll",
    "io_uring_deferred": "io_uring, accept, DEFER_TASKRUN",
    "io_uring_exclusive": "io_uring, poll, EPOLLEXCLUSIVE",
    "io_uring_read": "io_uring, read",
}
"""Calls whose name alone says too little; any other call is its own name."""

_TRIGGERS = {
    "level": "level-triggered",
    "edge": "edge-triggered",
    "oneshot": "EPOLLONESHOT",
    "exclusive": "EPOLLEXCLUSIVE",
    "edge-exclusive": "edge-triggered, EPOLLEXCLUSIVE",
}


def strategy_in_words(call: str, trigger: str | None, sharing: str) -> str:
    """`epoll, an instance each, level-triggered`; `accept, SO_REUSEPORT`.  An unknown word stands for itself."""
    parts = [_CALLS.get(call, call)]
    if sharing == "nothing":
        parts.append("SO_REUSEPORT")
    elif sharing == "ring":
        parts.append("one ring for all")
    elif call in EPOLL_CALLS:
        parts.append("one instance for all" if sharing == "epoll" else "an instance each")
    if trigger is not None:
        parts.append(_TRIGGERS.get(trigger, trigger))
    return ", ".join(parts)
