"""Whether an answer keeps to audit.schema.json, and holds no key that it does not describe."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import fastjsonschema

from probes.audit.answer import SCHEMA_FILE

Rules = dict[str, Any]


def rules() -> Rules:
    """The schema."""
    read: Rules = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return read


def violation(answer: dict[str, Any]) -> str | None:
    """Where the answer departs from the schema, or None.  A key that the schema does not know is one, too."""
    try:
        _validator()(answer)
    except fastjsonschema.JsonSchemaValueException as error:
        return str(error.message)
    return None


@cache
def _validator() -> Callable[[Any], Any]:
    strict = rules()
    strict["definitions"] = {name: _closed(rule) for name, rule in strict["definitions"].items()}
    validator: Callable[[Any], Any] = fastjsonschema.compile(strict, use_default=False)
    return validator


def _closed(rule: Rules) -> Rules:
    """The same for an object that holds no other keys.  A reader must bear them; who writes must describe them."""
    return {**rule, "additionalProperties": False}
