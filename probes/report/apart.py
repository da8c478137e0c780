"""Files that a command reads and writes must be different files, by whatever name: what is written last would be all
that is left."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable

from .files import is_written_through

Path = str | os.PathLike[str]


def why_not_apart(inputs: Iterable[Path], outputs: Iterable[Path]) -> str | None:
    """Why what is written would destroy an input or another output, as a sentence; None if it would not.

    Devices, pipes and terminals (/dev/stdout, say) hold nothing that could be destroyed.
    """
    written = [path for path in outputs if not is_written_through(path)]
    for output, read in itertools.product(written, inputs):
        if _same(output, read):
            return (
                f"{os.fspath(output)} would be written over {_itself(output, read)}, which is read: name another file"
            )
    for first, second in itertools.combinations(written, 2):
        if _same(first, second):
            return f"two things would be written to {os.fspath(second)}: name two files"
    return None


def _same(first: Path, second: Path) -> bool:
    """Whether both are one file, also through links, or would be one once it is written."""
    try:
        return os.path.samefile(first, second)
    except OSError:  # one of them is not there yet
        return os.path.realpath(first) == os.path.realpath(second)


def _itself(output: Path, read: Path) -> str:
    return "itself" if os.fspath(output) == os.fspath(read) else f"{os.fspath(read)} (the same file)"
