"""Documents and their JSON Schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fastjsonschema

Validator = Callable[[Any], Any]
"""Raises fastjsonschema.JsonSchemaValueException for a document that departs from its schema."""


def validator(rules: dict[str, Any]) -> Validator:
    """A schema as a function, which takes a twentieth of the time of a library that walks through it."""
    compiled: Validator = fastjsonschema.compile(rules, use_default=False)
    return compiled


def departure(validate: Validator, document: Any) -> str | None:
    """Where and how `document` departs from the schema, in the validator's words; None if it does not."""
    try:
        validate(document)
    except fastjsonschema.JsonSchemaValueException as error:
        return str(error.message)
    return None
