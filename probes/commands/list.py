"""`wakecheck list`: the claims, one a line."""

from __future__ import annotations

import argparse

from .. import catalogue
from ..exits import WELL, BadInput
from ..nearest import did_you_mean


def arguments(parser: argparse.ArgumentParser) -> None:
    """--chapter."""
    parser.add_argument("--chapter", help="only the claims of this chapter, for example accept")


def run(options: argparse.Namespace) -> int:
    """Print them.  Raises BadInput if there is no such chapter, and NoChapters."""
    claims = catalogue.load()
    chapters = list(dict.fromkeys(claim["chapter"] for claim in claims))
    if options.chapter is not None and options.chapter not in chapters:
        hint = did_you_mean(options.chapter, chapters) or f": there are {', '.join(chapters)}"
        raise BadInput(f"no chapter {options.chapter!r}{hint}")
    for claim in claims:
        if options.chapter in (None, claim["chapter"]):
            print(f"{claim['id']:42} {claim['level']:10} {claim['sentence']}")
    return WELL
