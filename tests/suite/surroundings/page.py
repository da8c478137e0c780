"""docs/surroundings.md: `python -m tests.suite.surroundings.page` goes to every place, and writes what came of it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from collections import Counter

from probes import host
from probes.verdict import BROKEN, HELD, INCONCLUSIVE, NOT_APPLICABLE

from . import judged_here
from .judged_here import Outcome
from .outcomes import CODE
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
"""What the ids of the claims hold that are taken to each place for the page; the tests there take all."""
_LONGEST = 160
_LIMIT_S = 120

_HEAD = """\
# Surroundings

What is no fault of the kernel must break no claim: where something is denied, scarce or set otherwise, it is held as
elsewhere, or it cannot be judged, and the reason says what is in the way.  `python -m tests.suite.surroundings.page`
has taken a sample of {claims} claims ({cases} cases of sockets, signals, reuseport groups and epoll instances) to each
of these places, on Linux {release}.  `tox -e surroundings` takes all experiments and every strategy there.

A freezer, stray signals and kills are not in this table, because they come and go: `tests/suite/unit/test_wakers.py`
and `test_disturbed.py` hold what becomes of those.
"""


def page(measured: dict[str, list[Outcome]], release: str) -> str:
    """The page's text.  ValueError where a place broke a claim, or a reason is a line of Python: nothing to publish."""
    some = next(iter(measured.values()))
    head = _HEAD.format(release=release, claims=len({claim for claim, *_ in some}), cases=len(some))
    lines = [*head.splitlines(), ""]
    lines += ["| place | held | inconclusive | not applicable | broken | the reason most often given |"]
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


def _forked(place: str) -> list[Outcome]:
    """What judged_here says of the sample there, in a fork: what it imports is here already."""
    said, out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(said)
        os.setsid()
        signal.alarm(_LIMIT_S)
        kept = fcntl.fcntl(out, fcntl.F_DUPFD, 3)
        try:
            text = json.dumps(judged_here.main(place, *SAMPLE)).encode()
            while text:
                text = text[os.write(kept, text) :]
        finally:
            os._exit(0)
    os.close(out)
    with open(said, "rb") as file:
        text = file.read()
    os.waitpid(pid, 0)
    return [tuple(each) for each in json.loads(text)]


def main() -> None:
    measured = {}
    for name in PLACES:
        measured[name] = _forked(name)
        print(name, dict(Counter(verdict for *_, verdict, _ in measured[name])), file=sys.stderr, flush=True)
    SURROUNDINGS.write_text(page(measured, os.uname().release.partition("-")[0]))


if __name__ == "__main__":
    main()
