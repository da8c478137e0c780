"""Documents and their JSON Schemas."""

from __future__ import annotations

import json
from typing import Any

import fastjsonschema

from .printable import printable

Rules = dict[str, Any]
_LONGEST_COMPLAINT = 120


class Schema:
    """A schema as a function, which takes a twentieth of the time of a library that walks through it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._validate = fastjsonschema.compile(rules, use_default=False)

    def departure(self, document: Any) -> str | None:
        """Where and how `document` (dicts and lists, as JSON gives them) departs from it, safe to print; or None."""
        try:
            self._validate(document)
        except fastjsonschema.JsonSchemaValueException as error:
            place = shortened(printable(str(error.name).removeprefix("data").removeprefix(".")))
            return f"{place or 'the top level'}: {_complaint(error, self._rules)}"
        return None


def _complaint(error: fastjsonschema.JsonSchemaValueException, rules: Rules) -> str:
    """What is wrong, in a few words: the library's own message may list the keys of megabytes of evidence."""
    if error.rule == "type":
        wanted = error.rule_definition
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        return f"is {kind_of(error.value)}, not {' or '.join(names)}"
    if error.rule == "required":
        absent = sorted(set(error.rule_definition) - set(error.value))
        return f"lacks {', '.join(absent)}"
    if error.rule == "enum":
        return f"{shortened(as_json(error.value))} is none of {', '.join(map(repr, error.rule_definition))}"
    if error.rule == "propertyNames":
        known = _named(error.rule_definition, rules)["enum"]
        unknown = sorted(set(error.value) - set(known))
        return f"{shortened(repr(unknown[0]))} is none of {', '.join(map(repr, known))}"
    if error.rule == "anyOf":
        return f"{shortened(as_json(error.value))} is none of what is allowed there"
    return shortened(printable(error.message.removeprefix(str(error.name)).strip()))


def _named(rule: Rules, rules: Rules) -> Rules:
    """The rule, or the definition that it refers to."""
    definition: Rules = rules["definitions"][rule["$ref"].rpartition("/")[2]] if "$ref" in rule else rule
    return definition


def kind_of(value: object) -> str:
    """What JSON calls it: null, a boolean, a number, a string, an array or an object."""
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def as_json(value: object) -> str:
    """As the file has it: null, true, Infinity; a text in quotes, with nothing that steers a terminal."""
    return repr(value) if isinstance(value, str) else json.dumps(value)


def shortened(text: str) -> str:
    """So that a complaint is no longer than a line or two."""
    return text if len(text) <= _LONGEST_COMPLAINT else f"{text[:_LONGEST_COMPLAINT]}..."
