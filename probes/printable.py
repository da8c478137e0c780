"""Text that came from outside (names, paths, labels, reasons, what a kernel logged), made safe to print."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

_ORDER = re.compile(r"(?P<start>^\s*):(?=:[a-zA-Z])|##(?=\[|vso\[)")
"""How an order to a CI service begins: `::error::...` at the start of a line (GitHub), `##[error]` and `##vso[...]`
anywhere in it (GitHub's older form, Azure)."""


def printable(text: str) -> str:
    """The text with an escape for whatever would steer a terminal, break the line, or give a CI service an order.

    Among these: ESC and other control characters (C0, C1), line breaks, marks that turn the direction of writing, and
    lone surrogates, which stand for bytes that are no UTF-8 (PEP 383).
    """
    shown = text if text.isprintable() else "".join(map(_escaped, text))
    return _ORDER.sub(_disarmed, shown)


def one_line(text: str) -> str:
    """The same for prose: a run of white space, line breaks among it, becomes one space."""
    return printable(" ".join(text.split()))


def lines(text: str) -> str:
    """The same for several lines, which stay lines."""
    return "\n".join(map(printable, text.split("\n")))


def printable_all(value: Any, make: Callable[[str], str] = printable) -> Any:
    """The same for every text in what json.dumps takes, keys among them; `make` is one of the three above."""
    if isinstance(value, str):
        return make(value)
    if isinstance(value, Mapping):
        return {printable_all(key, make): printable_all(item, make) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable_all(item, make) for item in value]
    return value


def _escaped(letter: str) -> str:
    # To isprintable every space but the plain one is unprintable.
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return repr(letter)[1:-1]


def _disarmed(match: re.Match[str]) -> str:
    return "#\\x23" if match["start"] is None else f"{match['start']}\\x3a"
