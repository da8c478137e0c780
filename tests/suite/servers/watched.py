"""Real servers under clients that know how many connections they made, watched and not, in turns.

    python -m tests.suite.servers.watched                        nginx, gunicorn, HAProxy and Tomcat
    python -m tests.suite.servers.watched nginx --rates 50 1000  this one, so many connections a second

Accepted must equal made.  Blocks of load take turns: watched, alone, and alone once more.  What the watch adds to a
request is the difference of the medians; the noise is the largest difference between any two blocks that are alone.
Times are those of this machine at this moment: compare them with one another, not with others.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tests.suite.audit.watched import while_watched

from .launch import ROOT, Running
from .servers import named

NAMES = ("nginx", "gunicorn-sync", "haproxy", "tomcat")
WATCHED, ALONE, ALONE_AGAIN = "watched", "alone", "alone again"
_WATCH_MORE_S = 3
"""So much longer than the load a watch lasts."""
_START_S, _READ_S = 0.5, 3.0
"""What clients, or a server, take to start; and an audit to look for the workers, to read records, to ask the lab."""
HEADER = (
    "| server | connections a second | made | accepted | woken of asleep | the lab | woken each | in vain each "
    "| CPU in vain | records | watched: 50, 90, 99 % | alone | alone again | adds | noise |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table; 0, or 1 where accepted is not made."""
    parser = argparse.ArgumentParser(prog="python -m tests.suite.servers.watched", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="SERVER", default=NAMES)
    parser.add_argument("--rates", type=float, nargs="+", default=(50, 500, 2000), metavar="N")
    parser.add_argument("--seconds", type=float, default=5, metavar="N", help="of load, each time (default 5)")
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="blocks of each kind (default 3)")
    options = parser.parse_args(arguments)
    takes_s = expected_s(len(options.names), len(options.rates), options.seconds, options.turns)
    print(f"some {takes_s / 60:.0f} minutes on an idle machine", file=sys.stderr, flush=True)
    print("\n".join(HEADER), flush=True)
    missed = 0
    for name in options.names:
        with Running(named(name)) as running:
            _load(running, 50, 1)  # warms up
            for rate in options.rates:
                missed += _row(running, rate, options.seconds, options.turns)
    return 1 if missed else 0


def expected_s(servers: int, rates: int, seconds: float, turns: int) -> float:
    """How long it takes: three blocks of load each turn, one of them within a watch that is longer."""
    turn_s = 3 * (seconds + _START_S) + _WATCH_MORE_S + _READ_S
    return servers * (rates * turns * turn_s + 2 * _START_S)


def _row(running: Running, rate: float, seconds: float, turns: int) -> int:
    """Print one row; how many connections were made and not seen accepted, or the other way round."""
    loads: dict[str, list[dict[str, Any]]] = {WATCHED: [], ALONE: [], ALONE_AGAIN: []}
    answers: list[dict[str, Any]] = []
    for turn in range(turns):
        # Each kind takes each place in turn.
        kinds = list(loads)
        for kind in kinds[turn % 3 :] + kinds[: turn % 3]:
            if kind == WATCHED:
                watch = ["--port", running.port, "--watch", seconds + _WATCH_MORE_S]
                answer, load = while_watched(watch, lambda: _load(running, rate, seconds))
                answers.append(answer)
            else:
                load = _load(running, rate, seconds)
            loads[kind].append(load)
    connections = sum(load["made"] for load in loads[WATCHED])
    accepted = sum(answer["traffic"]["accepted"] for answer in answers)
    adds, noise = compared(
        *([float(load["us"]["50"]) for load in loads[kind]] for kind in (WATCHED, ALONE, ALONE_AGAIN))
    )
    cells = (
        running.server.title,
        f"{statistics.mean(load['per_s'] for load in loads[WATCHED]):.0f}",
        f"{connections:,}",
        f"{accepted:,}",
        *_counted(answers),
        *(_times(loads[kind]) for kind in loads),
        f"{adds:+,.0f} µs",
        f"{noise:,.0f} µs",
    )
    print(f"| {' | '.join(cells)} |", flush=True)
    for answer in answers:
        for warning in answer["warnings"]:
            print(f"  {warning}", file=sys.stderr)
    return int(abs(connections - accepted))


def compared(watched: Sequence[float], alone: Sequence[float], again: Sequence[float]) -> tuple[float, float]:
    """What the watch adds to a request, and the noise that this must be held against, from the medians of blocks."""
    without = [*alone, *again]
    return statistics.median(watched) - statistics.median(without), max(without) - min(without)


def _counted(answers: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The cells that say what was counted."""
    traffic = [answer["traffic"] for answer in answers]
    accepted = max(1, sum(watched["accepted_observed"] for watched in traffic))
    woken = [answer["woken"]["median"] for answer in answers if answer["woken"]]
    asleep = [watched["asleep"]["median"] for watched in traffic if watched["asleep"]]
    yield f"{_median(woken)} of {_median(asleep)}"
    lab = answers[-1]["lab"]["woken"]
    yield "" if lab is None else f"{lab['median']:g}"
    for key in ("woken", "in_vain"):
        yield f"{sum(watched[key] for watched in traffic) / accepted:.2f}"
    spent = max(0.001, sum(watched["cpu_ms"] for watched in traffic))
    yield f"{sum(watched['in_vain_cpu_ms'] for watched in traffic) / spent:.1%}"
    yield f"{statistics.mean(watched['watched']['records'] for watched in traffic):,.0f}"


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
