"""Text that came from outside (names, paths, command lines), made safe to print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def printable(text: str) -> str:
    """The text with an escape for whatever would steer a terminal or break the line, and for bytes that are no UTF-8.

    Among these: ESC and other control characters (C0, C1), line breaks, marks that turn the direction of writing.
    """
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode has it (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return repr(letter)[1:-1]


def printable_all(value: Any) -> Any:
    """The same for every text in what json.dumps takes; keys, too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable_all(key): printable_all(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [printable_all(one) for one in value]
    return value
