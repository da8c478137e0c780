"""Facts: what an experiment noted, each with an id for programs, a sentence for people, and a value as JSON has it.

A claim, and the report, look a fact up by its id alone: the sentence may be reworded at any time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
"""What an id looks like.  It is unique within its experiment."""

# Values that an experiment notes, a claim allows, and the report reads.
OK = "ok"
"""The outcome of a call that succeeded, and returned nothing of interest."""
HAS_IT, STILL_WAITS = "has it", "still waits"
"""What became of one that waits for a lock."""
CLOSED = "closed"
"""The state of a TCP connection that is no more."""

_MOST_ITEMS = 16


def fact(id: str, what: str, seen: Any, **expected: Any) -> dict[str, Any]:
    """One fact as run.json keeps it; `expected=VALUE` where a claim allows only that."""
    return {"id": id, "what": what, **expected, "seen": seen}


def is_met(fact: Mapping[str, Any]) -> bool:
    """Whether the fact is what its claim allows; one of which the claim asks nothing always is."""
    return "expected" not in fact or same(fact["expected"], fact["seen"])


def same(fact: Any, other: Any) -> bool:
    """Whether two values are the same in JSON, where true is not 1, and a tuple is a list."""
    return json.dumps(fact, sort_keys=True) == json.dumps(other, sort_keys=True)


def in_words(value: Any) -> str:
    """A value for people: `yes`, `8`, `w0, w2`, `none` for an empty list; of a long list the first sixteen items."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing"
    if not isinstance(value, (list, tuple)):
        return str(value)
    between = "; " if any(isinstance(item, (list, tuple)) for item in value) else ", "
    shown = between.join(in_words(item) for item in value[:_MOST_ITEMS])
    more = f"{between}and {len(value) - _MOST_ITEMS} more" if len(value) > _MOST_ITEMS else ""
    return f"{shown}{more}" or "none"


def complaint(fact: Mapping[str, Any]) -> str:
    """One sentence on a fact that its claim does not allow."""
    return f"{fact['what']}: {in_words(fact['seen'])}; the claim allows {in_words(fact['expected'])}"
