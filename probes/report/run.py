"""run.json: reading it with care, and writing it whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .. import bounded
from ..cost import answer
from ..printable import printable
from ..schema import Schema, as_json, kind_of, shortened
from ..verdict import VERDICTS
from . import packed, upgrade
from .files import write_whole

SCHEMA = 3
"""The version of run.json that this suite writes.  It reads the older ones, too."""

SCHEMA_FILE = Path(__file__).with_name("run.schema.json")
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Some editors begin UTF-8 with it; a reader of JSON may ignore it (RFC 8259, section 8.1)."""


class BadRun(ValueError):
    """The file is not a run that this suite can read; the message is one sentence with the path."""


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The run in this file, checked against the schema.  Raises BadRun."""
    content = _content(path)
    try:
        run: dict[str, Any] = json.loads(content)
    except json.JSONDecodeError as error:
        if _ends_early(error):
            raise BadRun(f"{path} is half-written: its JSON breaks off in line {error.lineno}.") from error
        raise BadRun(f"{path} is no JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise BadRun(f"{path} is no JSON that can be read here: it is nested too deeply.") from error
    except MemoryError as error:
        raise BadRun(
            f"{path} cannot be read: there is too little memory for its {len(content):,} characters."
        ) from error
    except ValueError as error:  # sys.set_int_max_str_digits
        raise BadRun(f"{path} is no JSON that can be read here: it holds a number of too many digits.") from error
    if not isinstance(run, dict):
        raise BadRun(f"{path} is not a run: it holds {kind_of(run)}, not an object.")
    number = run.get("schema", SCHEMA)
    if isinstance(number, bool) or number not in range(1, SCHEMA + 1):
        newer = isinstance(number, int) and number > SCHEMA
        why = "it was written by a newer wakecheck" if newer else "there is no such schema"
        raise BadRun(
            f"{path} has schema {shortened(as_json(number))}: {why}, and this one reads schemas 1 to {SCHEMA}."
        )
    if number == SCHEMA:
        packed.unpack(run)
    else:
        upgrade.upgrade(run)
    problem = violation(run)
    if problem:
        raise BadRun(f"{path} is not a run of schema {number}: {problem}.")
    return run


def violation(run: Mapping[str, Any]) -> str | None:
    """Where and how `run` (unpacked; dicts and lists, as JSON gives them) departs from the schema, or None."""
    if problem := _schema().departure(run):
        return problem
    twice = next((claim for claim, times in Counter(claim["id"] for claim in run["claims"]).items() if times > 1), None)
    if twice is not None:
        return f"claims: {shortened(printable(twice))} is there more than once"
    problem = answer.violation(run["cost"]) if run.get("cost") is not None else None
    return f"cost: {problem}" if problem else None


def write(run: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write `run` to `path`, whole or not at all, and make the folders above it.

    Raises OSError if the file cannot be written, and TypeError or ValueError for what JSON
    cannot carry; then `path` is as it was.
    """
    write_whole(as_text(run), path)


def as_text(run: Mapping[str, Any]) -> str:
    """What is in the file, packed (packed.py).  Raises TypeError or ValueError for what JSON cannot carry."""
    # ASCII only: a label or a path may hold bytes that are no UTF-8 (surrogateescape).
    return json.dumps(packed.pack(run), allow_nan=False, separators=(",", ":")) + "\n"


def started_whole(path: Path) -> str | None:
    """When the whole run in this file was started; None if there is none, or one that is partial."""
    with contextlib.suppress(OSError, ValueError, RecursionError, MemoryError):
        run = json.loads(bounded.read(path))
        if isinstance(run, dict) and run.get("partial") is False and isinstance(run.get("started"), str):
            return str(run["started"])
    return None


def summary(claims: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many claims ended in each verdict: all verdicts, the one that needs attention most first."""
    counts = Counter(claim["verdict"] for claim in claims)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def cut(run: Mapping[str, Any]) -> str:
    """Which cases of the claims it was asked for, in words: the preset, and how many of its cases."""
    options = run["suite"]["options"]
    preset, one_in = options.get("herd_preset") or "unknown", options.get("herd_one_in", 1)
    return str(preset) if one_in == 1 else f"{preset}, one case in {one_in}"


def _content(path: str | os.PathLike[str]) -> str:
    try:
        content = bounded.read(path, pipes=True).removeprefix(_BYTE_ORDER_MARK)
    except bounded.BadFile as error:
        raise BadRun(f"{path} is not a run.json: {error}.") from error
    except FileNotFoundError as error:
        raise BadRun(f"{path} does not exist.") from error
    except IsADirectoryError as error:
        raise BadRun(f"{path} is a directory, not a run.json.") from error
    except OSError as error:
        raise BadRun(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadRun(f"{path} is no JSON: it is not UTF-8 at byte {error.start}.") from error
    if not content.strip():
        raise BadRun(f"{path} is empty.")
    return content


def _ends_early(error: json.JSONDecodeError) -> bool:
    """Whether the text would have gone on: it is an object that was never closed."""
    return error.doc.lstrip().startswith("{") and not error.doc.rstrip().endswith("}")


@cache
def _schema() -> Schema:
    return Schema(unpacked_rules())


def unpacked_rules() -> dict[str, Any]:
    """The schema of a run as it is in memory: whole trials, and no tables of what they have in common."""
    rules: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    rules["required"] = [key for key in rules["required"] if key not in packed.TABLES]
    rules["definitions"]["packed-trial"] = rules["definitions"]["trial"]
    return rules
