"""The journal of a run: one line of JSON for each thing that became known, written as it does.

A run whose kernel panics writes no run.json.  From its journal somebody who survives makes one: `rebuild`.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import resolved

BEGIN, GREETING, CASES, CASE = "begin", "greeting", "cases", "case"
"""The kinds of lines: what is known before the first case; what the conductor can do; how many cases are to be
judged; and a case with its claim and its controls."""


class Journal:
    """Appends lines to a file.  One that cannot be written is given up: a journal must not end a run."""

    def __init__(self, path: Path) -> None:
        self._fd: int | None = None
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            target = resolved(path)
            if target.is_file():
                target.unlink()  # an old one, or one that somebody put there to see it overwritten
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(target, flags if target.exists() else flags | os.O_EXCL, 0o644)

    def add(self, kind: str, text: str) -> None:
        """One line: its kind, and what is to be known, as JSON in one line."""
        if self._fd is None:
            return
        line = f'["{kind}",{text}]\n'.encode()
        try:
            while line:
                line = line[os.write(self._fd, line) :]
        except OSError:
            self.close()

    def close(self) -> None:
        """No more lines."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd = None


def read(path: Path) -> list[tuple[str, Any]]:
    """Every whole line: its kind, and what it says.  A last one that was cut off is left out; no file, no lines."""
    try:
        content = path.read_bytes()
    except OSError:
        return []
    return lines(content)


def lines(content: bytes) -> list[tuple[str, Any]]:
    """The whole lines of a journal, or of a part of one that begins with a whole line."""
    whole: list[tuple[str, Any]] = []
    for line in content.split(b"\n"):
        with contextlib.suppress(ValueError, TypeError):
            kind, what = json.loads(line)
            whole.append((kind, what))
    return whole


def begun(journal: list[tuple[str, Any]]) -> Mapping[str, Any] | None:
    """What was known before the first case, or None if the run did not come so far."""
    return next((what for kind, what in journal if kind == BEGIN), None)
