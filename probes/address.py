"""The id of a scenario, taken apart: which word stands on which axis.

CALL[.TRIGGER][.SHARING]/SOURCE/nN[t]/REACTION/STIMULUS[/FURTHER...]
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from .axes import (
    BLOCKED,
    CALLS,
    EPOLL_CALLS,
    REACTIONS,
    REGISTERED,
    SHAPE,
    SHARINGS,
    SOURCES,
    STIMULI,
    TRIGGERS,
    WAITERS,
)
from .exits import BadInput
from .nearest import nearest

_PLACES = ("call", "source", "number of waiters", "reaction", "stimulus")
"""What stands between the slashes of every id."""
_EXAMPLE = "poll/tcp4/n8/hold/one-connection"

KNOWN: dict[str, Collection[str]] = {
    "call": CALLS,
    "trigger": TRIGGERS,
    "sharing": SHARINGS,
    "source": SOURCES,
    "reaction": REACTIONS,
    "stimulus": STIMULI,
    "waiter": WAITERS,
    "registered": REGISTERED,
    "blocked": BLOCKED,
}
"""The words of each axis."""


class BadScenario(BadInput):
    """The id or the combination makes no sense; the message is one sentence for the user."""


def axes_at(address: str) -> dict[str, Any]:
    """The axes that an id names, as `Scenario(**axes)` takes them; whether the words are known is not asked.

    Raises BadScenario if it has not the shape of an id, with one sentence.
    """
    parts = address.strip().split("/")
    if len(parts) < len(_PLACES):
        missing = f" has no {_PLACES[len(parts)]}" if parts != [""] else ""
        raise BadScenario(f"{address!r}{missing or ' is not an id'}: an id is {SHAPE}, for example {_EXAMPLE}")
    call, trigger, sharing = _parse_strategy(parts[0])
    size = re.fullmatch(r"n([0-9]{1,12})(t?)", parts[2])
    if not size:
        raise BadScenario(f"{parts[2]!r} is not a number of waiters: write n8 for 8 processes, n8t for 8 threads")
    axes: dict[str, Any] = {
        "call": call,
        "trigger": trigger,
        "sharing": sharing,
        "source": parts[1],
        "n": int(size[1]),
        "waiter": "thread" if size[2] else "process",
        "reaction": parts[3],
        "stimulus": parts[4],
    }
    for further in parts[len(_PLACES) :]:
        _parse_further(further, axes)
    return axes


def nearest_axes(axes: dict[str, Any]) -> dict[str, Any] | None:
    """The same with each wrong word replaced by the nearest of its own axis; None if nothing is near, or wrong."""
    mended = dict(axes)
    for axis, known in KNOWN.items():
        word = axes.get(axis)
        if word is not None and word not in known:
            near = nearest(word, known)
            if not near:
                return None
            mended[axis] = near[0]
    if mended["call"] in EPOLL_CALLS and mended["trigger"] is None:
        mended["trigger"] = next(iter(TRIGGERS))
    return None if mended == axes else mended


def _parse_strategy(name: str) -> tuple[str, str | None, str]:
    call, *rest = name.split(".")
    if len(rest) > 2 or (len(rest) == 2 and rest[0] in SHARINGS):
        raise BadScenario(f"{name!r} is not CALL[.TRIGGER][.SHARING], for example epoll_wait.level.listener")
    if len(rest) == 2:
        return call, rest[0], rest[1]
    if rest and (rest[0] in TRIGGERS or (call in EPOLL_CALLS and rest[0] not in SHARINGS)):
        return call, rest[0], "listener"
    return call, None, rest[0] if rest else "listener"


def _parse_further(word: str, axes: dict[str, Any]) -> None:
    axis, _, value = word.partition("-")
    if re.fullmatch(r"k[0-9]{1,12}", word):
        axis, value = "k", word[1:]
    elif axis not in ("registered", "blocked") or not value:
        further = [f"{axis}-{value}" for axis in ("registered", "blocked") for value in KNOWN[axis]]
        raise BadScenario(f"{word!r} is not a further axis: there are kK (as in k24), {', '.join(further)}")
    if axis in axes:
        raise BadScenario(f"{word!r}: {axis} is given twice")
    axes[axis] = int(value) if axis == "k" else value
