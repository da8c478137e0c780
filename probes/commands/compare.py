"""`wakecheck compare BEFORE.json AFTER.json`: what differs between two runs, and whether it got worse."""

from __future__ import annotations

import argparse
import json
import sys

from rich.console import Console

from ..exits import BROKEN, CANNOT_JUDGE, OTHER_CODES, WELL
from ..report import compare
from . import runs

_KEYS = f"""\
Keys of --json:
  before, after      label, release, revision (of the suite), partial
  warnings           sentences: different revisions, a partial run, a failed control
  worse, new, better, changed, numbers
                     lists of {{what: claim|case|control|kernel, claim, case (a case's id, a control's name),
                     figure (woken, returned, order), before, after, reason, expected}}; null where it says nothing
  same               how many claims have the same verdict in both

worse: a claim, case or control went down one step or more of: held or measured; not applicable; inconclusive
or not judged; broken.  Or the kernel complained, and did not before
(a complaint that is understood, and is not about wake-ups, is listed under changed).
new: a claim went down because of cases that only the second run tried, so nobody can tell whether it got worse.
better: held now.  changed: anything else, for example from broken to inconclusive.
numbers: woken and returned under hold, the order of a series, and woken elsewhere where the ranges do not meet;
never what a hash or a race decides (connections to a reuseport group, a burst, a shared instance that passes on).

Exit codes: 0 nothing got worse, 1 something did, 2 bad input, 3 nothing got worse, and something is new,
{OTHER_CODES}.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The two runs."""
    parser.add_argument("first", metavar="BEFORE.json", help="run.json of a run")
    parser.add_argument("second", metavar="AFTER.json", help="run.json of another run, of the same suite")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON, for programs")
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, _KEYS


def run(options: argparse.Namespace) -> int:
    """Print what differs; BROKEN if something got worse, CANNOT_JUDGE if that is not known.  Raises BadInput."""
    before, after = runs.read(options.first), runs.read(options.second)
    if options.json:
        print(json.dumps(compare.as_dict(before, after), indent=1))
        for warning in compare.warnings(before, after):
            print(f"wakecheck: {warning}", file=sys.stderr)
    else:
        compare.show(before, after, Console())
    kinds = {change.kind for change in compare.changes(before, after)}
    return BROKEN if compare.WORSE in kinds else CANNOT_JUDGE if compare.NEW in kinds else WELL
