"""Reads runs and writes what is made of them, for the commands; what goes wrong is one sentence."""

from __future__ import annotations

import os
from typing import Any

from ..exits import BadInput
from ..report.files import write_whole
from ..report.run import BadRun, load


def read(name: str) -> dict[str, Any]:
    """The run in this run.json.  Raises BadInput."""
    if not name:
        raise BadInput("'' is not the name of a run.json")
    try:
        return load(name)
    except BadRun as error:
        raise BadInput(str(error).rstrip(".")) from error


def write(text: str, path: str | os.PathLike[str]) -> None:
    """Raises BadInput; `-` is refused, which would be a file of that name."""
    if os.fspath(path) == "-":
        raise BadInput("- is not a file to write: for standard output name /dev/stdout")
    try:
        write_whole(text, path)
    except OSError as error:
        raise BadInput(f"{os.fspath(path)} cannot be written: {error.strerror}") from error
