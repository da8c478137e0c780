"""Makes a run of an older schema one of the newest, when it is read.

Schema 1 had facts without an id, whose values were the text of a Python object, and in every scenario a lock, which was
null.  Until schema 3 a scenario could have a listener, which is a source now, and trials were whole (packed.py).
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator
from typing import Any

from ..facts import OK

_IDS = {
    "left waiting": "left",
    "taken by the survivor": "survivor-took",
    "told once the first is dead": "survivor-returned",
    "the connection": "connection",
    "what the client reads": "client-reads",
    "wait in accept": "in-accept",
    "wait for the lock": "at-lock",
    "lock waiters woken by each unlock": "woken-by-unlock",
    "took the connections": "takers",
    "the last user had it again": "last-user-again",
    "the first that waited": "first-in-line",
    "epoll_ctl(ADD, EPOLLEXCLUSIVE|EPOLLONESHOT)": "add",
}
"""The sentences of the facts that the report reads (noted.py); any other fact gets an id made of its sentence."""


def upgrade(run: dict[str, Any]) -> None:
    """Make a run of schema 1 or 2 one of the newest.  Of what is not a run as much as can be understood is changed."""
    first = run.get("schema") == 1
    for case in _cases(run):
        if isinstance(case.get("scenario"), dict):
            case["scenario"].pop("lock", None)
            if "listener" in case["scenario"]:
                case["scenario"]["source"] = case["scenario"].pop("listener")
        for fact in _dicts(case.get("facts")) if first else ():
            _name(fact)
    run["schema"] = 3


def _name(fact: dict[str, Any]) -> None:
    if isinstance(fact.get("what"), str):
        fact["id"] = _IDS.get(fact["what"]) or _slug(fact["what"])
    for key in ("expected", "seen"):
        if isinstance(fact.get(key), str):
            fact[key] = _value(fact[key])


def _cases(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for claim in _dicts(run.get("claims")):
        yield from _dicts(claim.get("cases"))


def _dicts(items: object) -> Iterator[dict[str, Any]]:
    yield from (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()


def _slug(sentence: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", sentence.lower())) or "fact"


def _value(text: str) -> Any:
    """What Python wrote as this text: a number, True, a list; `w0 w2` for waiters; else it is words."""
    if re.fullmatch(r"w\d+( w\d+)+", text):
        return [int(name[1:]) for name in text.split()]
    if text == "None":
        return OK
    if re.fullmatch(r"True|False|-?\d{1,15}|\[[^\[\]]*\]", text):
        with contextlib.suppress(ValueError, SyntaxError):
            return ast.literal_eval(text)
    return text
