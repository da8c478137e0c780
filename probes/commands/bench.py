"""`wakecheck bench`: what a trial costs."""

from __future__ import annotations

import argparse

from ..exits import WELL, BadInput
from ..scenario import MOST_WAITERS

_MOST_ROUNDS = 10_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """How many rounds of what."""
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="rounds of each kind (default 30)")
    parser.add_argument("--quick", action="store_true", help="leave out the trials of 100 and 1,000 waiters")
    parser.add_argument(
        "--many", type=int, metavar="N", help=f"trials of 100 and N waiters, up to {MOST_WAITERS:,} (default 1,000)"
    )
    parser.add_argument(
        "--beside",
        action="append",
        default=[],
        metavar="CMD",
        help="also time this command, in turns; may be given again",
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print.  Raises BadInput, and Inconclusive if a trial could not be judged."""
    from ..bench import MANY, bench

    if not 1 <= options.rounds <= _MOST_ROUNDS:
        raise BadInput(f"{options.rounds} rounds: there can be 1 to {_MOST_ROUNDS:,}")
    many = MANY if options.many is None else (MANY[0], options.many)
    if not MANY[0] < many[-1] <= MOST_WAITERS:
        raise BadInput(f"--many {many[-1]}: there can be more than {MANY[0]}, and {MOST_WAITERS:,} at most")
    bench(options.rounds, beside=options.beside, many=() if options.quick else many)
    return WELL
