"""Time limits: how a wait ends for which nothing came."""

from __future__ import annotations

import pytest

from probes.claims import DOCUMENTED, claim, linux, man
from probes.fixtures import Play

_MILLISECOND = 1_000_000
_FINE = ("pselect6", "ppoll", "epoll_pwait2")
"""Calls whose limit is a timespec: they take a nanosecond."""
_CALLS = ("select", "poll", "epoll_wait", "epoll_pwait")
_SHORTEST = [*((call, 1) for call in _FINE), *((call, _MILLISECOND) for call in _CALLS)]
_LONGER = [(call, limit) for call in (*_CALLS, *_FINE) for limit in (_MILLISECOND, 20 * _MILLISECOND)]
_MAN = [
    man("select", 2, "timeout: the interval that select should block waiting"),
    man("poll", 2, "timeout: rounded up to the system clock granularity; RETURN VALUE: 0 if the call timed out"),
    man("epoll_wait", 2, "timeout: rounded up to the system clock granularity; RETURN VALUE: 0 if nothing was ready"),
]


@claim(
    "limits.never-early",
    "A wait with a time limit never ends before the time is over, when nothing comes.",
    level=DOCUMENTED,
    basis=_MAN,
)
@pytest.mark.parametrize(("call", "limit_ns"), _LONGER)
def test_never_early(play: Play, call: str, limit_ns: int) -> None:
    """
    w0 (select, poll, epoll_wait: 1 ms, 20 ms) ---> pipe
    """
    play("limits.expires", {"call": call, "ns": limit_ns}).expect("not-early", True)


@claim(
    "limits.ends-with-zero",
    "A wait whose time limit is over returns 0, and does not spin.",
    level=DOCUMENTED,
    basis=[
        *_MAN,
        linux("6.15", "d9ec73301099", "fs/eventpoll: fix endless busy loop after timeout has expired"),
    ],
)
@pytest.mark.parametrize(("call", "limit_ns"), _SHORTEST)
def test_ends_with_zero(play: Play, call: str, limit_ns: int) -> None:
    """
    w0 (select, poll, epoll_wait: 1 ns where there are any, 1 ms) ---> pipe
    """
    seen = play("limits.expires", {"call": call, "ns": limit_ns})
    seen.expect("spins", False)
    seen.expect("result", 0)
