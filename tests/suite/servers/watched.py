"""Real servers under clients that know how many connections they made, watched and not, in turns.

    python -m tests.suite.servers.watched                        nginx, gunicorn, HAProxy and Tomcat
    python -m tests.suite.servers.watched nginx --rates 50 1000  this one, so many connections a second

Accepted must equal made.  Times are those of this machine at this moment: compare with and without, not with others.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.suite.audit.watched import while_watched

from .launch import ROOT, Running
from .servers import named

NAMES = ("nginx", "gunicorn-sync", "haproxy", "tomcat")
HEADER = (
    "| server | connections a second | made | accepted | woken each | of asleep | in vain each | the lab | CPU in vain "
    "| records | with: 50, 90, 99 % | without |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table; 0, or 1 where accepted is not made."""
    parser = argparse.ArgumentParser(prog="python -m tests.suite.servers.watched", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="SERVER", default=NAMES)
    parser.add_argument("--rates", type=float, nargs="+", default=(50, 500, 2000), metavar="N")
    parser.add_argument("--seconds", type=float, default=5, metavar="N", help="of load, each time (default 5)")
    parser.add_argument("--turns", type=int, default=2, metavar="N", help="with and without, so often (default 2)")
    options = parser.parse_args(arguments)
    print("\n".join(HEADER), flush=True)
    missed = 0
    for name in options.names:
        with Running(named(name)) as running:
            for rate in options.rates:
                missed += _row(running, rate, options.seconds, options.turns)
    return 1 if missed else 0


def _row(running: Running, rate: float, seconds: float, turns: int) -> int:
    """Print one row; how many connections were made and not seen accepted, or the other way round."""
    with_it: list[dict[str, Any]] = []
    without: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for turn in range(turns):
        if turn % 2:
            without.append(_load(running, rate, seconds))
        watch = ["--port", running.port, "--watch", seconds + 3]
        answer, load = while_watched(watch, lambda: _load(running, rate, seconds))
        answers.append(answer)
        with_it.append(load)
        if not turn % 2:
            without.append(_load(running, rate, seconds))
    connections = sum(load["made"] for load in with_it)
    traffic = [answer["traffic"] for answer in answers]
    accepted = sum(watched["accepted"] for watched in traffic)
    asleep = [watched["asleep"]["median"] for watched in traffic if watched["asleep"]]
    woken = [answer["woken"]["median"] for answer in answers if answer["woken"]]
    each = {key: sum(watched[key] for watched in traffic) / max(1, accepted) for key in ("woken", "in_vain")}
    spent = sum(watched["in_vain_cpu_ms"] for watched in traffic) / max(
        0.001, sum(watched["cpu_ms"] for watched in traffic)
    )
    lab = answers[-1]["lab"]["woken"]
    cells = (
        running.server.title,
        f"{statistics.mean(load['per_s'] for load in with_it):.0f}",
        f"{connections:,}",
        f"{accepted:,}",
        f"{each['woken']:.2f}",
        f"{_median(woken)} of {_median(asleep)}",
        f"{each['in_vain']:.2f}",
        "" if lab is None else f"{lab['median']:g}",
        f"{spent:.1%}",
        f"{statistics.mean(watched['watched']['records'] for watched in traffic):,.0f}",
        _times(with_it),
        _times(without),
    )
    print(f"| {' | '.join(cells)} |", flush=True)
    for answer in answers:
        for warning in answer["warnings"]:
            print(f"  {warning}", file=sys.stderr)
    return abs(connections - accepted)


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):g}" if values else "?"


def _times(loads: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{statistics.median(load['us'][at] for load in loads):,.0f}" for at in ("50", "90", "99")) + " µs"


def _load(running: Running, rate: float, seconds: float) -> dict[str, Any]:
    line = [sys.executable, "-m", "tests.suite.audit.load", str(running.port), str(rate), str(seconds), "--http"]
    done: dict[str, Any] = json.loads(subprocess.check_output(line, cwd=ROOT, text=True))
    return done


if __name__ == "__main__":
    sys.exit(main())
