"""`wakecheck run SCENARIO`: one scenario, many trials."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.progress import track

from .. import axes, host, observers
from ..exits import CANNOT_JUDGE, WELL, BadInput
from ..lab.session import Lab
from ..names import strategy_in_words
from ..nearest import did_you_mean
from ..scenario import Scenario
from ..timeline import print_histogram, print_timeline

_MOST_TRIALS = 100_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """The scenario, and how to try it."""
    parser.add_argument(
        "scenario", metavar="SCENARIO", help="an id (below), for example epoll_wait.level.epoll/tcp4/n8/hold/burst"
    )
    parser.add_argument(
        "--trials", type=int, default=10, metavar="N", help="untraced trials (default 10); a traced one is added"
    )
    parser.add_argument(
        "--timeline", action="store_true", help="show who woke whom, and when, in an untraced and the traced trial"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="OBSERVER",
        help=f"do without this observer; may be given again ({', '.join(observers.names())})",
    )
    parser.epilog = "\n".join(axes.guide())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def run(options: argparse.Namespace) -> int:
    """Run and print; CANNOT_JUDGE if a trial was inconclusive, or nobody saw anything.

    Raises BadInput, BadScenario and Inconclusive.
    """
    scenario = Scenario.parse(options.scenario)
    if not 1 <= options.trials <= _MOST_TRIALS:
        raise BadInput(f"{options.trials} trials: there can be 1 to {_MOST_TRIALS:,}")
    for name in options.without:
        if name not in observers.names():
            known = observers.names()
            raise BadInput(f"no observer {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}")
    console = Console()
    with Lab(options.without) as lab:
        kinds = [False] * options.trials + [True] * (lab.greeting["why_not"]["syscall_exit"] is None)
        trials = [
            lab.run(scenario, traced=traced)
            for traced in track(kinds, scenario.id, console=Console(stderr=True), transient=True)
        ]
        missing = {name: why for name, why in lab.greeting["why_not"].items() if why is not None}
        missing |= dict.fromkeys(options.without, "switched off by --without")
    words = strategy_in_words(scenario.call, scenario.trigger, scenario.sharing)
    console.print(f"{scenario.id}\n{words}\n{host.in_one_line()}", markup=False, highlight=False)
    for name, why in missing.items():
        console.print(f"no {name}: {why}", markup=False, highlight=False)
    print_histogram(trials, console)
    if options.timeline:
        print_timeline(trials[0], console)
        if trials[-1].traced:
            print_timeline(trials[-1], console)
    if all(trial.woken is None and trial.returned is None for trial in trials):
        console.print("inconclusive: neither woken nor returned was observed", markup=False, highlight=False)
        return CANNOT_JUDGE
    return CANNOT_JUDGE if any(trial.inconclusive for trial in trials) else WELL
