"""The pages of runs in other kernels: the one place from which the report is asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..report import arguments, command
from ..report import page as one_page
from ..report.files import write_whole

CannotReport = arguments.CannotReport
"""One sentence: a page cannot be written."""
code_of = command.code_of
"""The exit code that a run deserves."""


def page(run: dict[str, Any], path: Path) -> None:
    """The page of one run.  Raises OSError."""
    write_whole(one_page.render(run), path)


def together(runs: Sequence[Path], folder: Path) -> None:
    """The page that compares these runs (of one, its own), in `folder`/matrix; the terminal tells what differs.

    Raises CannotReport.
    """
    command.report([str(run) for run in runs], str(folder / command.MATRIX), None)
