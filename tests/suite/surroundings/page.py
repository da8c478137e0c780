"""docs/surroundings.md: the outcomes in every place.

    python -m tests.suite.surroundings.page [--some] [--guest] [--at-once N] [--kept FOLDER]

judges every claim (with --some: a sample) in every place, and writes the page; with --guest it also boots a guest, for
the settings of the whole machine.  This takes hours.  With a FOLDER the outcomes are kept there, and places whose
outcomes are there already are skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from probes import host
from probes.verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE

from . import judged_here, machine_wide
from .child import as_outcomes, outcomes_of_child
from .judged_here import CaseHere, Outcome
from .machine_wide import KERNEL, Measured
from .outcomes import CODE
from .places import PLACES

SURROUNDINGS = host.PROJECT / "docs" / "surroundings.md"
SAMPLE = (
    "accept-locks.inherited",
    "accept-locks.unlock-wakes",
    "death.shutdown",
    "epoll-ctl.",
    "epoll-graphs.inside",
    "epoll-instances.can-be-polled",
    "epoll-instances.nests",
    "epoll-instances.timeout",
    "epoll-triggers.",
    "every.cpus-do-not",
    "every.level-comes",
    "io-uring.",
    "limits.ends-with-zero",
    "mixed.plain-all",
    "phantoms.group",
    "reuseport-group.own-queues",
    "reuseport-group.selector",
    "server.child",
    "server.served-client",
    "signal-driven.",
    "signals.",
    "sockets.defer",
    "sockets.full",
    "sockets.queue",
    "sockets.write",
    "sources.",
)
"""With --some, only claims whose id contains one of these are judged."""
_FINE = (HELD, INCONCLUSIVE, NOT_APPLICABLE)
_LONGEST = 160
_LIMIT_S = 3600

_HEAD = """\
# Surroundings

A sandbox, a limit or an unusual setting is no fault of the kernel, so it must never break a claim.  Where something is
denied, scarce or set differently, each claim either holds as usual or cannot be judged, and the reason says what is in
the way.  `python -m tests.suite.surroundings.page` judged {claims} claims ({cases} cases of locks, sockets, signals,
reuseport groups, epoll, io_uring and other sources) in each of these surroundings, on Linux {release}.
`tox -e surroundings` judges all experiments and every strategy there.

Freezers, debuggers, stray signals and kills come and go, so this table leaves them out.
`tests/suite/unit/test_neighbours.py`, `test_wakers.py` and `test_disturbed.py` cover them.
"""

_MACHINE = """
## Machine-wide settings

No namespace holds these settings, or the run can make no namespace of its own.  Each was set to its extremes in a guest
({kernel} in QEMU) by `tests/suite/surroundings/machine_wide.py`, which then judged {claims} claims ({cases} cases).
That kernel lacks: {absent}.
"""


def page(measured: Measured, machine: Measured | None, release: str) -> str:
    """The page's text, from the outcomes in each place and under each setting of the machine.

    Raises ValueError, so that nothing is published, if a claim is broken there, or was not judged, or if a reason is a
    line of Python.
    """
    claims, cases = _counted(measured)
    lines = _HEAD.format(release=release, claims=claims, cases=cases).splitlines()
    lines += _table("surroundings", {PLACES[name].what: judged for name, judged in measured.items()})
    if machine is None:
        return "\n".join(lines) + "\n"
    claims, cases = _counted(machine)
    absent = sorted({f"{name.split(' is ')[0]}" for name, judged in machine.items() if not judged})
    text = _MACHINE.format(kernel=KERNEL, claims=claims, cases=cases, absent=", ".join(absent) or "none")
    lines += text.splitlines()
    lines += _table("setting", {name: judged for name, judged in machine.items() if judged})
    return "\n".join(lines) + "\n"


def _counted(measured: Measured) -> tuple[int, int]:
    """How many claims, and how many cases of them, were judged in each place."""
    first = next(iter(measured.values()))
    return len({claim for claim, *_ in first}), len(first)


def _table(heading: str, measured: Measured) -> list[str]:
    lines = ["", f"| {heading} | held | inconclusive | not applicable | broken | most frequent reason |"]
    lines += ["|---|---|---|---|---|---|"]
    for what, judged in measured.items():
        # If the process that judged there has died, its outcome is not a verdict (machine_wide.judged).
        bad = [each for each in judged if each[2] not in _FINE or (each[3] and CODE.search(each[3]))]
        if bad:
            raise ValueError(f"{what}: {bad}")
        verdicts = Counter(verdict for *_, verdict, _ in judged)
        counts = [str(verdicts[verdict]) for verdict in (HELD, INCONCLUSIVE, NOT_APPLICABLE, BROKEN)]
        reasons = Counter(reason for *_, reason in judged if reason)
        reason = reasons.most_common(1)[0][0] if reasons else ""
        shown = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST].rsplit(' ', 1)[0]} ..."
        lines.append(f"| {what} | {' | '.join(counts)} | {shown.replace('|', '/')} |")
    return lines


def _forked(place: str, cases: list[CaseHere]) -> list[Outcome]:
    """The outcomes of these cases in this place.  Raises AssertionError if there are none within _LIMIT_S."""

    def act() -> list[Outcome]:
        signal.alarm(_LIMIT_S)
        return judged_here.judged_at(place, cases)

    code, outcomes = outcomes_of_child(act)
    assert code == 0, f"{place}: the process that judged there ended with {code}"
    return outcomes


def _go(places: Sequence[str], parts: Sequence[str], kept: Path) -> None:
    """Judge in each of these places whose outcomes are not kept yet."""
    cases = judged_here.cases_of(parts)
    for place in places:
        file = _file(kept, place)
        if not file.exists():
            outcomes = _forked(place, cases)
            print(place, dict(Counter(verdict for *_, verdict, _ in outcomes)), file=sys.stderr, flush=True)
            file.write_text(json.dumps(outcomes))


def _file(kept: Path, place: str) -> Path:
    return kept / f"{place.replace('/', '-')}.json"


def _go_to_all(at_once: int, kept: Path, *options: str) -> Measured:
    """The outcomes in each place.  `at_once` processes each take a share of the places.

    They are started as separate programs: conductors that were forked from one process would name their waiters alike.
    """
    command = [sys.executable, "-m", __spec__.name, f"--kept={kept}", *options]
    shares = [subprocess.Popen([*command, f"--share={first}/{at_once}"]) for first in range(at_once)]
    assert [share.wait() for share in shares] == [0] * at_once
    return {place: as_outcomes(json.loads(_file(kept, place).read_text())) for place in PLACES}


def _machine_wide(kept: Path) -> Measured:
    """The outcomes under each setting of the machine, from a guest, or from FOLDER."""
    file = kept / "machine-wide.json"
    if not file.exists():
        with tempfile.TemporaryDirectory(prefix="wakecheck-machine-wide-") as out:
            file.write_text(json.dumps(machine_wide.measured(Path(out))))
    return {name: as_outcomes(judged) for name, judged in json.loads(file.read_text()).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Judges in every place, and writes docs/surroundings.md.")
    parser.add_argument("--some", action="store_true", help="judge a sample of the claims")
    parser.add_argument("--guest", action="store_true", help="boot a guest, for settings of the whole machine")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="judge in N places at once")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="keep the outcomes of each place there")
    parser.add_argument("--share", metavar="K/N", help="judge in one Nth of the places, and write no page")
    options = parser.parse_args()
    if options.share:
        first, step = map(int, options.share.split("/"))
        _go(list(PLACES)[first::step], SAMPLE if options.some else (), options.kept)
        return
    with tempfile.TemporaryDirectory(prefix="wakecheck-surroundings-") as new:
        kept = options.kept or Path(new)
        measured = _go_to_all(options.at_once, kept, *(["--some"] if options.some else []))
        machine = _machine_wide(kept) if options.guest else None
    SURROUNDINGS.write_text(page(measured, machine, os.uname().release.partition("-")[0]))


if __name__ == "__main__":
    main()
