"""`wakecheck summary`: runs as Markdown."""

from __future__ import annotations

import argparse

from ..exits import WELL, BadInput
from ..report import markdown
from . import runs


def arguments(parser: argparse.ArgumentParser) -> None:
    """The runs."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="run.json of a run")


def run(options: argparse.Namespace) -> int:
    """Print them; one file that cannot be read does not keep the others back.  Raises BadInput for such files."""
    readable, refused = [], []
    for name in options.files:
        try:
            readable.append(runs.read(name))
        except BadInput as error:
            refused.append(str(error))
    if readable:
        print(markdown.render(readable), end="")
    if refused:
        raise BadInput("; ".join(refused))
    return WELL
