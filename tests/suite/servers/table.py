"""Audits every server five times, and prints the table of docs/servers.md.

    python -m tests.suite.servers.table                    all of them, some ten minutes
    python -m tests.suite.servers.table nginx uwsgi        these
    python -m tests.suite.servers.table --write docs/servers.md  puts it between its marks there

Exit codes: 0 all were measured and their repeats agree, 2 bad input, 3 one could not be measured.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from .audits import REPEATS, Audited, five
from .launch import DidNotStart, Running
from .servers import SERVERS, Server

WELL, BAD_INPUT, CANNOT_MEASURE = 0, 2, 3

HEADER = (
    "| server | how it waits | workers | woken | winners |",
    "|---|---|---:|---:|---|",
)
BEGIN, END = "<!-- servers: measured by tests/suite/servers/table.py -->", "<!-- end of servers -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code."""
    options = _parser().parse_args(arguments)
    known = {server.name: server for server in SERVERS}
    if unknown := [name for name in options.names if name not in known]:
        print(f"no server is called {unknown[0]}: choose from {' '.join(known)}", file=sys.stderr)
        return BAD_INPUT
    if options.write is not None and (problem := _why_not_writable(options.write)):
        print(problem, file=sys.stderr)
        return BAD_INPUT
    rows, problems = [], []
    for server in [known[name] for name in options.names] or SERVERS:
        print(f"{server.name} ...", file=sys.stderr)
        try:
            rows.append(_measured(server))
        except (Disagree, DidNotStart, FileNotFoundError, AssertionError) as problem:
            problems.append(f"{server.name}: {problem}")
            print(problems[-1], file=sys.stderr)
    table = "\n".join((*HEADER, *rows))
    print(table)
    if problems:
        return CANNOT_MEASURE
    if options.write is not None:
        _write(options.write, table)
    return WELL


class Disagree(Exception):
    """The repeats of one server do not say the same; the message says what."""


def _measured(server: Server) -> str:
    """The row of one server.  Raises Disagree where the five audits do."""
    with Running(server) as running:
        audits = five(running)
    return row(server.title, audits)


def row(title: str, audits: Sequence[Audited]) -> str:
    """One line of the table.  Raises Disagree where the audits do, or one of them judged nothing."""
    for one in audits:
        if one.answer["reason"] is not None or one.answer["woken"] is None:
            raise Disagree(one.answer["sentence"])
    said = {
        (one.answer["waits"], one.answer["workers"], one.answer["verdict"], one.answer["woken"]["median"])
        for one in audits
    }
    if len(said) > 1:
        raise Disagree(f"the {len(audits)} audits disagree: {sorted(map(str, said))}")
    waits, workers, _, _ = said.pop()
    woken = _spread([one.answer["woken"] for one in audits])
    return f"| {title} | {_shortened(waits)} | {workers} | {woken} | {winners_in_words(audits)} |"


def _spread(spreads: Iterable[dict[str, float]]) -> str:
    """`4`, or `3–4, median 4`, over all audits; bold where it herds."""
    found = list(spreads)
    low, high = min(one["min"] for one in found), max(one["max"] for one in found)
    median = statistics.median(one["median"] for one in found)
    text = f"{low:g}" if low == high else f"{low:g}–{high:g}, median {median:g}"
    return f"**{text}**" if median > 1 else text


def winners_in_words(audits: Sequence[Audited]) -> str:
    """What part of the connections each winner took, the busiest first, in per cent: from lowest to highest."""
    shares = [[100 * times / sum(one.winners) for times in one.winners] for one in audits]
    places = max(map(len, shares))
    ranked = [[share[place] if place < len(share) else 0.0 for share in shares] for place in range(places)]
    return ", ".join(_range(min(values), max(values)) for values in ranked) + " %"


def _range(low: float, high: float) -> str:
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f}–{high:.0f}"


def _shortened(waits: object) -> str:
    """The audit's sentence without the number of workers, which has a column of its own."""
    return (
        str(waits)
        .partition(", ")[2]
        .replace("EPOLLEXCLUSIVE", "`EPOLLEXCLUSIVE`")
        .replace("SO_REUSEPORT", "`SO_REUSEPORT`")
    )


# --- the page -----------------------------------------------------------------------------------


def _why_not_writable(path: Path) -> str | None:
    try:
        text = path.read_text()
    except OSError as error:
        return f"{path}: {error.strerror}"
    if BEGIN not in text or END not in text:
        return f"{path} lacks the marks {BEGIN} and {END}, between which the table goes"
    return None


def _write(path: Path, table: str) -> None:
    before, _, rest = path.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suite.servers.table", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="SERVER", help=" ".join(server.name for server in SERVERS))
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between its marks in this file")
    parser.epilog = f"Each server is audited {REPEATS} times; a row is printed only where all say the same."
    return parser


if __name__ == "__main__":
    sys.exit(main())
