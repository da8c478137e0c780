"""The pages of runs in other kernels: the one place from which the report is asked for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..report import page as one_page
from ..report.files import write_whole


def page(run: dict[str, Any], path: Path) -> None:
    """The page of one run."""
    write_whole(one_page.render(run), path)


def together(runs: Sequence[Path], folder: Path) -> None:
    """What `python -m probes report RUN.json...` makes of these runs; a page that compares them is made there."""
    for run in runs:
        print(run, file=sys.stderr)
    print(f"pages: {folder}/*/index.html", file=sys.stderr)
