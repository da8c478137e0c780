"""Audits every server several times, keeps what it saw in docs/servers.json, and writes the table of docs/servers.md.

    python -m tests.suite.servers.table                    all of them, a minute each
    python -m tests.suite.servers.table nginx uwsgi        these
    python -m tests.suite.servers.table --count nginx      only what a counter of its own shows (independent.py)
    python -m tests.suite.servers.table --page             nothing: the page anew, from the data

Exit codes: 0 all were measured and their repeats agree, 2 bad input, 3 one could not be measured.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from probes import host
from probes.audit.arguments import query

from . import independent
from .audits import REPEATS, Audited, audit
from .launch import ROOT, DidNotStart, Running
from .server import Program, Server
from .servers import MENDED, SERVERS

WELL, BAD_INPUT, CANNOT_MEASURE = 0, 2, 3
REQUESTS = 20
"""How many are made of each server beside the audits, and counted if answered."""

HEADER = (
    "| server | version | how it waits | workers | woken | counted | winners | audits | mended by |",
    "|---|---|---|---:|---:|---|---|---:|---|",
)
BEGIN, END = "<!-- servers: written by tests/suite/servers/table.py -->", "<!-- end of servers -->"
DATA, PAGE = ROOT / "docs" / "servers.json", ROOT / "docs" / "servers.md"

Entry = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write; the exit code."""
    options = _parser().parse_args(arguments)
    known = {server.name: server for server in SERVERS}
    if unknown := [name for name in options.names if name not in known]:
        print(f"no server is called {unknown[0]}: choose from {' '.join(known)}", file=sys.stderr)
        return BAD_INPUT
    entries = data()
    problems = []
    wanted = [known[name] for name in options.names] or SERVERS
    for server in () if options.page else wanted:
        print(f"{server.name} ...", file=sys.stderr)
        try:
            entries[server.name] = (
                {**entries[server.name], **_counted(server)} if options.count else _measured(server, options.repeats)
            )
        except (
            Disagree,
            independent.NeverAtRest,
            DidNotStart,
            FileNotFoundError,
            AssertionError,
            subprocess.CalledProcessError,
        ) as problem:
            problems.append(f"{server.name}: {problem}")
            print(problems[-1], file=sys.stderr)
            continue
        print(row(entries[server.name], entries), flush=True)
        _keep(entries)
    _write(PAGE, page_table(entries))
    return CANNOT_MEASURE if problems else WELL


class Disagree(Exception):
    """The repeats of one server do not say the same; the message says what."""


def data() -> dict[str, Entry]:
    """What was measured, by the server's name."""
    return {entry["name"]: entry for entry in json.loads(DATA.read_text())} if DATA.exists() else {}


def _keep(entries: Mapping[str, Entry]) -> None:
    ordered = [entries[server.name] for server in SERVERS if server.name in entries]
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in ordered)
    DATA.write_text(f"[\n{lines}\n]\n")


def _measured(server: Server, repeats: int) -> Entry:
    """What so many audits and some requests show of one server.  Raises Disagree where the audits do."""
    with Running(server) as running:
        audits = [audit(running) for _ in range(repeats)]
        entry = entry_of(server, audits)
        counted = _count(running, audits[-1])
        answered = sum(running.is_served() for _ in range(REQUESTS))
    return {**entry, **counted, "answered": answered, "version": version_of(server.program)}


def _counted(server: Server) -> Entry:
    """What the counter of its own shows of one server."""
    with Running(server) as running:
        return _count(running, audit(running, ["--connections", "2"]))


def _count(running: Running, audited: Audited) -> Entry:
    """What the counter of its own shows.  Raises Disagree if the audit knows other workers than the row, and
    NeverAtRest if they always move."""
    if audited.answer["workers"] != running.server.workers:
        raise Disagree(f"the audit found {audited.answer['workers']} of {running.server.workers} workers")
    waiters = [waiter["tid"] for waiter in audited.answer["waiters"]]
    asked = running.server.audit
    datagram = query(asked[1]) if asked[:1] == ("--dns",) else None
    return {"counted": independent.count(running, waiters, datagram).as_dict()}


def entry_of(server: Server, audits: Sequence[Audited]) -> Entry:
    """What these audits say alike.  Raises Disagree where they do not, or one of them judged nothing."""
    for audited in audits:
        if audited.answer["reason"] is not None or audited.answer["woken"] is None:
            raise Disagree(audited.answer["sentence"])
    said = {
        (
            audited.answer["waits"],
            audited.answer["workers"],
            audited.answer["verdict"],
            audited.answer["woken"]["median"],
        )
        for audited in audits
    }
    if len(said) > 1:
        raise Disagree(f"the {len(audits)} audits disagree: {sorted(map(str, said))}")
    waits, workers, verdict, _ = said.pop()
    return {
        "name": server.name,
        "title": server.title,
        "waits": waits,
        "workers": workers,
        "verdict": verdict,
        "strategy": audits[0].strategy,
        "woken": [audited.answer["woken"] for audited in audits],
        "winners": [audited.winners for audited in audits],
        "kernel": host.in_one_line(),
    }


def version_of(program: Program) -> str:
    """Of its package, as Debian or PyPI knows it; empty where neither does."""
    try:
        return importlib.metadata.version(program.package)
    except importlib.metadata.PackageNotFoundError:
        pass
    asked = ["dpkg-query", "-W", "-f", "${Version}", program.package]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        # Without the epoch, and what Debian adds.
        return done.stdout.partition(":")[2].partition("-")[0] or done.stdout.partition("-")[0]
    if (path := program.path()) is None:
        return ""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    return next((word for word in said.split() if word[:1].isdigit()), "")


# --- a row --------------------------------------------------------------------------------------


def row(entry: Entry, entries: Mapping[str, Entry]) -> str:
    """One line of the table; `entries` holds those that mend it."""
    cells = (
        entry["title"],
        entry["version"],
        _shortened(entry["waits"]),
        str(entry["workers"]),
        _spread(entry["woken"]),
        independent.in_words(entry["counted"]) if "counted" in entry else "",
        winners_in_words(entry["winners"]),
        str(len(entry["woken"])),
        _mended(entry, entries),
    )
    return f"| {' | '.join(cells)} |"


def _mended(entry: Entry, entries: Mapping[str, Entry]) -> str:
    """By which setting, and how many wake with it."""
    name, setting = MENDED.get(entry["name"], ("", ""))
    return f"{setting}: {_spread(entries[name]['woken'])}" if name in entries else ""


def _spread(spreads: Iterable[dict[str, float]]) -> str:
    """`4`, or `3–4, median 4`, over all audits; bold where it herds."""
    known = list(spreads)
    low, high = min(spread["min"] for spread in known), max(spread["max"] for spread in known)
    median = statistics.median(spread["median"] for spread in known)
    text = f"{low:g}" if low == high else f"{low:g}–{high:g}, median {median:g}"
    return f"**{text}**" if median > 1 else text


def winners_in_words(winners: Sequence[Sequence[int]]) -> str:
    """What part of the connections each winner took, the busiest first, in per cent: from lowest to highest."""
    if not all(winners):
        return "not observed"
    shares = [[100 * times / sum(times_of) for times in times_of] for times_of in winners]
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


def page_table(entries: Mapping[str, Entry]) -> str:
    """The table, in the order of the servers."""
    return "\n".join((*HEADER, *(row(entries[server.name], entries) for server in SERVERS if server.name in entries)))


def _write(path: Path, table: str) -> None:
    before, _, rest = path.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suite.servers.table", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="SERVER", help=" ".join(server.name for server in SERVERS))
    parser.add_argument("--repeats", type=int, default=REPEATS, metavar="N", help=f"audits of each (default {REPEATS})")
    parser.add_argument("--page", action="store_true", help="measure nothing; write the page anew from the data")
    parser.add_argument("--count", action="store_true", help="audit no more; only count, by the counter of its own")
    parser.epilog = "What the audits of a server said is kept only where all say the same."
    return parser


if __name__ == "__main__":
    sys.exit(main())
