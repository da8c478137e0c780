"""`wakecheck show CLAIM`: all that is known of one claim."""

from __future__ import annotations

import argparse

from .. import catalogue
from ..exits import WELL


def arguments(parser: argparse.ArgumentParser) -> None:
    """The claim."""
    parser.add_argument("claim", metavar="CLAIM", help="a claim's id, as `wakecheck list` prints it")


def run(options: argparse.Namespace) -> int:
    """Print it.  Raises NoSuchClaim and NoChapters."""
    claim = catalogue.find(options.claim)
    print(f"{claim['id']}  ({claim['level']}{', ' + claim['truth'] if claim['truth'] else ''})")
    print(f"\n  {claim['sentence']}\n")
    if claim["drawing"]:
        print(claim["drawing"] + "\n")
    for basis in claim["basis"]:
        print(f"  basis  {basis}")
    if claim["rows"]:
        print(f"  rows   {' '.join(claim['rows'])}")
    print(f"  test   {claim['test']}")
    print(f"  judge  wakecheck judge --herd-claim={claim['id']}")
    print(f"\n  {len(claim['cases'])} {'case' if len(claim['cases']) == 1 else 'cases'} by default:")
    for case in claim["cases"]:
        print(f"    {case}")
    return WELL
