"""Whether an answer keeps to audit.schema.json, and holds no key that it does not describe."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from probes.audit.answer import SCHEMA_FILE
from probes.schema import Rules, Schema


def rules() -> Rules:
    """The schema."""
    read: Rules = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return read


def violation(answer: dict[str, Any]) -> str | None:
    """Where the answer departs from the schema, or None.  A key that the schema does not know is one, too."""
    return _schema().departure(answer)


@cache
def _schema() -> Schema:
    strict = rules()
    strict["definitions"] = {name: _closed(rule) for name, rule in strict["definitions"].items()}
    return Schema(strict)


def _closed(rule: Rules) -> Rules:
    """The same for an object that holds no other keys.  A reader must bear them; who writes must describe them."""
    return {**rule, "additionalProperties": False}
