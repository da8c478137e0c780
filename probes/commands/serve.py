"""`wakecheck serve NAME`: one of the textbook servers."""

from __future__ import annotations

import argparse

from ..exits import WELL, BadInput
from ..servers import serve


def arguments(parser: argparse.ArgumentParser) -> None:
    """The servers, as subcommands."""
    parser.description, parser.formatter_class = serve.GUIDE, argparse.RawDescriptionHelpFormatter
    serve.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal ends it.  Raises BadInput if it cannot listen, and NotApplicable."""
    try:
        serve.serve(options)
    except OSError as error:
        raise BadInput(f"{error.filename or f'{options.host} port {options.port}'}: {error.strerror}") from error
    return WELL
