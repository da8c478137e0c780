"""The options of `wakecheck cost`, and the text that teaches them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from .. import argument
from ..exits import OTHER_CODES, BadInput
from . import cpus, plan, ways, work

GUIDE = """\
What does each strategy cost a server, and who waits?

  wakecheck cost                                    all strategies, under a minute on an idle machine
  wakecheck cost --quick                            fewer sizes and rounds, in a quarter of that
  wakecheck cost poll epoll_wait.exclusive.listener --workers 8,64,256 --load rest
  wakecheck cost --load saturating --work 0,mixed --workers 8 --rounds 9
  wakecheck cost --json cost.json --plots plots/
  wakecheck cost --into report/run.json             beside the verdicts: on the page, in compare, in the matrix

Each worker is a process: it waits by one strategy, accepts, spins for the time of the work,
answers one byte, closes, and waits again.  A client connects over loopback, in a network namespace of
its own if that is allowed.  Each reading starts new workers; under the same load, every strategy gets the
same connections.  The strategies take turns within a round, and each figure is compared with that of
`accept` in the same round, so drift of the machine affects all of them alike.
These are measurements, not verdicts.  But every reading is checked for what must be true (each connection
is answered once, by the worker that counts it; counters only grow; shares add up to 100 %; times add up).
If a check fails, the command ends with one sentence and exit code 3.

How to read it:
  woken      workers that were woken for a connection;  in vain: those of them that took nothing
  returned   those of them whose wait call came back; the others went back to sleep inside the kernel
  CPU        CPU time of all workers per connection; under load without the work itself
  median     time from connect to the first byte: half of the connections are faster
  p99        the same: 99 of 100 connections are faster
  busiest    share of the worker that took most;  Jain's index is 1 if all took the same
  x          multiple of the figure of `accept`;  ± half the interquartile range over the rounds

Workers and client are written in Python, so taking a connection costs more here than in C.  What a herd
costs beyond that is the kernel's work, and it weighs less in these ratios than in those of a server in C.
"""


class BadCost(BadInput):
    """What was asked for cannot be measured; the message is one sentence for the user."""


@dataclass(frozen=True)
class CostRequest:
    """What was asked for, checked."""

    plan: plan.Plan
    pin: str
    json: Path | None
    plots: Path | None


def add_to(parser: argparse.ArgumentParser) -> None:
    """Give the subcommand its options."""
    parser.description = GUIDE
    parser.epilog = _strategies()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("strategies", nargs="*", metavar="STRATEGY", help="ids, as below (default: all of them)")
    parser.add_argument(
        "--workers", metavar="N,N", help=f"sizes, 1 to {plan.MOST_WORKERS} (default 1,2,8,64 at rest, 8 under load)"
    )
    parser.add_argument("--load", metavar="LOAD,LOAD", help=f"{', '.join(plan.LOADS)} (default: all)")
    parser.add_argument(
        "--work",
        metavar="US,US",
        help=f"CPU time per request in microseconds, or mixed: {work.MIXED[0]}, and {work.MIXED[1]:,} for one in "
        f"{work.LONG_EVERY} (default 0; mixed where saturating)",
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help=f"default {plan.ROUNDS}, {plan.QUICK_ROUNDS} with --quick"
    )
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds")
    parser.add_argument(
        "--pin",
        choices=cpus.PINS,
        default="auto",
        help="; ".join(f"{name}: {what}" for name, what in cpus.PINS.items()),
    )
    parser.add_argument(
        "--json", type=argument.path, metavar="FILE", help="write all figures (probes/cost/cost.schema.json)"
    )
    parser.add_argument(
        "--into",
        type=argument.path,
        metavar="FILE",
        help="put the figures into this run.json of the same kernel, and make its page again",
    )
    parser.add_argument(
        "--plots",
        type=argument.path,
        metavar="DIR",
        help="draw them as SVG: the herd in dots, growth, latencies, shares",
    )


def _strategies() -> str:
    lines = [f"  {way.id:30} {way.name}" for way in map(ways.parse, ways.DEFAULT)]
    loads = [f"  {name:30} {what}" for name, what in plan.LOADS.items()]
    return "\n".join(
        [
            "Strategies:",
            *lines,
            "and any other strategy of `wakecheck run`; with +LOCK, under a lock",
            f"({', '.join(ways.HANDED_OVER)}).",
            "",
            "Loads:",
            *loads,
            "",
            "Exit codes: 0 measured, 2 bad input, 3 a check failed or it could not be measured,",
            f"{OTHER_CODES}.",
        ]
    )


def request_from(options: argparse.Namespace) -> CostRequest:
    """The checked request.  Raises BadCost, or BadScenario for a strategy, with one sentence."""
    rounds = options.rounds if options.rounds is not None else plan.QUICK_ROUNDS if options.quick else plan.ROUNDS
    if not 1 <= rounds <= plan.MOST_ROUNDS:
        raise BadCost(f"{rounds} rounds: there can be 1 to {plan.MOST_ROUNDS:,}")
    loads = _listed(options.load, "load") or list(plan.LOADS)
    for load in loads:
        if load not in plan.LOADS:
            raise BadCost(f"no load {load!r}: there are {', '.join(plan.LOADS)}")
    try:
        works = tuple(work.parse(text) for text in _listed(options.work, "work"))
    except ValueError as error:
        raise BadCost(str(error)) from error
    planned = plan.make(
        tuple(ways.parse(name) for name in dict.fromkeys(options.strategies or ways.DEFAULT)),
        loads=tuple(loads),
        sizes=tuple(sorted(_size(text) for text in _listed(options.workers, "workers"))),
        work=tuple(dict.fromkeys(works)),
        rounds=rounds,
        quick=options.quick,
    )
    json = Path(options.json) if options.json is not None else None
    plots = Path(options.plots) if options.plots is not None else None
    return CostRequest(planned, options.pin, json, plots)


def _listed(text: str | None, option: str) -> list[str]:
    """The words of a list, each once; none if the option was not given."""
    if text is None:
        return []
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise BadCost(f"--{option} {text!r} has an empty place: write them with commas between, without one at an end")
    return list(dict.fromkeys(words))


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= plan.MOST_WORKERS):
        raise BadCost(f"{text!r} workers: there can be 1 to {plan.MOST_WORKERS}")
    return int(text)
