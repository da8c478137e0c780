"""`python -m tests.suite.unit.breakers CLAIM ...` names the models of broken kernels that break a claim.

It judges claims about herds; what breaks a claim about an experiment is in `caught.py`.  It takes seconds, because it
judges no other claim; test_broken_kernels.py judges all of them against the table of `breaks.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from probes.verdict import BROKEN, HELD

from .breaks import BREAKS, GAPS
from .judging import claims_with_stars, verdicts_on
from .model import Kernel


def breakers(claim: str) -> Iterator[str]:
    """The names of the models that break it."""
    for make in (*BREAKS, *GAPS):
        if verdicts_on(make(1), [claim], untraced=1)[claim] == BROKEN:
            yield make.__name__


def main(claims: list[str]) -> int:
    """Print the names, a line for each claim.  Returns 2 if one is about no herd, 3 if a healthy kernel breaks it."""
    unknown = [claim for claim in claims if claim not in claims_with_stars()]
    if unknown or not claims:
        print(f"no claim about a herd: {' '.join(unknown) or 'name one'}", file=sys.stderr)
        return 2
    status = 0
    for claim in claims:
        if verdicts_on(Kernel(1), [claim])[claim] != HELD:
            print(f"{claim}: does not hold on the healthy model", file=sys.stderr)
            status = 3
        print(f"{claim}: {' '.join(breakers(claim)) or 'no model breaks it'}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
