"""`wakecheck bench`: what a trial costs."""

from __future__ import annotations

import argparse

from ..exits import WELL, BadInput

_MOST_ROUNDS = 10_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """How many rounds of what."""
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="rounds of each kind (default 30)")
    parser.add_argument("--quick", action="store_true", help="leave out the trials of 100 and 1,000 waiters")


def run(options: argparse.Namespace) -> int:
    """Measure and print.  Raises BadInput, and Inconclusive where a trial could not be judged."""
    from ..bench import bench

    if not 1 <= options.rounds <= _MOST_ROUNDS:
        raise BadInput(f"{options.rounds} rounds: there can be 1 to {_MOST_ROUNDS:,}")
    bench(options.rounds, many=not options.quick)
    return WELL
