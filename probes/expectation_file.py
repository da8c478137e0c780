"""Reads expectations/NAME.toml: what `--herd-expect` names.

kernel = "what it is, in words"

[[expected]]
claims = ["epoll-private.exclusive-*"]     # ids, or patterns as in a shell
cases = ["*/tcp4/*"]                       # optional: only these cases of them
verdict = "broken"                         # or "inconclusive", "not applicable"
reason = "EPOLLEXCLUSIVE is accepted and ignored."
sometimes = true                           # optional: a race; held is well, too

[[expected]]
controls = ["*"]                           # a control that lacks its observer here
verdict = "not applicable"
reason = "Context switches are not counted."
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from . import bounded, catalogue
from .controls import CONTROLS
from .expectations import EXPECTABLE, Expectation, Expectations, matches
from .nearest import did_you_mean
from .verdict import NOT_APPLICABLE

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MOST_BYTES = 1 << 20
_KEYS = ("claims", "cases", "controls", "verdict", "reason", "sometimes")


class BadExpectations(ValueError):
    """The file cannot be used; the message is one sentence with its path."""


def load(path: str) -> Expectations:
    """The expectations in this file, checked against the catalogue.  Raises BadExpectations, and NoChapters."""
    try:
        table = tomllib.loads(bounded.read(path, _MOST_BYTES))
        known = {claim["id"]: claim["cases"] for claim in catalogue.load()}
        return _expectations(path, table, known)
    except OSError as error:
        raise BadExpectations(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadExpectations(f"{path} is no TOML: it is not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadExpectations(f"{path} is no TOML: {error}") from error
    except RecursionError as error:
        raise BadExpectations(f"{path} nests deeper than TOML can be read here") from error
    except (_Wrong, bounded.BadFile) as error:
        raise BadExpectations(f"{path}: {error}") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise BadExpectations(f"{path} is no TOML that can be read here: {error}") from error


class _Wrong(ValueError):
    """What is wrong, without the path."""


def _expectations(path: str, table: Mapping[str, Any], known: Mapping[str, list[str]]) -> Expectations:
    if not table:
        raise _Wrong("it is empty: what this kernel does differently is an entry, [[expected]], each")
    _only(table, ("kernel", "expected"), "at the top")
    entries = table.get("expected", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _Wrong("expected is written as [[expected]], once for each entry")
    kernel = table.get("kernel", "")
    if not isinstance(kernel, str):
        raise _Wrong("kernel is a text that says what this kernel is")
    return Expectations(path, kernel, tuple(_entry(entry, number, known) for number, entry in enumerate(entries, 1)))


def _entry(table: Mapping[str, Any], number: int, known: Mapping[str, list[str]]) -> Expectation:
    where = f"entry {number}"
    _only(table, _KEYS, f"in {where}")
    verdict, reason, sometimes = table.get("verdict"), table.get("reason"), table.get("sometimes", False)
    if verdict not in EXPECTABLE:
        raise _Wrong(f"{where} expects {verdict!r}, which is none of {', '.join(EXPECTABLE)}")
    if not isinstance(reason, str) or not reason.strip():
        raise _Wrong(f"{where} gives no reason, and nothing is expected without one")
    if not isinstance(sometimes, bool):
        raise _Wrong(f"{where}: sometimes is true or false")
    claims, cases, controls = (_patterns(table, key, where) for key in ("claims", "cases", "controls"))
    if bool(claims) == bool(controls):
        raise _Wrong(f"{where} needs either claims or controls")
    if controls:
        if cases or sometimes:
            raise _Wrong(f"{where}: cases and sometimes are for claims, not for controls")
        if verdict != NOT_APPLICABLE:
            raise _Wrong(
                f"{where}: a control can only be expected to be not applicable; one that fails leaves nothing judged"
            )
        _each_names_one(controls, [control.name for control in CONTROLS], "control", where)
        return Expectation(verdict, reason, controls=controls)
    _each_names_one(claims, known, "claim", where)
    chosen = {claim for claim in known for pattern in claims if matches(claim, pattern)}
    _each_names_one(cases, {case for claim in chosen for case in known[claim]}, "case of its claims", where)
    return Expectation(verdict, reason, claims, cases or ("*",), sometimes=sometimes)


def _only(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise _Wrong(f"unknown key {key!r} {where}{did_you_mean(key, known) or _there_are(known)}")


def _patterns(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    patterns = table.get(key, [])
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise _Wrong(f'{where}: {key} is a list of texts, as in {key} = ["accept.*"]')
    return tuple(patterns)


def _each_names_one(patterns: Iterable[str], known: Iterable[str], noun: str, where: str) -> None:
    names = list(known)
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            raise _Wrong(f"{where}: {pattern!r} names no {noun}{did_you_mean(pattern, names)}")


def _there_are(known: Iterable[str]) -> str:
    return f"; there are {', '.join(known)}"
