"""The command line's `report`, `summary` and `compare`; command.py does the work, and is read only when asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Act = Callable[[argparse.Namespace], int]

KEYS = """\
keys of --json:
  before, after      label, release, revision (of the suite), partial
  warnings           sentences: different revisions, a partial run, a failed control
  worse, better, changed, numbers
                     lists of {what: claim|case|control|kernel, claim, case (a case's id, a control's name),
                     figure (woken, returned, order), before, after, reason, expected}; null where it says nothing
  same               how many claims have the same verdict in both

worse: a claim, case or control went from held or measured to not applicable, from there to inconclusive or
not judged, from there to broken, or skipped a step on that way; or the kernel complained, and did not before.
better: held now.  changed: anything else, from broken to inconclusive, say.
numbers: woken and returned under hold, the order of a series, and woken elsewhere where the ranges do not meet.

exit codes: 0 nothing got worse, 1 something did, 2 bad input
"""


class CannotReport(Exception):
    """One sentence: a file cannot be read, or not be written."""


def add(command: Callable[[str, Act, str], argparse.ArgumentParser]) -> None:
    """Register the three with `command`, which takes a name, what it does, and a line of help."""
    report = command("report", _report, "the page of a run, or of several runs: a matrix of claims against kernels")
    report.add_argument("files", nargs="+", metavar="FILE", help="run.json of a run")
    report.add_argument(
        "--html",
        metavar="FILE",
        help="write the page here (default: index.html beside the run.json; of several: matrix/index.html, "
        "with the page of each run beside it)",
    )
    report.add_argument("--ktap", metavar="FILE", help="write KTAP here (of one run only)")
    report.add_argument(
        "--kcidb", metavar="FILE", help="write KCIDB JSON here, for KernelCI: all runs as one submission"
    )
    report.add_argument(
        "--kcidb-origin",
        default="wakecheck",
        metavar="NAME",
        help="who submits, as KernelCI knows it (default: wakecheck)",
    )
    report.add_argument(
        "--kcidb-build", metavar="ID", help="the id of the build that was judged, where KernelCI has it already"
    )
    summary = command("summary", _summary, "runs as Markdown, to show beside a CI job; exits 0 whatever their verdicts")
    summary.add_argument("files", nargs="+", metavar="FILE", help="run.json of a run")
    compare = command("compare", _compare, "what differs between two runs, and whether it got worse")
    compare.add_argument("first", metavar="BEFORE.json", help="run.json of a run")
    compare.add_argument("second", metavar="AFTER.json", help="run.json of another, of the same suite")
    compare.add_argument("--json", action="store_true", help="print the comparison as JSON, for programs")
    compare.formatter_class, compare.epilog = argparse.RawDescriptionHelpFormatter, KEYS


def _report(options: argparse.Namespace) -> int:
    from . import command

    kcidb = command.Kcidb(options.kcidb, options.kcidb_origin, options.kcidb_build) if options.kcidb else None
    return command.report(options.files, options.html, options.ktap, kcidb)


def _summary(options: argparse.Namespace) -> int:
    from . import command

    return command.summary(options.files)


def _compare(options: argparse.Namespace) -> int:
    from . import command

    return command.compare_two(options.first, options.second, options.json)
