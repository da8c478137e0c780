"""docs/surroundings.md: what came of every place.

    python -m tests.suite.surroundings.page [--some] [--at-once N] [--kept FOLDER]

goes to every place with every claim (with --some: a sample), and writes the page.  With a FOLDER what each place said
is kept there, and a place that has said something before is not gone to again: it takes hours.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from probes import host
from probes.verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE

from .judged_here import Outcome
from .outcomes import CODE, outcomes
from .places import PLACES

SURROUNDINGS = host.PROJECT / "docs" / "surroundings.md"
SAMPLE = (
    "accept-locks.inherited",
    "accept-queue",
    "death.shutdown",
    "epoll-instances.can-be-polled",
    "epoll-instances.nests",
    "epoll-instances.timeout",
    "reuseport-group.own-queues",
    "server.child",
    "server.served-client",
    "signals.",
    "sockets.defer",
    "sockets.full",
    "sockets.queue",
)
"""What the ids of the claims hold that --some takes to each place."""
_LONGEST = 160

_HEAD = """\
# Surroundings

A sandbox, a limit or an unusual setting is no fault of the kernel, so it must never break a claim.  Where something is
denied, scarce or set differently, each claim either holds as usual or cannot be judged, and the reason says what is in
the way.  `python -m tests.suite.surroundings.page` judged {claims} claims ({cases} cases: every experiment, and every
strategy in its smallest scenario) in each of these surroundings, on Linux {release}.  `tox -e surroundings` asserts the
same.

Freezers, stray signals and kills come and go, so this table leaves them out.  `tests/suite/unit/test_wakers.py` and
`test_disturbed.py` cover them.
"""


def page(measured: dict[str, list[Outcome]], release: str) -> str:
    """The page's text.  ValueError where a place broke a claim, or a reason is a line of Python: nothing to publish."""
    some = next(iter(measured.values()))
    head = _HEAD.format(release=release, claims=len({claim for claim, *_ in some}), cases=len(some))
    lines = [*head.splitlines(), ""]
    lines += ["| surroundings | held | inconclusive | not applicable | broken | most frequent reason |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, judged in measured.items():
        bad = [each for each in judged if each[2] == BROKEN or (each[3] and CODE.search(each[3]))]
        if bad:
            raise ValueError(f"{name}: {bad}")
        verdicts = Counter(verdict for *_, verdict, _ in judged)
        counts = [str(verdicts[verdict]) for verdict in (HELD, INCONCLUSIVE, NOT_APPLICABLE, BROKEN)]
        reasons = Counter(reason for *_, reason in judged if reason)
        reason = reasons.most_common(1)[0][0] if reasons else ""
        shown = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST].rsplit(' ', 1)[0]} ..."
        lines.append(f"| {PLACES[name].what} | {' | '.join(counts)} | {shown.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def _said(place: str, parts: tuple[str, ...], kept: Path) -> list[Outcome]:
    """What came of this place, now or earlier."""
    file = kept / f"{place.replace('/', '-')}.json"
    if not file.exists():
        said = outcomes(place, *parts)
        print(place, dict(Counter(verdict for *_, verdict, _ in said)), file=sys.stderr, flush=True)
        file.write_text(json.dumps(said))
    return [tuple(each) for each in json.loads(file.read_text())]


def main() -> None:
    parser = argparse.ArgumentParser(description="Goes to every place, and writes docs/surroundings.md.")
    parser.add_argument("--some", action="store_true", help="a sample of the claims")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="so many places at once")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="keep there what each place said")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="wakecheck-surroundings-") as new,
        ThreadPoolExecutor(options.at_once) as go,
    ):
        kept, parts = options.kept or Path(new), SAMPLE if options.some else ()
        said = go.map(lambda place: _said(place, parts, kept), PLACES)
        measured = dict(zip(PLACES, said, strict=True))
    SURROUNDINGS.write_text(page(measured, os.uname().release.partition("-")[0]))


if __name__ == "__main__":
    main()
